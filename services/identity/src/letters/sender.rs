//! The worker that sends letters.

use std::{sync::Arc, time::Duration};

use meydan_event_log::Clock;
use meydan_keyring::Keyring;
use sqlx::PgPool;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    Channel, Post, Sent,
    ledger::{self, Due},
    words,
};

/// Letters on their way at a time.
const AT_ONCE: usize = 8;
/// How long to wait for a wake-up before looking for due letters.
const LOOK: Duration = Duration::from_secs(1);

/// Sends what is due.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Of identity.
    pub pool: PgPool,
    /// Opens what letters say.
    pub keyring: Keyring,
    /// How they leave.
    pub post: Arc<Post>,
    /// Tells the time.
    pub clock: Clock,
    /// Told when a letter was written.
    pub written: Arc<Notify>,
}

impl Sender {
    /// Sends until `stop`, then waits for what is on its way.
    pub async fn run(self, stop: CancellationToken) {
        let mut sending = JoinSet::new();
        while !stop.is_cancelled() {
            let room = i64::try_from(AT_ONCE - sending.len()).unwrap_or_default();
            match ledger::take(&self.pool, self.clock.now(), room).await {
                Ok(due) => {
                    for row in due {
                        sending.spawn(self.clone().carry(row));
                    }
                }
                Err(error) => tracing::warn!(%error, "the ledger of letters cannot be used"),
            }
            let full = sending.len() >= AT_ONCE;
            tokio::select! {
                () = stop.cancelled() => {}
                Some(_) = sending.join_next() => {}
                () = self.written.notified(), if !full => {}
                () = tokio::time::sleep(LOOK), if !full => {}
            }
        }
        while sending.join_next().await.is_some() {}
    }

    /// Tries once. What cannot be noted is due again when the lease of the row ends.
    async fn carry(self, row: Due) {
        let sent = self.send(&row).await;
        let late = sent == Sent::Later && self.clock.now() >= row.ends_at;
        let sent = if late { Sent::Dead("gave_up") } else { sent };
        let outcome = match sent {
            Sent::Accepted => "accepted",
            Sent::Later => "later",
            Sent::Dead(_) => "dead",
        };
        metrics::counter!("letters", "kind" => row.kind.clone(), "outcome" => outcome).increment(1);
        if let Sent::Dead(why) = sent {
            tracing::warn!(letter = %row.letter_id, kind = row.kind, why, "a letter is not sent");
        }
        if let Err(error) = ledger::settle(&self.pool, &row, sent, self.clock.now()).await {
            tracing::warn!(%error, letter = %row.letter_id, "the outcome of a letter is not noted");
        }
    }

    async fn send(&self, row: &Due) -> Sent {
        if self.clock.now() >= row.ends_at {
            return Sent::Dead("gave_up");
        }
        let content = match row.open(&self.keyring).await {
            Ok(Some(content)) => content,
            Ok(None) => return Sent::Dead("erased"),
            Err(error) => {
                tracing::warn!(%error, letter = %row.letter_id, "a letter cannot be opened");
                return Sent::Later;
            }
        };
        let words = words::of(&content.letter, content.locale, &self.post.panel);
        match content.letter.channel() {
            Channel::Mail => {
                let at = self.clock.now();
                self.post.mail.send((row.letter_id, at), &content.to, &words).await
            }
            Channel::Sms => self.post.sms.send(&content.to, &words.text).await,
        }
    }
}
