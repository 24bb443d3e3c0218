//! Why tables were not grown, and what to type instead.

use crate::{parked::Parked, projection::ProjectionError};

/// How many aggregates are named that tables lack.
const NAMED: usize = 5;

/// Why tables were not grown or put in place.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// PostgreSQL did not do it.
    #[error("PostgreSQL did not do it")]
    Database(#[from] sqlx::Error),
    /// A fact could not be digested, and cannot be parked either.
    #[error("the tables cannot be grown")]
    Projection(#[from] ProjectionError),
    /// Nothing was begun.
    #[error(
        "no new tables of {0} were begun: `meydan projection rebuild {0}` begins (without --resume), and grows them"
    )]
    NotBegun(&'static str),
    /// Nothing is kept.
    #[error("no tables of {0} were replaced, so there are none to put back")]
    NoneKept(&'static str),
    /// Another process grows the same tables.
    #[error("somebody else is growing tables of {0} at this moment; wait until that has ended")]
    Busy(&'static str),
    /// The growing was interrupted.
    #[error(
        "the new tables of {0} have not grown to the end of the log: go on with `meydan projection rebuild {0} \
         --resume`"
    )]
    Unfinished(&'static str),
    /// The new tables lack too much of what has happened since they were grown.
    #[error(
        "the new tables of {0} are {1} facts behind: go on with `meydan projection rebuild {0} --resume`"
    )]
    Behind(&'static str, i64),
    /// Aggregates could not be digested on the way that the tables in use have, or have more of.
    #[error(
        "the new tables of {0} are grown, and lack what could not be digested on the way: {words}. Mend the cause and \
         grow them again, or put them in use even so with `meydan projection switch {0} --over-parked`",
        words = words(.1)
    )]
    Lacks(&'static str, Vec<Parked>),
    /// What had to be done before the tables are exchanged failed.
    #[error("the tables in use stay")]
    Stay(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn words(lacks: &[Parked]) -> String {
    let which = |one: &Parked| {
        let (kind, id, at) = (&one.aggregate_type, one.aggregate_id, one.position);
        format!("{kind} {id} from position {at} on: {}", one.reason)
    };
    lacks.iter().take(NAMED).map(which).collect::<Vec<_>>().join("; ")
}
