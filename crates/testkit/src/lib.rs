//! What tests stand on: real servers, the program as a process, people and their authenticators, a Telegram, and a log in memory.

pub mod authenticator;
pub mod given;
pub mod model;
pub mod otlp;
pub mod process;
pub mod servers;
pub mod telegram;
