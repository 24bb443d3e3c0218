//! Projections: tables that can be thrown away and grown again from the log.
//!
//! A table and its checkpoint move in one transaction, so each fact counts once and no statement needs a
//! guard against repeats. A fact that cannot be digested is parked, with the reason, and the others pass.

use std::{future::Future, time::Duration};

use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    envelope::{Recorded, Unreadable},
    log::PART,
    source::{Feed, Source},
};

const BATCH: usize = 500;

/// Keeps read models current.
pub trait Projection: Send + Sync + 'static {
    /// Name of the checkpoint.
    const NAME: &'static str;

    /// Lets the tables reflect one more fact. Called once for each fact, in order.
    fn apply(
        &self,
        db: &mut PgConnection,
        event: &Recorded,
    ) -> impl Future<Output = Result<(), ProjectionError>> + Send;

    /// Called after facts became visible in the tables; for telling those who watch. May be missed.
    fn committed(&self, _events: &[Recorded]) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Why a fact was not digested.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// PostgreSQL said no, or nothing.
    #[error("the read model cannot be written")]
    Database(#[from] sqlx::Error),
    /// The fact is not one this program knows.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl ProjectionError {
    /// Whether it would happen again with the same fact.
    fn is_permanent(&self) -> bool {
        match self {
            Self::Unreadable(_) => true,
            Self::Database(error) => error
                .as_database_error()
                .and_then(|error| {
                    error.code().map(|code| code.starts_with("22") || code.starts_with("23"))
                })
                .unwrap_or(false),
        }
    }
}

/// Tells how far a projection has come.
#[derive(Debug, Clone)]
pub struct Progress {
    reached: watch::Receiver<i64>,
}

impl Progress {
    /// Waits until the tables show `position`; `false` when they still don't after `patience`.
    pub async fn wait_for(&self, position: i64, patience: Duration) -> bool {
        let mut reached = self.reached.clone();
        tokio::time::timeout(patience, reached.wait_for(|at| *at >= position))
            .await
            .is_ok_and(|seen| seen.is_ok())
    }

    /// The position that the tables show now.
    #[must_use]
    pub fn position(&self) -> i64 {
        *self.reached.borrow()
    }
}

/// Feeds one projection.
pub struct ProjectionRunner<P> {
    feed: Feed,
    digester: Digester<P>,
}

struct Digester<P> {
    projection: P,
    pool: PgPool,
    reached: watch::Sender<i64>,
}

impl<P: Projection> ProjectionRunner<P> {
    /// Feeds `projection` from `source`; tables and checkpoint are in `pool`.
    pub fn new(projection: P, source: Source, pool: PgPool) -> Self {
        let digester = Digester { projection, pool, reached: watch::channel(0).0 };
        Self { feed: Feed::new(source), digester }
    }

    /// Tells how far it has come.
    pub fn progress(&self) -> Progress {
        Progress { reached: self.digester.reached.subscribe() }
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = Duration::from_millis(50);
        loop {
            let step = tokio::select! {
                () = stop.cancelled() => return,
                step = self.step() => step,
            };
            match step {
                Ok(()) => pause = Duration::from_millis(50),
                Err(error) => {
                    metrics::counter!("reader_failures", "reader" => P::NAME).increment(1);
                    tracing::warn!(reader = P::NAME, error = %Chain(&*error), "projection waits");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
    }

    /// Waits for facts and digests them.
    async fn step(&mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let after = checkpoint(&self.digester.pool, P::NAME).await?;
        self.digester.reached.send_replace(after);
        let events = self.feed.next(after, BATCH).await?;
        match self.digester.digest(after, &events).await {
            Err(error) if error.is_permanent() => {
                self.digester.digest_singly(after, &events).await?;
            }
            other => other?,
        }
        Ok(())
    }
}

impl<P: Projection> Digester<P> {
    async fn digest(&self, after: i64, events: &[Recorded]) -> Result<(), ProjectionError> {
        let mut tx = self.pool.begin().await?;
        for event in events {
            let span = tracing::info_span!("projection.apply", reader = P::NAME, event = %event.event_type);
            if let Some(parent) = &event.meta.traceparent {
                meydan_telemetry::set_parent_from(&span, parent);
            }
            self.projection.apply(&mut tx, event).instrument(span).await?;
        }
        self.finish(tx, after, events).await
    }

    /// After a batch failed for good: one by one, parking those that are at fault.
    async fn digest_singly(
        &self,
        mut after: i64,
        events: &[Recorded],
    ) -> Result<(), ProjectionError> {
        for event in events {
            let one = std::slice::from_ref(event);
            match self.digest(after, one).await {
                Err(error) if error.is_permanent() => {
                    let mut tx = self.pool.begin().await?;
                    let reason = Chain(&error).to_string();
                    park(&mut tx, P::NAME, event, &reason).await?;
                    self.finish(tx, after, one).await?;
                }
                other => other?,
            }
            after = event.position;
        }
        Ok(())
    }

    async fn finish(
        &self,
        mut tx: sqlx::Transaction<'_, sqlx::Postgres>,
        after: i64,
        events: &[Recorded],
    ) -> Result<(), ProjectionError> {
        let Some(last) = events.last().map(|event| event.position) else { return Ok(()) };
        if !advance(&mut tx, P::NAME, after, last).await? {
            // Another process feeds the same tables and was quicker; its work stands.
            tx.rollback().await?;
            return Ok(());
        }
        tx.commit().await?;
        self.reached.send_replace(last);
        metrics::gauge!("reader_position", "reader" => P::NAME).set(gauge(last));
        self.projection.committed(events).await;
        Ok(())
    }
}

/// An error with its causes, for a log line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; positions stay below 2^53")]
pub(crate) const fn gauge(position: i64) -> f64 {
    position as f64
}

/// How far a reader has come; 0 before its first fact.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn checkpoint(pool: &PgPool, reader: &str) -> Result<i64, sqlx::Error> {
    let row = sqlx::query_scalar!(
        "SELECT position FROM es.checkpoints WHERE reader = $1 AND part = $2",
        reader,
        PART,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.unwrap_or(0))
}

/// Moves a checkpoint; `false` when somebody else moved it first.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn advance(
    db: &mut PgConnection,
    reader: &str,
    from: i64,
    to: i64,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query!(
        r#"
        INSERT INTO es.checkpoints AS c (reader, part, position) VALUES ($1, $2, $4)
        ON CONFLICT (reader, part) DO UPDATE SET position = $4, updated_at = clock_timestamp()
        WHERE c.position = $3
        "#,
        reader,
        PART,
        from,
        to,
    )
    .execute(db)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Keeps a fact aside for a reader.
pub(crate) async fn park(
    db: &mut PgConnection,
    reader: &str,
    event: &Recorded,
    reason: &str,
) -> Result<(), sqlx::Error> {
    metrics::counter!("reader_parked", "reader" => reader.to_owned()).increment(1);
    tracing::error!(reader, position = event.position, event = %event.event_type, reason, "event parked");
    sqlx::query!(
        "INSERT INTO es.parked (reader, part, position, reason) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        reader,
        PART,
        event.position,
        reason,
    )
    .execute(db)
    .await?;
    Ok(())
}
