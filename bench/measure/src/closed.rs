//! A closed load: so many clients, each asking again as soon as it is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;
use uuid::Uuid;

use crate::{Command, Store, command};

/// What clients do.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// One event for a new aggregate each time.
    Fresh { size: usize },
    /// So many events for each of these aggregates, once.
    Once { aggregates: Arc<[Uuid]>, events: usize, size: usize },
    /// One event for each of these aggregates in turn, round and round.
    Round { aggregates: Arc<[Uuid]>, size: usize },
}

impl Work {
    /// The command with this number, while there is one.
    fn command(&self, number: usize) -> Option<Command> {
        match self {
            Self::Fresh { size } => Some(command(Uuid::new_v4(), 1, *size)),
            Self::Once { aggregates, events, size } => {
                aggregates.get(number).map(|id| command(*id, *events, *size))
            }
            Self::Round { aggregates, size } => {
                Some(command(aggregates[number % aggregates.len()], 1, *size))
            }
        }
    }
}

/// What came of a load.
#[derive(Debug)]
pub(crate) struct Figures {
    /// How long each command took, the shortest first.
    times: Vec<Duration>,
    span: Duration,
    failed: usize,
    /// Events of the commands that were answered.
    pub(crate) events: u64,
}

impl Figures {
    /// Commands that were carried out.
    pub(crate) fn commands(&self) -> usize {
        self.times.len()
    }

    /// The time within which this part of the commands was answered, in milliseconds: nearest rank.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    fn at(&self, part: f64) -> f64 {
        let place = (self.times.len() as f64 * part).ceil() as usize;
        self.times.get(place.saturating_sub(1)).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    pub(crate) fn to_json(&self) -> serde_json::Value {
        json!({
            "commands": self.times.len(),
            "failed": self.failed,
            "seconds": self.span.as_secs_f64(),
            "commands_per_s": self.times.len() as f64 / self.span.as_secs_f64(),
            "p50_ms": self.at(0.5),
            "p99_ms": self.at(0.99),
        })
    }
}

/// Runs the load for `span`, or until the work is done. A command that fails is counted and told of, and the
/// client goes on; a load of failures is none.
pub(crate) async fn closed<S: Store>(
    store: &S,
    clients: usize,
    span: Duration,
    work: Work,
) -> Result<Figures> {
    let (next, work) = (Arc::new(AtomicUsize::new(0)), Arc::new(work));
    let began = Instant::now();
    let tasks = (0..clients).map(|_| {
        let (store, next, work) = (store.clone(), next.clone(), work.clone());
        tokio::spawn(async move {
            let (mut times, mut events, mut failures) = (Vec::new(), 0, Vec::new());
            while began.elapsed() < span {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(command) = work.command(number) else { break };
                let count = command.texts.len() as u64;
                let asked = Instant::now();
                match store.execute(command).await {
                    Ok(()) => {
                        times.push(asked.elapsed());
                        events += count;
                    }
                    Err(error) => failures.push(error),
                }
            }
            (times, events, failures)
        })
    });
    let mut figures = Figures { times: Vec::new(), span, failed: 0, events: 0 };
    let mut failure = None;
    for task in tasks.collect::<Vec<_>>() {
        let (times, events, failures) = task.await?;
        figures.times.extend(times);
        figures.events += events;
        figures.failed += failures.len();
        failure = failure.or(failures.into_iter().next());
    }
    figures.span = began.elapsed();
    figures.times.sort_unstable();
    ensure!(figures.failed <= figures.times.len() / 10, "most commands fail: {failure:?}");
    Ok(figures)
}

/// A text of so many bytes that is no other's and does not compress to nothing.
///
/// # Panics
///
/// When the operating system has no randomness.
#[must_use]
pub fn draw(size: usize) -> String {
    let mut bytes = vec![0; size.div_ceil(2)];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    let digit = |half: u8| char::from_digit(u32::from(half), 16).expect("a half byte is a digit");
    let text = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    text.take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(times: std::ops::RangeInclusive<u64>) -> Figures {
        let times = times.map(Duration::from_millis).collect();
        Figures { times, span: Duration::from_secs(2), failed: 0, events: 0 }
    }

    #[test]
    fn the_time_of_ninety_nine_in_a_hundred_is_that_of_the_ninety_ninth() {
        let figures = figures(1..=100);

        assert!((figures.at(0.5) - 50.0).abs() < 1e-9);
        assert!((figures.at(0.99) - 99.0).abs() < 1e-9);
    }

    #[test]
    fn of_one_command_every_part_is_that_one() {
        assert!((figures(7..=7).at(0.99) - 7.0).abs() < 1e-9);
    }

    #[test]
    fn texts_are_as_long_as_asked_and_differ() {
        let (one, other) = (draw(255), draw(255));

        assert_eq!((one.len(), other.len()), (255, 255));
        assert_ne!(one, other);
    }

    #[test]
    fn work_on_each_once_ends_and_round_and_round_does_not() {
        let aggregates: Arc<[Uuid]> = [Uuid::from_u128(1), Uuid::from_u128(2)].into();
        let once = Work::Once { aggregates: aggregates.clone(), events: 10, size: 4 };
        let round = Work::Round { aggregates, size: 4 };

        assert_eq!(once.command(1).map(|command| command.texts.len()), Some(10));
        assert!(once.command(2).is_none());
        assert_eq!(round.command(2).map(|command| command.aggregate), Some(Uuid::from_u128(1)));
    }
}
