//! Aggregates that were used lately, as their last command left them.
//!
//! The cache may be stale or empty: the version check of the append, and a look at the log before anything
//! is refused, keep it from deciding wrongly. It is bounded in bytes, counted by what the states weigh when
//! they are written down.
//!
//! Of an aggregate that is not in it, one thing has to be guessed: whether the command begins it, so that
//! there is nothing to load, or not. Commands of one kind mostly do the same, so what each kind did last is
//! remembered, as processors do with branches.

use std::{
    any::{Any, TypeId},
    hash::{BuildHasher, RandomState},
    io,
    mem::discriminant,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use cqrs_es::Aggregate;
use moka::sync::Cache;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::log::{Loaded, Target};

/// What an entry costs besides its state: keys, links, counters.
const OVERHEAD: u32 = 320;
/// How much more a state takes in memory than written down, at most in the middle of many.
const SPREAD: u32 = 2;
/// Kinds of commands whose habits are told apart. Two that share a place mislead each other, no more.
const HABITS: usize = 256;
/// A habit from which on commands are expected to meet what is there; it goes from 0 to 3.
const MEETS: u8 = 2;
/// How many aggregates may be worked on at a time. Two that fall on the same turn wait for each other.
const TURNS: usize = 8_192;

type Key = (TypeId, Uuid, Uuid);

#[derive(Clone)]
struct Entry {
    sequence: i64,
    weight: u32,
    state: Arc<dyn Any + Send + Sync>,
}

/// The cache, and the turns at aggregates.
pub(crate) struct Hot {
    cache: Cache<Key, Entry>,
    turns: Box<[Mutex<()>]>,
    habits: [AtomicU8; HABITS],
    hasher: RandomState,
}

impl Hot {
    pub(crate) fn new(most_bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(most_bytes)
            .weigher(|_: &Key, entry: &Entry| entry.weight.saturating_add(OVERHEAD))
            .build();
        let turns = (0..TURNS).map(|_| Mutex::new(())).collect();
        let habits = [const { AtomicU8::new(0) }; HABITS];
        Self { cache, turns, habits, hasher: RandomState::new() }
    }

    /// Waits for one's turn at aggregates, so that commands of this process queue instead of racing.
    pub(crate) async fn turn(&self, targets: Vec<Target>) -> Vec<MutexGuard<'_, ()>> {
        let place = |target: Target| self.hasher.hash_one((target.tenant, target.id));
        let mut places = targets
            .into_iter()
            .map(|target| usize::try_from(place(target) % TURNS as u64).expect("it is small"))
            .collect::<Vec<_>>();
        // In one order, so that two groups never wait for each other.
        places.sort_unstable();
        places.dedup();
        let mut turns = Vec::with_capacity(places.len());
        for place in places {
            turns.push(self.turns[place].lock().await);
        }
        turns
    }

    pub(crate) fn get<A: Clone + Send + Sync + 'static>(
        &self,
        target: Target,
    ) -> Option<Loaded<A>> {
        let entry = self.cache.get(&key::<A>(target))?;
        let aggregate = entry.state.downcast_ref::<A>()?.clone();
        Some(Loaded { aggregate, sequence: entry.sequence })
    }

    pub(crate) fn put<A: Aggregate + 'static>(&self, target: Target, loaded: Loaded<A>) {
        let Loaded { aggregate, sequence } = loaded;
        let weight = weigh(&aggregate).saturating_mul(SPREAD);
        let state = Arc::new(aggregate);
        self.cache.insert(key::<A>(target), Entry { sequence, weight, state });
    }

    /// Whether commands like this one mostly begin the aggregates that they name.
    pub(crate) fn begins<A: Aggregate + 'static>(&self, command: &A::Command) -> bool {
        self.habit::<A>(command).load(Ordering::Relaxed) < MEETS
    }

    /// Remembers whether a command began the aggregate that it named.
    pub(crate) fn learn<A: Aggregate + 'static>(&self, command: &A::Command, began: bool) {
        let habit = self.habit::<A>(command);
        let old = habit.load(Ordering::Relaxed);
        let new = if began { old.saturating_sub(1) } else { (old + 1).min(2 * MEETS - 1) };
        // A lesson lost to another one at the same time costs one wrong guess.
        habit.store(new, Ordering::Relaxed);
    }

    fn habit<A: Aggregate + 'static>(&self, command: &A::Command) -> &AtomicU8 {
        let kind = self.hasher.hash_one((TypeId::of::<A>(), discriminant(command)));
        &self.habits[usize::try_from(kind % HABITS as u64).expect("it is small")]
    }
}

/// The length of a state when it is written down, in bytes.
fn weigh<A: Aggregate>(aggregate: &A) -> u32 {
    struct Scales(u32);
    impl io::Write for Scales {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut scales = Scales(0);
    serde_json::to_writer(&mut scales, aggregate).expect("a state is plain data");
    scales.0
}

fn key<A: 'static>(target: Target) -> Key {
    (TypeId::of::<A>(), target.tenant, target.id)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Clone, Default, Serialize, Deserialize)]
    struct Shelf(Vec<String>);

    #[derive(Debug, Clone)]
    enum Put {
        Up,
        On(String),
    }

    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    struct Placed(String);

    impl cqrs_es::DomainEvent for Placed {
        fn event_type(&self) -> String {
            "shelf.placed".to_owned()
        }

        fn event_version(&self) -> String {
            "1".to_owned()
        }
    }

    impl Aggregate for Shelf {
        const TYPE: &'static str = "shelf";

        type Command = Put;
        type Event = Placed;
        type Error = std::convert::Infallible;
        type Services = ();

        async fn handle(
            &mut self,
            command: Put,
            (): &(),
            sink: &cqrs_es::event_sink::EventSink<Self>,
        ) -> Result<(), Self::Error> {
            if let Put::On(what) = command {
                sink.write(Placed(what), self).await;
            }
            Ok(())
        }

        fn apply(&mut self, Placed(what): Placed) {
            self.0.push(what);
        }
    }

    #[test]
    fn commands_are_expected_to_meet_what_their_kind_met_lately() {
        let (hot, on) = (Hot::new(0), |what: &str| Put::On(what.to_owned()));
        assert!(hot.begins::<Shelf>(&Put::Up));

        for met in ["a jar", "a book"] {
            hot.learn::<Shelf>(&on(met), false);
        }

        assert!(!hot.begins::<Shelf>(&on("a lamp")));
        assert!(hot.begins::<Shelf>(&Put::Up));
    }

    #[test]
    fn one_exception_does_not_change_a_habit() {
        let hot = Hot::new(0);
        for began in [false, false, false, false, true] {
            hot.learn::<Shelf>(&Put::Up, began);
        }

        assert!(!hot.begins::<Shelf>(&Put::Up));
    }

    #[test]
    fn what_is_remembered_weighs_no_more_than_it_may() {
        let most = 64 * 1_024;
        let hot = Hot::new(most);
        for id in 0..2_000 {
            let target = Target { tenant: Uuid::nil(), id: Uuid::from_u128(id) };
            let aggregate = Shelf(vec!["a jar".to_owned(); 10]);
            hot.put(target, Loaded { aggregate, sequence: 10 });
        }

        hot.cache.run_pending_tasks();

        let weight = hot.cache.weighted_size();
        assert!((most / 2..=most).contains(&weight), "{weight} of {most} bytes");
    }

    #[test]
    fn a_state_weighs_what_it_takes_to_write_it_down() {
        assert_eq!(weigh(&Shelf(vec!["jar".to_owned()])), 7);
    }
}
