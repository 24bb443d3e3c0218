//! The way of a Telegram update from whoever receives it (the gateway's webhook, the hub's polling) to the
//! hub that carries it out: one JetStream stream, whose acknowledgement is the promise given to Telegram.
//!
//! Updates lie there sealed under a key of the day, which is destroyed two days later.

use async_nats::{
    HeaderMap,
    jetstream::{self, message::PublishMessage, stream},
};
use meydan_event_log::PLATFORM;
use meydan_keyring::{KeyError, Keyring, Place, Sealed};
use serde::Deserialize;
use time::{Date, Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// Name of the stream.
pub const STREAM: &str = "TG_IN";

/// Largest update, in bytes. Telegram's are a few kilobytes; one of this size still fits into every stream
/// on its way when it is sealed, which adds a third, and written as JSON.
pub const LARGEST: usize = 256 * 1024;

/// What the broker has to take in one message, in bytes. NATS takes a megabyte, unless it is told otherwise.
pub const LARGEST_MESSAGE: usize = 768 * 1024;

/// Largest sealed update, which leaves room for the headers.
const LARGEST_SEALED: usize = LARGEST_MESSAGE - 4 * 1024;

/// The day before which there was no intake.
const FIRST_DAY: Date = time::macros::date!(2026 - 11 - 01);

/// How long updates, and the keys of their days, are kept.
const KEPT: Duration = Duration::days(2);

/// For which bot something came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    /// The bot.
    pub bot_id: Uuid,
    /// Its campaign.
    pub campaign: Uuid,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An update, as Telegram wrote it.
    Update(Sealed<String>),
    /// Something too large to keep; its size in bytes.
    Oversized(u64),
}

/// Something that came, as it lies in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Place in the stream.
    pub sequence: i64,
    /// For which bot.
    pub hook: Hook,
    /// When.
    pub received_at: OffsetDateTime,
    /// The trace in which it came.
    pub traceparent: Option<String>,
    /// What.
    pub content: Content,
}

/// Why an update was not taken. Telegram will bring it again.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The broker did not confirm it.
    #[error("the broker did not confirm the update: {0}")]
    Broker(String),
    /// It could not be sealed.
    #[error("the update could not be sealed")]
    Keys(#[from] KeyError),
}

/// Takes updates.
#[derive(Debug, Clone)]
pub struct Intake {
    jetstream: jetstream::Context,
    keyring: Keyring,
}

#[derive(Deserialize)]
struct Numbered {
    update_id: i64,
}

impl Intake {
    /// Takes updates into `jetstream`.
    #[must_use]
    pub const fn new(jetstream: jetstream::Context, keyring: Keyring) -> Self {
        Self { jetstream, keyring }
    }

    /// The stream, made when it is not there.
    ///
    /// # Errors
    ///
    /// [`IntakeError::Broker`]
    pub async fn stream(&self) -> Result<stream::Stream, IntakeError> {
        let config = stream::Config {
            name: STREAM.to_owned(),
            subjects: vec!["tg.in.>".to_owned()],
            storage: stream::StorageType::File,
            max_age: KEPT.unsigned_abs(),
            allow_direct: true,
            ..Default::default()
        };
        self.jetstream.get_or_create_stream(config).await.map_err(broker)
    }

    /// Takes an update. When this returns, it survives whatever happens to any process. Of one that is too
    /// large, only its size does.
    ///
    /// # Errors
    ///
    /// See [`IntakeError`].
    #[tracing::instrument(name = "intake.accept", skip_all, fields(bot = %hook.bot_id))]
    pub async fn accept(
        &self,
        hook: Hook,
        update: &[u8],
        now: OffsetDateTime,
    ) -> Result<(), IntakeError> {
        let sealer = self.keyring.sealer(PLATFORM, day_subject(now.date())).await?;
        let text = String::from_utf8_lossy(update);
        let sealed: Sealed<String> = sealer.seal(&place(hook.bot_id), &text);
        let sealed = sealed.to_string();
        if text.len() > LARGEST || sealed.len() > LARGEST_SEALED {
            let bytes = u64::try_from(update.len()).unwrap_or(u64::MAX);
            return self.note_oversized(hook, bytes, now).await;
        }
        let mut headers = headers(hook, now);
        if let Ok(Numbered { update_id }) = serde_json::from_slice(update) {
            headers.insert("Nats-Msg-Id", format!("{}:{update_id}", hook.bot_id));
        }
        self.publish(hook, headers, sealed).await
    }

    /// Notes that something too large came.
    ///
    /// # Errors
    ///
    /// [`IntakeError::Broker`]
    pub async fn note_oversized(
        &self,
        hook: Hook,
        bytes: u64,
        now: OffsetDateTime,
    ) -> Result<(), IntakeError> {
        let mut headers = headers(hook, now);
        headers.insert("Tg-Oversized", bytes.to_string());
        self.publish(hook, headers, String::new()).await
    }

    async fn publish(
        &self,
        hook: Hook,
        headers: HeaderMap,
        payload: String,
    ) -> Result<(), IntakeError> {
        let message = PublishMessage::build().headers(headers).payload(payload.into());
        let ack = self.jetstream.send_publish(format!("tg.in.{}", hook.bot_id), message).await;
        ack.map_err(broker)?.await.map_err(broker)?;
        Ok(())
    }

    /// Opens an update; `None` when the key of its day is gone.
    ///
    /// # Errors
    ///
    /// [`IntakeError::Keys`]
    pub async fn open(
        &self,
        hook: Hook,
        update: &Sealed<String>,
    ) -> Result<Option<String>, IntakeError> {
        Ok(self.keyring.reveal(update, PLATFORM, &place(hook.bot_id)).await?)
    }

    /// Destroys the keys of the days that are over: those before the last two, from the one after `done` on.
    /// Returns the last of them.
    ///
    /// # Errors
    ///
    /// [`IntakeError::Keys`]
    pub async fn destroy_old_keys(
        &self,
        done: Option<Date>,
        now: OffsetDateTime,
    ) -> Result<Date, IntakeError> {
        let last = (now - KEPT - Duration::DAY).date();
        let mut day = done.unwrap_or(FIRST_DAY - Duration::DAY);
        while day < last {
            day += Duration::DAY;
            self.keyring.destroy(PLATFORM, day_subject(day)).await?;
        }
        Ok(day)
    }
}

/// Something in the stream that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Place in the stream.
    pub sequence: i64,
    /// When.
    pub received_at: OffsetDateTime,
}

/// Reads what lies in the stream.
///
/// # Errors
///
/// [`Foreign`] for a message that is none of ours.
pub fn read(message: &jetstream::Message) -> Result<Taken, Foreign> {
    let (sequence, received_at) = match message.info() {
        Ok(info) => (i64::try_from(info.stream_sequence).unwrap_or(i64::MAX), info.published),
        Err(_) => (0, OffsetDateTime::UNIX_EPOCH),
    };
    taken(sequence, message).ok_or(Foreign { sequence, received_at })
}

fn taken(sequence: i64, message: &jetstream::Message) -> Option<Taken> {
    let headers = message.headers.as_ref()?;
    let header = |name: &str| headers.get(name).map(async_nats::HeaderValue::as_str);
    let id = |name| Uuid::try_parse(header(name)?).ok();
    let content = match header("Tg-Oversized") {
        Some(bytes) => Content::Oversized(bytes.parse().ok()?),
        None => Content::Update(std::str::from_utf8(&message.payload).ok()?.parse().ok()?),
    };
    Some(Taken {
        sequence,
        hook: Hook { bot_id: id("Tg-Bot")?, campaign: id("Tg-Campaign")? },
        received_at: OffsetDateTime::parse(header("Tg-Received-At")?, &Rfc3339).ok()?,
        traceparent: header("traceparent").map(ToOwned::to_owned),
        content,
    })
}

fn headers(hook: Hook, now: OffsetDateTime) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Tg-Bot", hook.bot_id.to_string());
    headers.insert("Tg-Campaign", hook.campaign.to_string());
    let received = now.format(&Rfc3339).expect("the year has four digits");
    headers.insert("Tg-Received-At", received);
    if let Some(traceparent) = meydan_telemetry::traceparent() {
        headers.insert("traceparent", traceparent);
    }
    headers
}

fn day_subject(day: Date) -> Uuid {
    Uuid::new_v5(&PLATFORM, format!("telegram intake {day}").as_bytes())
}

fn place(bot: Uuid) -> Place {
    Place::new(PLATFORM, "telegram.update", bot, "update")
}

fn broker(error: impl std::fmt::Display) -> IntakeError {
    IntakeError::Broker(error.to_string())
}
