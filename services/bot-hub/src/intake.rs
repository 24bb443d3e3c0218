//! Updates in: each once, for ever; in order per chat, in parallel across chats.
//!
//! The checkpoint lies in PostgreSQL, not with the broker: after a crash the hub goes on from the first
//! update that may not have been recorded, in the old order, and those that were are recognised.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use bot_hub_domain::telegram::{self, What};
use futures::{FutureExt, StreamExt, stream};
use meydan_event_log::{ExecuteError, advance, checkpoint};
use meydan_intake::{Content, Foreign, Intake, IntakeError, Taken};
use meydan_keyring::KeyError;
use time::{Date, OffsetDateTime};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    app::{AppError, BotHub, Recording, TurnAwayError},
    campaigns,
    outbound::Own,
};

/// Name of the checkpoint.
const READER: &str = "telegram_intake";
/// Most messages in a round.
const BATCH: usize = 256;
/// A round ends with the message that makes it so large, in bytes.
const BATCH_BYTES: usize = 2 << 20;
/// Name of the daily destruction of keys.
const KEYS: &str = "destroy_intake_keys";
/// How often to look whether a day is over.
const LOOK: Duration = Duration::from_secs(1);
/// Shortest time between two rounds, unless a round was full. Under load, what comes meanwhile shares appends
/// and a checkpoint; the first update after a calm does not wait.
const GATHER: Duration = Duration::from_millis(5);
/// Chats worked on at a time.
const AT_ONCE: usize = 32;

/// Carries out updates until `stop`.
pub async fn run(hub: BotHub, intake: Intake, stop: CancellationToken) {
    let mut pause = Duration::from_millis(50);
    loop {
        let failure = tokio::select! {
            () = stop.cancelled() => return,
            failure = follow(&hub, &intake) => failure,
        };
        let Err(error) = failure;
        metrics::counter!("intake_failures").increment(1);
        tracing::warn!(%error, "intake waits");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the hub's tables cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the stream cannot be read: {0}")]
    Stream(String),
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error("another hub is at work")]
    Overtaken,
}

async fn follow(hub: &BotHub, intake: &Intake) -> Result<std::convert::Infallible, Failure> {
    let stream_failed = |error: &dyn std::fmt::Display| Failure::Stream(error.to_string());
    let stream = intake.stream().await?;
    let made_at = stream.get_info().await.map_err(|error| stream_failed(&error))?.created;
    let mut reached = begin(hub, made_at).await?;
    let start_sequence = u64::try_from(reached + 1).unwrap_or(1);
    let consumer = stream
        .create_consumer(pull::OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ..Default::default()
        })
        .await
        .map_err(|error| stream_failed(&error))?;
    let mut messages = consumer.messages().await.map_err(|error| stream_failed(&error))?;
    loop {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let next = if batch.is_empty() {
                messages.next().await
            } else {
                match messages.next().now_or_never() {
                    Some(next) => next,
                    None => break,
                }
            };
            let next = next.ok_or_else(|| Failure::Stream("it ended".to_owned()))?;
            let next = next.map_err(|error| stream_failed(&error))?;
            bytes += next.payload.len();
            batch.push(next);
        }
        let began = Instant::now();
        let last = batch.iter().filter_map(|message| message.info().ok()).next_back();
        let last =
            last.map_or(reached, |info| i64::try_from(info.stream_sequence).unwrap_or(reached));
        let mut ours = Vec::with_capacity(batch.len());
        for message in &batch {
            for read in meydan_intake::read(message) {
                match read {
                    Ok(taken) => ours.push(taken),
                    Err(foreign) => set_foreign_aside(hub, &foreign).await?,
                }
            }
        }
        carry_out(hub, intake, ours).await?;
        move_to(hub, reached, last).await?;
        reached = last;
        if batch.len() < BATCH && bytes < BATCH_BYTES {
            tokio::time::sleep_until(began + GATHER).await;
        }
    }
}

/// Where to go on. A stream that was lost and made again counts anew; what it brings again is recognised.
async fn begin(hub: &BotHub, made_at: OffsetDateTime) -> Result<i64, Failure> {
    let micros = made_at.microsecond() * 1_000;
    let made_at = made_at.replace_nanosecond(micros).expect("microseconds fit");
    let reached = checkpoint(hub.log.pool(), READER, 0).await?;
    let mut tx = hub.log.pool().begin().await?;
    let known = sqlx::query_scalar!("SELECT made_at FROM intake_streams WHERE reader = $1", READER)
        .fetch_optional(&mut *tx)
        .await?;
    if known == Some(made_at) {
        return Ok(reached);
    }
    sqlx::query!(
        r#"
        INSERT INTO intake_streams (reader, made_at) VALUES ($1, $2)
        ON CONFLICT (reader) DO UPDATE SET made_at = $2
        "#,
        READER,
        made_at,
    )
    .execute(&mut *tx)
    .await?;
    if reached > 0 {
        tracing::error!(reached, "the intake stream was lost and begins anew");
        if !advance(&mut tx, READER, 0, reached, 0).await? {
            return Err(Failure::Overtaken);
        }
    }
    tx.commit().await?;
    Ok(0)
}

async fn move_to(hub: &BotHub, from: i64, to: i64) -> Result<(), Failure> {
    let mut db = hub.log.pool().acquire().await?;
    if advance(&mut db, READER, 0, from, to).await? { Ok(()) } else { Err(Failure::Overtaken) }
}

/// An update that was opened and read, or why it could not be.
struct Opened {
    taken: Taken,
    reading: Result<telegram::Reading, (&'static str, String)>,
}

async fn carry_out(hub: &BotHub, intake: &Intake, taken: Vec<Taken>) -> Result<(), Failure> {
    let mut chats: HashMap<(uuid::Uuid, i64), Vec<Opened>> = HashMap::new();
    for taken in taken {
        let reading = open(intake, &taken).await?;
        let chat = reading.as_ref().ok().and_then(|reading| reading.chat.as_ref());
        let chat = chat.map_or(0, |chat| chat.id);
        chats.entry((taken.hook.bot_id, chat)).or_default().push(Opened { taken, reading });
    }
    let hooks = chats.values().flatten().map(|update| update.taken.hook.campaign);
    let hooks = hooks.collect::<HashSet<_>>().into_iter().collect::<Vec<_>>();
    let stopped = &campaigns::stopped(hub.log.pool(), &hooks).await?;
    let mut lanes = stream::iter(chats.into_values())
        .map(|updates| async move {
            for update in updates {
                let span = tracing::info_span!("intake.carry_out", bot = %update.taken.hook.bot_id);
                if let Some(parent) = &update.taken.traceparent {
                    meydan_telemetry::set_parent_from(&span, parent);
                }
                let stopped = stopped.get(&update.taken.hook.campaign).copied();
                one(hub, update, stopped).instrument(span).await?;
            }
            Ok::<_, Failure>(())
        })
        .buffer_unordered(AT_ONCE);
    while let Some(lane) = lanes.next().await {
        lane?;
    }
    Ok(())
}

async fn open(
    intake: &Intake,
    taken: &Taken,
) -> Result<Result<telegram::Reading, (&'static str, String)>, Failure> {
    Ok(match &taken.content {
        Content::Oversized(bytes) => Err(("oversized", format!("{bytes} bytes"))),
        Content::Update(sealed) => match intake.open(taken.hook, sealed).await {
            Ok(Some(update)) => telegram::read(update.as_bytes())
                .map_err(|unreadable| ("malformed", unreadable.to_string())),
            Ok(None) => Err(("malformed", "the key of its day is gone".to_owned())),
            // That will not change however often it is tried.
            Err(IntakeError::Keys(KeyError::Tampered)) => {
                Err(("malformed", "it was changed, or belongs to another bot".to_owned()))
            }
            Err(error) => return Err(error.into()),
        },
    })
}

async fn one(hub: &BotHub, update: Opened, stopped: Option<Own>) -> Result<(), Failure> {
    let Opened { taken, reading } = update;
    let outcome = match reading {
        Err((kind, reason)) => {
            set_aside(hub, &taken, kind, &reason).await?;
            kind
        }
        Ok(reading) => {
            if let What::Unknown { kind } | What::Unsupported { kind } = &reading.what {
                set_aside(hub, &taken, "unknown", kind).await?;
            }
            match stopped.filter(|_| is_said(&reading.what)) {
                Some(own) => turn_away(hub, &taken, &reading, own).await?,
                None => record(hub, &taken, reading).await?,
            }
        }
    };
    metrics::counter!("telegram_updates", "outcome" => outcome).increment(1);
    Ok(())
}

/// Whether a citizen said something, to whom somebody would answer.
const fn is_said(what: &What) -> bool {
    matches!(what, What::Start { .. } | What::Message(_) | What::Edited(_) | What::Callback { .. })
}

/// Tells a citizen that nobody takes what they said.
async fn turn_away(
    hub: &BotHub,
    taken: &Taken,
    reading: &telegram::Reading,
    own: Own,
) -> Result<&'static str, Failure> {
    match hub.turn_away(taken.hook, reading, own).await {
        Ok(()) => Ok("turned_away"),
        Err(TurnAwayError::Keys(KeyError::Destroyed)) => Ok("erased"),
        Err(TurnAwayError::Keys(KeyError::Tampered)) => {
            set_aside(hub, taken, "malformed", "a key of the campaign was changed").await?;
            Ok("malformed")
        }
        Err(TurnAwayError::Keys(error)) => Err(IntakeError::Keys(error).into()),
        Err(TurnAwayError::Database(error)) => Err(error.into()),
    }
}

async fn record(
    hub: &BotHub,
    taken: &Taken,
    reading: telegram::Reading,
) -> Result<&'static str, Failure> {
    let mut pause = Duration::from_millis(20);
    loop {
        match hub.record(taken.hook, reading.clone()).await {
            Ok(Recording::Recorded(_)) => return Ok("recorded"),
            Ok(Recording::Repeated) => return Ok("repeated"),
            Ok(Recording::Nothing) => return Ok("nothing"),
            Err(AppError::Log(
                ExecuteError::Refused(_) | ExecuteError::TooLarge | ExecuteError::Damaged(_),
            )) => {
                set_aside(hub, taken, "malformed", "the dialogue cannot record it").await?;
                return Ok("malformed");
            }
            Err(AppError::Keys(KeyError::Destroyed)) => return Ok("erased"),
            Err(AppError::Keys(KeyError::Tampered)) => {
                set_aside(hub, taken, "malformed", "a key of the campaign was changed").await?;
                return Ok("malformed");
            }
            // The same update or another chat of the same person came to be known this very moment, or the store
            // is away.
            Err(
                error @ (AppError::Log(
                    ExecuteError::Conflict
                    | ExecuteError::KeyTaken
                    | ExecuteError::CommandIdTaken(_)
                    | ExecuteError::Unavailable(_),
                )
                | AppError::Keys(KeyError::Unavailable(_))),
            ) => {
                tracing::warn!(%error, "update tried again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
        }
    }
}

/// Keeps something that cannot be used where a person can look at it.
async fn set_aside(hub: &BotHub, taken: &Taken, kind: &str, reason: &str) -> Result<(), Failure> {
    let sealed = match &taken.content {
        Content::Update(sealed) => Some(sealed.to_string()),
        Content::Oversized(_) => None,
    };
    sqlx::query!(
        r#"
        INSERT INTO aside
          (intake_sequence, intake_place, tenant_id, bot_id, kind, reason, update_sealed, received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
        "#,
        taken.sequence,
        taken.place,
        taken.hook.campaign,
        taken.hook.bot_id,
        kind,
        reason,
        sealed,
        taken.received_at,
    )
    .execute(hub.log.pool())
    .await?;
    Ok(())
}

/// Notes a message that is none of ours. What it holds is not kept: nobody knows whose it is, nor whether it
/// is sealed.
async fn set_foreign_aside(hub: &BotHub, foreign: &Foreign) -> Result<(), Failure> {
    sqlx::query!(
        r#"
        INSERT INTO aside (intake_sequence, intake_place, kind, reason, received_at)
        VALUES ($1, $2, 'foreign', 'it lacks what an update has', $3) ON CONFLICT DO NOTHING
        "#,
        foreign.sequence,
        foreign.place,
        foreign.received_at,
    )
    .execute(hub.log.pool())
    .await?;
    metrics::counter!("telegram_updates", "outcome" => "foreign").increment(1);
    Ok(())
}

/// Destroys the keys of the days that are over, each day once, until `stop`.
pub async fn destroy_keys(hub: BotHub, intake: Intake, stop: CancellationToken) {
    let (mut today, mut told) = (None, false);
    while !stop.is_cancelled() {
        let date = hub.now().date();
        if today != Some(date) {
            match destroy_old_keys(&hub, &intake).await {
                Ok(()) => (today, told) = (Some(date), false),
                // Once for as long as it goes on, and not with each try.
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(%error, "the keys of past days wait");
                }
                Err(_) => {}
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn destroy_old_keys(hub: &BotHub, intake: &Intake) -> Result<(), Failure> {
    let done: Option<Date> = sqlx::query_scalar!("SELECT day FROM daily WHERE work = $1", KEYS)
        .fetch_optional(hub.log.pool())
        .await?;
    let day = intake.destroy_old_keys(done, hub.now()).await?;
    sqlx::query!(
        "INSERT INTO daily (work, day) VALUES ($1, $2) ON CONFLICT (work) DO UPDATE SET day = $2",
        KEYS,
        day,
    )
    .execute(hub.log.pool())
    .await?;
    tracing::debug!(%day, "the keys of the days to this one are destroyed");
    Ok(())
}
