//! What tests stand on: real servers, the program as a process, people, and a Telegram.

pub mod otlp;
pub mod process;
pub mod servers;
pub mod telegram;
