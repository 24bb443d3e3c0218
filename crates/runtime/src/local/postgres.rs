//! PostgreSQL: made the first time, healed after a half-finished start, taken over after a crash.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

use super::{
    error::{StartError, from_log, write_error},
    folder::{Folder, write_private},
    process::{Process, free_port},
};

/// What an event log wants of PostgreSQL, in a machine that it shares.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=64MB",
    "max_wal_size=4GB",
    "checkpoint_timeout=15min",
    "wal_compression=on",
    "synchronous_commit=on",
    "log_lock_waits=on",
    // Statements hold ciphertext, but a statement that fails is logged with its text only on demand.
    "log_min_error_statement=panic",
    "log_min_messages=warning",
];

/// A PostgreSQL that runs.
#[derive(Debug)]
pub(super) struct Postgres {
    pub(super) process: Process,
    port: u16,
    password: String,
}

impl Postgres {
    pub(super) async fn start(
        folder: &Folder,
        progress: &(impl Fn(&str) + Sync),
    ) -> Result<Self, StartError> {
        let data = folder.data.join("postgres");
        let password = folder.secret("postgres.password")?;
        end_left_over(&data).await;
        if !is_whole(&data)? {
            progress("making the database");
            make(folder, &data, &password).await?;
        }
        progress("starting PostgreSQL");
        let port = free_port()?;
        let mut process = run(folder, &data, port)?;
        let probe = folder.programs.join("postgres/pginstall/bin/pg_isready");
        process.wait_until(Duration::from_secs(60), || is_ready(&probe, port)).await?;
        Ok(Self { process, port, password })
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }
}

/// A mark beside the data that is written when initdb has finished.
fn mark(data: &Path) -> PathBuf {
    data.with_extension("made")
}

/// Whether there is a database, made to the end, of the right version.
fn is_whole(data: &Path) -> Result<bool, StartError> {
    let Ok(found) = fs::read_to_string(data.join("PG_VERSION")) else { return Ok(false) };
    let found = found.trim();
    if found != "18" {
        return Err(StartError::WrongVersion { path: data.to_owned(), found: found.to_owned() });
    }
    Ok(mark(data).exists())
}

async fn make(folder: &Folder, data: &Path, password: &str) -> Result<(), StartError> {
    if data.exists() {
        fs::remove_dir_all(data).map_err(|error| write_error(data, error))?;
    }
    folder.own(data)?;
    let password_file = folder.data.join("postgres.initial");
    write_private(&password_file, password)?;
    folder.hand_over(&password_file)?;
    let mut initdb = Command::new(folder.programs.join("postgres/pginstall/bin/initdb"));
    initdb
        .arg("--pgdata")
        .arg(data)
        .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8"])
        .args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"])
        .arg(format!("--pwfile={}", password_file.display()))
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/");
    if let Some((uid, gid)) = folder.user {
        initdb.uid(uid.as_raw()).gid(gid.as_raw());
    }
    let output = initdb.output().await;
    let _ = fs::remove_file(&password_file);
    let output = output
        .map_err(|error| StartError::DoesNotStart { server: "initdb", said: error.to_string() })?;
    if !output.status.success() {
        return Err(from_log("initdb", data, &String::from_utf8_lossy(&output.stderr)));
    }
    let mark = mark(data);
    fs::write(&mark, "").map_err(|error| write_error(&mark, error))
}

fn run(folder: &Folder, data: &Path, port: u16) -> Result<Process, StartError> {
    let program = folder.programs.join("postgres/pginstall/bin/postgres");
    let port = format!("port={port}");
    let mut arguments: Vec<&OsStr> = vec![program.as_ref(), "-D".as_ref(), data.as_ref()];
    for setting in SETTINGS.iter().copied().chain([port.as_str()]) {
        arguments.extend([OsStr::new("-c"), OsStr::new(setting)]);
    }
    let log = folder.data.join("postgres.log");
    Process::start("PostgreSQL", "INT", &arguments, folder.user, &log)
}

async fn is_ready(probe: &Path, port: u16) -> bool {
    let asked = Command::new(probe)
        .args(["--quiet", "--host=127.0.0.1", "--username=postgres", "--timeout=1"])
        .arg(format!("--port={port}"))
        .status()
        .await;
    asked.is_ok_and(|status| status.success())
}

/// Ends a server that an earlier program left behind, and waits until it is gone.
async fn end_left_over(data: &Path) {
    let read = || fs::read_to_string(data.join("postmaster.pid")).ok();
    let Some(pid) = read().and_then(|text| text.lines().next().and_then(|pid| pid.parse().ok()))
    else {
        return;
    };
    let ours = || {
        let started = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&started).contains(&*data.to_string_lossy())
    };
    if !ours() {
        return;
    }
    let process = nix::unistd::Pid::from_raw(pid);
    let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT);
    for _ in 0..400 {
        if !ours() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGQUIT);
}
