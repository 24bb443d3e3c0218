//! What is asked of the log, and what was said about it.

use std::collections::{BTreeMap, BTreeSet};

use meydan_testkit::model::{Aggregate, Fact, Key};
use uuid::Uuid;

/// The campaign whose counters these are.
pub(super) const TENANT: Uuid = Uuid::from_u128(1);
/// What a counter that is no mirror never exceeds.
pub(super) const MOST: i64 = 14;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) id: Uuid,
    pub(super) by: i64,
    /// How many events the command makes.
    pub(super) of: i64,
    pub(super) key: Option<u8>,
    pub(super) mirrored: bool,
    /// The event that a policy answered with it.
    pub(super) cause: Option<Uuid>,
}

/// An event in the log, and on its way.
pub(super) type Recorded = Fact<Added>;

/// A command.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) id: Uuid,
    /// Counters, and what is added to each.
    pub(super) parts: Vec<(Uuid, i64)>,
    pub(super) key: Option<u8>,
    pub(super) mirrored: bool,
    pub(super) cause: Option<Uuid>,
}

impl Command {
    pub(super) fn keys(&self) -> Vec<Key> {
        keys(self.key)
    }
}

/// The key that a command takes, or that its first event says it took.
pub(super) fn keys(number: Option<u8>) -> Vec<Key> {
    number.iter().map(|key| (TENANT, "counter.name", vec![*key])).collect()
}

/// All commands of a run.
#[derive(Default)]
pub(super) struct Plan {
    /// Not answered yet. Several clients may ask for the same one at a time.
    pub(super) open: Vec<Command>,
    /// Answered; they may be asked for again.
    pub(super) done: Vec<Command>,
    /// What was acknowledged: the last sequence and position.
    pub(super) acknowledged: BTreeMap<Uuid, (i64, i64)>,
    /// Commands that were refused for good.
    pub(super) refused: BTreeSet<Uuid>,
}

/// The counter that mirrors `id`.
pub(super) fn mirror_of(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() + 1_000)
}

pub(super) fn is_mirror(id: Uuid) -> bool {
    id.as_u128() >= 1_000
}

pub(super) const fn counter(id: Uuid) -> Aggregate {
    (TENANT, id)
}

impl Plan {
    pub(super) fn new(dice: &mut fastrand::Rng) -> Self {
        let (commands, counters) = (dice.u32(12..36), dice.u128(2..6));
        let open = (0..commands).map(|_| Self::make(dice, counters)).collect();
        Self { open, ..Self::default() }
    }

    fn make(dice: &mut fastrand::Rng, counters: u128) -> Command {
        let id = Uuid::from_u128(dice.u128(..));
        let one = dice.u128(..counters);
        let mut parts = vec![(Uuid::from_u128(one), dice.i64(1..4))];
        let mut key = None;
        match dice.u8(..10) {
            0..3 => parts.push((Uuid::from_u128((one + 1) % counters), dice.i64(1..4))),
            3..5 => key = Some(dice.u8(..3)),
            _ => {}
        }
        Command { id, parts, key, mirrored: dice.u8(..4) == 0, cause: None }
    }

    /// A command for a client: an open one, or at times an answered one again.
    pub(super) fn next(&self, dice: &mut fastrand::Rng, again: bool) -> Option<Command> {
        let from = if again && !self.done.is_empty() { &self.done } else { &self.open };
        (!from.is_empty()).then(|| from[dice.usize(..from.len())].clone())
    }

    /// A client was told of a position; an error when another one was told of another.
    pub(super) fn acknowledge(&mut self, command: &Command, at: (i64, i64)) -> Result<(), String> {
        let first = *self.acknowledged.entry(command.id).or_insert(at);
        self.close(command);
        if first != at {
            return Err(format!("command {} was told {first:?}, and then {at:?}", command.id));
        }
        Ok(())
    }

    /// A client was told no.
    pub(super) fn refuse(&mut self, command: &Command) {
        self.refused.insert(command.id);
        self.close(command);
    }

    fn close(&mut self, command: &Command) {
        self.open.retain(|open| open.id != command.id);
        if self.done.iter().all(|done| done.id != command.id) {
            self.done.push(command.clone());
        }
    }

    /// A backup was restored that knows nothing after `position`: what was said of that may be untrue now, and
    /// whoever was refused asks again.
    pub(super) fn forget_after(&mut self, position: i64) {
        self.acknowledged.retain(|_, (_, at)| *at <= position);
        let refused = std::mem::take(&mut self.refused);
        let again = self.done.iter().filter(|command| refused.contains(&command.id));
        self.open.extend(again.cloned());
    }
}
