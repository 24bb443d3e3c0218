//! The relay: publishes the facts of a partition to its stream, in order, each once.
//!
//! One replica leads. That alone would not stop a leader that was asleep while its session ended, so each
//! message carries the sequence number that must be the stream's last: the stream itself refuses a gap, a
//! repeat and a zombie. The place to go on from is the stream's own end, because its sequence numbers equal
//! the positions in the log. So a stream that was lost, or lost its end, is repaired by going on. One that
//! remembers its numbers and has lost messages, is thrown away and filled again, if the log has all of it.

mod error;
mod lag;
mod send;

use std::time::Duration;

use async_nats::jetstream::{self, stream::StorageType};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::error::RelayError;
use self::{error::stream_error, lag::Lag};
use crate::{
    append::LARGEST_MESSAGE,
    compare::{find_stream, is_foreign, position},
    lead::{Lock, lead},
    log::EventLog,
    projection::{Chain, gauge},
    repair::discard_remains,
    rules::{self, Halt},
    source::{stream_name, subject_root},
};

/// Facts in one round: as many as JetStream takes in one batch.
const PAGE: i64 = 1_000;
/// A round of so many is sent as one batch, which JetStream flushes once; a smaller one message by message. A
/// batch takes JetStream 2.6 ms however small it is, a message 0.15 ms.
const BEHIND: usize = 20;
/// Shortest time between two rounds, unless a round was full. Under load, facts gather into batches; the
/// first one after a calm does not wait.
const GATHER: Duration = Duration::from_millis(10);
/// How long to wait for a wake-up before looking for facts that another process appended.
const LOOK: Duration = Duration::from_millis(20);
/// How often to see whether the stream still holds what was published. It may lose that while nothing happens.
const WATCH: Duration = Duration::from_secs(1);
/// Rest after a failure; twice as long after each that follows before a round went well.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest rest, and the one while only an operator can help.
const LONG_PAUSE: Duration = Duration::from_secs(5);

/// Publishes one partition of a log.
#[derive(Debug)]
pub struct Relay {
    log: EventLog,
    jetstream: jetstream::Context,
    part: i16,
    lag: Lag,
}

impl Relay {
    /// Publishes a partition of `log` through `jetstream`.
    #[must_use]
    pub fn new(log: EventLog, jetstream: jetstream::Context, part: i16) -> Self {
        let lag = Lag::new(log.context(), part);
        Self { log, jetstream, part, lag }
    }

    /// Runs until `stop`. Failures are logged and tried again.
    pub async fn run(self, stop: CancellationToken) {
        let lock = Lock::Relay(self.part);
        lead(self.log.pool(), lock, &stop, |lease| self.publish_while(lease)).await;
    }

    async fn publish_while(&self, lease: CancellationToken) {
        let mut pause = PAUSE;
        loop {
            let failure = tokio::select! {
                () = lease.cancelled() => break,
                failure = self.publish(&mut pause) => failure,
            };
            let Err(error) = failure;
            self.lag.note();
            let (context, part) = (self.log.context(), self.part);
            metrics::counter!("relay_failures", "context" => context, "part" => part.to_string())
                .increment(1);
            if error.needs_operator() {
                self.show_halted(true);
                self.lag.stuck();
                tracing::error!(context, part, error = %Chain(&error), "relay stands still");
                pause = LONG_PAUSE;
            } else {
                tracing::warn!(context, part, again_in = ?pause, error = %Chain(&error), "relay waits");
            }
            tokio::select! {
                () = lease.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONG_PAUSE);
        }
        // From here on it is for whoever leads now to tell.
        self.show_halted(false);
        self.lag.forget();
    }

    fn show_halted(&self, halted: bool) {
        let (context, part) = (self.log.context(), self.part.to_string());
        metrics::gauge!("relay_halted", "context" => context, "part" => part)
            .set(f64::from(u8::from(halted)));
    }

    /// Publishes until something fails. Sets `pause` back when a round went well.
    async fn publish(&self, pause: &mut Duration) -> Result<std::convert::Infallible, RelayError> {
        let mut position = self.position().await?;
        self.show_halted(false);
        let mut seen = Instant::now();
        loop {
            let began = Instant::now();
            if began - seen > WATCH {
                seen = began;
                if !self.holds(position).await? {
                    let held = self.position().await?;
                    if held == 0 && position > 0 {
                        self.tell_lost(0, position);
                    }
                    position = held;
                }
            }
            let reached = self.publish_after(position).await?;
            *pause = PAUSE;
            if (1..PAGE).contains(&(reached - position)) {
                tokio::time::sleep_until(began + GATHER).await;
            }
            position = reached;
        }
    }

    /// The stream, made when it is not there.
    async fn stream(&self) -> Result<jetstream::stream::Stream, RelayError> {
        let context = self.log.context();
        let name = stream_name(context, self.part);
        let config = jetstream::stream::Config {
            name,
            subjects: vec![format!("{}.>", subject_root(context, self.part))],
            storage: StorageType::File,
            allow_direct: true,
            allow_atomic_publish: true,
            max_message_size: LARGEST_MESSAGE,
            ..Default::default()
        };
        self.jetstream.get_or_create_stream(config).await.map_err(stream_error)
    }

    /// Where the stream ends, which is where to go on; and whether it ends with what the log has there.
    async fn position(&self) -> Result<i64, RelayError> {
        let mut stream = self.stream().await?;
        let context = self.log.context();
        let name = stream_name(context, self.part);
        let recorded = self.log.last_position(self.part).await?;
        let state = stream.get_info().await.map_err(stream_error)?.state;
        if state.messages < state.last_sequence && position(state.last_sequence) <= recorded {
            self.discard_remains(state.messages, state.last_sequence).await?;
            stream = self.stream().await?;
        }
        let last = stream.get_info().await.map_err(stream_error)?.state.last_sequence;
        let published = position(last);
        let (mut ours, mut theirs) = (None, None);
        if published > 0 && is_foreign(&stream, last).await {
            return Err(RelayError::Foreign { context, stream: name, position: published });
        }
        if (1..=recorded).contains(&published) {
            let fact = self.log.after(self.part, published - 1, 1).await?;
            let fact = fact.first().filter(|event| event.position == published);
            let lacks = RelayError::LogLacks { context, position: published };
            ours = Some(fact.ok_or(lacks)?.event_id.to_string());
            let message = stream.get_raw_message(last).await.map_err(stream_error)?;
            theirs = message.headers.get("Nats-Msg-Id").map(|id| id.as_str().to_owned());
        }
        rules::resume(published, recorded, ours.as_ref(), theirs.as_ref()).map_err(
            |why| match why {
                Halt::LogIsShorter => {
                    RelayError::LogIsShorter { context, stream: name, published, recorded }
                }
                Halt::Diverged => {
                    RelayError::Diverged { context, stream: name, position: published }
                }
            },
        )
    }

    /// Whether the stream still holds everything up to `position`, and nothing more.
    async fn holds(&self, position: i64) -> Result<bool, RelayError> {
        let stream = find_stream(&self.log, &self.jetstream, self.part).await;
        let stream = stream.map_err(stream_error)?;
        let held = u64::try_from(position).expect("positions are positive");
        Ok(stream.is_some_and(|stream| {
            let state = &stream.cached_info().state;
            state.last_sequence == held && state.messages == held
        }))
    }

    /// Of as many messages as `last` says, `messages` are left.
    fn tell_lost(&self, messages: u64, last: i64) {
        let context = self.log.context();
        tracing::warn!(
            context,
            messages,
            last,
            "the stream has lost messages, and is made again from the log"
        );
    }

    /// Messages are gone, but not their numbers, under which they can never come back.
    async fn discard_remains(&self, messages: u64, last: u64) -> Result<(), RelayError> {
        let context = self.log.context();
        self.tell_lost(messages, position(last));
        let discarded = discard_remains(&self.log, &self.jetstream, self.part).await;
        discarded.map_err(|error| RelayError::of_repair(error, context, self.part))
    }

    /// Waits for facts after `position`, publishes them, and returns the new end of the stream.
    async fn publish_after(&self, position: i64) -> Result<i64, RelayError> {
        let mut head = self.log.head(self.part);
        head.borrow_and_update();
        let mut events = self.log.after(self.part, position, PAGE).await?;
        let context = self.log.context();
        let whole = (position + 1..).zip(&events).take_while(|(at, event)| *at == event.position);
        let whole = whole.count();
        if whole == 0 && !events.is_empty() {
            return Err(RelayError::LogLacks { context, position: position + 1 });
        }
        events.truncate(whole);
        let Some(first) = events.first() else {
            self.lag.since(None);
            let _ = tokio::time::timeout(LOOK, head.changed()).await;
            return Ok(position);
        };
        // Also before it is sent: what cannot be sent is behind, too.
        self.lag.since(Some(first.recorded_at));
        let reached = if events.len() < BEHIND {
            send::pipelined(&self.jetstream, context, &events).await?
        } else {
            send::in_one_batch(&self.jetstream, context, &events).await?
        };
        metrics::gauge!("relay_position", "context" => context, "part" => self.part.to_string())
            .set(gauge(reached));
        Ok(reached)
    }
}
