//! `make faults`: breaks what the log stands on while it is under load, and sees whether it kept its promises.
//!
//! - `faults play` is the referee: it starts PostgreSQL, NATS and workers as processes of their own, injects
//!   faults, and judges the log, the stream, the read models and what was acknowledged.
//! - `faults simulate` is the simulator: the same promises, on servers of paper.
//! - `faults work` is a worker: the log of one context with all its readers, under load.
//!
//! See `docs/faults.md`.
#![expect(clippy::print_stdout, reason = "a program for people")]

mod broker;
mod counter;
mod journal;
mod mirror;
mod referee;
mod simulator;
mod sums;
mod worker;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Fault tests of the event log")]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Plays the scenarios, each on servers of its own, and judges them.
    Play(referee::Options),
    /// Simulates the log on servers of paper, with faults between any two steps.
    Simulate(simulator::Options),
    /// Works on a log under load; what `play` starts.
    Work(worker::Options),
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().role {
        Role::Play(options) => referee::play(&options).await,
        Role::Simulate(options) => simulator::simulate(&options),
        Role::Work(options) => worker::work(options).await,
    }
}
