//! The program: one binary, every role.
//!
//! `meydan up` runs the whole platform on this machine, beside a PostgreSQL and a NATS of its own unless the
//! settings name others.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod demo;
mod panel;
mod platform;
mod servers;
mod up;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use meydan_settings::Settings;

/// Election campaigns in the open.
#[derive(Debug, Parser)]
#[command(name = "meydan", version)]
struct Arguments {
    /// The file of settings; `meydan settings` prints one with every key.
    #[arg(long, env = "MEYDAN_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the whole platform on this machine.
    Up {
        /// Where PostgreSQL and NATS were put by `make runtime`.
        #[arg(long, default_value = ".meydan/runtime")]
        runtime: PathBuf,
        /// Fills the panel with two invented campaigns, their people and their tickets.
        #[arg(long)]
        demo: bool,
    },
    /// Prints a file of settings with every key, its meaning and its default.
    Settings,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Settings => {
            print!("{}", meydan_settings::example());
            Ok(())
        }
        Command::Up { runtime, demo } => settings(arguments.config).and_then(|settings| {
            let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            threads.map_err(anyhow::Error::from)?.block_on(up::run(settings, &runtime, demo))
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("meydan: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The settings: the named file, or `meydan.toml` when it is there, then the environment.
fn settings(named: Option<PathBuf>) -> anyhow::Result<Settings> {
    let usual = PathBuf::from("meydan.toml");
    let file = named.or_else(|| usual.exists().then_some(usual));
    Ok(Settings::load(file.as_deref(), std::env::vars())?)
}
