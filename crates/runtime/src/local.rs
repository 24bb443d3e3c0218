//! A PostgreSQL and a NATS of one's own, below one folder, without root and without containers.
//!
//! Both die with the program: each runs under a shell that holds the other end of a pipe to us and stops its
//! server when the pipe closes, however we end.

mod error;
mod folder;
mod nats;
mod postgres;
mod process;
mod running;

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use fs2::FileExt;

use self::{error::ROOM, folder::Folder, nats::Nats, postgres::Postgres};
pub use self::{error::StartError, running::Running};

/// Which servers to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// PostgreSQL.
    pub postgres: bool,
    /// NATS.
    pub nats: bool,
    /// Free space to insist on, in bytes; `None` for what a campaign needs to begin.
    pub room: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { postgres: true, nats: true, room: None }
    }
}

/// Servers that were started here.
#[derive(Debug)]
pub struct LocalServers {
    options: Options,
    folder: Folder,
    postgres: Option<Postgres>,
    nats: Option<Nats>,
    /// Held as long as the servers run: one program a folder.
    _lock: Lock,
}

impl LocalServers {
    /// Starts what `options` asks for, with data below `folder`, and waits until it answers. `progress` is
    /// told what is going on, in words for a person. Programs are taken from `programs`.
    ///
    /// # Errors
    ///
    /// See [`StartError`]; each says in one line what to do.
    pub async fn start(
        folder: &Path,
        programs: &Path,
        options: Options,
        progress: impl Fn(&str) + Sync,
    ) -> Result<Self, StartError> {
        let lock = lock(folder)?;
        let folder = Folder::prepare(folder, programs)?;
        folder.insist_on(options.room.unwrap_or(ROOM))?;
        let mut servers = Self { options, folder, postgres: None, nats: None, _lock: lock };
        match servers.restart(progress).await {
            Ok(()) => Ok(servers),
            Err(error) => {
                servers.stop().await;
                Err(error)
            }
        }
    }

    /// Starts those servers again that were asked for and were killed, with the same data and, when they are
    /// still free, on the same ports.
    ///
    /// # Errors
    ///
    /// As [`LocalServers::start`].
    pub async fn restart(&mut self, progress: impl Fn(&str) + Sync) -> Result<(), StartError> {
        if self.options.postgres && self.postgres.is_none() {
            self.postgres = Some(Postgres::start(&self.folder, &progress).await?);
        }
        if self.options.nats && self.nats.is_none() {
            progress("starting NATS");
            self.nats = Some(Nats::start(&self.folder).await?);
        }
        Ok(())
    }

    /// URL of the PostgreSQL server, with the password; `None` when it was not asked for.
    #[must_use]
    pub fn database_url(&self) -> Option<String> {
        self.postgres.as_ref().map(Postgres::url)
    }

    /// URL of NATS, with the token; `None` when it was not asked for.
    #[must_use]
    pub fn nats_url(&self) -> Option<String> {
        self.nats.as_ref().map(Nats::url)
    }

    /// Waits until one of the servers has ended by itself, and says which.
    pub async fn failed(&mut self) -> &'static str {
        let postgres = async {
            match &mut self.postgres {
                Some(postgres) => postgres.process.ended().await,
                None => std::future::pending().await,
            }
        };
        let nats = async {
            match &mut self.nats {
                Some(nats) => nats.process.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = postgres => "PostgreSQL",
            () = nats => "NATS",
        }
    }

    /// Stops the servers in order: NATS, whose copy can be made again, then PostgreSQL.
    pub async fn stop(mut self) {
        if let Some(nats) = self.nats.take() {
            nats.process.stop(Duration::from_secs(3)).await;
        }
        if let Some(postgres) = self.postgres.take() {
            postgres.process.stop(Duration::from_secs(5)).await;
        }
    }

    /// Kills PostgreSQL, as a power cut would; for fault tests.
    pub async fn kill_postgres(&mut self) {
        if let Some(postgres) = self.postgres.take() {
            postgres.process.kill().await;
        }
    }

    /// Kills NATS, as a power cut would; for fault tests.
    pub async fn kill_nats(&mut self) {
        if let Some(nats) = self.nats.take() {
            nats.process.kill().await;
        }
    }
}

/// Keeps a folder for one program.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it is not enough: a child that is being started at this moment has inherited it.
        let _ = FileExt::unlock(&self.0);
    }
}

fn lock(folder: &Path) -> Result<Lock, StartError> {
    let path = lock_path(folder);
    let unwritable = |source| StartError::NotWritable { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(unwritable)?;
    if file.try_lock_exclusive().is_err() {
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        return Err(StartError::AlreadyRunning {
            folder: folder.to_owned(),
            process: holder.trim().to_owned(),
        });
    }
    let pid = std::process::id().to_string();
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(pid.as_bytes()));
    written.map_err(|source| error::write_error(&path, source))?;
    Ok(Lock(file))
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join("lock")
}
