//! meydan-testkit.

pub mod telegram;
