//! PostgreSQL: made the first time, healed after a half-finished start, taken over after a crash.

use std::{ffi::OsStr, fs, path::Path, process::Stdio, time::Duration};

use nix::sys::signal::Signal;
use tokio::process::Command;

use super::{
    error::{StartError, from_log, write_error},
    folder::{Folder, write_private},
    process::{POLL, Process, end_left_over},
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

/// The file of the superuser's password.
const PASSWORD: &str = "postgres.password";

/// How long a start may take; after a crash the write-ahead log is replayed first.
const PATIENCE: Duration = Duration::from_secs(60);

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
        if is_there(&data)? {
            let secret = folder.secret_path(PASSWORD);
            if !secret.exists() {
                return Err(StartError::PasswordLost { path: data, secret });
            }
            end_left_over(&data.join("postmaster.pid"), &data, Signal::SIGINT).await;
        } else {
            progress("making the database");
            make(folder, &data, &folder.secret(PASSWORD)?).await?;
        }
        let password = folder.secret(PASSWORD)?;
        progress("starting PostgreSQL");
        let probe = folder.programs.join("postgres/pginstall/bin/pg_isready");
        let mut tries = 0;
        loop {
            let port = folder.port("postgres.port")?;
            let mut process = run(folder, &data, port)?;
            let started = process.wait_until(PATIENCE, || is_ready(&probe, port)).await;
            let Err(error) = started else { return Ok(Self { process, port, password }) };
            tries += 1;
            let said = process.said();
            // Somebody took the port between our look and the server's; or children of a server that was
            // killed are still on their way out.
            let passing = (said.contains("could not bind") && tries < 3)
                || (said.contains("shared memory block") && tries < 100);
            if !passing {
                return Err(error);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }
}

/// Whether there is a database of the right version. It gets its name when it is whole, so there is no half.
fn is_there(data: &Path) -> Result<bool, StartError> {
    let Ok(found) = fs::read_to_string(data.join("PG_VERSION")) else { return Ok(false) };
    let found = found.trim();
    if found != "18" {
        return Err(StartError::WrongVersion { path: data.to_owned(), found: found.to_owned() });
    }
    Ok(true)
}

/// Makes the database under another name and renames it at the end: a start that is cut short leaves nothing
/// that looks like data, and nothing that could be data is ever removed.
async fn make(folder: &Folder, data: &Path, password: &str) -> Result<(), StartError> {
    let draft = data.with_extension("new");
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(|error| write_error(&draft, error))?;
    }
    folder.own(&draft)?;
    let password_file = folder.data.join("postgres.initial");
    write_private(&password_file, password)?;
    folder.hand_over(&password_file)?;
    let mut initdb = Command::new(folder.programs.join("postgres/pginstall/bin/initdb"));
    initdb
        .arg("--pgdata")
        .arg(&draft)
        .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8"])
        .args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"])
        .arg("--data-checksums")
        .arg(format!("--pwfile={}", password_file.display()))
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some((uid, gid)) = folder.user {
        initdb.uid(uid.as_raw()).gid(gid.as_raw());
    }
    let output = initdb.output().await;
    let _ = fs::remove_file(&password_file);
    let output = output
        .map_err(|error| StartError::DoesNotStart { server: "initdb", said: error.to_string() })?;
    if !output.status.success() {
        let error = from_log("initdb", data, &String::from_utf8_lossy(&output.stderr));
        let _ = fs::remove_dir_all(&draft);
        return Err(error);
    }
    // An empty folder may have been made for us; one with something in it is refused by the system.
    fs::rename(&draft, data).map_err(|error| write_error(data, error))?;
    let parent = fs::File::open(&folder.data).and_then(|parent| parent.sync_all());
    parent.map_err(|error| write_error(&folder.data, error))
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
