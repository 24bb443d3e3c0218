//! Where a reader gets its facts: the log of its own context, the stream of another one, or both in turn.
//!
//! Positions are the same in both, so a checkpoint is one number. Own facts are read from PostgreSQL, woken
//! in-process: that is a hop less than JetStream, and goes on while NATS is away.

use std::time::{Duration, Instant};

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        consumer::{DeliverPolicy, pull},
        context::{GetStreamError, GetStreamErrorKind},
        message::Message,
    },
};
use futures::{FutureExt, StreamExt};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    envelope::{Meta, Recorded},
    log::EventLog,
    parked::Parked,
    rules::{Place, place},
};

/// How long a reader waits for a wake-up before it looks for itself. Only facts that another process
/// appended wait so long.
const LOOK: Duration = Duration::from_millis(50);
/// Shortest time between two rounds of facts, unless a round was full. Under load, what comes meanwhile
/// shares a transaction and its flush; the first fact after a calm does not wait.
const GATHER: Duration = Duration::from_millis(2);
/// How long to wait for a stream that is not there yet.
const NOT_THERE: Duration = Duration::from_millis(100);

/// How long to wait for a message that must be there.
pub(crate) const NO_MORE: Duration = Duration::from_secs(5);

/// Name of the stream that carries a partition of a context's facts.
#[must_use]
pub fn stream_name(context: &str, part: i16) -> String {
    let context = context.to_uppercase();
    if part == 0 { format!("ES_{context}") } else { format!("ES_{context}_{part}") }
}

/// Under what a partition's facts are published: no subject may belong to two streams.
pub(crate) fn subject_root(context: &str, part: i16) -> String {
    if part == 0 { format!("es.{context}") } else { format!("es.{context}-{part}") }
}

/// Where the facts of an aggregate are published.
fn subject(context: &str, part: i16, tenant: Uuid, kind: &str, id: Uuid) -> String {
    format!("{}.{tenant}.{kind}.{id}", subject_root(context, part))
}

/// Where facts come from: one partition of a log.
#[derive(Debug, Clone)]
pub enum Source {
    /// The log itself.
    Log(EventLog, i16),
    /// The stream of another context.
    Stream {
        /// The connection.
        jetstream: jetstream::Context,
        /// Name of the other context.
        context: &'static str,
        /// The partition.
        part: i16,
    },
    /// The log for what is past, then the stream: for readers that begin at the beginning, and would keep
    /// PostgreSQL busy for nobody if they stayed there.
    LogThenStream(EventLog, jetstream::Context, i16),
}

impl Source {
    /// The partition.
    #[must_use]
    pub const fn part(&self) -> i16 {
        match self {
            Self::Log(_, part) | Self::Stream { part, .. } | Self::LogThenStream(_, _, part) => {
                *part
            }
        }
    }

    /// The facts that wait of a parked aggregate, up to `last`.
    pub(crate) async fn of_aggregate(
        &self,
        parked: &Parked,
        last: i64,
    ) -> Result<Vec<Recorded>, SourceError> {
        match self {
            Self::Log(log, _) | Self::LogThenStream(log, ..) => {
                Ok(log.of_aggregate(parked, last).await?)
            }
            Self::Stream { jetstream, context, part } => {
                let name = stream_name(context, *part);
                of_aggregate_in_stream(jetstream, &name, context, parked, last).await
            }
        }
    }
}

/// Why no facts could be had. All of it passes with time.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// PostgreSQL does not answer.
    #[error("the log cannot be read")]
    Log(#[from] sqlx::Error),
    /// JetStream does not answer.
    #[error("the stream cannot be read: {0}")]
    Stream(String),
    /// Somebody else published into the stream.
    #[error("the stream holds a message without the headers of an event")]
    Foreign,
    /// The stream has lost facts, or not got them back yet.
    #[error("the stream skips from position {after} to {found}")]
    Hole {
        /// The last position before the hole.
        after: i64,
        /// The first one behind it.
        found: i64,
    },
}

/// Reads a source in order: every fact once, whatever happens between two reads.
pub struct Subscription {
    source: Source,
    consumer: Option<(i64, pull::Ordered)>,
    /// When the last round was given, if there was room for more in it.
    gave: Option<Instant>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Subscription {
    /// Reads `source`.
    #[must_use]
    pub const fn new(source: Source) -> Self {
        Self { source, consumer: None, gave: None }
    }

    /// Waits until there are facts after `after`, and returns up to `limit` of them; none when there are none
    /// after `patience`.
    ///
    /// # Errors
    ///
    /// See [`SourceError`]. Asking again is right in every case.
    pub async fn next(
        &mut self,
        after: i64,
        limit: usize,
        patience: Duration,
    ) -> Result<Vec<Recorded>, SourceError> {
        if let Some(gave) = self.gave.take() {
            tokio::time::sleep_until((gave + GATHER).into()).await;
        }
        let events = self.round(after, limit, patience).await?;
        if (1..limit).contains(&events.len()) {
            self.gave = Some(Instant::now());
        }
        Ok(events)
    }

    async fn round(
        &mut self,
        after: i64,
        limit: usize,
        patience: Duration,
    ) -> Result<Vec<Recorded>, SourceError> {
        match self.source.clone() {
            Source::Log(log, part) => next_of_log(&log, part, after, limit, patience).await,
            Source::Stream { jetstream, context, part } => {
                self.next_of_stream((&jetstream, context, part), after, limit, patience).await
            }
            Source::LogThenStream(log, jetstream, part) => {
                let behind = self.consumer.as_ref().is_none_or(|(at, _)| *at != after);
                if behind {
                    let events = log.after(part, after, signed(limit)).await?;
                    if !events.is_empty() {
                        return Ok(events);
                    }
                }
                let from = (&jetstream, log.context(), part);
                match self.next_of_stream(from, after, limit, patience).await {
                    // The log has whatever the stream has lost.
                    Err(SourceError::Hole { .. }) => {
                        Ok(log.after(part, after, signed(limit)).await?)
                    }
                    said => said,
                }
            }
        }
    }

    async fn next_of_stream(
        &mut self,
        (jetstream, context, part): (&jetstream::Context, &str, i16),
        after: i64,
        limit: usize,
        patience: Duration,
    ) -> Result<Vec<Recorded>, SourceError> {
        let mut messages = match self.consumer.take() {
            Some((at, messages)) if at == after => messages,
            _ => match open(jetstream, &stream_name(context, part), after, patience).await? {
                Some(messages) => messages,
                None => return Ok(vec![]),
            },
        };
        let events = next_of_stream(&mut messages, after, limit, patience).await?;
        let reached = events.last().map_or(after, |event| event.position);
        self.consumer = Some((reached, messages));
        Ok(events)
    }
}

fn signed(limit: usize) -> i64 {
    i64::try_from(limit).expect("limits are small")
}

async fn next_of_log(
    log: &EventLog,
    part: i16,
    after: i64,
    limit: usize,
    patience: Duration,
) -> Result<Vec<Recorded>, SourceError> {
    let mut head = log.head(part);
    let until = Instant::now() + patience;
    loop {
        head.borrow_and_update();
        let events = log.after(part, after, signed(limit)).await?;
        if !events.is_empty() || Instant::now() >= until {
            return Ok(events);
        }
        let _ = tokio::time::timeout(LOOK, head.changed()).await;
    }
}

/// Reads on from `after` in a stream; `None` when it is still not there after `patience`. The other context
/// makes it when it first publishes.
async fn open(
    jetstream: &jetstream::Context,
    stream: &str,
    after: i64,
    patience: Duration,
) -> Result<Option<pull::Ordered>, SourceError> {
    let until = Instant::now() + patience;
    let stream = loop {
        match jetstream.get_stream(stream).await {
            Ok(stream) => break stream,
            Err(error) if is_not_there(&error) && Instant::now() >= until => return Ok(None),
            Err(error) if is_not_there(&error) => tokio::time::sleep(NOT_THERE).await,
            Err(error) => return Err(broken(error)),
        }
    };
    let start_sequence = u64::try_from(after + 1).expect("positions are positive");
    let config = pull::OrderedConfig {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ..Default::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(broken)?;
    Ok(Some(consumer.messages().await.map_err(broken)?))
}

pub(crate) fn broken(error: impl std::fmt::Display) -> SourceError {
    SourceError::Stream(error.to_string())
}

/// The facts of one aggregate from a stream, from where it was parked up to `last`.
async fn of_aggregate_in_stream(
    jetstream: &jetstream::Context,
    stream: &str,
    context: &str,
    parked: &Parked,
    last: i64,
) -> Result<Vec<Recorded>, SourceError> {
    let stream = jetstream.get_stream(stream).await.map_err(broken)?;
    let subject =
        subject(context, parked.part, parked.tenant, &parked.aggregate_type, parked.aggregate_id);
    let newest = stream.get_last_raw_message_by_subject(&subject).await.map_err(broken)?;
    let newest = i64::try_from(newest.sequence).expect("a stream holds fewer than 2^63 messages");
    let start_sequence = u64::try_from(parked.position).expect("positions are positive");
    let config = pull::OrderedConfig {
        filter_subject: subject,
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ..Default::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(broken)?;
    let mut messages = consumer.messages().await.map_err(broken)?;
    let mut events = Vec::new();
    loop {
        let next = tokio::time::timeout(NO_MORE, messages.next()).await.map_err(broken)?;
        let message = next.ok_or_else(|| broken("the subscription ended"))?.map_err(broken)?;
        let event = read(&message)?;
        let position = event.position;
        if position <= last {
            events.push(event);
        }
        if position >= last || position >= newest {
            return Ok(events);
        }
    }
}

pub(crate) fn is_not_there(error: &GetStreamError) -> bool {
    match error.kind() {
        GetStreamErrorKind::JetStream(error) => {
            error.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND
        }
        GetStreamErrorKind::EmptyName
        | GetStreamErrorKind::Request
        | GetStreamErrorKind::InvalidStreamName => false,
    }
}

async fn next_of_stream(
    messages: &mut pull::Ordered,
    after: i64,
    limit: usize,
    patience: Duration,
) -> Result<Vec<Recorded>, SourceError> {
    let (mut events, mut wait): (Vec<Recorded>, _) = (Vec::new(), patience);
    while events.len() < limit {
        let next = match messages.next().now_or_never() {
            Some(next) => next,
            None if wait.is_zero() => break,
            None => match tokio::time::timeout(wait, messages.next()).await {
                Ok(next) => next,
                Err(_) => break,
            },
        };
        let message = next.ok_or_else(|| broken("the subscription ended"))?.map_err(broken)?;
        // What the broker has besides is on its way: many facts in one round share a transaction and its flush.
        let more = message.info().is_ok_and(|info| info.pending > 0);
        wait = if more { GATHER } else { Duration::ZERO };
        let event = read(&message)?;
        let last = events.last().map_or(after, |event| event.position);
        match place(last, event.position) {
            Place::Known => {}
            Place::Next => events.push(event),
            Place::BehindHole => {
                return Err(SourceError::Hole { after: last, found: event.position });
            }
        }
    }
    Ok(events)
}

/// The subject, the headers and the body under which an event is published.
pub(crate) fn publish(context: &str, event: &Recorded) -> (String, HeaderMap, bytes::Bytes) {
    let subject =
        subject(context, event.part, event.tenant, &event.aggregate_type, event.aggregate_id);
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", event.event_id.to_string());
    headers.insert("Es-Part", event.part.to_string());
    headers.insert("Es-Position", event.position.to_string());
    headers.insert("Es-Tenant", event.tenant.to_string());
    headers.insert("Es-Aggregate-Type", event.aggregate_type.as_str());
    headers.insert("Es-Aggregate-Id", event.aggregate_id.to_string());
    headers.insert("Es-Sequence", event.sequence.to_string());
    headers.insert("Es-Type", event.event_type.as_str());
    headers.insert("Es-Version", event.event_version.to_string());
    let recorded =
        event.recorded_at.format(&Rfc3339).expect("the database's years have four digits");
    headers.insert("Es-Recorded-At", recorded);
    headers.insert("Es-Meta", serde_json::to_string(&event.meta).expect("an origin is plain data"));
    if let Some(traceparent) = &event.meta.traceparent {
        headers.insert("traceparent", traceparent.as_str());
    }
    (subject, headers, event.payload.get().to_owned().into())
}

fn read(message: &Message) -> Result<Recorded, SourceError> {
    let headers = message.headers.as_ref().ok_or(SourceError::Foreign)?;
    event(headers, &message.payload).ok_or(SourceError::Foreign)
}

pub(crate) fn event(headers: &HeaderMap, body: &[u8]) -> Option<Recorded> {
    let header = |name: &str| headers.get(name).map(async_nats::HeaderValue::as_str);
    Some(Recorded {
        part: header("Es-Part")?.parse().ok()?,
        position: header("Es-Position")?.parse().ok()?,
        tenant: Uuid::try_parse(header("Es-Tenant")?).ok()?,
        aggregate_type: header("Es-Aggregate-Type")?.to_owned(),
        aggregate_id: Uuid::try_parse(header("Es-Aggregate-Id")?).ok()?,
        sequence: header("Es-Sequence")?.parse().ok()?,
        event_id: Uuid::try_parse(header("Nats-Msg-Id")?).ok()?,
        event_type: header("Es-Type")?.to_owned(),
        event_version: header("Es-Version")?.parse().ok()?,
        payload: serde_json::from_slice(body).ok()?,
        meta: serde_json::from_str::<Meta>(header("Es-Meta")?).ok()?,
        recorded_at: OffsetDateTime::parse(header("Es-Recorded-At")?, &Rfc3339).ok()?,
    })
}
