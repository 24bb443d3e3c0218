//! Comparing a log with its stream, fact by fact, whatever either of them lacks.
//!
//! A stream remembers its last sequence number after its messages are gone. So what counts is the messages
//! that are there, never that number alone.

use std::{ops::RangeInclusive, vec};

use async_nats::jetstream::{
    self,
    consumer::{DeliverPolicy, pull},
    stream::Stream,
};
use futures::StreamExt;

use crate::{
    envelope::Recorded,
    log::EventLog,
    repair::RepairError,
    source::{NO_MORE, SourceError, broken, event, is_not_there, stream_name},
};

/// Facts read from the log at a time.
const PAGE: i64 = 1_000;

/// Positions at which something is missing, or is too much, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing(Vec<RangeInclusive<i64>>);

impl Missing {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.iter().map(|range| range.end() - range.start() + 1).sum()
    }

    /// The first one.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.0.first().map(|range| *range.start())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that follow each other, together.
    pub(crate) fn ranges(&self) -> &[RangeInclusive<i64>] {
        &self.0
    }

    fn add(&mut self, from: i64, to: i64) {
        if from > to {
            return;
        }
        match self.0.last_mut() {
            Some(range) if range.end() + 1 == from => *range = *range.start()..=to,
            _ => self.0.push(from..=to),
        }
    }
}

/// How far a log and its stream have come, and what each of them lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The last position of the log.
    pub recorded: i64,
    /// The last position of the stream, whether or not its message is still there; `None` when there is no
    /// stream.
    pub published: Option<i64>,
    /// The first position at which both have a fact, and not the same.
    pub differs_at: Option<i64>,
    /// Positions of the stream that hold what no platform published: somebody else did.
    pub foreign: Missing,
    /// Positions that were published and have no message any more, while the log has the fact.
    pub stream_lacks: Missing,
    /// Positions of which the stream has the fact and the log has not.
    pub log_lacks: Missing,
    /// Positions that were given away, and of which neither has the fact.
    pub lost: Missing,
}

/// What is wrong between a log and its stream, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Both have a fact at this position, and not the same.
    Differs(i64),
    /// So many facts, from this one on, are on the stream and not in the log.
    LogLacks(i64, i64),
    /// So many messages, from this one on, are no facts: somebody else published them.
    Foreign(i64, i64),
    /// So many facts, from this one on, are in neither.
    Lost(i64, i64),
    /// There are facts, and no stream.
    Absent,
    /// So many messages, from this one on, are gone from the stream; the log has them.
    StreamLacks(i64, i64),
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Differs(at) => write!(f, "holds something else than the log from {at} on"),
            Self::LogLacks(count, first) => {
                write!(f, "holds facts that the log lacks: {count}, the first at {first}")
            }
            Self::Foreign(count, first) => {
                write!(
                    f,
                    "holds messages that are no facts, and that Meydan did not publish: {count}, the first at {first}"
                )
            }
            Self::Lost(count, first) => {
                write!(f, "lacks facts that the log lacks too: {count}, the first at {first}")
            }
            Self::Absent => write!(f, "is not there"),
            Self::StreamLacks(count, first) => {
                write!(f, "lacks messages that the log has: {count}, the first at {first}")
            }
        }
    }
}

impl Standing {
    /// The worst thing that is wrong. A stream that is merely behind is not: it catches up.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        let some = |missing: &Missing, kind: fn(i64, i64) -> Finding| {
            missing.first().map(|first| kind(missing.count(), first))
        };
        let absent = self.published.is_none() && self.recorded > 0;
        (self.differs_at.map(Finding::Differs))
            .or_else(|| some(&self.log_lacks, Finding::LogLacks))
            .or_else(|| some(&self.foreign, Finding::Foreign))
            .or_else(|| some(&self.lost, Finding::Lost))
            .or_else(|| absent.then_some(Finding::Absent))
            .or_else(|| some(&self.stream_lacks, Finding::StreamLacks))
    }

    /// How many facts wait to be published; also those whose place on the stream something else has.
    #[must_use]
    pub fn behind(&self) -> i64 {
        let published = self.published.unwrap_or(0);
        let taken = [self.differs_at, self.foreign.first()].into_iter().flatten().min();
        let good = taken.map_or(published, |at| published.min(at - 1));
        (self.recorded - good).max(0)
    }
}

/// Compares a log with its stream, fact by fact, and tells `progress` the position reached and the last one.
///
/// # Errors
///
/// Fails if PostgreSQL or JetStream does; what is wrong between the two is no error.
pub async fn compare(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
    progress: impl Fn(i64, i64),
) -> Result<Standing, RepairError> {
    // The stream first: what it holds then is recorded, however busy the log is.
    let stream = find_stream(log, jetstream, part).await?;
    let mut theirs = match &stream {
        Some(stream) => Messages::all(stream).await?,
        None => None,
    };
    let published = stream.map(|stream| position(stream.cached_info().state.last_sequence));
    let recorded = log.last_position(part).await?;
    let mut ours = Facts { log, part, at: 0, last: recorded, page: vec![].into_iter() };
    let (foreign, stream_lacks, log_lacks, lost) = Default::default();
    let mut standing =
        Standing { recorded, published, differs_at: None, foreign, stream_lacks, log_lacks, lost };
    let (given, end) = (published.unwrap_or(0), published.unwrap_or(0).max(recorded));
    let mut at = 0;
    let (mut our, mut their) = (ours.next().await?, next(&mut theirs).await?);
    while let Some(position) = first(our.as_ref(), their.as_ref()) {
        standing.lost.add(at + 1, position - 1);
        let fact = our.take_if(|fact| fact.position == position);
        let message = their.take_if(|message| message.position == position);
        match (&fact, &message) {
            (Some(_), None) if position <= given => standing.stream_lacks.add(position, position),
            (_, Some(Message { fact: None, .. })) => standing.foreign.add(position, position),
            (None, Some(_)) => standing.log_lacks.add(position, position),
            (fact, Some(message)) if !message.is(fact.as_ref()) => {
                standing.differs_at.get_or_insert(position);
            }
            _ => {}
        }
        if fact.is_some() {
            our = ours.next().await?;
        }
        if message.is_some() {
            their = next(&mut theirs).await?;
        }
        at = position;
        if at % PAGE == 0 || at == end {
            progress(at, end);
        }
    }
    standing.lost.add(at + 1, end);
    Ok(standing)
}

fn first(our: Option<&Recorded>, their: Option<&Message>) -> Option<i64> {
    let positions = [our.map(|fact| fact.position), their.map(|message| message.position)];
    positions.into_iter().flatten().min()
}

async fn next(messages: &mut Option<Messages>) -> Result<Option<Message>, SourceError> {
    match messages {
        Some(messages) => messages.next().await,
        None => Ok(None),
    }
}

/// A log from its beginning to `last`.
struct Facts<'a> {
    log: &'a EventLog,
    part: i16,
    at: i64,
    last: i64,
    page: vec::IntoIter<Recorded>,
}

impl Facts<'_> {
    async fn next(&mut self) -> Result<Option<Recorded>, sqlx::Error> {
        if self.page.as_slice().is_empty() {
            self.page = self.log.after(self.part, self.at, PAGE).await?.into_iter();
        }
        let next = self.page.next().filter(|fact| fact.position <= self.last);
        self.at = next.as_ref().map_or(self.at, |fact| fact.position);
        Ok(next)
    }
}

/// What a stream holds at a position.
pub(crate) struct Message {
    pub(crate) position: i64,
    /// `None` when it is no event, or one of another position.
    pub(crate) fact: Option<Recorded>,
}

impl Message {
    fn is(&self, other: Option<&Recorded>) -> bool {
        self.fact.as_ref().zip(other).is_some_and(|(one, other)| {
            let whose =
                |fact: &Recorded| (fact.tenant, fact.aggregate_id, fact.sequence, fact.event_id);
            whose(one) == whose(other)
                && one.aggregate_type == other.aggregate_type
                && (&one.event_type, one.event_version) == (&other.event_type, other.event_version)
                && (&one.meta, one.recorded_at) == (&other.meta, other.recorded_at)
                && one.payload.get() == other.payload.get()
        })
    }
}

/// The messages that are there, whatever is missing between them.
pub(crate) struct Messages {
    source: pull::Ordered,
    last: i64,
    ended: bool,
}

impl Messages {
    /// All that are there now; `None` when there are none.
    async fn all(stream: &Stream) -> Result<Option<Self>, SourceError> {
        let state = &stream.cached_info().state;
        if state.messages == 0 {
            return Ok(None);
        }
        let all = position(state.first_sequence)..=position(state.last_sequence);
        Self::among(stream, &all).await.map(Some)
    }

    /// Those in a range of positions, in which there must be one.
    pub(crate) async fn among(
        stream: &Stream,
        range: &RangeInclusive<i64>,
    ) -> Result<Self, SourceError> {
        let start_sequence = u64::try_from(*range.start()).expect("positions are positive");
        let config = pull::OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ..Default::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(broken)?;
        let source = consumer.messages().await.map_err(broken)?;
        Ok(Self { source, last: *range.end(), ended: false })
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Message>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let next = tokio::time::timeout(NO_MORE, self.source.next()).await.map_err(broken)?;
        let message = next.ok_or_else(|| broken("the subscription ended"))?.map_err(broken)?;
        let info = message.info().map_err(broken)?;
        let position = position(info.stream_sequence);
        self.ended = position >= self.last || info.pending == 0;
        if position > self.last {
            return Ok(None);
        }
        let fact = message.headers.as_ref().and_then(|headers| event(headers, &message.payload));
        Ok(Some(Message { position, fact: fact.filter(|fact| fact.position == position) }))
    }
}

/// Whether the message at a sequence number is there, and is no fact.
pub(crate) async fn is_foreign(stream: &Stream, sequence: u64) -> bool {
    let message = stream.get_raw_message(sequence).await;
    message.is_ok_and(|message| {
        let fact = event(&message.headers, &message.payload);
        fact.is_none_or(|fact| fact.position != position(sequence))
    })
}

/// The stream of a partition, if there is one.
pub(crate) async fn find_stream(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
) -> Result<Option<Stream>, SourceError> {
    match jetstream.get_stream(stream_name(log.context(), part)).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if is_not_there(&error) => Ok(None),
        Err(error) => Err(broken(error)),
    }
}

/// The last position that was published, whether or not its message is still there; 0 when there is no stream, or one
/// that remembers nothing.
///
/// # Errors
///
/// Fails if JetStream does.
pub async fn published(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
) -> Result<i64, SourceError> {
    let stream = find_stream(log, jetstream, part).await?;
    Ok(stream.map_or(0, |stream| position(stream.cached_info().state.last_sequence)))
}

/// How far a stream has come beyond the log that it is a copy of: never, unless the database is from before. What is
/// in between was published, and the log lacks it.
///
/// # Errors
///
/// Fails if PostgreSQL or JetStream does.
pub async fn beyond(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
) -> Result<i64, SourceError> {
    // The stream first: what it holds then is recorded, however busy the log is.
    let published = published(log, jetstream, part).await?;
    Ok((published - log.last_position(part).await?).max(0))
}

pub(crate) fn position(sequence: u64) -> i64 {
    i64::try_from(sequence).expect("a stream holds fewer than 2^63 messages")
}
