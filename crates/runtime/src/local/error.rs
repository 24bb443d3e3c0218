//! Why the local servers do not start. Each error is one line that says what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Least free space with which it makes sense to start, in bytes.
pub(super) const ROOM: u64 = 300 * 1024 * 1024;

/// Why the local servers do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The programs were not fetched.
    #[error(
        "PostgreSQL and NATS are not in {0}: type `make runtime` where Meydan's sources are, and name its folder \
         .meydan/runtime with --runtime when you start elsewhere; or set database-url and nats-url to servers that run"
    )]
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
        "the disk of {path} is full ({free} MB free, {needed} MB needed): make room, or set data-dir to a folder on another disk"
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
    /// The data are there and the password of their database is not.
    #[error(
        "{secret} is gone, and without it the data in {path} stay closed: put it back from a copy, or remove both with `make clean-data`"
    )]
    PasswordLost {
        /// The data.
        path: PathBuf,
        /// Where the password was.
        secret: PathBuf,
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

impl StartError {
    /// No room on the disk of `path`, where `needed` bytes are wanted.
    pub(super) fn disk_full(path: &Path, needed: u64) -> Self {
        let megabytes = |bytes: u64| bytes / 1024 / 1024;
        let free = fs2::available_space(path).unwrap_or(0);
        Self::DiskFull { path: path.to_owned(), free: megabytes(free), needed: megabytes(needed) }
    }
}

/// What a failed write means: a full disk, or a folder that is closed.
pub(super) fn write_error(path: &Path, source: io::Error) -> StartError {
    if source.kind() == io::ErrorKind::StorageFull {
        StartError::disk_full(path, ROOM)
    } else {
        StartError::NotWritable { path: path.to_owned(), source }
    }
}

/// What a server that did not start said, as the error it means.
pub(super) fn from_log(server: &'static str, path: &Path, log: &str) -> StartError {
    if log.to_lowercase().contains("no space left on device") {
        return StartError::disk_full(path.parent().unwrap_or(path), ROOM);
    }
    let said = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let last = said.len().saturating_sub(3);
    let said =
        if said.is_empty() { "it says nothing".to_owned() } else { said[last..].join(" / ") };
    StartError::DoesNotStart { server, said }
}
