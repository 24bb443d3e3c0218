//! An address from which too many accounts were tried. What it is called lies nowhere: its id is a keyed hash.

use std::convert::Infallible;

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

/// An address, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Network {
    closed_until: Option<OffsetDateTime>,
}

/// What may be asked of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkCommand {
    /// Note that it is closed to whoever is not known. While it is, that is noted once.
    Close {
        /// Until when.
        until: OffsetDateTime,
        /// When.
        at: OffsetDateTime,
    },
}

/// A fact about an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum NetworkEvent {
    /// It was closed to whoever is not known.
    #[serde(rename = "network.closed")]
    Closed {
        /// Until when.
        #[serde(with = "rfc3339")]
        until: OffsetDateTime,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for NetworkEvent {}

impl DomainEvent for NetworkEvent {
    fn event_type(&self) -> String {
        "network.closed".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Network {
    /// What `command` comes to. An empty list means: already so.
    #[must_use]
    pub fn decide(&self, command: NetworkCommand) -> Vec<NetworkEvent> {
        let NetworkCommand::Close { until, at } = command;
        if self.closed_until.is_some_and(|closed_until| at < closed_until) {
            return vec![];
        }
        vec![NetworkEvent::Closed { until, at }]
    }
}

impl Aggregate for Network {
    const TYPE: &'static str = "network";

    type Command = NetworkCommand;
    type Event = NetworkEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        command: NetworkCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        for event in self.decide(command) {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: NetworkEvent) {
        let NetworkEvent::Closed { until, .. } = event;
        self.closed_until = Some(until);
    }
}
