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
    /// Is content with less than the proof: scenarios that cannot be played here, fewer than a million events.
    #[arg(long)]
    partial: bool,
    /// Where PostgreSQL and NATS are.
    #[arg(long, default_value = ".meydan/runtime")]
    programs: PathBuf,
}

/// Events that all scenarios together must have written.
const EVENTS: u64 = 1_000_000;

/// A line of the closing table.
struct Outcome {
    scenario: Scenario,
    said: Result<Played>,
    took: Duration,
}

/// Plays what is asked for; fails when a promise was broken, or was not put to the proof.
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
    let missing = missing(&outcomes, options.only.is_none());
    ensure!(
        missing.is_empty() || options.partial,
        "nothing is proven: {}; --partial is content with that",
        missing.join("; ")
    );
    Ok(())
}

/// What a proof lacks in which no promise was broken; `all` scenarios were to be played, or one.
fn missing(outcomes: &[Outcome], all: bool) -> Vec<String> {
    let (mut missing, mut events) = (Vec::new(), 0);
    for Outcome { scenario, said, .. } in outcomes {
        match said {
            Ok(Played::Kept(figures)) => events += figures.events,
            Ok(Played::Skipped(why)) => missing.push(format!("{} {why}", scenario.name())),
            Err(_) => {}
        }
    }
    if all && events < EVENTS {
        missing.push(format!("{events} events instead of {EVENTS}"));
    }
    missing
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

#[cfg(test)]
mod tests {
    use super::{scenarios::Figures, *};

    fn kept(scenario: Scenario, events: u64) -> Outcome {
        let figures = Figures { events, acknowledged: 1, faults: 1, note: String::new() };
        Outcome { scenario, said: Ok(Played::Kept(figures)), took: Duration::ZERO }
    }

    #[test]
    fn a_million_events_without_a_scenario_left_out_are_a_proof() {
        let outcomes = [kept(Scenario::Killed, 400_000), kept(Scenario::Restored, 600_000)];
        assert_eq!(missing(&outcomes, true), [""; 0]);
    }

    #[test]
    fn fewer_events_are_none_unless_one_scenario_was_asked_for() {
        let outcomes = [kept(Scenario::Killed, 999_999)];
        assert_eq!(missing(&outcomes, true), ["999999 events instead of 1000000"]);
        assert_eq!(missing(&outcomes, false), [""; 0]);
    }

    #[test]
    fn a_scenario_that_cannot_be_played_is_missed() {
        let said = Ok(Played::Skipped("has no disk".to_owned()));
        let skipped = Outcome { scenario: Scenario::NatsFull, said, took: Duration::ZERO };
        let outcomes = [kept(Scenario::Killed, 1_000_000), skipped];
        assert_eq!(missing(&outcomes, true), ["nats-full has no disk"]);
        assert_eq!(missing(&outcomes, false), ["nats-full has no disk"]);
    }
}
