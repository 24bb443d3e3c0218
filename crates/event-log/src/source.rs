//! Where a reader gets its facts: the log of its own context, or the stream of another one.
//!
//! Positions are the same in both, so a checkpoint is one number. Own facts are read from PostgreSQL, woken
//! in-process: that is a hop less than JetStream, and goes on while NATS is away.

use std::time::Duration;

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
};

/// How long a reader waits for a wake-up before it looks for itself. Only facts that another process
/// appended wait so long.
const LOOK: Duration = Duration::from_millis(50);
/// How long to wait for a stream that is not there yet.
const NOT_THERE: Duration = Duration::from_millis(100);

/// Name of the stream that carries a context's facts.
#[must_use]
pub fn stream_name(context: &str) -> String {
    format!("ES_{}", context.to_uppercase())
}

/// Where facts come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The context's own log.
    Log(EventLog),
    /// The stream of another context.
    Stream {
        /// The connection.
        jetstream: jetstream::Context,
        /// Name of the other context.
        context: &'static str,
    },
}

/// Why no facts could be had. All of it passes with time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("the log cannot be read")]
    Log(#[from] sqlx::Error),
    #[error("the stream cannot be read: {0}")]
    Stream(String),
    #[error("the stream holds a message without the headers of an event")]
    Foreign,
    #[error("the stream skips from position {after} to {found}")]
    Hole { after: i64, found: i64 },
}

/// Reads a source in order.
pub(crate) struct Feed {
    source: Source,
    consumer: Option<(i64, pull::Ordered)>,
}

impl Feed {
    pub(crate) const fn new(source: Source) -> Self {
        Self { source, consumer: None }
    }

    /// Waits until there are facts after `after`, and returns up to `limit` of them.
    pub(crate) async fn next(
        &mut self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, SourceError> {
        match self.source.clone() {
            Source::Log(log) => next_of_log(&log, after, limit).await,
            Source::Stream { jetstream, context } => {
                let mut messages = match self.consumer.take() {
                    Some((at, messages)) if at == after => messages,
                    _ => open(&jetstream, context, after).await?,
                };
                let events = next_of_stream(&mut messages, after, limit).await?;
                let reached = events.last().map_or(after, |event| event.position);
                self.consumer = Some((reached, messages));
                Ok(events)
            }
        }
    }
}

async fn next_of_log(
    log: &EventLog,
    after: i64,
    limit: usize,
) -> Result<Vec<Recorded>, SourceError> {
    let mut head = log.head();
    let limit = i64::try_from(limit).expect("limits are small");
    loop {
        head.borrow_and_update();
        let events = log.after(after, limit).await?;
        if !events.is_empty() {
            return Ok(events);
        }
        let _ = tokio::time::timeout(LOOK, head.changed()).await;
    }
}

/// Waits for the stream, which the other context makes when it first publishes, and reads on from `after`.
async fn open(
    jetstream: &jetstream::Context,
    context: &str,
    after: i64,
) -> Result<pull::Ordered, SourceError> {
    let broken = |error: &dyn std::fmt::Display| SourceError::Stream(error.to_string());
    let stream = loop {
        match jetstream.get_stream(stream_name(context)).await {
            Ok(stream) => break stream,
            Err(error) if is_not_there(&error) => tokio::time::sleep(NOT_THERE).await,
            Err(error) => return Err(broken(&error)),
        }
    };
    let start_sequence = u64::try_from(after + 1).expect("positions are positive");
    stream
        .create_consumer(pull::OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ..Default::default()
        })
        .await
        .map_err(|error| broken(&error))?
        .messages()
        .await
        .map_err(|error| broken(&error))
}

fn is_not_there(error: &GetStreamError) -> bool {
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
) -> Result<Vec<Recorded>, SourceError> {
    let mut events: Vec<Recorded> = Vec::new();
    while events.len() < limit {
        let next = if events.is_empty() {
            messages.next().await
        } else {
            match messages.next().now_or_never() {
                Some(next) => next,
                None => break,
            }
        };
        let message = next
            .ok_or_else(|| SourceError::Stream("the subscription ended".to_owned()))?
            .map_err(|error| SourceError::Stream(error.to_string()))?;
        let event = read(&message)?;
        let last = events.last().map_or(after, |event| event.position);
        if event.position <= last {
            continue;
        }
        if event.position != last + 1 {
            return Err(SourceError::Hole { after: last, found: event.position });
        }
        events.push(event);
    }
    Ok(events)
}

/// The subject, the headers and the body under which an event is published.
pub(crate) fn publish(context: &str, event: &Recorded) -> (String, HeaderMap, bytes::Bytes) {
    let subject =
        format!("es.{context}.{}.{}.{}", event.tenant, event.aggregate_type, event.aggregate_id);
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", event.event_id.to_string());
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

fn event(headers: &HeaderMap, body: &[u8]) -> Option<Recorded> {
    let header = |name: &str| headers.get(name).map(async_nats::HeaderValue::as_str);
    Some(Recorded {
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
