//! The log of a bounded context: facts in PostgreSQL, a fenced copy on JetStream, readers with checkpoints.
//!
//! - [`EventLog`] carries out commands and reads facts back. `append` is its batcher.
//! - [`Relay`] publishes the facts, in order, each once.
//! - [`Projection`] and [`Policy`] are the two kinds of reader; [`ProjectionRunner`] and [`run_policy`] drive them.
//!
//! The algorithms and the promises are in ARCHITECTURE.md and `docs/decisions/`.

mod append;
mod clock;
mod cqrs;
mod database;
mod envelope;
mod lead;
mod log;
mod policy;
mod projection;
mod relay;
mod source;

pub use self::{
    append::{AppendError, Committed, UniqueKey},
    clock::Clock,
    cqrs::{AggregateStore, Context},
    database::{PrepareError, prepare_database},
    envelope::{Actor, Meta, PLATFORM, Recorded, Unreadable},
    lead::{Lock, lead},
    log::{EventLog, ExecuteError, Loaded, Target},
    policy::{Outcome, Policy, answer_to, run_policy},
    projection::{Progress, Projection, ProjectionError, ProjectionRunner, advance, checkpoint},
    relay::{Relay, RelayError},
    source::{Source, stream_name},
};

/// Migrations of the log, run in the database of every context before its own.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
