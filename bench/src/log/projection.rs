//! A read model for `bench log`: how many notes each notebook has.

use std::time::Duration;

use anyhow::{Result, ensure};
use meydan_event_log::{EventLog, Projection, ProjectionError, ProjectionRunner, Recorded, Source};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

/// Longer than any projection takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The read model; the log's role may not make tables.
pub(super) const TABLE: &str = "CREATE TABLE totals (id uuid PRIMARY KEY, events bigint NOT NULL)";

/// How many events each notebook has.
pub(super) struct Totals;

impl Projection for Totals {
    const NAME: &'static str = "totals";
    const TABLES: &'static [&'static str] = &["totals"];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        self.apply_all(db, &[event]).await
    }

    /// As a set: one statement for all, each notebook once.
    async fn apply_all(
        &self,
        db: &mut PgConnection,
        events: &[&Recorded],
    ) -> Result<(), ProjectionError> {
        let ids = events.iter().map(|event| event.aggregate_id).collect::<Vec<_>>();
        sqlx::query(
            "INSERT INTO totals AS t (id, events) \
             SELECT id, count(*) FROM unnest($1::uuid[]) AS id GROUP BY id \
             ON CONFLICT (id) DO UPDATE SET events = t.events + EXCLUDED.events",
        )
        .bind(ids)
        .execute(db)
        .await?;
        Ok(())
    }
}

/// Grows the read model from the whole log, until its rows sum up to `events`.
pub(super) async fn project(log: &EventLog, events: u64) -> Result<()> {
    let pool = log.pool();
    let runner = ProjectionRunner::new(Totals, Source::Log(log.clone(), 0), pool.clone());
    let (progress, stop) = (runner.progress(), CancellationToken::new());
    // Positions are gapless from one: the last is their number.
    let last = i64::try_from(events)?;
    let running = tokio::spawn(runner.run(stop.clone()));
    ensure!(progress.wait_for(last, PATIENCE).await, "the projection does not reach {last}");
    stop.cancel();
    running.await?;
    let sum: i64 =
        sqlx::query_scalar("SELECT sum(events)::bigint FROM totals").fetch_one(pool).await?;
    ensure!(sum == last, "{events} events were projected as {sum}");
    Ok(())
}
