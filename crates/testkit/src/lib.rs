//! meydan-testkit.

pub mod process;
pub mod servers;
pub mod telegram;
