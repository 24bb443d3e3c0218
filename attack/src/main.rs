//! `make attack`: what somebody can do who comes in by the front door, against a whole platform.
//!
//! The platform believes this process as its proxy, so that guesses come from as many addresses as are made up. The
//! attackers, the people whom they disturb and the platform share the machine.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod alike;
mod flood;
mod report;
mod rush;
mod scan;
mod town;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, ValueEnum};

use self::{report::Report, scan::Scanners, town::Town};

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Attack {
    /// Wrong passwords from many addresses at one account, whose owner goes on logging in.
    Flood,
    /// Whether known and unknown addresses, and accounts that are closed, can be told apart, by words or by time.
    Alike,
    /// Many logins at the same moment, beside people at work.
    Rush,
    /// Scanners that others wrote, when they are named.
    Scan,
}

/// Attacks a platform, and says what came of it.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program `meydan`.
    program: String,
    /// One attack alone.
    #[arg(long)]
    only: Option<Attack>,
    /// Wrong passwords of the flood.
    #[arg(long, default_value_t = 10_000)]
    guesses: usize,
    /// Addresses that they come from.
    #[arg(long, default_value_t = 500)]
    addresses: usize,
    /// Tries at each kind of address, where they are compared.
    #[arg(long, default_value_t = 2_000)]
    tries: usize,
    /// Logins at the same moment.
    #[arg(long, default_value_t = 200)]
    logins: usize,
    /// Where the scanners are.
    #[arg(long)]
    tools: Option<PathBuf>,
    /// For how long Wapiti looks around, and tries each of its kinds, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(0) => return ExitCode::SUCCESS,
        Ok(missed) => {
            eprintln!("attack: the platform did not hold; bars that were missed: {missed}");
        }
        Err(error) => eprintln!("attack: {error:#}"),
    }
    ExitCode::FAILURE
}

/// Plays what is wanted; how many bars were missed.
async fn run(arguments: Arguments) -> Result<usize> {
    let wanted = |attack| arguments.only.is_none_or(|only| only == attack);
    let mut report = Report::default();
    if arguments.only != Some(Attack::Flood) {
        let scan = arguments.only == Some(Attack::Scan);
        let town = Town::found(&arguments.program, !scan).await?;
        // What compares times comes first: the others leave work behind.
        if wanted(Attack::Alike) {
            alike::run(&town, arguments.tries, &mut report).await?;
        }
        if wanted(Attack::Rush) {
            rush::run(&town, arguments.logins, &mut report).await?;
        }
        if let Some(tools) = arguments.tools.filter(|_| wanted(Attack::Scan)) {
            let scanners = Scanners { tools: &tools, seconds: arguments.seconds };
            scan::run(&town, scanners, &mut report).await?;
        }
        town.leave("all else", &mut report).await;
    }
    if wanted(Attack::Flood) {
        // Here the limits are those of a platform that nobody has set otherwise.
        let limits = [("MEYDAN_LOGIN_LIMIT", "5"), ("MEYDAN_RATE_LIMIT", "100")];
        let town = Town::found_with(&arguments.program, false, &limits).await?;
        flood::run(&town, (arguments.guesses, arguments.addresses), &mut report).await?;
        town.leave("the flood", &mut report).await;
    }
    Ok(report.conclude())
}
