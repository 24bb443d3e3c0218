//! An aggregate for tests: adds up, but never more than a thousand at a time.
#![allow(unused, missing_docs, reason = "shared by several test programs")]

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) sum: i64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Add(pub(crate) i64);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Counted {
    #[serde(rename = "counter.added")]
    Added { by: i64 },
}

impl DomainEvent for Counted {
    fn event_type(&self) -> String {
        "counter.added".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much at a time")]
pub(crate) struct TooMuch;

impl Aggregate for Counter {
    const TYPE: &'static str = "counter";

    type Command = Add;
    type Event = Counted;
    type Error = TooMuch;
    type Services = ();

    async fn handle(
        &mut self,
        Add(by): Add,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), TooMuch> {
        if by > 1_000 {
            return Err(TooMuch);
        }
        sink.write(Counted::Added { by }, self).await;
        Ok(())
    }

    fn apply(&mut self, Counted::Added { by }: Counted) {
        self.sum += by;
    }
}
