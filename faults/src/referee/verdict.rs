//! The judgement: what was promised against what is there.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use anyhow::{Context, Result, ensure};
use async_nats::jetstream;
use meydan_event_log::{EventLog, Projection, Rebuild, Recorded, compare, gaps};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    counter::Counted,
    journal::{self, Line, Told},
    mirror::mirror_of,
    sums::{Copies, Sums},
};

/// Facts read at a time.
const PAGE: i64 = 5_000;

/// How much was judged.
pub(super) struct Found {
    pub(super) events: u64,
    pub(super) acknowledged: u64,
}

/// What the log says of one command.
#[derive(Default)]
struct Carried {
    events: i64,
    of: i64,
    sum: i64,
    position: i64,
    sequence: i64,
}

/// What the log says of one counter.
#[derive(Default)]
struct Counter {
    sum: i64,
    facts: i64,
}

/// What the log says.
#[derive(Default)]
struct Past {
    last: i64,
    commands: HashMap<Uuid, Carried>,
    counters: HashMap<Uuid, Counter>,
    keys: HashMap<i64, Uuid>,
    /// Events to mirror: where, and what.
    mirrored: HashMap<Uuid, (Uuid, i64)>,
    /// Events that mirrors answered.
    answered: HashSet<Uuid>,
    ids: HashSet<Uuid>,
}

/// Judges a log that is at rest, with everything that hangs on it.
pub(super) async fn judge(
    log: &EventLog,
    jetstream: &jetstream::Context,
    journals: &[PathBuf],
) -> Result<Found> {
    let wrong = gaps(log, |_, _| {}).await?;
    ensure!(wrong.is_empty(), "the log has gaps: {wrong:?}");
    let past = Past::read(log).await?;
    past.commands_are_whole()?;
    past.mirrors_answered_once()?;
    let acknowledged = past.keeps(journals)?;
    let standing = compare(log, jetstream, 0, |_, _| {}).await?;
    ensure!(
        standing.published == Some(past.last) && standing.finding().is_none(),
        "log and stream differ: {standing:?}"
    );
    past.is_shown_by(log, "sums").await?;
    past.is_shown_by(log, "copies").await?;
    equals_a_replay(log, [Sums, Sums]).await?;
    equals_a_replay(log, [Copies, Copies]).await?;
    Ok(Found { events: u64::try_from(past.last)?, acknowledged })
}

impl Past {
    async fn read(log: &EventLog) -> Result<Self> {
        let mut past = Self::default();
        loop {
            let page = log.after(0, past.last, PAGE).await?;
            if page.is_empty() {
                return Ok(past);
            }
            for event in &page {
                past.add(event)?;
            }
        }
    }

    fn add(&mut self, event: &Recorded) -> Result<()> {
        let Counted::Added { by, of, key, mirrored } =
            event.decode_one()?.context("every fact is one event today")?;
        self.last += 1;
        ensure!(
            event.position == self.last,
            "position {} follows {}",
            event.position,
            self.last - 1
        );
        ensure!(self.ids.insert(event.event_id), "event {} is there twice", event.event_id);
        let counter = self.counters.entry(event.aggregate_id).or_default();
        counter.facts += 1;
        counter.sum += by;
        ensure!(event.sequence == counter.facts, "{} is out of order", event.aggregate_id);
        let carried = self.commands.entry(event.meta.command_id).or_default();
        carried.events += 1;
        carried.sum += by;
        (carried.of, carried.position, carried.sequence) = (of, event.position, event.sequence);
        if let Some(key) = key {
            let holder = *self.keys.entry(key).or_insert(event.aggregate_id);
            ensure!(holder == event.aggregate_id, "key {key} belongs to two counters");
        }
        if mirrored {
            self.mirrored.insert(event.event_id, (mirror_of(event.aggregate_id).id, by));
        }
        if let Some(cause) = event.meta.causation_id {
            let expected = self.mirrored.get(&cause);
            ensure!(expected == Some(&(event.aggregate_id, by)), "{cause} was answered wrongly");
            ensure!(self.answered.insert(cause), "{cause} was answered twice");
        }
        Ok(())
    }

    fn commands_are_whole(&self) -> Result<()> {
        for (id, carried) in &self.commands {
            let (events, of) = (carried.events, carried.of);
            ensure!(events == of, "command {id} has {events} events, and was to have {of}");
        }
        Ok(())
    }

    fn mirrors_answered_once(&self) -> Result<()> {
        let (asked, answered) = (self.mirrored.len(), self.answered.len());
        ensure!(asked == answered, "the policy answered {answered} of {asked}");
        Ok(())
    }

    /// Whether all that clients were told is so; returns how many commands were acknowledged.
    fn keeps(&self, journals: &[PathBuf]) -> Result<u64> {
        let mut acknowledged = HashSet::new();
        for journal in journals {
            for Line { command, sum, told } in journal::read(journal)? {
                let carried = self.commands.get(&command);
                let Told::Done { position, sequence } = told else {
                    ensure!(carried.is_none(), "{command} was refused, and carried out");
                    continue;
                };
                let carried = carried.with_context(|| {
                    format!("{command} was acknowledged at {position}, and is lost")
                })?;
                ensure!(
                    (carried.position, carried.sequence, carried.sum) == (position, sequence, sum),
                    "{command} was told {position}, {sequence}, {sum}; the log has {}, {}, {}",
                    carried.position,
                    carried.sequence,
                    carried.sum
                );
                acknowledged.insert(command);
            }
        }
        Ok(u64::try_from(acknowledged.len())?)
    }

    async fn is_shown_by(&self, log: &EventLog, table: &str) -> Result<()> {
        let rows = format!("SELECT id, sum, facts FROM {table}");
        let rows: Vec<(Uuid, i64, i64)> =
            sqlx::query_as(AssertSqlSafe(rows)).fetch_all(log.pool()).await?;
        ensure!(rows.len() == self.counters.len(), "{table} has {} rows", rows.len());
        for (id, sum, facts) in rows {
            let counter = self.counters.get(&id).with_context(|| format!("{table}: {id}"))?;
            ensure!(
                (counter.sum, counter.facts) == (sum, facts),
                "{table} shows {sum} of {facts} for {id}; the log has {} of {}",
                counter.sum,
                counter.facts
            );
        }
        Ok(())
    }
}

async fn equals_a_replay<P: Projection>(log: &EventLog, projections: [P; 2]) -> Result<()> {
    let found = Rebuild::of::<P>(log.clone()).verify(projections, |_, _| {}).await?;
    let same = found.iter().all(|difference| difference.extra == 0 && difference.missing == 0);
    ensure!(same, "a replay gives other rows: {found:?}");
    Ok(())
}
