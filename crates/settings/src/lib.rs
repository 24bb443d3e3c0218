//! meydan-settings.
