//! Workers as processes: hired, killed, put to sleep, woken.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use crate::worker::{DATABASE, NATS};

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) clients: usize,
    pub(super) seed: u64,
    pub(super) order: u64,
    pub(super) first_key: i64,
}

/// A worker that runs.
#[derive(Debug)]
pub(super) struct Worker {
    /// How PostgreSQL knows its sessions.
    pub(super) name: String,
    child: Child,
}

impl Worker {
    fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.id().context("the worker has ended by itself")?;
        Ok(kill(Pid::from_raw(i32::try_from(id)?), signal)?)
    }

    /// Stops it where it is, between two instructions.
    pub(super) fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets it go on as if nothing had been.
    pub(super) fn wake(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// kill -9.
    pub(super) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end, and waits until it has.
    pub(super) async fn end(mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        let ended = tokio::time::timeout(Duration::from_secs(15), self.child.wait()).await;
        let status = ended.context("the worker does not end")??;
        anyhow::ensure!(status.success(), "worker {} ended with {status}", self.name);
        Ok(())
    }
}

/// All workers of a scenario, and what they left.
#[derive(Debug)]
pub(super) struct Crew {
    folder: PathBuf,
    hired: u32,
}

impl Crew {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), hired: 0 }
    }

    /// Starts a worker.
    pub(super) fn hire(&mut self, database: &str, nats: &str, terms: Terms) -> Result<Worker> {
        self.hired += 1;
        let name = format!("worker-{}", self.hired);
        let log = File::create(self.folder.join(&name).with_extension("log"))?;
        let child = Command::new(std::env::current_exe()?)
            .arg("work")
            .arg("--journal")
            .arg(self.folder.join(&name).with_extension("journal"))
            .args(["--clients", &terms.clients.to_string()])
            .args(["--seed", &terms.seed.to_string()])
            .args(["--order", &terms.order.to_string()])
            .args(["--first-key", &terms.first_key.to_string()])
            .env(DATABASE, format!("{database}?application_name={name}"))
            .env(NATS, nats)
            .env("RUST_LOG", "warn")
            // Closed when we end, however that is.
            .stdin(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("a worker starts")?;
        Ok(Worker { name, child })
    }

    fn left(&self, extension: &str) -> Vec<PathBuf> {
        let name = |number| self.folder.join(format!("worker-{number}")).with_extension(extension);
        (1..=self.hired).map(name).filter(|path| path.exists()).collect()
    }

    /// What the workers' clients were told.
    pub(super) fn journals(&self) -> Vec<PathBuf> {
        self.left("journal")
    }

    /// How many lines of the workers' own logs hold `words`.
    pub(super) fn said(&self, words: &str) -> usize {
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        let lines = |text: String| text.lines().filter(|line| line.contains(words)).count();
        self.left("log").into_iter().map(read).map(lines).sum()
    }
}
