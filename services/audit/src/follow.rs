//! Follows the log of every context through its stream.

use std::time::Duration;

use async_nats::jetstream;
use meydan_event_log::{Source, Subscription, count_failure, show_position};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::record::{reached, reader, record};

/// The logs that there are.
pub const LOGS: [&str; 3] = ["identity", "crm", "bot_hub"];
/// Most facts in one transaction.
const BATCH: usize = 2_000;
/// How long to wait for facts.
const TICK: Duration = Duration::from_secs(1);

/// Follows one log until `stop`. Failures are told and tried again.
pub(crate) async fn follow(
    pool: PgPool,
    jetstream: jetstream::Context,
    context: &'static str,
    stop: CancellationToken,
) {
    let mut subscription = Subscription::new(Source::Stream { jetstream, context, part: 0 });
    let mut pause = Duration::from_millis(50);
    loop {
        let step = tokio::select! {
            () = stop.cancelled() => return,
            step = step(&pool, &mut subscription, context) => step,
        };
        match step {
            Ok(()) => pause = Duration::from_millis(50),
            Err(error) => {
                count_failure(&pool, &reader(context));
                tracing::warn!(log = context, %error, "the audit waits");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(Duration::from_secs(5));
            }
        }
    }
}

type StepError = Box<dyn std::error::Error + Send + Sync>;

async fn step(pool: &PgPool, subscription: &mut Subscription, log: &str) -> Result<(), StepError> {
    let after = reached(pool, log).await?;
    show_position(pool, &reader(log), 0, after);
    let events = subscription.next(after, BATCH, TICK).await?;
    Ok(record(pool, log, after, &events).await?)
}
