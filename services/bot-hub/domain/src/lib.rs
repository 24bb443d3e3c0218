//! bot-hub-domain.

pub mod telegram;
