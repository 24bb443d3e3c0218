//! What the platform's operators do with the program itself, past the panel: it is in the record as what people do is. Of a
//! campaign where it concerns one, else of the platform.

use std::convert::Infallible;

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

/// What operators do to a campaign, or to the platform. One act forbids no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Operation;

/// An act of operators. `kind` is the context whose log, stream or tables it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum OperationEvent {
    /// A one-time link was made by which somebody becomes the first admin.
    #[serde(rename = "operation.first_link_made")]
    FirstLinkMade {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The key that wraps the keys of a campaign, or of all campaigns, was exchanged.
    #[serde(rename = "operation.keys_rotated")]
    KeysRotated {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It was begun to make a log and its stream agree; of the log of identity: it was done.
    #[serde(rename = "operation.log_repaired")]
    LogRepaired {
        /// Whose.
        kind: String,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It was begun to throw a stream away, to be made again from its log.
    #[serde(rename = "operation.stream_discarded")]
    StreamDiscarded {
        /// Whose.
        kind: String,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It was begun to exchange tables for others that grew from the log.
    #[serde(rename = "operation.tables_exchanged")]
    TablesExchanged {
        /// Whose.
        kind: String,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Checkpoints were let go of after a restore: what they signed is gone, or was recorded anew.
    #[serde(rename = "operation.checkpoints_let_go")]
    CheckpointsLetGo {
        /// How many.
        count: u64,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for OperationEvent {}

impl DomainEvent for OperationEvent {
    fn event_type(&self) -> String {
        match self {
            Self::FirstLinkMade { .. } => "operation.first_link_made",
            Self::KeysRotated { .. } => "operation.keys_rotated",
            Self::LogRepaired { .. } => "operation.log_repaired",
            Self::StreamDiscarded { .. } => "operation.stream_discarded",
            Self::TablesExchanged { .. } => "operation.tables_exchanged",
            Self::CheckpointsLetGo { .. } => "operation.checkpoints_let_go",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Operation {
    const TYPE: &'static str = "operation";

    /// What was done: the fact itself, which nothing forbids.
    type Command = OperationEvent;
    type Event = OperationEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        done: OperationEvent,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        sink.write(done, self).await;
        Ok(())
    }

    fn apply(&mut self, _: OperationEvent) {}
}
