//! An aggregate for tests: adds up, but never more than a thousand at a time.

use std::time::Duration;

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::{
    Actor, Event, EventLog, MIGRATOR, Meta, Options, PLATFORM, Target, UniqueKey, prepare_database,
};
use meydan_testkit::servers::{postgres, prefix};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

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

impl Event for Counted {}

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

/// A database with an empty log.
pub(crate) async fn database() -> String {
    let url = prepare_database(postgres(), &format!("{}log", prefix()), &[&MIGRATOR]).await;
    url.expect("the database can be made")
}

pub(crate) async fn log() -> EventLog {
    EventLog::open("counter", &database().await, 8).await.expect("the log opens")
}

pub(crate) async fn log_with(parts: i16) -> EventLog {
    let options = Options { parts, ..Options::default() };
    let log = EventLog::open_with("counter", &database().await, options).await;
    log.expect("the log opens")
}

pub(crate) fn meta(command: u128) -> Meta {
    let actor = Actor::Service { name: "test".to_owned() };
    Meta::new(Uuid::from_u128(command), actor)
}

pub(crate) fn target(id: u128) -> Target {
    Target { tenant: Uuid::from_u128(1), id: Uuid::from_u128(id) }
}

pub(crate) fn key(value: &str) -> UniqueKey {
    UniqueKey { tenant: PLATFORM, scope: "counter.name", key: value.as_bytes().to_vec() }
}

/// A session of the owner, who may do what a service may not.
pub(crate) async fn owner(log: &EventLog) -> PgConnection {
    PgConnection::connect_with(&log.pool().connect_options()).await.expect("the owner can connect")
}
