//! What the simulator remembers: bots, their chats, updates on the way, what
//! the bots sent and what was injected.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::{clock::Clock, faults::FaultRule};

/// A message that a bot sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentMessage {
    /// The bot's handle, without `@`.
    pub bot: String,
    /// Where it was sent to.
    pub chat: i64,
    /// Its number in the chat.
    pub message_id: i32,
    /// Its text as it is now, after edits.
    pub text: String,
    /// Everything that the call said.
    pub parameters: Value,
    /// How often it was edited.
    pub edits: u32,
    /// Whether the bot deleted it.
    pub deleted: bool,
}

/// One attempt to deliver an update to a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The bot's token.
    pub token: String,
    /// The chat that it is about, or 0.
    pub chat: i64,
    /// The update.
    pub update_id: i64,
    /// When, on the simulator's clock since its beginning.
    pub at: Duration,
    /// What the webhook answered; `None` when it could not be reached.
    pub status: Option<u16>,
    /// How long until the next attempt; `None` when there will be none.
    pub retry_in: Option<Duration>,
}

/// A call that a bot made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The bot's token.
    pub token: String,
    /// The method, as it was written.
    pub method: String,
    /// What it said.
    pub parameters: Value,
    /// What it was answered; 0 when the connection was cut.
    pub status: u16,
}

/// A bot.
pub(super) struct Bot {
    pub(super) id: i64,
    pub(super) username: String,
    pub(super) revoked: bool,
    pub(super) webhook: Option<Webhook>,
    pub(super) allowed: Vec<String>,
    pub(super) pending: VecDeque<Pending>,
    pub(super) next_update: i64,
    pub(super) chats: HashMap<i64, ChatState>,
    pub(super) files: HashMap<String, StoredFile>,
    /// Number of the newest getUpdates: it ends the older ones.
    pub(super) poll: u64,
    /// Since when the webhook answers 410.
    pub(super) gone_since: Option<Duration>,
}

/// A chat that the bot knows, or a channel in which it may post.
#[derive(Debug, Clone, Default)]
pub(super) struct ChatState {
    pub(super) last_message: i32,
    pub(super) blocked: bool,
    /// The public name of a channel, without `@`; other chats have none.
    pub(super) channel: Option<String>,
}

/// A file that a citizen sent.
#[derive(Debug, Clone)]
pub(super) struct StoredFile {
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
}

/// Where a bot's updates go.
pub(super) struct Webhook {
    pub(super) url: String,
    pub(super) secret: Option<String>,
    pub(super) max_connections: u32,
    pub(super) permits: Arc<Semaphore>,
    /// Tells this webhook from those before it.
    pub(super) generation: u64,
    /// Chats that are being delivered.
    pub(super) active: HashSet<i64>,
    pub(super) last_error: Option<(i64, String)>,
}

/// An update on its way.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) update_id: i64,
    pub(super) chat: i64,
    pub(super) created: Duration,
    pub(super) body: Value,
}

/// Everything that is remembered.
#[derive(Default)]
pub(super) struct State {
    pub(super) bots: BTreeMap<String, Bot>,
    pub(super) sent: Vec<SentMessage>,
    pub(super) calls: Vec<Call>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) executed_replies: Vec<String>,
    pub(super) faults: Vec<FaultRule>,
    pub(super) generations: u64,
    /// Calls that wait on the clock.
    pub(super) held: usize,
}

/// The state, and what goes with it.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Counts changes, so that nobody has to look again and again.
    pub(super) changed: watch::Sender<u64>,
    pub(super) clock: Clock,
    pub(super) http: reqwest::Client,
    pub(super) stop: CancellationToken,
}

impl Shared {
    pub(super) fn new(clock: Clock, http: reqwest::Client) -> Arc<Self> {
        let changed = watch::Sender::new(0);
        let stop = CancellationToken::new();
        Arc::new(Self { state: Mutex::default(), changed, clock, http, stop })
    }

    /// The state, to be looked at.
    pub(super) fn look(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Changes the state and wakes who waits for a change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.look());
        self.changed.send_modify(|count| *count += 1);
        result
    }
}

impl Bot {
    /// A new bot without a webhook.
    pub(super) fn new(token: &str, username: &str, serial: usize) -> Self {
        let written = token.split(':').next().and_then(|id| id.parse().ok());
        let serial = i64::try_from(serial).unwrap_or(0);
        Self {
            id: written.unwrap_or(7_000_000_000 + serial),
            username: username.to_owned(),
            revoked: false,
            webhook: None,
            allowed: Vec::new(),
            pending: VecDeque::new(),
            next_update: 100_000_001 + serial * 1_000_000,
            chats: HashMap::new(),
            files: HashMap::new(),
            poll: 0,
            gone_since: None,
        }
    }

    /// The next message number of a chat, which is known from now on.
    pub(super) fn next_message(&mut self, chat: i64) -> i32 {
        let chat = self.chats.entry(chat).or_default();
        chat.last_message += 1;
        chat.last_message
    }

    /// Whether updates of this kind are wanted. Without a wish, all but three.
    pub(super) fn wants(&self, kind: &str) -> bool {
        if self.allowed.is_empty() {
            return !matches!(kind, "chat_member" | "message_reaction" | "message_reaction_count");
        }
        self.allowed.iter().any(|allowed| allowed == kind)
    }
}
