//! meydan-telemetry.
