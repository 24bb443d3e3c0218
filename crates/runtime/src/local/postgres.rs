//! PostgreSQL: made the first time, healed after a half-finished start, taken over after a crash.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::Path,
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::process::Command;

use super::{
    error::{StartError, write_error},
    folder::{Folder, write_private},
    process::{POLL, Process, end_left_over},
};
use crate::priority;

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

/// How databases are made.
const CLUSTER: &[&str] = &[
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--data-checksums",
];

/// How the name of a database begins that is not whole yet.
const DRAFT: &str = "postgres.new";

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
                || (said.contains("shared memory block") && tries < 100)
                || (said.contains("postmaster.pid\" already exists") && tries < 100);
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

/// Whether there is a database of the right version.
fn is_there(data: &Path) -> Result<bool, StartError> {
    let Ok(found) = fs::read_to_string(data.join("PG_VERSION")) else { return Ok(false) };
    let found = found.trim();
    if found != "18" {
        return Err(StartError::WrongVersion { path: data.to_owned(), found: found.to_owned() });
    }
    Ok(data.join("global/pg_control").exists())
}

/// Makes the database under another name and renames it at the end: a start that is cut short leaves nothing
/// that looks like data, and nothing that could be data is ever removed.
async fn make(folder: &Folder, data: &Path, password: &str) -> Result<(), StartError> {
    remove_drafts(&folder.data);
    let draft = folder.data.join(format!("{DRAFT}.{}", std::process::id()));
    folder.own(&draft)?;
    let password_file = folder.data.join("postgres.initial");
    write_private(&password_file, password)?;
    folder.hand_over(&password_file)?;
    let program = folder.programs.join("postgres/pginstall/bin/initdb");
    let (mut to, mut from) = (OsString::from("--pgdata="), OsString::from("--pwfile="));
    to.push(&draft);
    from.push(&password_file);
    let mut arguments: Vec<&OsStr> = vec![program.as_ref(), &to, &from];
    arguments.extend(CLUSTER.iter().map(OsStr::new));
    let log = folder.data.join("initdb.log");
    let made = match Process::start("initdb", "TERM", &arguments, folder.user, &log) {
        Ok(initdb) => initdb.finished().await,
        Err(error) => Err(error),
    };
    let _ = fs::remove_file(&password_file);
    if let Err(error) = made {
        remove_drafts(&folder.data);
        return Err(error);
    }
    let _ = fs::remove_file(&log);
    if fs::read_dir(data).is_ok_and(|mut files| files.next().is_some()) {
        // No database, but somebody's files.
        let aside = (1..).map(|number| data.with_extension(format!("unfinished.{number}")));
        let aside = aside.into_iter().find(|path| !path.exists()).expect("numbers do not end");
        fs::rename(data, &aside).map_err(|error| write_error(data, error))?;
    }
    fs::rename(&draft, data).map_err(|error| write_error(data, error))?;
    let parent = fs::File::open(&folder.data).and_then(|parent| parent.sync_all());
    parent.map_err(|error| write_error(&folder.data, error))
}

/// Removes what starts left that were cut short.
fn remove_drafts(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(DRAFT) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn run(folder: &Folder, data: &Path, port: u16) -> Result<Process, StartError> {
    let program = folder.programs.join("postgres/pginstall/bin/postgres");
    let port = format!("port={port}");
    let nice = priority::NICE.to_string();
    let mut arguments: Vec<&OsStr> = ["nice", "-n", &nice].map(OsStr::new).to_vec();
    arguments.extend([program.as_ref(), OsStr::new("-D"), data.as_ref()]);
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
