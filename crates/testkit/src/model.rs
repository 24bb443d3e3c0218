//! A log in memory that answers as `es.append` does, in a hundred lines that can be read at a sitting.
//!
//! The property test of the log holds the SQL to it; the simulator of the fault tests runs on it.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// An aggregate: its tenant and its id.
pub type Aggregate = (Uuid, Uuid);

/// A unique key: its tenant, its scope and its value.
pub type Key = (Uuid, &'static str, Vec<u8>);

/// What one command adds, all or nothing.
#[derive(Debug, Clone)]
pub struct Group<E> {
    /// Its tenant, which is that of its aggregates.
    pub tenant: Uuid,
    /// Its name, for ever.
    pub command: Uuid,
    /// Each aggregate at most once.
    pub changes: Vec<Change<E>>,
}

/// What one aggregate adds.
#[derive(Debug, Clone)]
pub struct Change<E> {
    /// Which one.
    pub id: Uuid,
    /// How many events it has; -1 for any number.
    pub expected: i64,
    /// Keys that it takes.
    pub keys: Vec<Key>,
    /// Its new events; none where it is compared alone. A command has one at least.
    pub events: Vec<E>,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<E> {
    /// From 1, without gaps, in the order of commit.
    pub position: i64,
    /// Whose it is.
    pub aggregate: Aggregate,
    /// From 1, without gaps, in the order of the aggregate.
    pub sequence: i64,
    /// The command that led to it.
    pub command: Uuid,
    /// What happened.
    pub event: E,
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Its events are in the log.
    Appended {
        /// Number of its last event in its aggregate.
        sequence: i64,
        /// Position of its last event.
        position: i64,
    },
    /// An aggregate has moved on.
    Stale,
    /// It was carried out before, with this outcome.
    Repeated {
        /// As of [`Said::Appended`].
        sequence: i64,
        /// As of [`Said::Appended`].
        position: i64,
    },
    /// A key belongs to another aggregate.
    Taken,
}

/// A call that names something twice; its outcome is not defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedTwice;

/// Which checks are made. A test that leaves one out sees what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks {
    /// Recognises commands that were carried out.
    pub commands: bool,
    /// Compares the number of events of each aggregate with the expected one.
    pub versions: bool,
    /// Refuses keys that are taken.
    pub keys: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Self { commands: true, versions: true, keys: true }
    }
}

/// A partition of a log.
#[derive(Debug, Clone)]
pub struct Log<E> {
    checks: Checks,
    facts: Vec<Fact<E>>,
    heads: BTreeMap<Aggregate, i64>,
    commands: BTreeMap<(Uuid, Uuid), (i64, i64)>,
    keys: BTreeMap<Key, Aggregate>,
}

impl<E: Clone> Log<E> {
    /// An empty one.
    #[must_use]
    pub const fn new(checks: Checks) -> Self {
        Self {
            checks,
            facts: Vec::new(),
            heads: BTreeMap::new(),
            commands: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    /// All facts, in order.
    #[must_use]
    pub fn facts(&self) -> &[Fact<E>] {
        &self.facts
    }

    /// The last position; 0 while there is none.
    #[must_use]
    pub fn last(&self) -> i64 {
        i64::try_from(self.facts.len()).expect("a test has few facts")
    }

    /// Up to `limit` facts after a position.
    #[must_use]
    pub fn after(&self, position: i64, limit: usize) -> &[Fact<E>] {
        let from = usize::try_from(position).expect("positions are positive").min(self.facts.len());
        &self.facts[from..(from + limit).min(self.facts.len())]
    }

    /// How many events an aggregate has.
    #[must_use]
    pub fn head(&self, aggregate: Aggregate) -> i64 {
        self.heads.get(&aggregate).copied().unwrap_or(0)
    }

    /// Who holds each key.
    #[must_use]
    pub const fn holders(&self) -> &BTreeMap<Key, Aggregate> {
        &self.keys
    }

    /// What a command led to, if it was carried out: the last sequence and the last position.
    #[must_use]
    pub fn carried_out(&self, tenant: Uuid, command: Uuid) -> Option<(i64, i64)> {
        self.commands.get(&(tenant, command)).copied()
    }

    /// How many commands were carried out.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.commands.len()
    }

    /// Appends the groups, each wholly or not at all, and says what came of each.
    ///
    /// # Errors
    ///
    /// [`NamedTwice`] when two groups name one aggregate, command or key: the caller must keep them apart.
    pub fn append(&mut self, groups: &[Group<E>]) -> Result<Vec<Said>, NamedTwice> {
        let (mut commands, mut aggregates) = (BTreeSet::new(), BTreeSet::new());
        let mut keys = BTreeSet::new();
        for group in groups {
            let mut fresh = commands.insert((group.tenant, group.command));
            for change in &group.changes {
                fresh &= aggregates.insert((group.tenant, change.id));
                fresh &= change.keys.iter().all(|key| keys.insert(key));
            }
            if !fresh {
                return Err(NamedTwice);
            }
        }
        Ok(groups.iter().map(|group| self.append_group(group)).collect())
    }

    fn append_group(&mut self, group: &Group<E>) -> Said {
        let known = self.carried_out(group.tenant, group.command);
        if let (Some((sequence, position)), true) = (known, self.checks.commands) {
            return Said::Repeated { sequence, position };
        }
        let stale = |change: &Change<E>| {
            change.expected >= 0 && change.expected != self.head((group.tenant, change.id))
        };
        if self.checks.versions && group.changes.iter().any(stale) {
            return Said::Stale;
        }
        let taken = |change: &Change<E>| {
            let own = (group.tenant, change.id);
            change.keys.iter().any(|key| self.keys.get(key).is_some_and(|holder| *holder != own))
        };
        if self.checks.keys && group.changes.iter().any(taken) {
            return Said::Taken;
        }
        let (mut sequence, mut position) = (0, 0);
        for change in &group.changes {
            let aggregate = (group.tenant, change.id);
            for key in &change.keys {
                self.keys.entry(key.clone()).or_insert(aggregate);
            }
            for event in &change.events {
                position = self.last() + 1;
                let head = self.heads.entry(aggregate).or_default();
                *head += 1;
                sequence = *head;
                let (command, event) = (group.command, event.clone());
                self.facts.push(Fact { position, aggregate, sequence, command, event });
            }
        }
        self.commands.insert((group.tenant, group.command), (sequence, position));
        Said::Appended { sequence, position }
    }

    /// Puts facts back that a backup lacked, the commands that led to them, and the keys that they took.
    ///
    /// # Panics
    ///
    /// When they do not follow the last one.
    pub fn put_back(&mut self, facts: &[Fact<E>], keys_of: impl Fn(&E) -> Vec<Key>) {
        for fact in facts {
            assert_eq!(fact.position, self.last() + 1, "facts are put back where they were");
            *self.heads.entry(fact.aggregate).or_default() = fact.sequence;
            let command = (fact.aggregate.0, fact.command);
            self.commands.insert(command, (fact.sequence, fact.position));
            self.keys.extend(keys_of(&fact.event).into_iter().map(|key| (key, fact.aggregate)));
            self.facts.push(fact.clone());
        }
    }
}
