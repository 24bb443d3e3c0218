//! JetStream on paper: a stream that refuses what does not follow, connections that lose messages, and a disk
//! that has only what was flushed.

use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use super::{
    Rule,
    plan::Recorded,
    world::{Scope, World},
};

/// What a publisher hears: the sequence number, or nothing good.
pub(super) type Reply = Rc<Cell<Option<Result<i64, ()>>>>;

/// A message's place in an atomic batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct InBatch {
    pub(super) batch: u32,
    /// From 1.
    pub(super) number: usize,
    pub(super) commits: bool,
}

/// A message on its way.
pub(super) struct Sent {
    pub(super) fact: Recorded,
    /// What must be the stream's last sequence number; of a batch, the first message says it.
    pub(super) expected: Option<i64>,
    pub(super) batch: Option<InBatch>,
    pub(super) reply: Reply,
}

/// What is stored.
#[derive(Default)]
pub(super) struct Stream {
    /// By sequence number, from 1. The stream remembers the number of a message that is gone.
    pub(super) messages: Vec<Option<Recorded>>,
    flushed: usize,
    /// Which stream of this name it is.
    pub(super) number: u32,
}

/// A batch that is not committed yet.
struct Staged {
    expected: Option<i64>,
    facts: Vec<Recorded>,
}

/// The server, and the wires to it.
#[derive(Default)]
pub(super) struct JetStream {
    pub(super) down: bool,
    /// How often it was started.
    pub(super) starts: u32,
    pub(super) stream: Option<Stream>,
    made: u32,
    /// Messages on their way, connection by connection.
    wires: BTreeMap<u32, VecDeque<Sent>>,
    staged: BTreeMap<u32, Staged>,
    next: u32,
}

impl JetStream {
    /// The last sequence number.
    pub(super) fn last(&self) -> i64 {
        let messages = self.stream.as_ref().map_or(0, |stream| stream.messages.len());
        i64::try_from(messages).expect("a run has few")
    }

    /// How many messages are there.
    pub(super) fn held(&self) -> i64 {
        let messages = self.stream.iter().flat_map(|stream| &stream.messages);
        i64::try_from(messages.flatten().count()).expect("a run has few")
    }

    /// A number for a connection or a batch.
    pub(super) fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Makes the stream when it is not there.
    pub(super) fn make(&mut self) {
        if self.stream.is_none() {
            self.made += 1;
            self.stream = Some(Stream { number: self.made, ..Stream::default() });
        }
    }

    pub(super) fn send(&mut self, connection: u32, sent: Sent) {
        self.wires.entry(connection).or_default().push_back(sent);
    }

    /// Whether nothing is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        self.wires.is_empty()
    }

    /// A connection breaks: what was on its way is lost.
    pub(super) fn break_any(&mut self, dice: &mut fastrand::Rng) {
        if let Some(connection) = dice.choice(self.wires.keys().copied()) {
            lose(self.wires.remove(&connection).into_iter().flatten());
        }
    }

    /// Power is cut: of what was not flushed, some is gone.
    pub(super) fn crash(&mut self, dice: &mut fastrand::Rng) {
        self.down = true;
        self.starts += 1;
        self.staged.clear();
        lose(std::mem::take(&mut self.wires).into_values().flatten());
        if let Some(stream) = &mut self.stream {
            let kept = dice.usize(stream.flushed..=stream.messages.len());
            stream.messages.truncate(kept);
            stream.flushed = kept;
        }
    }

    /// The store is deleted.
    pub(super) fn delete(&mut self) {
        self.stream = None;
        self.staged.clear();
    }

    /// One message is gone, and not its number; which, if there was one.
    pub(super) fn lose_one(&mut self, dice: &mut fastrand::Rng) -> Option<i64> {
        let stream = self.stream.as_mut()?;
        dice.choice(stream.messages.iter_mut())?.take().map(|fact| fact.position)
    }

    /// What was stored is on disk.
    pub(super) fn flush(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.flushed = stream.messages.len();
        }
    }
}

fn lose(messages: impl Iterator<Item = Sent>) {
    for sent in messages {
        sent.reply.set(Some(Err(())));
    }
}

impl World {
    /// Lets one message arrive, or get lost.
    pub(super) fn deliver(&mut self) {
        let Some(connection) = self.dice.choice(self.jetstream.wires.keys().copied()) else {
            return;
        };
        let Some(wire) = self.jetstream.wires.get_mut(&connection) else { return };
        let sent = wire.pop_front();
        if wire.is_empty() {
            self.jetstream.wires.remove(&connection);
        }
        let Some(sent) = sent else { return };
        if self.mishap(60) {
            self.note("network", || format!("loses {}", sent.fact.position));
            return sent.reply.set(Some(Err(())));
        }
        let said = self.accept(&sent);
        self.note("stream", || format!("hears of {}: {said:?}", sent.fact.position));
        let answer = if self.mishap(60) { Err(()) } else { said };
        sent.reply.set(Some(answer));
    }

    fn accept(&mut self, sent: &Sent) -> Result<i64, ()> {
        if self.jetstream.down || self.jetstream.stream.is_none() {
            return Err(());
        }
        let Some(InBatch { batch, number, commits }) = sent.batch else {
            return self.store(sent.expected, vec![sent.fact.clone()]);
        };
        if number == 1 {
            let staged = Staged { expected: sent.expected, facts: Vec::new() };
            self.jetstream.staged.insert(batch, staged);
        }
        let staged = self.jetstream.staged.get_mut(&batch).ok_or(())?;
        if staged.facts.len() + 1 != number {
            // A message in between was lost: the batch is given up.
            self.jetstream.staged.remove(&batch);
            return Err(());
        }
        staged.facts.push(sent.fact.clone());
        if !commits {
            return Ok(0);
        }
        let staged = self.jetstream.staged.remove(&batch).ok_or(())?;
        self.store(staged.expected, staged.facts)
    }

    fn store(&mut self, expected: Option<i64>, facts: Vec<Recorded>) -> Result<i64, ()> {
        let last = self.jetstream.last();
        if self.holds(Rule::ExpectedLastSequence) && expected != Some(last) {
            return Err(());
        }
        for fact in facts {
            let place = self.jetstream.last() + 1;
            let (restored, ours) = (self.restored, self.postgres.log.after(place - 1, 1).first());
            if !restored && (fact.position != place || ours != Some(&fact)) {
                let position = fact.position;
                self.breaks(format!("the stream has at {place} what is not the log's: {position}"));
            }
            let stream = self.jetstream.stream.as_mut().ok_or(())?;
            stream.messages.push(Some(fact));
        }
        Ok(self.jetstream.last())
    }
}

/// Where a reader of the stream is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Consumer {
    next: i64,
    starts: u32,
    stream: u32,
}

impl Scope {
    /// A consumer from `after` on; `None` while there is no stream.
    pub(super) async fn consume(&self, after: i64) -> Option<Consumer> {
        self.step().await;
        let mut world = self.world();
        let World { jetstream, dice, .. } = &mut *world;
        let stream = jetstream.stream.as_ref().filter(|_| !jetstream.down)?;
        let (number, last) = (stream.number, jetstream.last());
        // A server clamps a start that is not there yet, or waits for it.
        let next = if dice.bool() { (after + 1).min(last + 1) } else { after + 1 };
        Some(Consumer { next, starts: jetstream.starts, stream: number })
    }

    /// The next messages, if there are any; `None` when the consumer is gone.
    pub(super) async fn receive(&self, consumer: &mut Consumer) -> Option<Vec<Recorded>> {
        self.step().await;
        let mut world = self.world();
        let lost = usize::from(world.mishap(100));
        let World { jetstream, dice, .. } = &mut *world;
        let stream = jetstream.stream.as_ref().filter(|_| !jetstream.down)?;
        if (consumer.starts, consumer.stream) != (jetstream.starts, stream.number) {
            return None;
        }
        let from = usize::try_from(consumer.next - 1).expect("places are positive") + lost;
        let some = stream.messages.iter().skip(from).flatten().take(dice.usize(1..4));
        let messages = some.cloned().collect::<Vec<_>>();
        if let Some(last) = messages.last() {
            consumer.next = last.position + 1;
        }
        Some(messages)
    }
}
