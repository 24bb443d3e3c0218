//! Why the local servers do not start. Each error is one line that says what to do.

use std::{io, path::PathBuf};

/// Why the local servers do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The programs were not fetched.
    #[error("PostgreSQL and NATS are not in {0}: type `make runtime`")]
    MissingRuntime(PathBuf),
    /// Another program uses the folder.
    #[error("Meydan already runs in {folder} (process {process}): stop it first, or set data-dir")]
    AlreadyRunning {
        /// The folder.
        folder: PathBuf,
        /// Its number.
        process: String,
    },
    /// The folder cannot be used.
    #[error("{path} cannot be written ({source}): set data-dir to a folder that can")]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no room.
    #[error(
        "the disk of {path} is full ({free} MB free, {needed} MB needed): make room, or set data-dir"
    )]
    DiskFull {
        /// A folder on it.
        path: PathBuf,
        /// Megabytes free.
        free: u64,
        /// Megabytes needed.
        needed: u64,
    },
    /// The data are of another PostgreSQL.
    #[error(
        "the data in {path} are of PostgreSQL {found}, and this is 18: move them away, or upgrade them with pg_upgrade"
    )]
    WrongVersion {
        /// The data.
        path: PathBuf,
        /// Their version.
        found: String,
    },
    /// Started by root, and there is nobody to become.
    #[error(
        "PostgreSQL does not run as root, and there is no user `meydan` or `nobody`: type `useradd --system meydan`"
    )]
    NobodyToBecome,
    /// A server ended, or never answered.
    #[error("{server} does not start: {said}")]
    DoesNotStart {
        /// Which.
        server: &'static str,
        /// The last words of its log.
        said: String,
    },
}

/// What a failed write means: a full disk, or a folder that is closed.
pub(super) fn write_error(path: &std::path::Path, source: io::Error) -> StartError {
    if source.kind() == io::ErrorKind::StorageFull {
        StartError::DiskFull { path: path.to_owned(), free: 0, needed: 1 }
    } else {
        StartError::NotWritable { path: path.to_owned(), source }
    }
}

/// What a server that did not start said, as the error it means.
pub(super) fn from_log(server: &'static str, path: &std::path::Path, log: &str) -> StartError {
    if log.contains("No space left on device") || log.contains("no space left on device") {
        return StartError::DiskFull { path: path.to_owned(), free: 0, needed: 1 };
    }
    let said = log.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect::<Vec<_>>();
    let said = said.into_iter().rev().collect::<Vec<_>>().join(" / ");
    StartError::DoesNotStart { server, said }
}
