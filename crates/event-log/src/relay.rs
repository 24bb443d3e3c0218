//! The relay: publishes the facts of a log to its stream, in order, each once.
//!
//! One replica leads. That alone would not stop a leader that was asleep while its session ended, so each
//! message carries the sequence number that must be the stream's last: the
//! stream itself refuses a gap, a repeat and a zombie. The place to go on from is the stream's own end,
//! because its sequence numbers equal the positions in the log.

use std::time::Duration;

use async_nats::jetstream::{self, message::PublishMessage, stream::StorageType};
use tokio_util::sync::CancellationToken;

use crate::{
    envelope::Recorded,
    lead::{Lock, lead},
    log::{EventLog, PART},
    projection::{Chain, gauge},
    source::{publish, stream_name},
};

/// Facts in one round: enough to keep JetStream busy, few enough to repeat after a failure.
const PAGE: i64 = 500;
/// How long to wait for a wake-up before looking for facts that another process appended.
const LOOK: Duration = Duration::from_millis(20);

/// Why a relay stopped.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// PostgreSQL cannot be used.
    #[error("the log cannot be read")]
    Log(#[from] sqlx::Error),
    /// JetStream cannot be used, or refused a message.
    #[error("the stream cannot be written: {0}")]
    Stream(String),
    /// The stream knows facts that the log does not: the database was restored to an earlier point.
    #[error(
        "stream {stream} is at {published}, but the log of this database only at {recorded}; \
         the database was restored to an earlier point: nothing is published until an operator decides"
    )]
    LogIsShorter {
        /// The stream.
        stream: String,
        /// Its last sequence number.
        published: i64,
        /// The last position in the log.
        recorded: i64,
    },
}

/// Publishes one log.
#[derive(Debug)]
pub struct Relay {
    log: EventLog,
    jetstream: jetstream::Context,
}

impl Relay {
    /// Publishes `log` through `jetstream`.
    #[must_use]
    pub const fn new(log: EventLog, jetstream: jetstream::Context) -> Self {
        Self { log, jetstream }
    }

    /// Runs until `stop`. Failures are logged and tried again.
    pub async fn run(self, stop: CancellationToken) {
        lead(self.log.pool(), Lock::Relay, &stop, |lease| self.publish_while(lease)).await;
    }

    async fn publish_while(&self, lease: CancellationToken) {
        let mut pause = Duration::from_millis(100);
        loop {
            let failure = tokio::select! {
                () = lease.cancelled() => return,
                failure = self.publish() => failure,
            };
            let Err(error) = failure;
            let context = self.log.context();
            metrics::counter!("relay_failures", "context" => context).increment(1);
            if matches!(error, RelayError::LogIsShorter { .. }) {
                tracing::error!(context, error = %Chain(&error), "relay stands still");
                pause = Duration::from_secs(5);
            } else {
                tracing::warn!(context, error = %Chain(&error), "relay waits");
            }
            tokio::select! {
                () = lease.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Publishes until something fails.
    async fn publish(&self) -> Result<std::convert::Infallible, RelayError> {
        let mut position = self.position().await?;
        loop {
            position = self.publish_after(position).await?;
        }
    }

    /// Where the stream ends, which is where to go on.
    async fn position(&self) -> Result<i64, RelayError> {
        let context = self.log.context();
        let name = stream_name(context);
        let config = jetstream::stream::Config {
            name: name.clone(),
            subjects: vec![format!("es.{context}.>")],
            storage: StorageType::File,
            allow_direct: true,
            allow_atomic_publish: true,
            max_message_size: 512 * 1024,
            ..Default::default()
        };
        let stream = self.jetstream.get_or_create_stream(config).await.map_err(stream_error)?;
        let last = stream.get_info().await.map_err(stream_error)?.state.last_sequence;
        let published = i64::try_from(last).expect("a stream holds fewer than 2^63 messages");
        let recorded =
            sqlx::query_scalar!("SELECT max(position) FROM es.events WHERE part = $1", PART)
                .fetch_one(self.log.pool())
                .await?
                .unwrap_or(0);
        if published > recorded {
            return Err(RelayError::LogIsShorter { stream: name, published, recorded });
        }
        Ok(published)
    }

    /// Waits for facts after `position`, publishes them, and returns the new end of the stream.
    async fn publish_after(&self, position: i64) -> Result<i64, RelayError> {
        let mut head = self.log.head();
        head.borrow_and_update();
        let events = self.log.after(position, PAGE).await?;
        if events.is_empty() {
            let _ = tokio::time::timeout(LOOK, head.changed()).await;
            return Ok(position);
        }
        let mut acks = Vec::with_capacity(events.len());
        for event in &events {
            acks.push(self.send(event).await?);
        }
        let mut reached = position;
        for ack in acks {
            let ack = ack.await.map_err(stream_error)?;
            reached = i64::try_from(ack.sequence).expect("a stream holds fewer than 2^63 messages");
        }
        metrics::gauge!("relay_position", "context" => self.log.context()).set(gauge(reached));
        Ok(reached)
    }

    async fn send(
        &self,
        event: &Recorded,
    ) -> Result<jetstream::context::PublishAckFuture, RelayError> {
        let span = tracing::info_span!("relay.publish", event = %event.event_type);
        if let Some(parent) = &event.meta.traceparent {
            meydan_telemetry::set_parent_from(&span, parent);
        }
        let (subject, headers, payload) = publish(self.log.context(), event);
        let last = u64::try_from(event.position - 1).expect("positions start at 1");
        let message = PublishMessage::build()
            .headers(headers)
            .payload(payload)
            .expected_stream(stream_name(self.log.context()))
            .expected_last_sequence(last);
        let send = self.jetstream.send_publish(subject, message);
        tracing::Instrument::instrument(send, span).await.map_err(stream_error)
    }
}

fn stream_error(error: impl std::fmt::Display) -> RelayError {
    RelayError::Stream(error.to_string())
}
