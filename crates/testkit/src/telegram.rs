//! A Telegram of our own, for tests and demonstrations.
//!
//! [`TelegramSimulator`] serves the Bot API on this machine and keeps to
//! Telegram's rules for delivery, refusals and limits. Its clock stands still
//! until a test moves it, and tests wait for what happens instead of sleeping.
//! [`emulators`] starts two servers that others wrote, as a second opinion.

mod clock;
mod control;
mod delivery;
pub mod emulators;
mod faults;
mod inject;
mod methods;
mod request;
mod server;
mod state;
mod webhooks;
mod wire;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::net::TcpListener;

pub use faults::{Fault, FaultRule};
pub use inject::Injected;
pub use state::{Call, Delivery, SentMessage};

use clock::Clock;
use state::{Shared, State};

/// How long a test waits, in real time, for what should happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running simulator. It stops when it is dropped.
pub struct TelegramSimulator {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// Serves a simulator whose clock flows, until the future is dropped.
///
/// It is steered through `/control`.
pub async fn serve(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    let shared = Shared::new(Clock::flowing(), client()?);
    let stop = shared.stop.clone().drop_guard();
    server::serve(listener, shared).await?;
    drop(stop);
    Ok(())
}

/// The client that posts to webhooks: no proxy, no redirects, as Telegram.
fn client() -> Result<reqwest::Client> {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    Ok(client.build()?)
}

impl TelegramSimulator {
    /// Starts on a free port, with a clock that stands still at the present.
    pub async fn start() -> Result<Self> {
        Self::start_at(OffsetDateTime::now_utc()).await
    }

    /// Starts on a free port, with a clock that stands still at `began`.
    pub async fn start_at(began: OffsetDateTime) -> Result<Self> {
        Self::run(Clock::still(began)).await
    }

    /// Starts on a free port, with a clock that flows like the real time.
    pub async fn start_flowing() -> Result<Self> {
        Self::run(Clock::flowing()).await
    }

    async fn run(clock: Clock) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Shared::new(clock, client()?);
        tokio::spawn(server::serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared })
    }

    /// The Bot API's base address, to be set in place of Telegram's.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Registers a bot. The token's part before `:` is its number.
    pub fn add_bot(&self, token: &str, username: &str) {
        self.shared.change(|state| control::register(state, token, username));
    }

    /// Makes a bot an administrator of a channel, which has this public name, without `@`.
    pub fn add_channel(&self, token: &str, channel: i64, name: &str) {
        self.shared.change(|state| {
            if let Some(bot) = state.bots.get_mut(token) {
                bot.chats.entry(channel).or_default().channel = Some(name.to_owned());
            }
        });
    }

    /// Revokes a token: every call with it gets 401.
    pub fn revoke(&self, token: &str) {
        self.shared.change(|state| {
            if let Some(bot) = state.bots.get_mut(token) {
                bot.revoked = true;
            }
        });
    }

    /// Lets a citizen write a text in the private chat with the bot.
    pub fn say(&self, token: &str, chat: i64, text: &str) -> Result<Injected> {
        self.send(token, chat, &json!({ "text": text }))
    }

    /// Lets a citizen send a message with these fields of the Bot API.
    pub fn send(&self, token: &str, chat: i64, fields: &Value) -> Result<Injected> {
        inject::message(&self.shared, token, chat, fields)
    }

    /// Lets a citizen send a photo that the bot can fetch.
    pub fn say_photo(
        &self,
        token: &str,
        chat: i64,
        caption: Option<&str>,
        bytes: &[u8],
    ) -> Result<Injected> {
        let id = self.add_file(token, "photo.jpg", bytes.to_vec())?;
        let size = json!({
            "file_id": id, "file_unique_id": format!("u-{id}"), "width": 640, "height": 480,
            "file_size": bytes.len()
        });
        self.send(token, chat, &json!({ "photo": [size], "caption": caption }))
    }

    /// Keeps a file that the bot can fetch, and returns its `file_id`.
    pub fn add_file(&self, token: &str, name: &str, bytes: Vec<u8>) -> Result<String> {
        inject::file(&self.shared, token, name, bytes)
    }

    /// Lets a citizen change a text, and returns the update's number.
    pub fn edit(&self, token: &str, chat: i64, message_id: i32, text: &str) -> Result<i64> {
        inject::edit(&self.shared, token, (chat, message_id), &json!({ "text": text }))
    }

    /// Lets a citizen press a button under a message of the bot.
    pub fn press(&self, token: &str, chat: i64, message_id: i32, data: &str) -> Result<i64> {
        inject::press(&self.shared, token, (chat, message_id), data)
    }

    /// Lets a citizen block the bot: it is told, and may not write any more.
    pub fn block(&self, token: &str, chat: i64) -> Result<i64> {
        inject::block(&self.shared, token, chat, true)
    }

    /// Lets a citizen allow the bot again.
    pub fn unblock(&self, token: &str, chat: i64) -> Result<i64> {
        inject::block(&self.shared, token, chat, false)
    }

    /// Adds an update as it stands; a number is put in when it has none.
    pub fn update(&self, token: &str, update: Value) -> Result<i64> {
        inject::update(&self.shared, token, update)
    }

    /// Lets calls go wrong from now on.
    pub fn inject(&self, rule: FaultRule) {
        self.shared.change(|state| state.faults.push(rule));
    }

    /// Lets calls go well again.
    pub fn clear_faults(&self) {
        self.shared.change(|state| state.faults.clear());
    }

    /// Moves the clock ahead: what was due is done.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    /// What bots sent to a chat and did not delete, in order.
    #[must_use]
    pub fn sent(&self, chat: i64) -> Vec<SentMessage> {
        sent_to(&self.shared.look(), chat)
    }

    /// Every attempt to deliver an update, in order.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.look().deliveries.clone()
    }

    /// Every call of every bot, in the order of their answers.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.look().calls.clone()
    }

    /// Answers of webhooks that Telegram would have executed as calls. A test
    /// expects none.
    #[must_use]
    pub fn executed_replies(&self) -> Vec<String> {
        self.shared.look().executed_replies.clone()
    }

    /// Updates of a bot that were not taken yet.
    #[must_use]
    pub fn pending(&self, token: &str) -> usize {
        self.shared.look().bots.get(token).map_or(0, |bot| bot.pending.len())
    }

    /// Where a bot's updates are posted to, if it has a webhook.
    #[must_use]
    pub fn webhook(&self, token: &str) -> Option<String> {
        let state = self.shared.look();
        state.bots.get(token)?.webhook.as_ref().map(|webhook| webhook.url.clone())
    }

    /// Waits until at least `n` messages were sent to a chat.
    pub async fn wait_sent(&self, chat: i64, n: usize) -> Result<Vec<SentMessage>> {
        self.wait(&format!("{n} messages in chat {chat}"), |state| {
            Some(sent_to(state, chat)).filter(|sent| sent.len() >= n)
        })
        .await
    }

    /// Waits until at least `n` deliveries were attempted.
    pub async fn wait_deliveries(&self, n: usize) -> Result<Vec<Delivery>> {
        self.wait(&format!("{n} deliveries"), |state| {
            (state.deliveries.len() >= n).then(|| state.deliveries.clone())
        })
        .await
    }

    /// Waits until at least `n` calls of a method were answered.
    pub async fn wait_calls(&self, method: &str, n: usize) -> Result<Vec<Call>> {
        self.wait(&format!("{n} calls of {method}"), |state| {
            let of_method = |call: &&Call| call.method.eq_ignore_ascii_case(method);
            let calls: Vec<Call> = state.calls.iter().filter(of_method).cloned().collect();
            (calls.len() >= n).then_some(calls)
        })
        .await
    }

    /// Waits until exactly `n` calls are held by [`Fault::Slow`].
    pub async fn wait_held(&self, n: usize) -> Result<()> {
        self.wait(&format!("{n} calls to be held"), |state| (state.held == n).then_some(())).await
    }

    /// Waits until the bot has taken all its updates.
    pub async fn wait_drained(&self, token: &str) -> Result<()> {
        self.wait("all updates to be taken", |state| {
            state.bots.get(token).is_none_or(|bot| bot.pending.is_empty()).then_some(())
        })
        .await
    }

    /// Waits, woken by every change, until something is found.
    async fn wait<T>(&self, what: &str, find: impl Fn(&State) -> Option<T>) -> Result<T> {
        let mut changed = self.shared.changed.subscribe();
        let seek = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = find(&self.shared.look()) {
                    return Ok(found);
                }
                changed.changed().await.context("the simulator stopped")?;
            }
        };
        match tokio::time::timeout(PATIENCE, seek).await {
            Ok(found) => found,
            Err(_) => bail!("waited {} s in vain for {what}", PATIENCE.as_secs()),
        }
    }
}

impl Drop for TelegramSimulator {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

fn sent_to(state: &State, chat: i64) -> Vec<SentMessage> {
    state.sent.iter().filter(|sent| sent.chat == chat && !sent.deleted).cloned().collect()
}
