//! The stream and its readers, against a real PostgreSQL and a real NATS.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::counter::{Add, Counted, Counter, PATIENCE, log, meta, target};
use crate::sums::{Sums, SumsAsSet, make_table, sums};
use async_nats::jetstream;
use meydan_event_log::{
    Clock, EventLog, Meta, Outcome, Policy, ProjectionRunner, Recorded, Relay, Source,
    Subscription, Timer, cancel_timer, checkpoint, parked, retry_parked, run_policy, set_timer,
};
use meydan_testkit::servers::Nats;
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

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
async fn a_poisonous_fact_parks_its_aggregate_until_the_cause_is_mended() {
    let log = log().await;
    make_table(&log).await;
    // The second counter has a seven in its middle; what comes after it must wait too.
    for (n, (id, by)) in (0..).zip([(1, 1), (2, 4), (2, 7), (2, 5), (3, 2), (2, 6)]) {
        log.execute::<Counter>(target(id), Add(by), &meta(n)).await.expect("it fits");
    }
    let stop = CancellationToken::new();
    let runner = ProjectionRunner::new(Sums, Source::Log(log.clone(), 0), log.pool().clone());
    let progress = runner.progress();
    let task = tokio::spawn(runner.run(stop.clone()));
    assert!(progress.wait_for(6, PATIENCE).await, "the others pass");
    stop.cancel();
    task.await.expect("it does not break");
    let rows = [(target(1).id, 1), (target(2).id, 4), (target(3).id, 2)];
    assert_eq!(sums(log.pool()).await, rows);
    let waits = parked(log.pool(), Some("sums")).await.expect("it can be listed");
    assert_eq!(waits.len(), 1);
    assert_eq!((waits[0].aggregate_id, waits[0].position), (target(2).id, 3));

    // The mended program can digest sevens, and takes the aggregate back when it is asked to.
    assert_eq!(retry_parked(log.pool(), Some("sums"), None).await.expect("ours"), 1);
    let stop = CancellationToken::new();
    let runner = ProjectionRunner::new(SumsAsSet, Source::Log(log.clone(), 0), log.pool().clone());
    let task = tokio::spawn(runner.run(stop.clone()));
    let taken_back =
        async { while !parked(log.pool(), None).await.expect("it can be listed").is_empty() {} };
    tokio::time::timeout(PATIENCE, taken_back).await.expect("it is taken back");
    stop.cancel();
    task.await.expect("it does not break");
    let rows = [(target(1).id, 1), (target(2).id, 22), (target(3).id, 2)];
    assert_eq!(sums(log.pool()).await, rows);
}

#[tokio::test]
async fn as_a_set_the_rows_are_the_same() {
    let log = log().await;
    make_table(&log).await;
    for n in 0..200 {
        log.execute::<Counter>(target(n % 17), Add(2), &meta(n)).await.expect("it fits");
    }
    let stop = CancellationToken::new();
    let runner = ProjectionRunner::new(SumsAsSet, Source::Log(log.clone(), 0), log.pool().clone());
    let progress = runner.progress();
    let task = tokio::spawn(runner.run(stop.clone()));
    assert!(progress.wait_for(200, PATIENCE).await, "it comes to the end");
    stop.cancel();
    task.await.expect("it does not break");

    for (id, sum) in sums(log.pool()).await {
        let one = log.load::<Counter>(target(id.as_u128())).await.expect("it can be read");
        assert_eq!(one.aggregate.sum, sum);
    }
}

#[tokio::test]
async fn a_subscription_that_changes_from_the_log_to_the_stream_repeats_and_skips_nothing() {
    let (log, nats) = (log().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let stop = CancellationToken::new();
    let relay = tokio::spawn(Relay::new(log.clone(), jetstream.clone(), 0).run(stop.clone()));
    let writer = {
        let log = log.clone();
        tokio::spawn(async move {
            for n in 0..400 {
                log.execute::<Counter>(target(n % 5), Add(1), &meta(n)).await.expect("it fits");
            }
        })
    };

    let (mut seen, mut after) = (Vec::new(), 0);
    while after < 400 {
        // A new one each ninth time, as if the reader had been killed in between.
        let source = Source::LogThenStream(log.clone(), jetstream.clone(), 0);
        let mut subscription = Subscription::new(source);
        for _ in 0..9 {
            let patience = std::time::Duration::from_millis(50);
            let facts = subscription.next(after, 7, patience).await.expect("both answer");
            seen.extend(facts.iter().map(|fact| fact.position));
            after = seen.last().copied().unwrap_or(0);
        }
    }

    assert_eq!(seen, (1..=400).collect::<Vec<_>>());
    writer.await.expect("it does not break");
    stop.cancel();
    relay.await.expect("it does not break");
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

/// Says no until it is allowed; counts what it says yes to.
struct WhenAddedNote {
    allowed: Arc<AtomicBool>,
    notes: tokio::sync::mpsc::UnboundedSender<i64>,
}

impl Policy for WhenAddedNote {
    const NAME: &'static str = "when_added_note";
    const SERVICE: &'static str = "test";

    async fn react(&self, event: &Recorded, _: Meta) -> Outcome {
        if event.aggregate_id == target(2).id && !self.allowed.load(Ordering::Relaxed) {
            return Outcome::Park("not allowed".to_owned());
        }
        let _ = self.notes.send(event.position);
        Outcome::Done
    }
}

#[tokio::test]
async fn a_policy_parks_an_aggregate_and_answers_what_waited_when_it_is_asked_to() {
    let log = log().await;
    for (n, id) in (0..).zip([1, 2, 1, 2, 2]) {
        log.execute::<Counter>(target(id), Add(1), &meta(n)).await.expect("it fits");
    }
    let (notes, mut noted) = tokio::sync::mpsc::unbounded_channel();
    let (stop, allowed) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
    let policy = WhenAddedNote { allowed: allowed.clone(), notes };
    let (source, pool) = (Source::Log(log.clone(), 0), log.pool().clone());
    let task = tokio::spawn(run_policy(policy, source, pool, Clock::system(), stop.clone()));
    let mut next = async || {
        tokio::time::timeout(PATIENCE, noted.recv()).await.expect("it goes on").expect("it runs")
    };

    assert_eq!([next().await, next().await], [1, 3]);
    log.execute::<Counter>(target(1), Add(1), &meta(5)).await.expect("it fits");
    assert_eq!(next().await, 6, "the next batch comes when the first one is done with");
    allowed.store(true, Ordering::Relaxed);
    let asked = retry_parked(log.pool(), Some("when_added_note"), Some(target(2).id)).await;
    assert_eq!(asked.expect("ours"), 1);
    assert_eq!([next().await, next().await, next().await], [2, 4, 5]);

    stop.cancel();
    task.await.expect("it does not break");
}

#[tokio::test]
async fn what_was_answered_before_a_death_in_the_middle_of_a_batch_is_not_answered_again() {
    let log = log().await;
    for n in 0..6 {
        log.execute::<Counter>(target(n), Add(1), &meta(n)).await.expect("it fits");
    }
    let (notes, mut noted) = tokio::sync::mpsc::unbounded_channel();
    // As a death leaves it: two of six answered, the checkpoint not moved.
    sqlx::raw_sql(
        "INSERT INTO es.inbox VALUES ('when_added_note', 0, 2), ('when_added_note', 0, 5)",
    )
    .execute(log.pool())
    .await
    .expect("ours");
    let stop = CancellationToken::new();
    let policy = WhenAddedNote { allowed: Arc::new(AtomicBool::new(true)), notes };
    let (source, pool) = (Source::Log(log.clone(), 0), log.pool().clone());
    let task = tokio::spawn(run_policy(policy, source, pool, Clock::system(), stop.clone()));

    let name = WhenAddedNote::NAME;
    let done = async { while checkpoint(log.pool(), name, 0).await.expect("a number") < 6 {} };
    tokio::time::timeout(PATIENCE, done).await.expect("it comes to the end");
    stop.cancel();
    task.await.expect("it does not break");

    let mut answered = std::iter::from_fn(|| noted.try_recv().ok()).collect::<Vec<_>>();
    answered.sort_unstable();
    assert_eq!(answered, [1, 3, 4, 6]);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM es.inbox")
        .fetch_one(log.pool())
        .await
        .expect("it answers");
    assert_eq!(left, 0);
}

/// Adds one to the counter that a timer is about.
struct WhenDueAdd(EventLog);

impl Policy for WhenDueAdd {
    const NAME: &'static str = "when_due_add";
    const SERVICE: &'static str = "test";

    async fn react(&self, _: &Recorded, _: Meta) -> Outcome {
        Outcome::Ignored
    }

    async fn ring(&self, timer: &Timer, meta: Meta) -> Outcome {
        let target = meydan_event_log::Target { tenant: timer.tenant, id: timer.aggregate_id };
        match self.0.execute::<Counter>(target, Add(1), &meta).await {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}

#[tokio::test]
async fn a_timer_rings_once_when_it_is_due_and_not_when_it_was_taken_away() {
    let (log, noon) = (log().await, datetime!(2026-11-21 12:00 UTC));
    let timer = |id: u128, due_at: OffsetDateTime| Timer {
        timer_id: Uuid::from_u128(id),
        tenant: target(id).tenant,
        aggregate_id: target(id).id,
        due_at,
    };
    let (past, future) = (noon - Duration::MINUTE, noon + Duration::MINUTE);
    for timer in [timer(1, past), timer(2, future), timer(3, past), timer(4, past)] {
        set_timer(log.pool(), WhenDueAdd::NAME, &timer).await.expect("it is set");
    }
    // One is moved, one taken away.
    set_timer(log.pool(), WhenDueAdd::NAME, &timer(3, future)).await.expect("it is moved");
    let gone = cancel_timer(log.pool(), WhenDueAdd::NAME, Uuid::from_u128(4)).await;
    assert!(gone.expect("it is there"));

    // Twice, as two replicas would.
    let stop = CancellationToken::new();
    let tasks = [(); 2].map(|()| {
        let (source, pool) = (Source::Log(log.clone(), 0), log.pool().clone());
        let clock = Clock::new(move || noon);
        tokio::spawn(run_policy(WhenDueAdd(log.clone()), source, pool, clock, stop.clone()))
    });
    let rung = async {
        while log.last_position(0).await.expect("it answers") < 1
            || checkpoint(log.pool(), WhenDueAdd::NAME, 0).await.expect("a number") < 1
        {}
    };
    tokio::time::timeout(PATIENCE, rung).await.expect("it rings");
    stop.cancel();
    for task in tasks {
        task.await.expect("it does not break");
    }

    for (id, sum) in [(1, 1), (2, 0), (3, 0), (4, 0)] {
        let counter = log.load::<Counter>(target(id)).await.expect("it can be read");
        assert_eq!(counter.aggregate.sum, sum, "{id}");
    }
}
