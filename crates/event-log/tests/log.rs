//! The promises of the log, kept against a real PostgreSQL and a real NATS.

mod counter;

use std::{collections::BTreeSet, time::Duration};

use async_nats::jetstream;
use counter::{Add, Counted, Counter, TooMuch};
use meydan_event_log::{
    Actor, EventLog, ExecuteError, MIGRATOR, Meta, Outcome, PLATFORM, Policy, Projection,
    ProjectionError, ProjectionRunner, Recorded, Relay, Source, Target, UniqueKey, checkpoint,
    prepare_database, run_policy, stream_name,
};
use meydan_testkit::servers::{Nats, postgres, prefix};
use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(20);

async fn log() -> EventLog {
    let url = prepare_database(postgres(), &format!("{}log", prefix()), &[&MIGRATOR]).await;
    let url = url.expect("the database can be made");
    EventLog::open("counter", &url, 8).await.expect("the log opens")
}

fn meta(command: u128) -> Meta {
    let actor = Actor::Service { name: "test".to_owned() };
    Meta::new(Uuid::from_u128(command), actor)
}

fn target(id: u128) -> Target {
    Target { tenant: Uuid::from_u128(1), id: Uuid::from_u128(id) }
}

fn key(value: &str) -> UniqueKey {
    UniqueKey { tenant: PLATFORM, scope: "counter.name", key: value.as_bytes().to_vec() }
}

#[tokio::test]
async fn a_command_sent_again_changes_nothing_and_gets_the_first_answer() {
    let log = log().await;

    let first = log.execute::<Counter>(target(1), Add(3), &meta(10)).await.expect("it fits");
    log.execute::<Counter>(target(1), Add(3), &meta(11)).await.expect("it fits");
    let again = log.execute::<Counter>(target(1), Add(3), &meta(10)).await.expect("it is known");

    assert_eq!((first.position, first.sequence, first.repeated), (1, 1, false));
    assert_eq!((again.position, again.sequence, again.repeated), (1, 1, true));
    let loaded = log.load::<Counter>(target(1)).await.expect("it can be read");
    assert_eq!((loaded.aggregate.sum, loaded.sequence), (6, 2));
}

#[tokio::test]
async fn a_refusal_is_told_apart_and_writes_nothing() {
    let log = log().await;

    let refused = log.execute::<Counter>(target(1), Add(1_001), &meta(1)).await;

    assert!(matches!(refused, Err(ExecuteError::Refused(TooMuch))));
    assert_eq!(log.after(0, 10).await.expect("it can be read").len(), 0);
}

#[tokio::test]
async fn positions_are_gapless_and_every_aggregate_keeps_its_order_under_load() {
    let log = log().await;

    let commands = (0..400_u128).map(|n| {
        let log = log.clone();
        tokio::spawn(async move {
            // Ten aggregates, so that commands collide.
            log.execute::<Counter>(target(n % 10), Add(1), &meta(1_000 + n)).await
        })
    });
    let mut lost = 0;
    for command in commands.collect::<Vec<_>>() {
        match command.await.expect("no task breaks") {
            Ok(_) => {}
            Err(ExecuteError::Conflict) => lost += 1,
            Err(error) => panic!("{error}"),
        }
    }

    let events = log.after(0, 1_000).await.expect("it can be read");
    let positions = events.iter().map(|event| event.position).collect::<Vec<_>>();
    assert_eq!(positions, (1..=400 - lost).collect::<Vec<i64>>());
    for id in 0..10 {
        let of_one = events.iter().filter(|event| event.aggregate_id == Uuid::from_u128(id));
        let sequences = of_one.map(|event| event.sequence).collect::<Vec<_>>();
        let count = i64::try_from(sequences.len()).expect("few");
        assert_eq!(sequences, (1..=count).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn one_command_in_a_hundred_copies_is_carried_out_once() {
    let log = log().await;

    let copies = (0..100).map(|_| {
        let log = log.clone();
        tokio::spawn(async move { log.execute::<Counter>(target(1), Add(5), &meta(7)).await })
    });
    let mut fresh = 0;
    for copy in copies.collect::<Vec<_>>() {
        let committed = copy.await.expect("no task breaks").expect("each is answered");
        assert_eq!(committed.position, 1);
        fresh += u32::from(!committed.repeated);
    }

    assert_eq!(fresh, 1);
    assert_eq!(log.load::<Counter>(target(1)).await.expect("it can be read").aggregate.sum, 5);
}

#[tokio::test]
async fn a_unique_key_belongs_to_the_aggregate_that_took_it_first() {
    let log = log().await;
    let keys = [key("sara")];

    let first = log.execute_with::<Counter>(target(1), Add(1), &meta(1), &keys).await;
    let same = log.execute_with::<Counter>(target(1), Add(1), &meta(2), &keys).await;
    let other = log.execute_with::<Counter>(target(2), Add(1), &meta(3), &keys).await;

    assert!(first.is_ok() && same.is_ok());
    assert!(matches!(other, Err(ExecuteError::KeyTaken)));
    let holder = log.holder(&key("sara")).await.expect("it can be asked");
    assert_eq!(holder, Some(target(1).id));
    assert_eq!(log.after(0, 10).await.expect("it can be read").len(), 2);
}

#[tokio::test]
async fn the_newest_key_of_a_prefix_is_found_and_no_other_prefix_is() {
    let log = log().await;
    for (id, name) in [(1, "a\u{1}"), (2, "a\u{2}"), (3, "b\u{9}")] {
        let keys = [key(name)];
        let done = log.execute_with::<Counter>(target(id), Add(1), &meta(id), &keys).await;
        done.expect("the key is free");
    }

    let newest = log.last_holder(PLATFORM, "counter.name", b"a").await.expect("it can be asked");

    assert_eq!(newest, Some((b"a\x02".to_vec(), target(2).id)));
    let none = log.last_holder(PLATFORM, "counter.name", b"c").await.expect("it can be asked");
    assert_eq!(none, None);
}

#[tokio::test]
async fn the_service_cannot_change_a_fact_and_the_owner_not_by_mistake() {
    let log = log().await;
    log.execute::<Counter>(target(1), Add(1), &meta(1)).await.expect("it fits");

    for statement in
        ["UPDATE es.events SET event_type = 'x'", "DELETE FROM es.events", "TRUNCATE es.events"]
    {
        let error = sqlx::raw_sql(statement).execute(log.pool()).await.expect_err("it is refused");
        let code =
            error.as_database_error().and_then(|error| error.code().map(|code| code.to_string()));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
    }

    let options = log.pool().connect_options();
    let owner = PgConnection::connect_with(&options).await;
    let mut owner = owner.expect("the owner can connect");
    for statement in ["UPDATE es.events SET event_type = 'x'", "DELETE FROM es.events"] {
        let error = sqlx::raw_sql(statement).execute(&mut owner).await.expect_err("it is refused");
        assert!(error.to_string().contains("events are never changed"), "{error}");
    }
}

#[tokio::test]
async fn the_stream_carries_every_fact_once_at_its_own_position() {
    let (log, nats) = (log().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let stop = CancellationToken::new();
    // Two relays at once, as two replicas would have.
    let relays = [(); 2]
        .map(|()| tokio::spawn(Relay::new(log.clone(), jetstream.clone()).run(stop.clone())));

    for n in 0..50 {
        log.execute::<Counter>(target(n % 5), Add(1), &meta(100 + n)).await.expect("it fits");
    }

    let mut seen = Vec::new();
    let read = Source::Stream { jetstream: jetstream.clone(), context: "counter" };
    let runner = ProjectionRunner::new(Nothing, read, log.pool().clone());
    let progress = runner.progress();
    let reader = tokio::spawn(runner.run(stop.clone()));
    assert!(progress.wait_for(50, PATIENCE).await, "the reader comes to the end");
    let stream = jetstream.get_stream(stream_name("counter")).await.expect("there is a stream");
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

    async fn apply(&self, _: &mut PgConnection, _: &Recorded) -> Result<(), ProjectionError> {
        Ok(())
    }
}

/// Sums per aggregate; chokes on sevens.
struct Sums;

impl Projection for Sums {
    const NAME: &'static str = "sums";

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        let Counted::Added { by } = event.decode()?;
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
    let mut owner = PgConnection::connect_with(&log.pool().connect_options()).await.expect("owner");
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
        let runner = ProjectionRunner::new(Sums, Source::Log(log.clone()), log.pool().clone());
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
    let runner = ProjectionRunner::new(Sums, Source::Log(log.clone()), log.pool().clone());
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
            return Outcome::Done;
        }
        let Ok(Counted::Added { by }) = event.decode() else {
            return Outcome::Park("unknown".to_owned());
        };
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
        let source = Source::Log(log.clone());
        let task = tokio::spawn(run_policy(policy, source, log.pool().clone(), stop.clone()));
        let answered = async {
            for _ in 0..10 {
                sees.recv().await.expect("it goes on");
            }
            // Ten additions and their ten mirrors: then it rests, and no statement is on its way.
            while checkpoint(log.pool(), WhenAddedMirror::NAME).await.expect("a number") < 20 {}
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
