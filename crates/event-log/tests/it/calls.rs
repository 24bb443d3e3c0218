//! What one call that appends can bear: writers of other partitions, and commands that cannot be carried out.

use std::convert::Infallible;

use crate::counter::{Add, Counter, PATIENCE, key, log, meta, owner, target};
use async_nats::jetstream;
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use futures::future::join_all;
use meydan_event_log::{Committed, Event, EventLog, ExecuteError, Relay, UniqueKey, stream_name};
use meydan_testkit::servers::Nats;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Holds a text.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Page(String);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written(String);

impl Event for Written {}

impl DomainEvent for Written {
    fn event_type(&self) -> String {
        "page.written".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Page {
    const TYPE: &'static str = "page";

    type Command = String;
    type Event = Written;
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        text: String,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        sink.write(Written(text), self).await;
        Ok(())
    }

    fn apply(&mut self, Written(text): Written) {
        self.0 = text;
    }
}

/// What another partition does: takes a key of the platform for an aggregate of its own.
async fn take(session: &mut PgConnection, name: &str) {
    let taken = "INSERT INTO es.unique_keys (tenant_id, scope, key, aggregate_type, aggregate_id)
                 VALUES ($1, $2, $3, 'counter', $4)";
    let UniqueKey { tenant, scope, key } = key(name);
    let taken = sqlx::query(taken).bind(tenant).bind(scope).bind(key).bind(Uuid::from_u128(99));
    taken.execute(session).await.expect("it is free");
}

/// Looks until somebody in the database waits for something.
async fn held_up(session: &mut PgConnection, by: &str) {
    let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event = $1)";
    let look = async {
        while !sqlx::query_scalar::<_, bool>(waiting)
            .bind(by)
            .fetch_one(&mut *session)
            .await
            .expect("it answers")
        {}
    };
    tokio::time::timeout(PATIENCE, look).await.expect("somebody waits");
}

#[tokio::test]
async fn two_partitions_that_take_the_same_keys_never_wait_for_each_other_in_a_circle() {
    let log = log().await;
    let (mut other, mut watcher) = (owner(&log).await, owner(&log).await);
    let mut taking = other.begin().await.expect("it begins");
    take(&mut taking, "a").await;

    let (keys, meta) = ([key("b"), key("a")], meta(1));
    let wish = log.execute_with::<Counter>(target(1), Add(1), &meta, &keys);
    let (wish, ()) = tokio::join!(wish, async {
        held_up(&mut watcher, "transactionid").await;
        take(&mut taking, "b").await;
        taking.commit().await.expect("it has both");
    });

    assert!(matches!(wish, Err(ExecuteError::KeyTaken)), "{wish:?}");
}

/// Holds up whoever finds a key that is taken, until the lock is free.
const TRAP: &str = "
    CREATE FUNCTION pause() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_lock_shared(1);
      PERFORM pg_advisory_unlock_shared(1);
      RETURN true;
    END $$;
    ALTER TABLE es.unique_keys ENABLE ROW LEVEL SECURITY;
    CREATE POLICY trap ON es.unique_keys USING (pause()) WITH CHECK (true);
    SELECT pg_advisory_lock(1)";

#[tokio::test]
async fn a_key_that_another_partition_takes_after_it_was_looked_for_is_taken() {
    let log = log().await;
    let mut other = owner(&log).await;
    take(&mut other, "held").await;
    sqlx::raw_sql(TRAP).execute(&mut other).await.expect("a trap is set");

    // In one call, which is held up where it finds that the first key is taken.
    let wish = async |n, name| {
        log.execute_with::<Counter>(target(n), Add(1), &meta(n), &[key(name)]).await
    };
    let (held, wanted, ()) = tokio::join!(wish(1, "held"), wish(2, "wanted"), async {
        held_up(&mut other, "advisory").await;
        take(&mut other, "wanted").await;
        sqlx::raw_sql("SELECT pg_advisory_unlock(1)")
            .execute(&mut other)
            .await
            .expect("it is ours");
    });

    assert!(matches!(held, Err(ExecuteError::KeyTaken)), "{held:?}");
    assert!(matches!(wanted, Err(ExecuteError::KeyTaken)), "{wanted:?}");
    assert_eq!(log.last_position(0).await.expect("it answers"), 0);
}

#[tokio::test]
async fn a_command_that_postgresql_cannot_take_fails_alone() {
    let log = log().await;
    // Longer than an index takes, and nothing that could be compressed.
    let long =
        (0..1_000_u128).flat_map(|n| Uuid::new_v5(&Uuid::from_u128(n), b"long").into_bytes());
    let long = UniqueKey { key: long.collect(), ..key("") };

    // All are there before the first call is made.
    let said = join_all((1..12).map(|n| {
        let (log, keys) = (&log, if n == 6 { vec![long.clone()] } else { vec![] });
        async move { log.execute_with::<Counter>(target(n), Add(1), &meta(n), &keys).await }
    }));

    for (n, said) in (1..).zip(said.await) {
        match said {
            Err(ExecuteError::Unavailable(Some(_))) => assert_eq!(n, 6),
            said => assert!(said.is_ok() && n != 6, "{n}: {said:?}"),
        }
    }
    assert_eq!(log.last_position(0).await.expect("it answers"), 10);
}

async fn write(log: &EventLog, bytes: usize) -> Result<Committed, ExecuteError<Infallible>> {
    let command = meta(Uuid::new_v4().as_u128());
    log.execute::<Page>(target(1), "x".repeat(bytes), &command).await
}

#[tokio::test]
async fn what_the_stream_would_not_take_is_refused_and_the_largest_that_is_not_gets_through() {
    let (log, nats) = (log().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let group = log.group(target(1).tenant).ask::<Counter>(target(2).id, Add(1));
    let group = group.ask::<Page>(target(1).id, "x".repeat(1 << 20)).execute(&meta(1)).await;
    assert!(matches!(group, Err(ExecuteError::TooLarge)), "{group:?}");
    let mut bytes = 512 << 10;
    while let Err(error) = write(&log, bytes).await {
        assert!(matches!(error, ExecuteError::TooLarge), "{error}");
        bytes -= 64;
    }
    // More than are sent one by one.
    for _ in 0..24 {
        write(&log, bytes).await.expect("as large as the one before");
    }

    let stop = CancellationToken::new();
    let relay = tokio::spawn(Relay::new(log.clone(), jetstream.clone(), 0).run(stop.clone()));
    let published = async {
        loop {
            if let Ok(stream) = jetstream.get_stream(stream_name("counter", 0)).await
                && stream.cached_info().state.last_sequence == 25
            {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, published).await.expect("they get through");

    write(&log, bytes).await.expect("it fits");
    let published = async {
        let stream = jetstream.get_stream(stream_name("counter", 0)).await.expect("it is there");
        while stream.get_info().await.expect("it answers").state.last_sequence < 26 {}
    };
    tokio::time::timeout(PATIENCE, published).await.expect("also one by one");
    stop.cancel();
    relay.await.expect("the relay does not break");
}
