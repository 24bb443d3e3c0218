//! The program: one binary, every role.
//!
//! `meydan up` runs the whole platform on this machine, beside a PostgreSQL and a NATS of its own unless the
//! settings name others.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod accounts;
mod channel;
mod demo;
mod erase;
mod keys;
mod operate;
mod panel;
mod passwords;
mod platform;
mod post;
mod reach;
mod restored;
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
        /// Where PostgreSQL and NATS were put by `make runtime`; not read when the settings name both.
        #[arg(long, default_value = ".meydan/runtime")]
        runtime: PathBuf,
        /// Fills the panel with two invented campaigns, their people and their tickets.
        #[arg(long)]
        demo: bool,
    },
    /// Erases a person: destroys their keys, has every context forget them, and gives a certificate.
    Erase(erase::Arguments),
    /// Keys and their rotation.
    Keys {
        #[command(flatten)]
        output: operate::Output,
        #[command(subcommand)]
        command: keys::Command,
    },
    /// Reads the logs: what happened, and how much.
    Log {
        #[command(flatten)]
        output: operate::Output,
        #[command(subcommand)]
        command: operate::log::Command,
    },
    /// Looks after read models: lists them, grows them anew, puts them in place, goes back.
    Projection {
        #[command(flatten)]
        output: operate::Output,
        #[command(subcommand)]
        command: operate::projection::Command,
    },
    /// Looks after the copies of the logs on JetStream.
    Relay {
        #[command(flatten)]
        output: operate::Output,
        #[command(subcommand)]
        command: operate::relay::Command,
    },
    /// Compares logs, streams and read models. Ends with 1 when anything differs, with 2 when something could
    /// not be compared.
    Verify {
        #[command(flatten)]
        output: operate::Output,
        #[command(flatten)]
        arguments: operate::verify::Arguments,
    },
    /// Proves that nobody changed what happened.
    Audit {
        #[command(flatten)]
        output: operate::Output,
        #[command(subcommand)]
        command: operate::audit::Command,
    },
    /// Accounts that come from elsewhere.
    #[command(subcommand)]
    Accounts(accounts::Command),
    /// How much work the hash of a password is.
    #[command(subcommand)]
    Passwords(passwords::Command),
    /// Prints a file of settings with every key, its meaning and its default.
    Settings,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = || settings(arguments.config.clone());
    let outcome =
        match arguments.command {
            Command::Settings => {
                print!("{}", meydan_settings::example());
                Ok(())
            }
            Command::Accounts(command) => {
                settings().and_then(|settings| wait_for(accounts::run(settings, command)))
            }
            Command::Passwords(command) => passwords::run(&command, arguments.config.as_deref()),
            Command::Up { runtime, demo } => {
                // From here on it means the same folder, wherever the servers work.
                let runtime = std::path::absolute(&runtime).unwrap_or(runtime);
                settings().and_then(|settings| wait_for(up::run(settings, &runtime, demo)))
            }
            Command::Erase(erase) => {
                settings().and_then(|settings| wait_for(erase::run(settings, erase)))
            }
            Command::Keys { output, command } => {
                settings().and_then(|settings| wait_for(keys::run(settings, output, command)))
            }
            Command::Log { output, command } => settings()
                .and_then(|settings| wait_for(operate::log::run(settings, output, command))),
            Command::Projection { output, command } => settings()
                .and_then(|settings| wait_for(operate::projection::run(settings, output, command))),
            Command::Relay { output, command } => settings()
                .and_then(|settings| wait_for(operate::relay::run(settings, output, command))),
            Command::Audit { output, command } => settings()
                .and_then(|settings| wait_for(operate::audit::run(settings, output, command))),
            Command::Verify { output, arguments } => settings()
                .and_then(|settings| wait_for(operate::verify::run(settings, output, arguments))),
        };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = operate::exit_code(&error);
            if code > 0 {
                eprintln!("meydan: {}", operate::words(&error));
            }
            ExitCode::from(code)
        }
    }
}

/// Does `work` on threads that let others go first: whoever waits for an answer of the panel is served before
/// what nobody waits for.
fn wait_for(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(meydan_runtime::stand_back)
        .build()?;
    threads.block_on(work)
}

/// The settings: the named file, or `meydan.toml` when it is there, then the environment.
fn settings(named: Option<PathBuf>) -> anyhow::Result<Settings> {
    let usual = PathBuf::from("meydan.toml");
    let file = named.or_else(|| usual.exists().then_some(usual));
    Ok(Settings::load(file.as_deref(), std::env::vars())?)
}
