//! How many streams a session has open. Each holds a connection: that of a page for hours, that of a copy of the record for
//! as long as its reader takes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

/// Streams of one session at a time: more tabs than anybody looks at, and those in the background close theirs.
const MOST: usize = 20;

/// The open streams, counted by session.
#[derive(Debug, Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<Uuid, usize>>>);

/// A stream's place; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    streams: Streams,
    session: Uuid,
}

impl Streams {
    /// A place for one more stream of a session; `None` when it has enough.
    #[must_use]
    pub fn take(&self, session: Uuid) -> Option<Place> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = streams.entry(session).or_default();
        if *count >= MOST {
            return None;
        }
        *count += 1;
        metrics::gauge!("live_pages").increment(1.0);
        Some(Place { streams: self.clone(), session })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.session);
            }
        }
        metrics::gauge!("live_pages").decrement(1.0);
    }
}
