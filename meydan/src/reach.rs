//! What an operator is told when a server does not answer or a file cannot be read: what was tried, from which setting
//! that came, and what to do. Never a password.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use anyhow::{Context, Error, Result};
use async_nats::{ConnectError, ConnectErrorKind};
use meydan_settings::Settings;
use url::Url;

/// PostgreSQL's codes for somebody who is not let in.
const NOT_LET_IN: [&str; 2] = ["28P01", "28000"];
/// PostgreSQL's codes for a database that is not there, or was dropped a moment ago.
const NO_DATABASE: [&str; 2] = ["3D000", "57P04"];
/// PostgreSQL's code for a disk without room.
const DISK_FULL: &str = "53100";

/// Where the addresses of the servers come from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    database: String,
    nats: String,
}

impl Origin {
    pub(crate) fn of(settings: &Settings) -> Self {
        let folder = settings.data_dir.display();
        let origin = |key: &str, is_set: bool| {
            if is_set { key.to_owned() } else { format!("the servers of data-dir {folder}") }
        };
        Self {
            database: origin("database-url", settings.database_url.is_some()),
            nats: origin("nats-url", settings.nats_url.is_some()),
        }
    }

    /// Why PostgreSQL at `url` is of no use.
    pub(crate) fn database(&self, url: &str, error: sqlx::Error) -> Error {
        let from = &self.database;
        let Ok(url) = Url::parse(url) else { return Error::new(error).context(from.clone()) };
        let (place, name, user) = (place(&url, 5432), url.path().trim_matches('/'), url.username());
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let words = match code.as_deref() {
            Some(code) if NOT_LET_IN.contains(&code) => format!(
                "{from}: PostgreSQL at {place} does not let the user `{user}` in; put the right user and password there"
            ),
            Some(code) if NO_DATABASE.contains(&code) => format!(
                "{from}: PostgreSQL at {place} has no database `{name}`; has `meydan up` made it, with this \
                 database-prefix?"
            ),
            Some(DISK_FULL) => {
                format!("{from}: PostgreSQL at {place} has no room on its disk; make room there")
            }
            Some(code) if code.starts_with("53") || code.starts_with("57") => {
                format!("{from}: PostgreSQL at {place} is busy, or just starting; try again")
            }
            Some(_) => format!(
                "{from}: PostgreSQL at {place} cannot use the database `{name}`; has `meydan up` prepared it?"
            ),
            None => format!(
                "{from}: PostgreSQL cannot be reached at {place} (database `{name}`, user `{user}`); see whether it \
                 runs there, and whether the address is right"
            ),
        };
        Error::new(error).context(words)
    }

    /// Why NATS at `url` is of no use.
    pub(crate) fn nats(&self, url: &Url, error: ConnectError) -> Error {
        let (from, place) = (&self.nats, place(url, 4222));
        let words = match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => format!(
                "{from}: NATS at {place} does not let us in; put the right user and password, or token, there"
            ),
            _ => format!(
                "{from}: NATS cannot be reached at {place}; see whether it runs there, and whether the address is right"
            ),
        };
        Error::new(error).context(words)
    }
}

fn place(url: &Url, port: u16) -> String {
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
    format!("{host}:{}", url.port().unwrap_or(port))
}

/// Fails, with what to do, when a file of secrets is there and cannot be read. One that is not there is for others to
/// make, or to miss.
pub(crate) fn secret(setting: &str, path: &Path) -> Result<()> {
    let read = File::open(path).and_then(|mut file| file.read(&mut [0; 1]));
    let Err(error) = read else { return Ok(()) };
    if error.kind() == ErrorKind::NotFound {
        return Ok(());
    }
    let uid = |path: &Path| fs::metadata(path).map(|about| about.uid()).ok();
    let cure = match (error.kind(), uid(Path::new("/proc/self"))) {
        (ErrorKind::PermissionDenied, Some(us)) => {
            let owner = path.ancestors().find_map(uid);
            let owner = owner.map_or_else(|| "another".to_owned(), |owner| owner.to_string());
            format!(
                "run this as the user that Meydan runs as (it belongs to user {owner}, and this is user {us}), or set \
                 {setting} to another"
            )
        }
        _ => format!("put the file back from a copy, or set {setting} to another"),
    };
    let path = path.display();
    Err(error).with_context(|| format!("{setting}: {path} cannot be read; {cure}"))
}
