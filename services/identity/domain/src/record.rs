//! The record of a campaign, or of the platform, as something that people read: staff who looks at a campaign's is in it,
//! and whoever takes a copy away.

use std::convert::Infallible;

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

/// A record. Nothing that was read changes what may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record;

/// What may be noted of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordCommand {
    /// That staff opens it.
    Open {
        /// On which page.
        page: String,
        /// When.
        at: OffsetDateTime,
    },
    /// That somebody takes a copy of it.
    Export {
        /// When.
        at: OffsetDateTime,
    },
}

/// A fact about a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum RecordEvent {
    /// Staff opened it.
    #[serde(rename = "record.opened")]
    Opened {
        /// On which page, in small letters and dots.
        page: String,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Somebody took a copy of it.
    #[serde(rename = "record.exported")]
    Exported {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for RecordEvent {}

impl DomainEvent for RecordEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Opened { .. } => "record.opened",
            Self::Exported { .. } => "record.exported",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Record {
    const TYPE: &'static str = "record";

    type Command = RecordCommand;
    type Event = RecordEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        command: RecordCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        let event = match command {
            RecordCommand::Open { page, at } => RecordEvent::Opened { page, at },
            RecordCommand::Export { at } => RecordEvent::Exported { at },
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, _: RecordEvent) {}
}
