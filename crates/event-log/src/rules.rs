//! The decisions of batcher, relay and readers, as functions of what they see. They ask nobody, so a
//! simulator can put them into more situations than servers ever would.

use std::{collections::HashSet, hash::Hash};

/// Takes what may go into one call of `es.append`, in order, and leaves the rest in order. `names` tells what
/// a job names that may be named only once in a call: its command, its aggregates, its keys.
pub fn split<T, N: Eq + Hash>(
    jobs: Vec<T>,
    names: impl Fn(&T, &mut dyn FnMut(N)),
) -> (Vec<T>, Vec<T>) {
    let mut named = HashSet::new();
    let (mut now, mut later) = (Vec::with_capacity(jobs.len()), Vec::new());
    for job in jobs {
        let mut fresh = true;
        names(&job, &mut |name| fresh &= !named.contains(&name));
        // A job that waits reserves its places too, so that those behind it can't overtake. One that names
        // something twice stands in nobody's way but its own: the call itself refuses it.
        names(&job, &mut |name| {
            named.insert(name);
        });
        if fresh { now.push(job) } else { later.push(job) }
    }
    (now, later)
}

/// Why a relay must not go on, and only an operator can end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// The stream knows facts that the log does not.
    LogIsShorter,
    /// The last fact of the stream is another one than the log has in its place.
    Diverged,
}

/// Where a relay goes on: at the end of the stream, whose sequence numbers are the log's positions, if it ends
/// with what the log has there. `ours` and `theirs` are the ids of the fact at `published` in log and stream.
///
/// # Errors
///
/// [`Halt`] when log and stream went different ways.
pub fn resume<I: PartialEq>(
    published: i64,
    recorded: i64,
    ours: Option<&I>,
    theirs: Option<&I>,
) -> Result<i64, Halt> {
    if published > recorded {
        return Err(Halt::LogIsShorter);
    }
    if published > 0 && (ours.is_none() || ours != theirs) {
        return Err(Halt::Diverged);
    }
    Ok(published)
}

/// What a message of a stream is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It was read before.
    Known,
    /// The next one.
    Next,
    /// There are others in between, which are missing.
    BehindHole,
}

/// Where a message at position `found` stands for a reader who has read up to `last`.
#[must_use]
pub const fn place(last: i64, found: i64) -> Place {
    if found <= last {
        Place::Known
    } else if found == last + 1 {
        Place::Next
    } else {
        Place::BehindHole
    }
}
