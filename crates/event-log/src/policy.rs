//! Policies: the only place where one fact leads to another command.
//!
//! The command's id is made from the policy's name and the event's id, so a policy that is killed between
//! the command and its checkpoint sends the same command again, and nothing happens twice.

use std::{collections::HashMap, future::Future, time::Duration};

use futures::{StreamExt, stream};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    envelope::{Actor, Meta, Recorded},
    projection::{Chain, advance, checkpoint, gauge, park},
    source::{Feed, Source},
};

const BATCH: usize = 256;
/// How many aggregates' events are answered at a time. The events of one aggregate are answered in order.
const AT_ONCE: usize = 32;

/// What became of a fact.
#[derive(Debug)]
pub enum Outcome {
    /// Answered, or nothing to answer.
    Done,
    /// Something is unavailable: the same again, later.
    Retry(String),
    /// It can never be answered: keep it aside and go on.
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

/// Feeds a policy from `source` until `stop`. Its checkpoint is in `pool`.
pub async fn run_policy<P: Policy>(
    policy: P,
    source: Source,
    pool: PgPool,
    stop: CancellationToken,
) {
    let mut feed = Feed::new(source);
    let mut pause = Duration::from_millis(50);
    loop {
        let step = tokio::select! {
            () = stop.cancelled() => return,
            step = step(&policy, &mut feed, &pool) => step,
        };
        match step {
            Ok(()) => pause = Duration::from_millis(50),
            Err(error) => {
                metrics::counter!("reader_failures", "reader" => P::NAME).increment(1);
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

async fn step<P: Policy>(
    policy: &P,
    feed: &mut Feed,
    pool: &PgPool,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let after = checkpoint(pool, P::NAME).await?;
    let events = feed.next(after, BATCH).await?;
    let Some(last) = events.last().map(|event| event.position) else { return Ok(()) };
    let mut aggregates: HashMap<(Uuid, Uuid), Vec<Recorded>> = HashMap::new();
    for event in events {
        aggregates.entry((event.tenant, event.aggregate_id)).or_default().push(event);
    }
    let mut answers = stream::iter(aggregates.into_values())
        .map(|events| answer(policy, events, pool))
        .buffer_unordered(AT_ONCE);
    while let Some(answered) = answers.next().await {
        answered?;
    }
    let mut db = pool.acquire().await?;
    advance(&mut db, P::NAME, after, last).await?;
    metrics::gauge!("reader_position", "reader" => P::NAME).set(gauge(last));
    Ok(())
}

/// Answers the events of one aggregate, in order.
async fn answer<P: Policy>(
    policy: &P,
    events: Vec<Recorded>,
    pool: &PgPool,
) -> Result<(), sqlx::Error> {
    for event in events {
        let mut pause = Duration::from_millis(20);
        loop {
            let span =
                tracing::info_span!("policy.react", reader = P::NAME, event = %event.event_type);
            if let Some(parent) = &event.meta.traceparent {
                meydan_telemetry::set_parent_from(&span, parent);
            }
            let react =
                async { policy.react(&event, answer_to(&event, P::NAME, P::SERVICE)).await };
            match react.instrument(span).await {
                Outcome::Done => break,
                Outcome::Park(reason) => {
                    let mut db = pool.acquire().await?;
                    park(&mut db, P::NAME, &event, &reason).await?;
                    break;
                }
                Outcome::Retry(reason) => {
                    tracing::warn!(
                        reader = P::NAME,
                        position = event.position,
                        reason,
                        "policy tries again"
                    );
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
    }
    Ok(())
}
