//! The aggregate under load: adds up, and says in each event enough to find out later what was lost.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::{Event, KeyChange, Recorded, Target, UniqueKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The campaign whose counters these are.
pub(crate) const TENANT: Uuid = Uuid::from_u128(1);
/// What is more at a time is refused.
pub(crate) const MOST: i64 = 1_000;

/// A sum.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Counter {
    sum: i64,
}

/// What a counter is asked: to add some numbers, each as an event of its own.
#[derive(Debug, Clone)]
pub(crate) struct Add {
    pub(crate) numbers: Vec<i64>,
    /// How many events the whole command makes, in all its counters together.
    pub(crate) of: i64,
    /// The unique key that the command takes.
    pub(crate) key: Option<i64>,
    /// Whether the policy is to add the first number elsewhere, too.
    pub(crate) mirrored: bool,
}

impl Add {
    /// Adds `numbers`, and nothing else.
    pub(crate) fn only(numbers: Vec<i64>) -> Self {
        let of = i64::try_from(numbers.len()).expect("a command has few events");
        Self { numbers, of, key: None, mirrored: false }
    }
}

/// What happened to a counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Counted {
    #[serde(rename = "counter.added")]
    Added {
        by: i64,
        of: i64,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        key: Option<i64>,
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        mirrored: bool,
    },
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

#[derive(Debug, thiserror::Error)]
#[error("too much at a time")]
pub(crate) struct TooMuch;

impl Aggregate for Counter {
    const TYPE: &'static str = "counter";

    type Command = Add;
    type Event = Counted;
    type Error = TooMuch;
    type Services = ();

    async fn handle(&mut self, add: Add, (): &(), sink: &EventSink<Self>) -> Result<(), TooMuch> {
        if add.numbers.iter().any(|by| *by > MOST) {
            return Err(TooMuch);
        }
        for (number, by) in add.numbers.into_iter().enumerate() {
            let mirrored = add.mirrored && number == 0;
            sink.write(Counted::Added { by, of: add.of, key: add.key, mirrored }, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, Counted::Added { by, .. }: Counted) {
        self.sum += by;
    }
}

/// The counter of this number.
pub(crate) const fn counter(number: u128) -> Target {
    Target { tenant: TENANT, id: Uuid::from_u128(number) }
}

/// The key of this number, of which there is one.
pub(crate) fn key(number: i64) -> UniqueKey {
    UniqueKey { tenant: TENANT, scope: "counter.name", key: number.to_be_bytes().to_vec() }
}

/// What a fact did to the keys.
pub(crate) async fn keys_of(
    fact: &Recorded,
) -> Result<Vec<KeyChange>, Box<dyn std::error::Error + Send + Sync>> {
    let taken = fact.decode::<Counted>()?.into_iter().filter_map(|Counted::Added { key, .. }| key);
    Ok(taken.map(|number| KeyChange::Taken(key(number))).collect())
}
