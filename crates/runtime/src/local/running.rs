//! The servers of a program that runs on a folder, for another program beside it.

use std::{fs, path::Path};

use super::lock_path;

/// Where servers answer that another program started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// URL of PostgreSQL, with the password; `None` when the program did not start one.
    pub database_url: Option<String>,
    /// URL of NATS, with the token; `None` when the program did not start one.
    pub nats_url: Option<String>,
}

impl Running {
    /// The servers of the program that runs on `folder`; `None` when none does.
    #[must_use]
    pub fn on(folder: &Path) -> Option<Self> {
        let lock = fs::File::open(lock_path(folder)).ok()?;
        if lock.try_lock_shared().is_ok() {
            // Nobody holds it; ours ends with the file.
            return None;
        }
        let read = |path: &str| Some(fs::read_to_string(folder.join(path)).ok()?.trim().to_owned());
        let address = |secret: &str, port: &str| Some((read(secret)?, read(port)?));
        let postgres = address("secrets/postgres.password", "data/postgres.port");
        let nats = address("secrets/nats.token", "data/nats.port");
        Some(Self {
            database_url: postgres.map(|(password, port)| {
                format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres")
            }),
            nats_url: nats.map(|(token, port)| format!("nats://meydan:{token}@127.0.0.1:{port}")),
        })
    }
}
