//! Accounts, sessions, campaigns and members.
//!
//! - [`app`]: every command and query, the table of contents; [`grpc`]: `meydan.identity.v1` in front of it.
//! - [`changes`]: tells gateways what is not so any more.
//! - [`letters`]: mail and SMS, from a ledger.
//! - [`password`]: hashing, as much at a time as the machine bears.
//! - [`tokens`], [`invitations`], [`factors`], [`passkeys`], [`challenges`], [`devices`], [`tries`]: what proves people and what is counted.
//!   They are no facts, and of secrets only hashes are kept.
//! - [`totp`]: codes of authenticators; [`relying_party`]: what passkeys sign, and whether it is right.
//! - [`policies`]: facts that lead to work here.
//! - [`projections`]: the tables, what fills them and what may be asked of them.

pub mod app;
pub mod challenges;
pub mod changes;
pub mod devices;
pub mod factors;
pub mod grpc;
pub mod invitations;
pub mod letters;
pub mod passkeys;
pub mod password;
pub mod policies;
pub mod projections;
pub mod relying_party;
mod service;
pub mod tokens;
pub mod totp;
pub mod tries;

pub use self::service::{NAME, RunError, Setup, migrate, run};
