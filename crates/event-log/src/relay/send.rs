//! The two ways to publish a round: message by message without waiting in between, or as one batch.
//!
//! Both carry the sequence number that must be the stream's last, so a failure in the middle leaves a
//! beginning of the round, or nothing, and never a gap.

use async_nats::jetstream::{
    self, message::PublishMessage, publish::PublishAck, response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

use super::error::{RelayError, stream_error};
use crate::{
    envelope::Recorded,
    source::{publish, stream_name},
};

/// Publishes one by one, awaiting the acknowledgements together. The quickest way for few.
pub(super) async fn pipelined(
    jetstream: &jetstream::Context,
    context: &str,
    events: &[Recorded],
) -> Result<i64, RelayError> {
    let mut acks = Vec::with_capacity(events.len());
    for event in events {
        let (subject, headers, payload) = publish(context, event);
        let last = u64::try_from(event.position - 1).expect("positions start at 1");
        let message = PublishMessage::build()
            .headers(headers)
            .payload(payload)
            .expected_stream(stream_name(context, event.part))
            .expected_last_sequence(last);
        let send = jetstream.send_publish(subject, message).instrument(span(event));
        acks.push(send.await.map_err(stream_error)?);
    }
    let mut reached = 0;
    for ack in acks {
        reached = sequence(&ack.await.map_err(stream_error)?);
    }
    Ok(reached)
}

/// Publishes all or nothing: with `sync_interval: always` JetStream flushes once for the batch instead of
/// once for each message. Headers as in ADR-50 of NATS; the client library has no call for it yet. Nobody
/// waits in the middle: the answer to the last message says what became of all.
pub(super) async fn in_one_batch(
    jetstream: &jetstream::Context,
    context: &str,
    events: &[Recorded],
) -> Result<i64, RelayError> {
    let client = jetstream.client();
    let batch = Uuid::new_v4().to_string();
    for (number, event) in (1..).zip(events) {
        let (subject, mut headers, payload) = publish(context, event);
        headers.insert("Nats-Batch-Id", batch.as_str());
        headers.insert("Nats-Batch-Sequence", number.to_string());
        headers.insert("Nats-Expected-Stream", stream_name(context, event.part));
        if number == 1 {
            headers.insert("Nats-Expected-Last-Sequence", (event.position - 1).to_string());
        }
        if number < events.len() {
            let sent = client.publish_with_headers(subject, headers, payload);
            sent.instrument(span(event)).await.map_err(stream_error)?;
            continue;
        }
        headers.insert("Nats-Batch-Commit", "1");
        let ack = client.request_with_headers(subject, headers, payload);
        let answer = ack.instrument(span(event)).await.map_err(stream_error)?;
        return match serde_json::from_slice(&answer.payload).map_err(stream_error)? {
            Response::<PublishAck>::Ok(ack) => Ok(sequence(&ack)),
            Response::Err { error } => Err(stream_error(error)),
        };
    }
    Ok(0)
}

fn span(event: &Recorded) -> tracing::Span {
    let span = tracing::info_span!("relay.publish", event = %event.event_type);
    if let Some(parent) = &event.meta.traceparent {
        meydan_telemetry::set_parent_from(&span, parent);
    }
    span
}

fn sequence(ack: &PublishAck) -> i64 {
    i64::try_from(ack.sequence).expect("a stream holds fewer than 2^63 messages")
}
