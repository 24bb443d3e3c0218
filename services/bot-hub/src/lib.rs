//! The Telegram bots of all campaigns.
//!
//! - [`intake`]: updates in, each once, in order per chat.
//! - [`outbound`]: answers out, from a ledger.
//! - [`keeper`]: connects bots and keeps them connected.
//! - [`campaigns`]: which campaigns run; of the others the bots take nothing.
//! - [`app`]: every command and query; [`grpc`]: `meydan.bot_hub.v1` in front of it.
//! - [`projections`], [`policies`], [`clients`]: tables, reactions, other services.

pub mod app;
pub mod campaigns;
pub mod clients;
pub mod grpc;
pub mod intake;
pub mod keeper;
pub mod outbound;
pub mod policies;
pub mod projections;
mod service;

pub use self::service::{NAME, RunError, Setup, migrate, run};
