//! The stream and its readers, against a real PostgreSQL and a real NATS.

mod counter;

use std::collections::BTreeSet;

use async_nats::jetstream;
use counter::{Add, Counted, Counter, PATIENCE, log, meta, owner, target};
use meydan_event_log::{
    Clock, EventLog, Meta, Outcome, Policy, Projection, ProjectionError, ProjectionRunner,
    Recorded, Relay, Source, checkpoint, run_policy, stream_name,
};
use meydan_testkit::servers::Nats;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[tokio::test]
async fn the_stream_carries_every_fact_once_at_its_own_position() {
    let (log, nats) = (log().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let stop = CancellationToken::new();
    // Two relays at once, as two replicas would have.
    let relays = [(); 2]
        .map(|()| tokio::spawn(Relay::new(log.clone(), jetstream.clone(), 0).run(stop.clone())));

    for n in 0..50 {
        log.execute::<Counter>(target(n % 5), Add(1), &meta(100 + n)).await.expect("it fits");
    }

    let mut seen = Vec::new();
    let read = Source::Stream { jetstream: jetstream.clone(), context: "counter", part: 0 };
    let runner = ProjectionRunner::new(Nothing, read, log.pool().clone());
    let progress = runner.progress();
    let reader = tokio::spawn(runner.run(stop.clone()));
    assert!(progress.wait_for(50, PATIENCE).await, "the reader comes to the end");
    let stream = jetstream.get_stream(stream_name("counter", 0)).await.expect("there is a stream");
    for sequence in 1..=50 {
        let message = stream.get_raw_message(sequence).await.expect("there is no gap");
        let position = message.headers.get("Es-Position").expect("it says where it stands");
        assert_eq!(position.as_str(), sequence.to_string());
        seen.push(message.headers.get("Nats-Msg-Id").expect("it has a name").to_string());
    }
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 50);
    let last = stream.get_info().await.expect("it answers").state.last_sequence;
    assert_eq!(last, 50);

    stop.cancel();
    for relay in relays {
        relay.await.expect("no relay breaks");
    }
    reader.await.expect("the reader does not break");
}

/// Reads past everything.
struct Nothing;

impl Projection for Nothing {
    const NAME: &'static str = "nothing";
    const TABLES: &'static [&'static str] = &[];

    async fn apply(&self, _: &mut PgConnection, _: &Recorded) -> Result<(), ProjectionError> {
        Ok(())
    }
}

/// Sums per aggregate; chokes on sevens.
struct Sums;

impl Projection for Sums {
    const NAME: &'static str = "sums";
    const TABLES: &'static [&'static str] = &["sums"];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        let by = event.decode()?.iter().map(|Counted::Added { by }| by).sum::<i64>();
        // 1/(by-7) is a database error for a seven, as a poisonous fact would be.
        sqlx::query(
            "INSERT INTO sums AS s (id, sum) VALUES ($1, $2 + 0 * (1 / ($2 - 7)))
             ON CONFLICT (id) DO UPDATE SET sum = s.sum + $2 + 0 * (1 / ($2 - 7))",
        )
        .bind(event.aggregate_id)
        .bind(i32::try_from(by).expect("small"))
        .execute(db)
        .await?;
        Ok(())
    }
}

async fn sums(pool: &PgPool) -> Vec<(Uuid, i64)> {
    sqlx::query_as("SELECT id, sum FROM sums ORDER BY id").fetch_all(pool).await.expect("a table")
}

async fn make_table(log: &EventLog) {
    let mut owner = owner(log).await;
    let made = sqlx::raw_sql("CREATE TABLE sums (id uuid PRIMARY KEY, sum bigint NOT NULL)");
    made.execute(&mut owner).await.expect("the table can be made");
}

#[tokio::test]
async fn a_read_model_grows_again_to_the_same_rows() {
    let log = log().await;
    make_table(&log).await;
    for n in 0..30 {
        log.execute::<Counter>(target(n % 3), Add(2), &meta(n)).await.expect("it fits");
    }
    let rebuild = || async {
        let stop = CancellationToken::new();
        let runner = ProjectionRunner::new(Sums, Source::Log(log.clone(), 0), log.pool().clone());
        let progress = runner.progress();
        let task = tokio::spawn(runner.run(stop.clone()));
        assert!(progress.wait_for(30, PATIENCE).await, "it comes to the end");
        stop.cancel();
        task.await.expect("it does not break");
        sums(log.pool()).await
    };

    let first = rebuild().await;
    sqlx::raw_sql("DELETE FROM sums; DELETE FROM es.checkpoints")
        .execute(log.pool())
        .await
        .expect("ours");
    let second = rebuild().await;

    assert_eq!(first, second);
    assert_eq!(first.iter().map(|(_, sum)| sum).sum::<i64>(), 60);
}

#[tokio::test]
async fn a_poisonous_fact_is_parked_and_the_others_pass() {
    let log = log().await;
    make_table(&log).await;
    for (n, by) in [(1, 1), (2, 7), (3, 2)] {
        log.execute::<Counter>(target(n), Add(by), &meta(n)).await.expect("it fits");
    }
    let stop = CancellationToken::new();
    let runner = ProjectionRunner::new(Sums, Source::Log(log.clone(), 0), log.pool().clone());
    let progress = runner.progress();

    let task = tokio::spawn(runner.run(stop.clone()));

    assert!(progress.wait_for(3, PATIENCE).await, "the others pass");
    stop.cancel();
    task.await.expect("it does not break");
    assert_eq!(sums(log.pool()).await, [(target(1).id, 1), (target(3).id, 2)]);
    let parked: (String, i64) = sqlx::query_as("SELECT reader, position FROM es.parked")
        .fetch_one(log.pool())
        .await
        .expect("one is parked");
    assert_eq!(parked, ("sums".to_owned(), 2));
}

/// Doubles every addition in another counter, and says when it has seen the last.
struct WhenAddedMirror {
    log: EventLog,
    seen: tokio::sync::mpsc::UnboundedSender<i64>,
}

impl Policy for WhenAddedMirror {
    const NAME: &'static str = "when_added_mirror";
    const SERVICE: &'static str = "test";

    async fn react(&self, event: &Recorded, meta: Meta) -> Outcome {
        if event.aggregate_id == target(99).id {
            return Outcome::Ignored;
        }
        let Ok(events) = event.decode() else { return Outcome::Park("unknown".to_owned()) };
        let by = events.iter().map(|Counted::Added { by }| by).sum();
        match self.log.execute::<Counter>(target(99), Add(by), &meta).await {
            Ok(_) => {
                let _ = self.seen.send(event.position);
                Outcome::Done
            }
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}

#[tokio::test]
async fn a_policy_that_runs_again_from_the_start_repeats_nothing() {
    let log = log().await;
    for n in 0..10 {
        log.execute::<Counter>(target(n % 4), Add(1), &meta(n)).await.expect("it fits");
    }

    for _ in 0..2 {
        let (seen, mut sees) = tokio::sync::mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let policy = WhenAddedMirror { log: log.clone(), seen };
        let source = Source::Log(log.clone(), 0);
        let task = tokio::spawn(run_policy(
            policy,
            source,
            log.pool().clone(),
            Clock::system(),
            stop.clone(),
        ));
        let answered = async {
            for _ in 0..10 {
                sees.recv().await.expect("it goes on");
            }
            // Ten additions and their ten mirrors: then it rests, and no statement is on its way.
            while checkpoint(log.pool(), WhenAddedMirror::NAME, 0).await.expect("a number") < 20 {}
        };
        tokio::time::timeout(PATIENCE, answered).await.expect("it answers all ten");
        stop.cancel();
        task.await.expect("it does not break");
        // As if the process had died before any checkpoint was written.
        sqlx::raw_sql("DELETE FROM es.checkpoints").execute(log.pool()).await.expect("ours");
    }

    let mirror = log.load::<Counter>(target(99)).await.expect("it can be read");
    assert_eq!((mirror.aggregate.sum, mirror.sequence), (10, 10));
}
