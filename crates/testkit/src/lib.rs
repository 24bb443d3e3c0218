//! What tests stand on: real servers, the program as a process, people and their authenticators, a Telegram, and a log in memory.

pub mod authenticator;
pub mod detour;
mod foreign;
pub mod given;
pub mod memory;
pub mod model;
pub mod otlp;
pub mod passkey;
pub mod ports;
pub mod post;
pub mod process;
pub mod servers;
pub mod telegram;
pub mod visitor;
