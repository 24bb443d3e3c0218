//! Projections: tables that can be thrown away and grown again from the log.
//!
//! A table and its checkpoint move in one transaction, so each fact counts once and no statement needs a
//! guard against repeats. An aggregate that cannot be digested is parked, and the others pass.

use std::{
    error::Error,
    future::Future,
    time::{Duration, Instant},
};

use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    checkpoint::{advance, checkpoint, hold},
    codec::Unreadable,
    envelope::Recorded,
    parked::{Parked, name, next_retry, park, unpark, waiting},
    source::{Source, Subscription},
    sqlstate::{code, is_in},
};

/// Most facts in one transaction.
pub(crate) const BATCH: usize = 2_000;
/// Begins a transaction whose commit does not wait for the disk. PostgreSQL may forget it in a crash, tables and
/// checkpoint together; then the same facts are digested again.
const LIGHTLY: &str = "BEGIN; SET LOCAL synchronous_commit = off";
/// How long a reader waits for facts, and how often it looks for other work, however many facts there are.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// Keeps read models current.
pub trait Projection: Send + Sync + 'static {
    /// Name of the checkpoint.
    const NAME: &'static str;
    /// The tables it fills, and nobody else.
    const TABLES: &'static [&'static str];

    /// Lets the tables reflect one more fact. Called once for each fact, in order.
    fn apply(
        &self,
        db: &mut PgConnection,
        event: &Recorded,
    ) -> impl Future<Output = Result<(), ProjectionError>> + Send;

    /// Lets the tables reflect many facts, in order. One by one, unless a projection can do it with fewer
    /// statements; what is in the tables afterwards must be the same.
    fn apply_all(
        &self,
        db: &mut PgConnection,
        events: &[&Recorded],
    ) -> impl Future<Output = Result<(), ProjectionError>> + Send {
        async move {
            for event in events {
                let span = tracing::info_span!("projection.apply", reader = Self::NAME, event = %event.event_type);
                if let Some(parent) = &event.meta.traceparent {
                    meydan_telemetry::set_parent_from(&span, parent);
                }
                self.apply(db, event).instrument(span).await?;
            }
            Ok(())
        }
    }

    /// Called after facts became visible in the tables; for telling those who watch. May be missed.
    fn committed(&self, _events: &[&Recorded]) -> impl Future<Output = ()> + Send {
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

/// Classes of `SQLSTATE` in which no fact is at fault: every other fact would fare alike,
/// and this one may fare better in a while.
const NOBODYS_FAULT: [&str; 13] = [
    "08", // the connection
    "0A", // a plan that was made before the tables were exchanged
    "25", // the state of the session: a standby that only reads
    "28", // the login
    "3D", "3F", // the database, the schema
    "40", // a transaction that others kept from its end
    "42", // a table, a column or a right that is not there
    "53", // memory, disk, connections
    "55", // a lock that others hold
    "57", // an operator, or the end of the server
    "58", // the machine
    "XX", // PostgreSQL itself, or its files
];

impl ProjectionError {
    /// Whether it would happen again with the same fact, and only with such.
    pub(crate) fn is_permanent(&self) -> bool {
        use sqlx::Error::{ColumnDecode, Decode, Encode, InvalidArgument, RowNotFound};
        match self {
            Self::Unreadable(_)
            | Self::Database(
                ColumnDecode { .. } | Decode(_) | Encode(_) | InvalidArgument(_) | RowNotFound,
            ) => true,
            Self::Database(error) => code(error).is_some_and(|code| !is_in(&code, &NOBODYS_FAULT)),
        }
    }
}

/// Whether others were in the way, and that is all: PostgreSQL has answered, and forgotten nothing.
fn is_in_the_way(error: &StepError) -> bool {
    let first: &(dyn Error + 'static) = &**error;
    let causes = std::iter::successors(Some(first), |&error| error.source());
    let mut causes = causes.filter_map(|cause| cause.downcast_ref::<sqlx::Error>());
    causes.any(|cause| code(cause).is_some_and(|code| is_in(&code, &["40", "55"])))
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

/// Feeds one projection with one partition.
pub struct ProjectionRunner<P> {
    source: Source,
    subscription: Subscription,
    digester: Digester<P>,
    /// When parked aggregates were last looked at.
    looked: Option<Instant>,
}

/// Lets tables reflect facts, under one checkpoint.
pub(crate) struct Digester<P> {
    pub(crate) projection: P,
    pub(crate) pool: PgPool,
    pub(crate) part: i16,
    /// Whose checkpoint: the projection's name, or that of tables which are being grown beside.
    pub(crate) reader: String,
    /// Whether those who watch are told.
    pub(crate) tells: bool,
    pub(crate) reached: watch::Sender<i64>,
}

type StepError = Box<dyn Error + Send + Sync>;

impl<P: Projection> ProjectionRunner<P> {
    /// Feeds `projection` from `source`; tables and checkpoint are in `pool`.
    pub fn new(projection: P, source: Source, pool: PgPool) -> Self {
        let part = source.part();
        let (reader, reached) = (P::NAME.to_owned(), watch::channel(0).0);
        let digester = Digester { projection, pool, part, reader, tells: true, reached };
        let subscription = Subscription::new(source.clone());
        Self { source, subscription, digester, looked: None }
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
                    // What PostgreSQL forgot in a crash is not shown; the next step sees what is.
                    if !is_in_the_way(&error) {
                        self.digester.reached.send_replace(0);
                    }
                    count_failure(&self.digester.pool, P::NAME);
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

    /// Takes a parked aggregate back when it is time to look for one, and then waits for facts and digests them.
    async fn step(&mut self) -> Result<(), StepError> {
        let patience = if self.take_one_back().await? { Duration::ZERO } else { TICK };
        let Digester { pool, part, reached, .. } = &self.digester;
        let after = checkpoint(pool, P::NAME, *part).await?;
        reached.send_replace(after);
        let events = self.subscription.next(after, BATCH, patience).await?;
        Ok(self.digester.digest_or_park(after, &events).await?)
    }

    /// Takes back an aggregate with which an operator asked to try again. Whether there was one: there may be more,
    /// and they follow one after another, with what comes meanwhile in between.
    async fn take_one_back(&mut self) -> Result<bool, StepError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < TICK) {
            return Ok(false);
        }
        self.looked = Some(Instant::now());
        let Digester { pool, part, .. } = &self.digester;
        let Some(parked) = next_retry(pool, P::NAME, *part).await? else { return Ok(false) };
        self.digester.take_back(&self.source, &parked).await?;
        self.looked = None;
        Ok(true)
    }
}

impl<P: Projection> Digester<P> {
    /// Digests what waits of a parked aggregate, in one piece; parks it again if that fails again.
    async fn take_back(&self, source: &Source, parked: &Parked) -> Result<(), StepError> {
        let mut tx = self.pool.begin().await?;
        let at = hold(&mut tx, &self.reader, parked.part).await?;
        let events = source.of_aggregate(parked, at).await?;
        let events = events.iter().collect::<Vec<_>>();
        match self.projection.apply_all(&mut tx, &events).await {
            Ok(()) => {
                unpark(&mut tx, parked).await?;
                tx.commit().await?;
                tracing::info!(reader = self.reader, aggregate = %parked.aggregate_id, "aggregate taken back");
                self.tell(&events).await;
            }
            Err(error) if error.is_permanent() => {
                let reason = Chain(&error).to_string();
                tx.rollback().await?;
                let mut db = self.pool.acquire().await?;
                if let Some(event) = events.first() {
                    park(&mut db, &self.reader, event, &reason).await?;
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Digests facts in one transaction. Those of aggregates that wait are left out.
    async fn digest(&self, after: i64, events: &[Recorded]) -> Result<(), ProjectionError> {
        let Some(last) = events.last() else { return Ok(()) };
        let mut tx = self.pool.begin_with(LIGHTLY).await?;
        if hold(&mut tx, &self.reader, self.part).await? != after {
            // Another process feeds the same tables and was quicker; its work stands.
            tx.rollback().await?;
            return Ok(());
        }
        let waiting = waiting(&mut *tx, &self.reader, self.part).await?;
        let passing = events
            .iter()
            .filter(|event| waiting.is_empty() || !waiting.contains(&name(event)))
            .collect::<Vec<_>>();
        self.projection.apply_all(&mut tx, &passing).await?;
        self.finish(tx, after, last.position).await?;
        self.tell(&passing).await;
        Ok(())
    }

    /// Digests facts, and parks the aggregates that are at fault when that fails for good.
    pub(crate) async fn digest_or_park(
        &self,
        after: i64,
        events: &[Recorded],
    ) -> Result<(), ProjectionError> {
        match self.digest(after, events).await {
            Err(error) if error.is_permanent() => self.digest_singly(after, events).await,
            other => other,
        }
    }

    /// After a batch failed for good: one by one, parking the aggregates that are at fault.
    async fn digest_singly(
        &self,
        mut after: i64,
        events: &[Recorded],
    ) -> Result<(), ProjectionError> {
        for event in events {
            match self.digest(after, std::slice::from_ref(event)).await {
                Err(error) if error.is_permanent() => {
                    let reason = Chain(&error).to_string();
                    let mut tx = self.pool.begin().await?;
                    park(&mut tx, &self.reader, event, &reason).await?;
                    self.finish(tx, after, event.position).await?;
                }
                other => other?,
            }
            after = event.position;
        }
        Ok(())
    }

    async fn tell(&self, events: &[&Recorded]) {
        if self.tells {
            self.projection.committed(events).await;
        }
    }

    async fn finish(
        &self,
        mut tx: Transaction<'_, Postgres>,
        after: i64,
        last: i64,
    ) -> Result<(), ProjectionError> {
        if !advance(&mut tx, &self.reader, self.part, after, last).await? {
            tx.rollback().await?;
            return Ok(());
        }
        tx.commit().await?;
        self.reached.send_replace(last);
        show_position(&self.pool, &self.reader, self.part, last);
        Ok(())
    }
}

/// An error with its causes, for a log line; without those that it quotes already.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut said = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !said.contains(&words) {
                said = format!("{said}: {words}");
            }
            cause = error.source();
        }
        f.write_str(&said)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; positions stay below 2^53")]
pub(crate) const fn gauge(position: i64) -> f64 {
    position as f64
}

/// Shows how far a reader has come. Readers of several contexts have one name: their database tells them apart.
pub fn show_position(pool: &PgPool, reader: &str, part: i16, position: i64) {
    let (reader, part) = (reader.to_owned(), part.to_string());
    metrics::gauge!("reader_position", "database" => database(pool), "reader" => reader, "part" => part)
        .set(gauge(position));
}

/// Counts a step of a reader that failed.
pub fn count_failure(pool: &PgPool, reader: &str) {
    metrics::counter!("reader_failures", "database" => database(pool), "reader" => reader.to_owned())
        .increment(1);
}

fn database(pool: &PgPool) -> String {
    pool.connect_options().get_database().unwrap_or_default().to_owned()
}
