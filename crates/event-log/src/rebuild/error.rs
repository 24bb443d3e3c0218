//! Why tables were not grown, and what to type instead.

use crate::projection::ProjectionError;

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
}
