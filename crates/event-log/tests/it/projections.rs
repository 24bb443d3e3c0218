//! Projections under load, in somebody's way, and with facts that cannot be digested.

use crate::{
    counter::{Add, Counted, Counter, PATIENCE, log, meta, owner, target},
    sums::{Sums, SumsAsSet, make_table, sums},
    told::Told,
};
use meydan_event_log::{
    EventLog, Progress, Projection, ProjectionError, ProjectionRunner, Recorded, Source, parked,
    retry_parked,
};
use sqlx::PgConnection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Reading {
    progress: Progress,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Reading {
    fn start<P: Projection>(projection: P, log: &EventLog) -> Self {
        let stop = CancellationToken::new();
        let source = Source::Log(log.clone(), 0);
        let runner = ProjectionRunner::new(projection, source, log.pool().clone());
        let progress = runner.progress();
        Self { progress, task: tokio::spawn(runner.run(stop.clone())), stop }
    }

    async fn reaches(&self, position: i64) {
        assert!(self.progress.wait_for(position, PATIENCE).await, "it never shows {position}");
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("it does not break");
    }
}

async fn add(log: &EventLog, command: u128, id: u128, by: i64) {
    log.execute::<Counter>(target(id), Add(by), &meta(command)).await.expect("it fits");
}

#[tokio::test]
async fn parked_aggregates_are_taken_back_one_after_another_while_others_go_on() {
    let log = log().await;
    make_table(&log).await;
    for n in 1..=30 {
        add(&log, n, n, 7).await;
    }
    let reading = Reading::start(Sums, &log);
    reading.reaches(30).await;
    reading.end().await;
    assert_eq!(parked(log.pool(), None).await.expect("a list").len(), 30);

    // The mended program is never without facts for as long as it would have to wait for that.
    let calm = CancellationToken::new();
    let writer = tokio::spawn({
        let (log, calm) = (log.clone(), calm.clone());
        async move {
            let mut n = 100;
            while !calm.is_cancelled() {
                add(&log, n, n, 1).await;
                n += 1;
            }
        }
    });
    let reading = Reading::start(SumsAsSet, &log);
    reading.reaches(40).await;
    assert_eq!(retry_parked(log.pool(), Some("sums"), None).await.expect("ours"), 30);
    let taken_back = async { while !parked(log.pool(), None).await.expect("a list").is_empty() {} };
    let taken_back = tokio::time::timeout(PATIENCE, taken_back).await;
    calm.cancel();
    writer.await.expect("it does not break");
    reading.end().await;

    taken_back.expect("they are taken back");
    let back = sums(log.pool()).await.into_iter().filter(|(id, _)| *id <= target(30).id);
    assert_eq!(back.map(|(_, sum)| sum).collect::<Vec<_>>(), [7; 30]);
}

#[tokio::test]
async fn what_is_shown_stays_shown_while_somebody_holds_the_tables() {
    let log = log().await;
    make_table(&log).await;
    add(&log, 1, 1, 1).await;
    let (told, _listening) = Told::listen();
    let reading = Reading::start(Sums, &log);
    reading.reaches(1).await;

    let mut holder = owner(&log).await;
    let hold = "BEGIN; SELECT * FROM es.checkpoints WHERE reader = 'sums' FOR UPDATE";
    sqlx::raw_sql(hold).execute(&mut holder).await.expect("the owner may");
    add(&log, 2, 1, 1).await;
    told.until(1, "projection waits").await;
    assert_eq!(reading.progress.position(), 1, "nobody has forgotten anything");

    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.expect("it was begun");
    reading.reaches(2).await;
    reading.end().await;
}

/// Chokes on the numbers up to five, on each in another way.
struct Chokes;

impl Projection for Chokes {
    const NAME: &'static str = "chokes";
    const TABLES: &'static [&'static str] = &[];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        for Counted::Added { by } in event.decode()? {
            let statement = match by {
                1 => "SELECT repeat('x', 2000000000)",
                2 => "SELECT (SELECT generate_series(1, 2))",
                3 => "DO $$ BEGIN RAISE 'never'; END $$",
                4 => "SELECT 'four'",
                5 => "SELECT 5 WHERE false",
                _ => "SELECT 0",
            };
            sqlx::query_scalar::<_, i32>(statement).fetch_one(&mut *db).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn whatever_a_fact_is_at_fault_for_parks_its_aggregate_and_the_others_pass() {
    let log = log().await;
    for (n, by) in (1..=6).zip(1..) {
        add(&log, n, n, by).await;
    }
    let reading = Reading::start(Chokes, &log);
    reading.reaches(6).await;
    reading.end().await;

    let waits = parked(log.pool(), Some("chokes")).await.expect("a list");
    let reasons = waits.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>();
    let words = ["too large", "more than one row", "never", "decoding", "no rows"];
    assert_eq!(reasons.len(), words.len(), "{reasons:?}");
    for (reason, words) in reasons.iter().zip(words) {
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn what_no_fact_is_at_fault_for_parks_nobody() {
    let log = log().await;
    make_table(&log).await;
    let (told, _listening) = Told::listen();
    let reading = Reading::start(Sums, &log);
    let mut owner = owner(&log).await;
    let away = "ALTER TABLE sums RENAME TO elsewhere";
    sqlx::raw_sql(away).execute(&mut owner).await.expect("the owner may");
    add(&log, 1, 1, 1).await;
    told.until(1, "projection waits").await;

    let back = "ALTER TABLE elsewhere RENAME TO sums";
    sqlx::raw_sql(back).execute(&mut owner).await.expect("the owner may");
    reading.reaches(1).await;
    reading.end().await;

    assert_eq!(parked(log.pool(), None).await.expect("a list"), []);
    assert_eq!(sums(log.pool()).await, [(target(1).id, 1)]);
}
