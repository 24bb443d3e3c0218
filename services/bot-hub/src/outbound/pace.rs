//! Telegram's limits, kept from our side: 30 messages a second for a bot, one a second for a chat.
//!
//! They are kept in memory: a hub that starts anew begins with an empty bucket, which is the careful side.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

const PER_BOT: Duration = Duration::from_millis(34);
const PER_CHAT: Duration = Duration::from_secs(1);
/// Entries after which those that have run out are thrown away.
const MANY: usize = 10_000;

/// When each bot and each chat may be written to again.
#[derive(Debug, Default)]
pub(super) struct Pace {
    next: Mutex<HashMap<(Uuid, Option<Uuid>), Instant>>,
}

impl Pace {
    /// Waits until the bot of `campaign` may write to `citizen`.
    pub(super) async fn wait(&self, campaign: Uuid, citizen: Uuid) {
        tokio::time::sleep_until(self.reserve(campaign, citizen)).await;
    }

    fn reserve(&self, campaign: Uuid, citizen: Uuid) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if next.len() > MANY {
            next.retain(|_, at| *at > now);
        }
        let at = |slot: Option<&Instant>| slot.copied().unwrap_or(now).max(now);
        let bot = (campaign, None);
        let chat = (campaign, Some(citizen));
        let start = at(next.get(&bot)).max(at(next.get(&chat)));
        next.insert(bot, start + PER_BOT);
        next.insert(chat, start + PER_CHAT);
        start
    }

    /// Stops a bot for as long as Telegram asks.
    pub(super) fn freeze(&self, campaign: Uuid, pause: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.insert((campaign, None), Instant::now() + pause);
    }
}
