//! The log of a bounded context: facts in PostgreSQL, a fenced copy on JetStream, readers with checkpoints.
//!
//! - [`EventLog`] carries out commands ([`EventLog::execute`], [`EventLog::group`]) and reads facts back.
//! - [`Relay`] publishes the facts, in order, each once.
//! - [`Projection`] and [`Policy`] are the two kinds of reader; [`ProjectionRunner`] and [`run_policy`] drive
//!   them from a [`Subscription`]. [`Rebuild`] grows a projection's tables anew beside those in use.
//! - [`Event`] says how facts of older shapes are read today.
//!
//! Without the feature `store`, only what domain packages need is there: the envelope and the codec.
//! The algorithms and the promises are in ARCHITECTURE.md and `docs/decisions/`.

mod codec;
mod envelope;
#[cfg(feature = "golden")]
pub mod golden;

pub use self::{
    codec::{Event, Shape, Unreadable, Upcast, decode},
    envelope::{Actor, Meta, PLATFORM, Recorded},
};

#[cfg(feature = "store")]
mod append;
#[cfg(feature = "store")]
mod checkpoint;
#[cfg(feature = "store")]
mod clock;
#[cfg(feature = "store")]
mod compare;
#[cfg(feature = "store")]
mod cqrs;
#[cfg(feature = "store")]
mod database;
#[cfg(feature = "store")]
mod execute;
#[cfg(feature = "store")]
mod gaps;
#[cfg(feature = "store")]
mod hot;
#[cfg(feature = "store")]
mod inspect;
#[cfg(feature = "store")]
mod keys;
#[cfg(feature = "store")]
mod lead;
#[cfg(feature = "store")]
mod load;
#[cfg(feature = "store")]
mod log;
#[cfg(feature = "store")]
mod origin;
#[cfg(feature = "store")]
mod parked;
#[cfg(feature = "store")]
mod policy;
#[cfg(feature = "store")]
mod projection;
#[cfg(feature = "store")]
mod rebuild;
#[cfg(feature = "store")]
mod relay;
#[cfg(feature = "store")]
mod repair;
#[cfg(feature = "store")]
pub mod rules;
#[cfg(feature = "store")]
mod session;
#[cfg(feature = "store")]
mod snapshot;
#[cfg(feature = "store")]
mod source;
#[cfg(feature = "store")]
mod sqlstate;
#[cfg(feature = "store")]
mod timer;

#[cfg(feature = "store")]
pub use self::{
    append::{AppendError, Committed, UniqueKey},
    checkpoint::{advance, checkpoint},
    clock::Clock,
    compare::{Finding, Missing, Standing, beyond, compare, published},
    cqrs::{AggregateStore, Context},
    database::{PrepareError, prepare_database},
    execute::{Elsewhere, ExecuteError, Group, Refusal},
    gaps::gaps,
    inspect::{Reader, Stats, readers},
    keys::KeyChange,
    lead::{Lock, lead},
    load::{LoadError, Seen},
    log::{EventLog, Loaded, Options, Target, facts},
    origin::{Origin, from_origin},
    parked::{Parked, parked, retry_parked},
    policy::{Outcome, Policy, answer_to, run_policy},
    projection::{
        Progress, Projection, ProjectionError, ProjectionRunner, count_failure, show_position,
    },
    rebuild::{Difference, Rebuild, RebuildError},
    relay::{Relay, RelayError},
    repair::{RepairError, discard_stream, recover_from_stream, refill},
    session::{open_pool, service_pool},
    source::{Source, SourceError, Subscription, stream_name},
    timer::{Timer, cancel_timer, set_timer},
};

/// Migrations of the log, run in the database of every context before its own.
#[cfg(feature = "store")]
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
