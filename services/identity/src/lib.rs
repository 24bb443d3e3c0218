//! Accounts, sessions, campaigns and members.
//!
//! - [`app`]: every command and query, the table of contents; [`grpc`]: `meydan.identity.v1` in front of it.
//! - [`letters`]: mail and SMS, from a ledger.
//! - [`password`]: hashing, as much at a time as the machine bears.
//! - [`tokens`]: sessions and one-time links, of which only hashes are kept.
//! - [`policies`]: facts that lead to work here.
//! - [`projections`]: the tables, what fills them and what may be asked of them.

pub mod app;
pub mod grpc;
pub mod letters;
pub mod password;
pub mod policies;
pub mod projections;
mod service;
pub mod tokens;

pub use self::service::{NAME, RunError, Setup, migrate, run};
