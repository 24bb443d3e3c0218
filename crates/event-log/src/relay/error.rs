//! Why a relay stopped: what passes with time, and what only an operator can end.

use crate::{repair::RepairError, source::stream_name};

/// Why a relay stopped.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// PostgreSQL cannot be used.
    #[error("the log cannot be read")]
    Log(#[from] sqlx::Error),
    /// JetStream cannot be used, or refused a message.
    #[error("the stream cannot be written: {0}")]
    Stream(String),
    /// The stream knows facts that the log does not: the database was restored to an earlier point.
    #[error(
        "stream {stream} is at {published}, but the log only at {recorded}: the database was restored to an \
         earlier point; nothing is published until an operator has run `meydan relay repair {context}`"
    )]
    LogIsShorter {
        /// The context.
        context: &'static str,
        /// The stream.
        stream: String,
        /// Its last sequence number.
        published: i64,
        /// The last position in the log.
        recorded: i64,
    },
    /// The log lacks a fact that was published, or is to be.
    #[error(
        "the log of {context} lacks the fact at {position}; nothing is published beyond it until an operator has \
         run `meydan relay repair {context}`"
    )]
    LogLacks {
        /// The context.
        context: &'static str,
        /// Where.
        position: i64,
    },
    /// The stream holds what no platform published.
    #[error(
        "stream {stream} holds a message at {position} that is no fact, and that Meydan did not publish: see who else \
         may publish there; `meydan relay repair {context}` says what to do"
    )]
    Foreign {
        /// The context.
        context: &'static str,
        /// The stream.
        stream: String,
        /// Where.
        position: i64,
    },
    /// The last fact of the stream is another one than the log has in its place: the database was restored,
    /// and has been written to since.
    #[error(
        "stream {stream} holds another fact at {position} than the log: the database was restored to an \
         earlier point and has been used since; run `meydan relay repair {context}`"
    )]
    Diverged {
        /// The context.
        context: &'static str,
        /// The stream.
        stream: String,
        /// Where they differ.
        position: i64,
    },
}

impl RelayError {
    /// Why a stream that has lost messages was not thrown away.
    pub(super) fn of_repair(error: RepairError, context: &'static str, part: i16) -> Self {
        match error {
            RepairError::Database(error) => Self::Log(error),
            RepairError::Diverged(position) => {
                Self::Diverged { context, stream: stream_name(context, part), position }
            }
            RepairError::Foreign(_, position) => {
                Self::Foreign { context, stream: stream_name(context, part), position }
            }
            RepairError::Lost(_, position) | RepairError::Forgotten(position) => {
                Self::LogLacks { context, position }
            }
            error => stream_error(error),
        }
    }

    /// Whether only an operator can end it.
    pub(super) const fn needs_operator(&self) -> bool {
        matches!(
            self,
            Self::LogIsShorter { .. }
                | Self::LogLacks { .. }
                | Self::Diverged { .. }
                | Self::Foreign { .. }
        )
    }
}

pub(super) fn stream_error(error: impl std::fmt::Display) -> RelayError {
    RelayError::Stream(error.to_string())
}
