//! What tests stand on: real servers, the program as a process, people, a Telegram, and a log in memory.

mod foreign;
pub mod given;
pub mod model;
pub mod otlp;
pub mod post;
pub mod process;
pub mod servers;
pub mod telegram;
