//! Posts signed checkpoints to a Telegram channel, where others keep them: out of reach of whoever runs the platform.
//!
//! Posted is what was filed, word for word, in the order of each tree, at least once: how far it came is noted after
//! Telegram has answered, so a lost answer posts a note twice, which says the same twice. Trees take turns. Nothing
//! waits for Telegram, and what falls behind is not caught up with: the newest checkpoint vouches for all before it.

use std::time::Duration;

use meydan_event_log::{Clock, Lock, lead};
use meydan_telegram::{ApiFailure, Channel, Telegram};
use secrecy::SecretString;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often to look whether something is to be posted.
const LOOK: Duration = Duration::from_secs(1);
/// Between two posts: a channel takes twenty a minute.
const PACE: Duration = Duration::from_secs(3);
/// Longest pause after a failure.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Longest pause that Telegram is granted.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// When more checkpoints of a tree wait than this, the newest alone is posted.
const BEHIND: usize = 10;

/// Where checkpoints are posted, and by which bot.
#[derive(Debug, Clone)]
pub struct Posting {
    /// Reaches the Bot API.
    pub telegram: Telegram,
    /// Of a bot that may post in the channel.
    pub token: SecretString,
    /// The channel.
    pub channel: Channel,
}

/// Why nothing was posted. Trying again is right in every case.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// PostgreSQL said no, or nothing.
    #[error("what is to be posted cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    /// Telegram did.
    #[error("the channel takes nothing: {0}")]
    Telegram(#[from] ApiFailure),
}

/// Posts checkpoints, one after the other.
#[derive(Debug, Clone)]
pub struct Poster {
    pool: PgPool,
    posting: Posting,
    clock: Clock,
    /// Nothing is posted before.
    quiet_until: OffsetDateTime,
    /// Failures in a row.
    failures: u32,
}

struct Due {
    tree_id: Uuid,
    size: i64,
    note: String,
}

impl Poster {
    /// Posts what the audit's database says was filed.
    #[must_use]
    pub const fn new(pool: PgPool, posting: Posting, clock: Clock) -> Self {
        Self { pool, posting, clock, quiet_until: OffsetDateTime::UNIX_EPOCH, failures: 0 }
    }

    /// Posts until `stop`, where no other replica does.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let work = |lease: CancellationToken| {
            let mut poster = self.clone();
            async move {
                let posting = async {
                    loop {
                        poster.look().await;
                        tokio::time::sleep(LOOK).await;
                    }
                };
                lease.run_until_cancelled(posting).await;
            }
        };
        lead(&self.pool, Lock::Worker, &stop, work).await;
    }

    async fn look(&mut self) {
        if let Err(error) = self.step().await {
            metrics::counter!("audit_post_failures").increment(1);
            tracing::warn!(%error, until = %self.quiet_until, "a checkpoint is not posted");
        }
    }

    /// Posts the next checkpoint, if there is one and it is time. Says whether it did.
    ///
    /// # Errors
    ///
    /// See [`PostError`].
    pub async fn step(&mut self) -> Result<bool, PostError> {
        if self.clock.now() < self.quiet_until {
            return Ok(false);
        }
        let Some(due) = self.due().await? else { return Ok(false) };
        let Posting { telegram, token, channel } = &self.posting;
        let posted = telegram.post(token, channel, &due.note).await;
        self.quiet_until = self.clock.now() + self.pause(&posted);
        posted?;
        self.note(&due).await?;
        metrics::counter!("audit_posts").increment(1);
        Ok(true)
    }

    /// How long nothing is posted after this.
    fn pause(&mut self, posted: &Result<(), ApiFailure>) -> Duration {
        let Err(failure) = posted else {
            self.failures = 0;
            return PACE;
        };
        self.failures += 1;
        match failure {
            ApiFailure::RetryAfter(pause) => (*pause).min(DAY),
            _ => (PACE * 2_u32.pow(self.failures.min(8))).min(LONGEST),
        }
    }

    /// The next checkpoint of the tree whose turn it is.
    async fn due(&self) -> Result<Option<Due>, sqlx::Error> {
        let mut newest = sqlx::query_as!(
            Due,
            r#"
            WITH turn AS (
              SELECT tree_id, posted FROM trees t
              WHERE posted < signed AND EXISTS
                (SELECT FROM checkpoints c WHERE c.tree_id = t.tree_id AND c.size > t.posted AND c.filed)
              ORDER BY posted_at, tree_id LIMIT 1
            )
            SELECT c.tree_id, c.size, c.note FROM checkpoints c JOIN turn t USING (tree_id)
            WHERE c.size > t.posted AND c.filed
            ORDER BY c.size DESC LIMIT $1
            "#,
            i64::try_from(BEHIND + 1).expect("it is a small number"),
        )
        .fetch_all(&self.pool)
        .await?;
        if newest.len() > BEHIND {
            newest.truncate(1);
        }
        Ok(newest.pop())
    }

    async fn note(&self, due: &Due) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE trees SET posted = $2, posted_at = $3 WHERE tree_id = $1 AND posted < $2",
            due.tree_id,
            due.size,
            self.clock.now(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
