//! Policies: the only place where one fact leads to another command.
//!
//! The command's id is made from the policy's name and the event's id, so a policy that is killed between
//! the command and its checkpoint sends the same command again, and nothing happens twice. What was answered
//! ahead of the checkpoint is in an inbox, so that even this happens to the last answers only.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    checkpoint::{advance, checkpoint, hold},
    clock::Clock,
    envelope::{Actor, Meta, Recorded},
    parked::{Parked, name, next_retry, park, unpark, waiting},
    projection::{Chain, TICK, count_failure, show_position},
    source::{Source, Subscription},
    timer::{Timer, due_timers, forget_timer},
};

const BATCH: usize = 256;
/// How many aggregates' events are answered at a time. The events of one aggregate are answered in order.
const AT_ONCE: usize = 32;

/// What became of a fact, or of a timer that rang.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// None of the policy's business.
    Ignored,
    /// Answered.
    Done,
    /// Something is unavailable: the same again, later.
    Retry(String),
    /// It can never be answered: keep its aggregate aside and go on.
    Park(String),
}

/// Answers facts with commands.
pub trait Policy: Send + Sync + 'static {
    /// Name of the checkpoint, and part of each command's id: `when_<event>_<verb>`.
    const NAME: &'static str;
    /// The service that acts.
    const SERVICE: &'static str;

    /// Answers one fact. `meta` is the origin for the command it leads to.
    fn react(&self, event: &Recorded, meta: Meta) -> impl Future<Output = Outcome> + Send;

    /// Acts on a timer that was set with [`crate::set_timer`]. `meta` is the origin for the command it leads
    /// to, with an id of its own.
    fn ring(&self, _timer: &Timer, _meta: Meta) -> impl Future<Output = Outcome> + Send {
        std::future::ready(Outcome::Ignored)
    }
}

/// The origin of the command with which `policy` answers `event`.
#[must_use]
pub fn answer_to(event: &Recorded, policy: &str, service: &str) -> Meta {
    let command_id = Uuid::new_v5(&event.event_id, policy.as_bytes());
    Meta {
        correlation_id: event.meta.correlation_id,
        causation_id: Some(event.event_id),
        ..Meta::new(command_id, Actor::Service { name: service.to_owned() })
    }
}

/// The origin of the command with which `policy` acts on `timer`.
fn answer_to_timer(timer: &Timer, policy: &str, service: &str) -> Meta {
    let command_id = Uuid::new_v5(&timer.timer_id, policy.as_bytes());
    Meta::new(command_id, Actor::Service { name: service.to_owned() })
}

/// Feeds a policy from `source` until `stop`. Its checkpoint, inbox and timers are in `pool`.
pub async fn run_policy<P: Policy>(
    policy: P,
    source: Source,
    pool: PgPool,
    clock: Clock,
    stop: CancellationToken,
) {
    let part = source.part();
    let mut subscription = Subscription::new(source.clone());
    let mut runner = Runner { policy, part, source, pool, clock, rang: None };
    let mut pause = Duration::from_millis(50);
    loop {
        let step = tokio::select! {
            () = stop.cancelled() => return,
            step = runner.step(&mut subscription) => step,
        };
        match step {
            Ok(()) => pause = Duration::from_millis(50),
            Err(error) => {
                count_failure(&runner.pool, P::NAME);
                tracing::warn!(reader = P::NAME, error = %Chain(&*error), "policy waits");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(Duration::from_secs(5));
            }
        }
    }
}

struct Runner<P> {
    policy: P,
    part: i16,
    source: Source,
    pool: PgPool,
    clock: Clock,
    /// When timers and parked aggregates were last looked at.
    rang: Option<Instant>,
}

type StepError = Box<dyn std::error::Error + Send + Sync>;

impl<P: Policy> Runner<P> {
    async fn step(&mut self, subscription: &mut Subscription) -> Result<(), StepError> {
        let mut patience = TICK;
        if self.rang.is_none_or(|rang| rang.elapsed() >= TICK) {
            self.rang = Some(Instant::now());
            self.ring().await?;
            if let Some(parked) = next_retry(&self.pool, P::NAME, self.part).await? {
                self.take_back(&parked).await?;
                // There may be more of them, and what comes meanwhile goes in between.
                (self.rang, patience) = (None, Duration::ZERO);
            }
        }
        let after = checkpoint(&self.pool, P::NAME, self.part).await?;
        let events = subscription.next(after, BATCH, patience).await?;
        let Some(last) = events.last().map(|event| event.position) else { return Ok(()) };
        self.answer_all(after, events).await?;
        let mut tx = self.pool.begin().await?;
        if advance(&mut tx, P::NAME, self.part, after, last).await? {
            self.forget_answered(&mut tx, last).await?;
            tx.commit().await?;
        }
        show_position(&self.pool, P::NAME, self.part, last);
        Ok(())
    }

    /// Answers the events of each aggregate in order, and several aggregates at a time.
    async fn answer_all(&self, after: i64, events: Vec<Recorded>) -> Result<(), StepError> {
        let waiting = waiting(&self.pool, P::NAME, self.part).await?;
        let answered = self.answered(after).await?;
        let mut aggregates: HashMap<_, Vec<Recorded>> = HashMap::new();
        for event in events {
            let name = name(&event);
            if !waiting.contains(&name) && !answered.contains(&event.position) {
                aggregates.entry(name).or_default().push(event);
            }
        }
        let mut answers = stream::iter(aggregates.into_values())
            .map(|events| self.answer(events))
            .buffer_unordered(AT_ONCE);
        while let Some(done) = answers.next().await {
            done?;
        }
        Ok(())
    }

    /// Answers the events of one aggregate, in order, up to one that it has to be parked for.
    async fn answer(&self, events: Vec<Recorded>) -> Result<(), StepError> {
        for event in events {
            match self.persist(&event).await {
                Outcome::Park(reason) => {
                    let mut db = self.pool.acquire().await?;
                    park(&mut db, P::NAME, &event, &reason).await?;
                    return Ok(());
                }
                Outcome::Done => self.note_answered(&event).await?,
                Outcome::Ignored | Outcome::Retry(_) => {}
            }
        }
        Ok(())
    }

    /// Answers an event, however often it takes.
    async fn persist(&self, event: &Recorded) -> Outcome {
        let mut pause = Duration::from_millis(20);
        loop {
            let span =
                tracing::info_span!("policy.react", reader = P::NAME, event = %event.event_type);
            if let Some(parent) = &event.meta.traceparent {
                meydan_telemetry::set_parent_from(&span, parent);
            }
            let react =
                async { self.policy.react(event, answer_to(event, P::NAME, P::SERVICE)).await };
            let reason = match react.instrument(span).await {
                Outcome::Retry(reason) => reason,
                outcome => return outcome,
            };
            let position = event.position;
            tracing::warn!(reader = P::NAME, position, reason, "policy tries again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Answers what waits of a parked aggregate; parks it again from where it fails again.
    async fn take_back(&self, parked: &Parked) -> Result<(), StepError> {
        let mut from = parked.clone();
        let mut at = checkpoint(&self.pool, P::NAME, self.part).await?;
        loop {
            for event in self.source.of_aggregate(&from, at).await? {
                if let Outcome::Park(reason) = self.persist(&event).await {
                    let mut tx = self.pool.begin().await?;
                    unpark(&mut tx, parked).await?;
                    park(&mut tx, P::NAME, &event, &reason).await?;
                    return Ok(tx.commit().await?);
                }
            }
            let mut tx = self.pool.begin().await?;
            let reached = hold(&mut tx, P::NAME, self.part).await?;
            if reached == at {
                unpark(&mut tx, parked).await?;
                return Ok(tx.commit().await?);
            }
            // Another replica went on meanwhile, and left out what came for this aggregate.
            tx.rollback().await?;
            from.position = at + 1;
            at = reached;
        }
    }

    /// Rings the timers that are due. Two replicas may ring the same one; its command has one id.
    async fn ring(&self) -> Result<(), StepError> {
        for timer in due_timers(&self.pool, P::NAME, self.clock.now()).await? {
            let meta = answer_to_timer(&timer, P::NAME, P::SERVICE);
            match self.policy.ring(&timer, meta).await {
                Outcome::Done | Outcome::Ignored => {}
                Outcome::Retry(reason) => {
                    tracing::warn!(policy = P::NAME, timer = %timer.timer_id, reason, "timer rings again");
                    continue;
                }
                Outcome::Park(reason) => {
                    metrics::counter!("timers_given_up", "policy" => P::NAME).increment(1);
                    tracing::error!(policy = P::NAME, timer = %timer.timer_id, reason, "timer given up");
                }
            }
            forget_timer(&self.pool, P::NAME, &timer).await?;
        }
        Ok(())
    }

    /// What was answered ahead of the checkpoint, before a death in the middle of a batch.
    async fn answered(&self, after: i64) -> Result<HashSet<i64>, sqlx::Error> {
        let rows = sqlx::query_scalar!(
            "SELECT position FROM es.inbox WHERE reader = $1 AND part = $2 AND position > $3",
            P::NAME,
            self.part,
            after,
        );
        Ok(rows.fetch_all(&self.pool).await?.into_iter().collect())
    }

    async fn note_answered(&self, event: &Recorded) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "INSERT INTO es.inbox (reader, part, position) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            P::NAME,
            self.part,
            event.position,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn forget_answered(&self, db: &mut PgConnection, last: i64) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "DELETE FROM es.inbox WHERE reader = $1 AND part = $2 AND position <= $3",
            P::NAME,
            self.part,
            last,
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
