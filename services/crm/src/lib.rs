//! The inbox of every campaign: tickets, messages, citizens.
//!
//! - [`app`]: every command and query, the table of contents.
//! - [`grpc`]: `meydan.crm.v1` in front of it.
//! - [`projections`]: the tables, what fills them and what may be asked of them.
//! - [`policies`]: facts of other contexts that lead to commands here.

pub mod app;
pub mod grpc;
pub mod policies;
pub mod projections;
mod service;

pub use self::service::{NAME, RunError, Setup, migrate, run};
