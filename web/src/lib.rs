//! meydan-web.
