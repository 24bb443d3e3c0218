//! What identity tells of accounts: that what was said of them is not so any more.
//!
//! Every gateway hears it and forgets the account's sessions, so that nobody goes on with what was taken from
//! them. Without the broker nothing is heard, and what was said ends by itself after a few seconds.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::StreamExt;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::app::App;

/// Where identity tells; the account is the last part.
const SUBJECT: &str = "identity.changed.*";
/// How many changes an open stream may be behind before it has to look whether one was its own.
const BEHIND: usize = 256;

/// Changes that were heard.
#[derive(Debug, Clone)]
pub struct Changes {
    heard: Arc<AtomicU64>,
    told: broadcast::Sender<Uuid>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { heard: Arc::default(), told: broadcast::Sender::new(BEHIND) }
    }
}

impl Changes {
    /// How many were heard. Whatever was asked before the last of them may be older than it.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::SeqCst)
    }

    /// Hears of accounts as they change, once their sessions are forgotten.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Uuid> {
        self.told.subscribe()
    }
}

/// Forgets what was said of accounts as identity tells that it is not so any more, until the gateway ends.
pub async fn follow(app: App) {
    let mut pings = match app.nats.subscribe(SUBJECT).await {
        Ok(pings) => pings,
        Err(error) => {
            tracing::error!(%error, "changes of accounts are not heard; they count after seconds");
            return;
        }
    };
    loop {
        let ping = tokio::select! {
            () = app.stop.cancelled() => return,
            ping = pings.next() => ping,
        };
        let Some(ping) = ping else { return };
        let account = ping.subject.rsplit('.').next().map(Uuid::try_parse);
        let Some(Ok(account)) = account else { continue };
        // Counted first: an answer that is on its way now is not remembered.
        app.changes.heard.fetch_add(1, Ordering::SeqCst);
        for (token, (visitor, _)) in &app.sessions {
            if visitor.depends_on(account) {
                app.sessions.invalidate(token.as_ref()).await;
            }
        }
        // Nobody listens while no stream is open.
        let _ = app.changes.told.send(account);
    }
}
