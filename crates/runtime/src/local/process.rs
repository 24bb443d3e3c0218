//! A server under a shell that stops it when we are gone.

use std::{
    ffi::OsStr,
    fs::File,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::Signal,
    unistd::{Gid, Pid, Uid},
};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
};

use super::error::{StartError, from_log, write_error};

/// Starts the server that the arguments name, sends it each signal that standard input names, and the signal
/// `$0` when standard input closes. It is the shell that signals, because the server is its child, and the
/// number of a child is nobody else's until it is waited for.
const WATCH: &str = r#"
signal=$0
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
( while read -r word <&3; do kill -s "$word" "$server"; done; kill -s "$signal" "$server" ) 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
outcome=$?
kill "$watcher" 2>/dev/null
exit "$outcome"
"#;

/// How often to look whether something has come about.
pub(super) const POLL: Duration = Duration::from_millis(25);

/// A server that runs.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    /// With which it is stopped.
    signal: &'static str,
    shell: Child,
    /// Closing it stops the server.
    leash: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts `program`, which is stopped by `signal`, as `user`, writing to `log`.
    pub(super) fn start(
        name: &'static str,
        signal: &'static str,
        program: &[&OsStr],
        user: Option<(Uid, Gid)>,
        log: &Path,
    ) -> Result<Self, StartError> {
        let file = File::create(log).map_err(|error| write_error(log, error))?;
        let errors = file.try_clone().map_err(|error| write_error(log, error))?;
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(WATCH)
            .arg(signal)
            .args(program)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(file)
            .stderr(errors)
            // Ctrl-C at the terminal is for us alone: we stop the servers, in order.
            .process_group(0);
        if let Some((uid, gid)) = user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        let mut shell = command
            .spawn()
            .map_err(|error| StartError::DoesNotStart { server: name, said: error.to_string() })?;
        let leash = shell.stdin.take();
        Ok(Self { name, signal, shell, leash, log: log.to_owned() })
    }

    /// Waits until `ready` says yes; fails when the server ends first, or takes longer than `patience`.
    pub(super) async fn wait_until<F: Future<Output = bool>>(
        &mut self,
        patience: Duration,
        ready: impl Fn() -> F,
    ) -> Result<(), StartError> {
        let answered = async {
            while !ready().await {
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::select! {
            () = answered => return Ok(()),
            _ = self.shell.wait() => {}
            () = tokio::time::sleep(patience) => {}
        }
        Err(from_log(self.name, &self.log, &self.said()))
    }

    /// What the server wrote to its log since this start.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until a program that does its work and ends has done so; fails with what it said.
    pub(super) async fn finished(mut self) -> Result<(), StartError> {
        match self.shell.wait().await {
            Ok(status) if status.success() => Ok(()),
            _ => Err(from_log(self.name, &self.log, &self.said())),
        }
    }

    /// Waits until the server has ended by itself.
    pub(super) async fn ended(&mut self) {
        let _ = self.shell.wait().await;
    }

    /// Stops the server; kills it when it takes longer than `patience`.
    pub(super) async fn stop(mut self, patience: Duration) {
        self.send(self.signal).await;
        if tokio::time::timeout(patience, self.shell.wait()).await.is_err() {
            tracing::warn!(server = self.name, "does not stop, and is killed");
            self.kill().await;
        }
    }

    /// Kills the server, and waits until it is gone.
    pub(super) async fn kill(mut self) {
        self.send("KILL").await;
        if tokio::time::timeout(Duration::from_secs(1), self.shell.wait()).await.is_err()
            && let Some(group) = self.shell.id().and_then(|pid| i32::try_from(pid).ok())
        {
            // The shell does not listen any more.
            let _ = nix::sys::signal::killpg(Pid::from_raw(group), Signal::SIGKILL);
            let _ = self.shell.wait().await;
        }
    }

    /// Sends the server a signal; without a server, nothing.
    async fn send(&mut self, signal: &str) {
        if let Some(leash) = &mut self.leash {
            let _ = leash.write_all(format!("{signal}\n").as_bytes()).await;
        }
    }
}

/// Ends a server that an earlier program left behind, and waits until it is gone. `pid_file` names its
/// process, whose command line names `mark`: a number that was given to another process since is left alone.
pub(super) async fn end_left_over(pid_file: &Path, mark: &Path, signal: Signal) {
    let text = std::fs::read_to_string(pid_file).unwrap_or_default();
    let Some(pid) = text.lines().next().and_then(|pid| pid.trim().parse().ok()) else { return };
    let lives = || {
        let started = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mark = mark.as_os_str().as_bytes();
        started.split(|byte| *byte == 0).any(|argument| argument == mark)
    };
    for (signal, patience) in [(signal, 400), (Signal::SIGQUIT, 80), (Signal::SIGKILL, 80)] {
        if !lives() {
            return;
        }
        tracing::info!(pid, %signal, "ending a server that was left behind");
        let _ = nix::sys::signal::kill(Pid::from_raw(pid), signal);
        for _ in 0..patience {
            if !lives() {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
