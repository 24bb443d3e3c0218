//! The way of a Telegram update from whoever receives it (the gateway's webhook, the hub's polling) to the
//! hub that carries it out: one JetStream stream, whose acknowledgement is the promise given to Telegram.
//!
//! Updates lie there sealed under a key of the day, which is destroyed two days later. A message holds those
//! that came while the one before was flushed.

mod publisher;

use async_nats::jetstream::{self, stream};
use meydan_event_log::PLATFORM;
use meydan_keyring::{KeyError, Keyring, Place, Sealed};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::{Date, Duration, OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

use self::publisher::Publisher;

/// Name of the stream.
pub const STREAM: &str = "TG_IN";

/// Largest update, in bytes. Telegram's are a few kilobytes; one of this size still fits into every stream
/// on its way when it is sealed, which adds a third, and written as JSON.
pub const LARGEST: usize = 256 * 1024;

/// What the broker has to take in one message, in bytes. NATS takes a megabyte, unless it is told otherwise.
pub const LARGEST_MESSAGE: usize = 768 * 1024;

/// Largest sealed update, which leaves room for what is known about it.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// An update, as Telegram wrote it.
    Update(Sealed<String>),
    /// Something too large to keep; its size in bytes.
    Oversized(u64),
}

/// Something that came, as it lies in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Number of its message in the stream.
    pub sequence: i64,
    /// Place in the message, from 0.
    pub place: i32,
    /// For which bot.
    pub hook: Hook,
    /// When.
    pub received_at: OffsetDateTime,
    /// The trace in which it came.
    pub traceparent: Option<String>,
    /// What.
    pub content: Content,
}

/// The same, as it is written in a message.
#[derive(Serialize, Deserialize)]
struct Written {
    bot_id: Uuid,
    campaign: Uuid,
    #[serde(with = "rfc3339")]
    received_at: OffsetDateTime,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    traceparent: Option<String>,
    #[serde(flatten)]
    content: Content,
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
    publisher: Publisher,
    keyring: Keyring,
}

impl Intake {
    /// Takes updates into `jetstream`, by a task of its own.
    #[must_use]
    pub fn new(jetstream: jetstream::Context, keyring: Keyring) -> Self {
        Self { publisher: Publisher::start(jetstream.clone()), jetstream, keyring }
    }

    /// The keys under which it seals.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
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
        if text.len() > LARGEST || sealed.to_string().len() > LARGEST_SEALED {
            let bytes = u64::try_from(update.len()).unwrap_or(u64::MAX);
            return self.note_oversized(hook, bytes, now).await;
        }
        self.publish(hook, Content::Update(sealed), now).await
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
        self.publish(hook, Content::Oversized(bytes), now).await
    }

    async fn publish(
        &self,
        Hook { bot_id, campaign }: Hook,
        content: Content,
        received_at: OffsetDateTime,
    ) -> Result<(), IntakeError> {
        let traceparent = meydan_telemetry::traceparent();
        let written = Written { bot_id, campaign, received_at, traceparent, content };
        let update = serde_json::to_string(&written).expect("it is plain data");
        self.publisher.publish(update).await.map_err(IntakeError::Broker)
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
    /// Number of its message in the stream.
    pub sequence: i64,
    /// Place in the message, from 0; 0, too, when the message is none of ours as a whole.
    pub place: i32,
    /// When.
    pub received_at: OffsetDateTime,
}

/// Reads a message of the stream: what is in it, one by one, so that nothing is kept out by its neighbour.
#[must_use]
pub fn read(message: &jetstream::Message) -> Vec<Result<Taken, Foreign>> {
    let (sequence, received_at) = match message.info() {
        Ok(info) => (i64::try_from(info.stream_sequence).unwrap_or(i64::MAX), info.published),
        Err(_) => (0, OffsetDateTime::UNIX_EPOCH),
    };
    let foreign = |place| Foreign { sequence, place, received_at };
    let Ok(written) = serde_json::from_slice::<Vec<&RawValue>>(&message.payload) else {
        return vec![Err(foreign(0))];
    };
    let taken = (0..).zip(written).map(|(place, written)| {
        let written = serde_json::from_str::<Written>(written.get());
        let Written { bot_id, campaign, received_at, traceparent, content } =
            written.map_err(|_| foreign(place))?;
        let hook = Hook { bot_id, campaign };
        Ok(Taken { sequence, place, hook, received_at, traceparent, content })
    });
    taken.collect()
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
