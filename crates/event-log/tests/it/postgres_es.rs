//! Why postgres-es is not under the log: the store that it puts its tables into, cqrs-es's own
//! `PersistedEventStore`, applies every event twice to what it keeps. See
//! `docs/decisions/2026-11-21-postgres-es-is-not-used.md`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use crate::counter::{Add, Counted, Counter, log};
use cqrs_es::{
    AggregateError, CqrsFramework, EventStore,
    persist::{
        PersistedEventRepository, PersistedEventStore, PersistenceError, ReplayStream,
        SerializedEvent, SerializedSnapshot,
    },
};
use meydan_event_log::{Actor, AggregateStore, EventLog, MIGRATOR, Target, prepare_database};
use meydan_testkit::servers::{postgres, prefix};
use serde_json::Value;
use uuid::Uuid;

/// What postgres-es keeps in its two tables, kept in memory.
#[derive(Clone, Default)]
struct Tables {
    events: Arc<Mutex<Vec<SerializedEvent>>>,
    kept: Arc<Mutex<HashMap<String, Value>>>,
}

impl PersistedEventRepository for Tables {
    async fn get_events<A: cqrs_es::Aggregate>(
        &self,
        _: &str,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        Ok(self.events.lock().expect("no test panics here").clone())
    }

    async fn get_last_events<A: cqrs_es::Aggregate>(
        &self,
        _: &str,
        after: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let events = self.events.lock().expect("no test panics here");
        Ok(events.iter().filter(|event| event.sequence > after).cloned().collect())
    }

    async fn get_snapshot<A: cqrs_es::Aggregate>(
        &self,
        id: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        let events = self.events.lock().expect("no test panics here").len();
        let kept = self.kept.lock().expect("no test panics here").get(id).cloned();
        Ok(kept.map(|aggregate| SerializedSnapshot {
            aggregate_id: id.to_owned(),
            aggregate,
            current_sequence: events,
            current_snapshot: events,
        }))
    }

    async fn persist<A: cqrs_es::Aggregate>(
        &self,
        events: &[SerializedEvent],
        snapshot: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        self.events.lock().expect("no test panics here").extend_from_slice(events);
        if let Some((id, aggregate, _)) = snapshot {
            self.kept.lock().expect("no test panics here").insert(id, aggregate);
        }
        Ok(())
    }

    async fn stream_events<A: cqrs_es::Aggregate>(
        &self,
        _: &str,
    ) -> Result<ReplayStream, PersistenceError> {
        Ok(ReplayStream::new(1).1)
    }

    async fn stream_all_events<A: cqrs_es::Aggregate>(
        &self,
    ) -> Result<ReplayStream, PersistenceError> {
        Ok(ReplayStream::new(1).1)
    }
}

#[tokio::test]
async fn what_the_aggregate_store_of_cqrs_es_keeps_is_twice_what_happened() {
    let tables = Tables::default();
    let store = PersistedEventStore::<Tables, Counter>::new_aggregate_store(tables.clone());
    let framework = CqrsFramework::new(store, vec![], ());

    for _ in 0..4 {
        framework.execute("one", Add(1)).await.expect("it fits");
    }

    let kept = tables.kept.lock().expect("no test panics here")["one"].clone();
    assert_eq!(kept["sum"], 8, "four events of one each; the day this says 4, think again");
    assert_eq!(tables.events.lock().expect("no test panics here").len(), 4);
}

#[tokio::test]
async fn the_same_framework_over_the_log_keeps_what_happened() {
    let url = prepare_database(postgres(), &format!("{}log", prefix()), &[&MIGRATOR]).await;
    let log = EventLog::open("counter", &url.expect("a database"), 4).await.expect("a log");
    let actor = Actor::Service { name: "test".to_owned() };
    let (tenant, id) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let store = AggregateStore::new(log.clone(), tenant, actor);
    let framework = CqrsFramework::<Counter, _>::new(store, vec![], ());

    for _ in 0..4 {
        framework.execute(&id.to_string(), Add(1)).await.expect("it fits");
    }

    let loaded = log.load::<Counter>(Target { tenant, id }).await.expect("it can be read");
    assert_eq!((loaded.aggregate.sum, loaded.sequence), (4, 4));
}

#[tokio::test]
async fn a_command_that_comes_again_is_told_what_it_led_to_and_not_what_it_would() {
    let log = log().await;
    let actor = Actor::Service { name: "test".to_owned() };
    let (tenant, id, other) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    let store = AggregateStore::new(log.clone(), tenant, actor);
    let metadata = HashMap::from([("command_id".to_owned(), Uuid::from_u128(9).to_string())]);
    let commit = async |id: Uuid, numbers: &[i64]| {
        let id = id.to_string();
        let context = EventStore::<Counter>::load_aggregate(&store, &id).await.expect("it loads");
        let events = numbers.iter().map(|by| Counted::Added { by: *by }).collect();
        let said: Result<_, AggregateError<_>> =
            EventStore::<Counter>::commit(&store, events, context, metadata.clone()).await;
        said.map(|said| {
            said.into_iter().map(|event| (event.sequence, event.payload)).collect::<Vec<_>>()
        })
    };

    let first = commit(id, &[1, 2]).await.expect("it fits");
    let again = commit(id, &[5]).await.expect("it is known");
    let elsewhere = commit(other, &[5]).await;

    assert_eq!(first, [(1, Counted::Added { by: 1 }), (2, Counted::Added { by: 2 })]);
    assert_eq!(again, first);
    assert!(matches!(elsewhere, Err(AggregateError::UnexpectedError(_))), "{elsewhere:?}");
    assert_eq!(log.last_position(0).await.expect("it answers"), 2);
}
