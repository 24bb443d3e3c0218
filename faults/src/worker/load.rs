//! Clients: they ask, ask again when they were not answered, and at times ask twice, or what they asked long ago.

use std::{sync::Arc, time::Duration};

use meydan_event_log::{Actor, Committed, EventLog, ExecuteError, Meta};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Options;
use crate::{
    counter::{Add, Counter, MOST, TENANT, counter, key},
    journal::Journal,
};

/// Counters there are.
const COUNTERS: u128 = 4_000;
/// Keys there are to quarrel about.
const KEYS: i64 = 3_000;
/// How many earlier commands a client may ask for again.
const REMEMBERED: usize = 16;
/// Pause of a client that got no answer.
const PAUSE: Duration = Duration::from_millis(50);

/// A command, as a client sends it.
#[derive(Debug, Clone)]
struct Command {
    id: Uuid,
    /// Each counter once.
    parts: Vec<(u128, Add)>,
    key: Option<i64>,
}

impl Command {
    fn sum(&self) -> i64 {
        self.parts.iter().flat_map(|(_, add)| &add.numbers).sum()
    }
}

/// One who asks.
pub(super) struct Client {
    log: EventLog,
    journal: Arc<Journal>,
    /// Makes commands.
    maker: fastrand::Rng,
    /// Decides in what order they are sent, and how often.
    order: fastrand::Rng,
    sent: Vec<Command>,
    enough: i64,
    /// The last position of which it was told.
    reached: i64,
}

impl Client {
    pub(super) fn new(
        log: &EventLog,
        journal: &Arc<Journal>,
        options: &Options,
        number: usize,
    ) -> Self {
        let number = u64::try_from(number).expect("there are few clients");
        let seeded = |seed: u64| {
            let mut seeds = fastrand::Rng::with_seed(seed);
            fastrand::Rng::with_seed(seeds.u64(..) ^ number)
        };
        Self {
            log: log.clone(),
            journal: journal.clone(),
            maker: seeded(options.seed),
            order: seeded(options.order),
            sent: Vec::new(),
            enough: options.enough,
            reached: 0,
        }
    }

    /// Asks until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if self.reached > self.enough {
                return stop.cancelled().await;
            }
            // Of several new commands the last may come first.
            let mut turn = (0..self.order.usize(1..4)).map(|_| self.make()).collect::<Vec<_>>();
            self.order.shuffle(&mut turn);
            if !self.sent.is_empty() && self.order.u8(..) < 16 {
                turn.push(self.sent[self.order.usize(..self.sent.len())].clone());
            }
            for command in turn {
                let copies = if self.order.u8(..) < 12 { 3 } else { 1 };
                let asked = (0..copies).map(|_| self.persist(&command));
                let told = futures::future::join_all(asked).await.into_iter().flatten().max();
                self.reached = told.unwrap_or(0).max(self.reached);
                self.remember(command);
            }
        }
    }

    fn remember(&mut self, command: Command) {
        if self.sent.len() < REMEMBERED {
            self.sent.push(command);
        } else {
            let place = self.order.usize(..REMEMBERED);
            self.sent[place] = command;
        }
    }

    fn make(&mut self) -> Command {
        let rng = &mut self.maker;
        let id = Uuid::from_u128(rng.u128(..));
        let kind = rng.u8(..100);
        let numbers = |rng: &mut fastrand::Rng, most| {
            (0..rng.usize(1..=most)).map(|_| rng.i64(1..=MOST)).collect::<Vec<_>>()
        };
        let one = rng.u128(1..=COUNTERS);
        let mut add = Add::only(numbers(rng, 8));
        match kind {
            // A group of two, whose order is that of the dice.
            0..10 => {
                let other = one % COUNTERS + 1;
                let mut second = Add::only(numbers(rng, 2));
                let of = add.of + second.of;
                (add.of, second.of) = (of, of);
                let mut parts = vec![(one, add), (other, second)];
                rng.shuffle(&mut parts);
                return Command { id, parts, key: None };
            }
            10..14 => add.key = Some(rng.i64(..KEYS)),
            14..16 => add.mirrored = true,
            16 => add.numbers.push(MOST + 1),
            // The short way, with one event.
            17..40 => add = Add::only(numbers(rng, 1)),
            _ => {}
        }
        let key = add.key;
        Command { id, parts: vec![(one, add)], key }
    }

    /// Asks until there is an answer that counts, and notes it; the position, if there is one.
    async fn persist(&self, command: &Command) -> Option<i64> {
        for _ in 0..200 {
            let said = match self.ask(command).await {
                Ok(committed) => Some(committed),
                Err(Unanswered::Refused) => None,
                Err(Unanswered::Unknown) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let noted = self.journal.note(command.id, command.sum(), said);
            noted.expect("the journal can be written");
            return said.map(|committed| committed.position);
        }
        None
    }

    async fn ask(&self, command: &Command) -> Result<Committed, Unanswered> {
        let actor = Actor::Service { name: "client".to_owned() };
        let meta = Meta::new(command.id, actor);
        let keys = command.key.map(key);
        if let [(one, add)] = command.parts.as_slice() {
            let keys = keys.as_slice();
            let said = self.log.execute_with::<Counter>(counter(*one), add.clone(), &meta, keys);
            return Ok(said.await?);
        }
        let mut group = self.log.group(TENANT);
        for (one, add) in &command.parts {
            group = group.ask::<Counter>(counter(*one).id, add.clone());
        }
        Ok(group.execute(&meta).await?)
    }
}

/// Why there is no position.
enum Unanswered {
    /// It will never be carried out.
    Refused,
    /// It may have been, or may still be.
    Unknown,
}

impl<R> From<ExecuteError<R>> for Unanswered {
    fn from(error: ExecuteError<R>) -> Self {
        match error {
            ExecuteError::Refused(_)
            | ExecuteError::KeyTaken
            | ExecuteError::CommandIdTaken(_)
            | ExecuteError::TooLarge => Self::Refused,
            ExecuteError::Conflict | ExecuteError::Unavailable(_) | ExecuteError::Damaged(_) => {
                Self::Unknown
            }
        }
    }
}
