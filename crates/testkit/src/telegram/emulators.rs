//! Two Telegram servers that others wrote, to test against.
//!
//! What each of them accepts and refuses is told in
//! `e2e/emulators/README.md`. They are installed on first use, end with the
//! test's process, and are reached through a recorder, since neither of them
//! tells all that a bot called.

mod recorder;

use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result, ensure};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use time::OffsetDateTime;

pub use recorder::RecordedCall;
use recorder::Recorder;

use crate::foreign::ForeignServer;

/// Where the numbers of citizens' messages begin, above those of the bots'.
const FIRST_MESSAGE: i64 = 1_000_001;

/// A foreign server, what is called on it, and the next message's number.
struct Emulator {
    server: ForeignServer,
    recorder: Recorder,
    client: reqwest::Client,
    next_message: AtomicI64,
}

impl Emulator {
    async fn start(name: &str) -> Result<Self> {
        let client = super::client()?;
        let server = ForeignServer::start(name, &[]).await?;
        let recorder = Recorder::start(&address(&server), client.clone()).await?;
        Ok(Self { server, recorder, client, next_message: AtomicI64::new(FIRST_MESSAGE) })
    }

    /// The server's own address.
    fn url(&self) -> String {
        address(&self.server)
    }

    /// Posts to the server itself, past the recorder.
    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let address = format!("{}{path}", self.url());
        let answer: Value = self.client.post(address).json(body).send().await?.json().await?;
        ensure!(answer["ok"] == json!(true), "the emulator refused {path}: {answer}");
        Ok(answer["result"].clone())
    }

    /// A citizen's message in the private chat, with these fields.
    fn message(&self, chat: i64, fields: &Value) -> Value {
        let name = format!("Citizen {chat}");
        let mut message = json!({
            "message_id": self.next_message.fetch_add(1, Ordering::SeqCst),
            "date": OffsetDateTime::now_utc().unix_timestamp(),
            "from": {"id": chat, "is_bot": false, "first_name": name, "language_code": "fa"},
            "chat": {"id": chat, "type": "private", "first_name": name}
        });
        if let (Value::Object(into), Value::Object(fields)) = (&mut message, fields) {
            into.extend(fields.clone());
        }
        message
    }
}

fn address(server: &ForeignServer) -> String {
    format!("http://127.0.0.1:{}", server.port())
}

/// The Python server `lo-bot-api-emulator`: webhooks with a secret, strict
/// refusals. Method names must be written in its capitals, as in `getMe`.
pub struct LoBotEmulator(Emulator);

impl LoBotEmulator {
    /// Installs it when it is not, and starts it on a free port.
    pub async fn start() -> Result<Self> {
        Ok(Self(Emulator::start("lo-bot-api-emulator").await?))
    }

    /// The Bot API's base address, to be set in place of Telegram's.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.recorder.url()
    }

    /// The server's own address: what is called there is not recorded.
    #[must_use]
    pub fn server_url(&self) -> String {
        self.0.url()
    }

    /// Lets a citizen write, and returns the update's number. A webhook gets it
    /// before this returns.
    pub async fn say(&self, token: &str, chat: i64, text: &str) -> Result<i64> {
        self.send(token, chat, &json!({ "text": text })).await
    }

    /// Lets a citizen send a photo that the bot can fetch.
    pub async fn say_photo(
        &self,
        token: &str,
        chat: i64,
        caption: &str,
        bytes: &[u8],
    ) -> Result<i64> {
        let address = format!("{}/bot{token}/sendPhoto", self.0.url());
        let part = Part::bytes(bytes.to_vec()).file_name("photo.jpg");
        let form = Form::new().text("chat_id", chat.to_string()).part("photo", part);
        let kept = self.0.client.post(address).multipart(form).send().await?;
        let kept: Value = kept.json().await?;
        let mut size = kept["result"]["photo"][0].clone();
        ensure!(size.is_object(), "the emulator did not keep the photo: {kept}");
        size["file_size"] = json!(bytes.len());
        self.send(token, chat, &json!({"photo": [size], "caption": caption})).await
    }

    /// Lets a citizen send a message with these fields of the Bot API.
    pub async fn send(&self, token: &str, chat: i64, fields: &Value) -> Result<i64> {
        let message = self.0.message(chat, fields);
        self.update(token, json!({ "message": message })).await
    }

    /// Adds an update: `message`, `callback_query` or `inline_query`.
    pub async fn update(&self, token: &str, update: Value) -> Result<i64> {
        let body = json!({"token": token, "update": update});
        let result = self.0.post("/__fixture/updates", &body).await?;
        result["update_id"].as_i64().context("the emulator gave no update_id")
    }

    /// Tries again to deliver what a webhook did not take: the emulator does
    /// not by itself. Returns how many it took now.
    pub async fn deliver(&self, token: &str) -> Result<u64> {
        let result = self.0.post("/__fixture/deliver", &json!({ "token": token })).await?;
        result["delivered"].as_u64().context("the emulator did not count")
    }

    /// What bots sent to a chat and the emulator accepted, in order.
    #[must_use]
    pub fn sent(&self, chat: i64) -> Vec<RecordedCall> {
        self.0.recorder.sent(chat)
    }

    /// Waits until at least `n` messages were accepted in a chat.
    pub async fn wait_sent(&self, chat: i64, n: usize) -> Result<Vec<RecordedCall>> {
        self.0.recorder.wait_sent(chat, n).await
    }

    /// Calls that the emulator refused.
    #[must_use]
    pub fn refused(&self) -> Vec<RecordedCall> {
        self.0.recorder.refused()
    }
}

/// The Node server `telegram-test-api`: polling, lenient.
pub struct TelegramTestApi(Emulator);

impl TelegramTestApi {
    /// Installs it when it is not, and starts it on a free port.
    pub async fn start() -> Result<Self> {
        Ok(Self(Emulator::start("telegram-test-api").await?))
    }

    /// The Bot API's base address, to be set in place of Telegram's.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.recorder.url()
    }

    /// The server's own address: what is called there is not recorded.
    #[must_use]
    pub fn server_url(&self) -> String {
        self.0.url()
    }

    /// Lets a citizen write.
    pub async fn say(&self, token: &str, chat: i64, text: &str) -> Result<()> {
        self.send(token, chat, &json!({ "text": text })).await
    }

    /// Lets a citizen send a photo. The server keeps no files, so that the bot
    /// cannot fetch it.
    pub async fn say_photo(&self, token: &str, chat: i64, caption: &str) -> Result<()> {
        let size = json!({
            "file_id": "photo", "file_unique_id": "u-photo", "width": 640, "height": 480
        });
        self.send(token, chat, &json!({"photo": [size], "caption": caption})).await
    }

    /// Lets a citizen send a message with these fields of the Bot API. The
    /// server puts in its own message number.
    pub async fn send(&self, token: &str, chat: i64, fields: &Value) -> Result<()> {
        let mut message = self.0.message(chat, fields);
        message["botToken"] = json!(token);
        self.0.post("/sendMessage", &message).await?;
        Ok(())
    }

    /// What bots sent to a chat, in order.
    #[must_use]
    pub fn sent(&self, chat: i64) -> Vec<RecordedCall> {
        self.0.recorder.sent(chat)
    }

    /// Waits until at least `n` messages were sent to a chat.
    pub async fn wait_sent(&self, chat: i64, n: usize) -> Result<Vec<RecordedCall>> {
        self.0.recorder.wait_sent(chat, n).await
    }

    /// Calls that the server does not know or refused.
    #[must_use]
    pub fn refused(&self) -> Vec<RecordedCall> {
        self.0.recorder.refused()
    }
}
