//! meydan-runtime.
