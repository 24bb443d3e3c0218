//! The referee: plays one scenario after another and says what each showed.

mod crew;
mod disk;
mod ground;
mod scenarios;
mod verdict;

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use self::{
    ground::Ground,
    scenarios::{Played, Scenario},
};

/// What to play.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// One scenario, rather than all.
    #[arg(long)]
    only: Option<Scenario>,
    /// From which everything random is made.
    #[arg(long, default_value_t = fastrand::u64(..1_000_000))]
    seed: u64,
    /// Events to write in each scenario before its faults may end.
    #[arg(long, default_value_t = 110_000)]
    events: i64,
    /// Where PostgreSQL and NATS are.
    #[arg(long, default_value = ".meydan/runtime")]
    programs: PathBuf,
}

/// A line of the closing table.
struct Outcome {
    scenario: Scenario,
    said: Result<Played>,
    took: Duration,
}

/// Plays what is asked for; fails when a promise was broken.
pub(crate) async fn play(options: &Options) -> Result<()> {
    let scenarios =
        options.only.map_or_else(|| Scenario::value_variants().to_vec(), |one| vec![one]);
    println!("seed {}, {} events a scenario", options.seed, options.events);
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let began = std::time::Instant::now();
        let said = Ground::play(scenario, options).await;
        let outcome = Outcome { scenario, said, took: began.elapsed() };
        println!("{}", outcome.line());
        outcomes.push(outcome);
    }
    table(&outcomes);
    let broken = outcomes.iter().filter(|outcome| outcome.said.is_err()).count();
    ensure!(broken == 0, "{broken} scenarios broke a promise; seed {}", options.seed);
    Ok(())
}

impl Outcome {
    fn line(&self) -> String {
        let (name, took) = (self.scenario.name(), self.took.as_secs());
        match &self.said {
            Ok(Played::Kept(figures)) => format!(
                "{name}: kept; {} events, {} commands acknowledged, {} faults, {took} s; {}",
                figures.events, figures.acknowledged, figures.faults, figures.note,
            ),
            Ok(Played::Skipped(why)) => format!("{name}: skipped; {why}"),
            Err(error) => format!("{name}: BROKEN after {took} s; {error:#}"),
        }
    }
}

fn table(outcomes: &[Outcome]) {
    println!("\n| scenario | events | acknowledged | faults | seconds | outcome |");
    println!("|---|---:|---:|---:|---:|---|");
    let (mut events, mut acknowledged, mut faults, mut seconds) = (0, 0, 0, 0);
    let (mut kept, mut skipped) = (0, 0);
    for Outcome { scenario, said, took } in outcomes {
        let (name, took) = (scenario.name(), took.as_secs());
        seconds += took;
        match said {
            Ok(Played::Kept(of)) => {
                println!(
                    "| {name} | {} | {} | {} | {took} | kept |",
                    of.events, of.acknowledged, of.faults
                );
                (events, acknowledged, faults) =
                    (events + of.events, acknowledged + of.acknowledged, faults + of.faults);
                kept += 1;
            }
            Ok(Played::Skipped(_)) => {
                println!("| {name} | | | | {took} | skipped |");
                skipped += 1;
            }
            Err(_) => println!("| {name} | | | | {took} | BROKEN |"),
        }
    }
    println!("| all | {events} | {acknowledged} | {faults} | {seconds} | |");
    let broken = outcomes.len() - kept - skipped;
    println!("\n{kept} scenarios kept every promise, {broken} broke one, {skipped} skipped");
}
