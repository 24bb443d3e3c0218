//! The simulator: the log and its readers on servers of paper, in one thread, with faults between any two steps.
//!
//! Everything random comes from one seed, so a run that breaks a promise is run again step by step with
//! `--seed N --trace`. The decisions are the log's own where they are functions: what goes into one call, where
//! a relay goes on or halts, which message is next, which command answers a fact. The sequences of calls around
//! them are written down here once more. PostgreSQL is the model that the log's property test holds the SQL to;
//! JetStream loses more than ours would: whatever was not flushed.

mod client;
mod jetstream;
mod operator;
mod plan;
mod postgres;
mod reader;
mod relay;
mod schedule;
#[cfg(test)]
mod tests;
mod verdict;
mod world;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

pub(crate) use self::schedule::Ran;
use self::schedule::Simulation;

/// What to simulate.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// One seed, rather than many.
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// Tells every step.
    #[arg(long)]
    trace: bool,
    /// Leaves a rule out, to see what it is for.
    #[arg(long)]
    without: Option<Rule>,
}

/// Rules that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rule {
    /// A message names the sequence number that must be the stream's last.
    ExpectedLastSequence,
    /// A relay compares the end of the stream with the log before it goes on.
    Resume,
    /// A reader looks whether a message is the next one.
    Place,
    /// Rows and checkpoint move in one transaction.
    CheckpointWithRows,
    /// A reader holds its checkpoint, and digests only what follows it.
    CheckpointHeld,
    /// A command is recognised when it comes again.
    CommandIds,
    /// The append compares the number of events of an aggregate.
    Versions,
    /// A key has one holder.
    Keys,
    /// A call names each aggregate, command and key once.
    Split,
    /// A restored log gets back the keys, too.
    KeysGivenBack,
    /// A relay looks whether its stream still holds what was published.
    Watch,
    /// All services are stopped while PostgreSQL is restored from a backup.
    StopForRestore,
}

/// Simulates; fails at the first promise that is broken.
pub(crate) fn simulate(options: &Options) -> Result<()> {
    let began = Instant::now();
    let seeds = options.seed.map_or(0..options.seeds, |seed| seed..seed + 1);
    let mut all = Ran::default();
    for seed in seeds.clone() {
        match Simulation::new(seed, options.without, options.trace).run() {
            Ok(ran) => all += ran,
            Err(broken) => bail!(
                "seed {seed} breaks a promise: {broken}\nstep by step: faults simulate --seed {seed} --trace"
            ),
        }
    }
    println!(
        "simulator: {} seeds, {} steps, {} faults, {} events, {} commands acknowledged, {:.1} s: every promise kept",
        seeds.end - seeds.start,
        all.steps,
        all.faults,
        all.events,
        all.acknowledged,
        began.elapsed().as_secs_f32(),
    );
    Ok(())
}
