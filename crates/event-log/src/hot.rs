//! Aggregates that were used lately, as their last command left them.
//!
//! The cache may be stale or empty: the version check of the append, and a look at the log before anything
//! is refused, keep it from deciding wrongly. It is bounded in bytes, counted by what the events weighed.

use std::{
    any::{Any, TypeId},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use moka::sync::Cache;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::log::{Loaded, Target};

/// What an entry costs besides its state: keys, links, counters.
const OVERHEAD: u32 = 320;
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
    hasher: RandomState,
}

impl Hot {
    pub(crate) fn new(most_bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(most_bytes)
            .weigher(|_: &Key, entry: &Entry| entry.weight.saturating_add(OVERHEAD))
            .build();
        let turns = (0..TURNS).map(|_| Mutex::new(())).collect();
        Self { cache, turns, hasher: RandomState::new() }
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
        Some(Loaded { aggregate, sequence: entry.sequence, weight: entry.weight })
    }

    pub(crate) fn put<A: Send + Sync + 'static>(&self, target: Target, loaded: Loaded<A>) {
        let Loaded { aggregate, sequence, weight } = loaded;
        let state = Arc::new(aggregate);
        self.cache.insert(key::<A>(target), Entry { sequence, weight, state });
    }
}

fn key<A: 'static>(target: Target) -> Key {
    (TypeId::of::<A>(), target.tenant, target.id)
}
