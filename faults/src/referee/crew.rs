//! Workers as processes: hired, killed, put to sleep, woken.

use std::{
    fs::File,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, ChildStdin, Command};

use crate::worker::{DATABASE, NATS};

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) clients: usize,
    pub(super) seed: u64,
    pub(super) order: u64,
    /// The position from which on clients rest.
    pub(super) enough: i64,
    /// Whether it publishes, and does nothing that could write.
    pub(super) relay_only: bool,
}

impl Terms {
    /// Nobody asks anything; the readers come to the end.
    pub(super) const IDLE: Self =
        Self { clients: 0, seed: 0, order: 0, enough: 0, relay_only: false };
}

/// A worker that runs.
#[derive(Debug)]
pub(super) struct Worker {
    /// How PostgreSQL knows its sessions.
    pub(super) name: String,
    child: Child,
    /// Closed when we end, however that is; then it ends, too.
    _leash: Option<ChildStdin>,
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
        // One that has only just been hired does not listen yet.
        let at_once = status.signal() == Some(Signal::SIGTERM as i32);
        anyhow::ensure!(status.success() || at_once, "worker {} ended with {status}", self.name);
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
        let mut child = Command::new(std::env::current_exe()?)
            .arg("work")
            .arg("--journal")
            .arg(self.folder.join(&name).with_extension("journal"))
            .args(["--clients", &terms.clients.to_string()])
            .args(["--seed", &terms.seed.to_string()])
            .args(["--order", &terms.order.to_string()])
            .args(["--enough", &terms.enough.to_string()])
            .args(terms.relay_only.then_some("--relay-only"))
            .env(DATABASE, format!("{database}?application_name={name}"))
            .env(NATS, nats)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("a worker starts")?;
        let leash = child.stdin.take();
        Ok(Worker { name, child, _leash: leash })
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
