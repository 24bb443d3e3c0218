//! States of long aggregates, kept beside the log so that loading them stays short.
//!
//! A snapshot is a cache: written after the answer, by and by, and never missed. It is read only by the
//! build that wrote it, and as the type that wrote it, so a change of the state, or of how events make it,
//! invalidates it without anybody having to remember to count up a version.

use std::{
    any::type_name,
    fs::File,
    io::{self, Read},
    sync::OnceLock,
};

use sha2::{Digest, Sha256};
use sqlx::PgPool;
use tokio::sync::mpsc;

use crate::log::Target;

/// Events between two snapshots of an aggregate.
const EVERY: i64 = 100;
/// Snapshots that may wait to be written; more are left out.
const QUEUE: usize = 64;

static BUILD: OnceLock<String> = OnceLock::new();

/// Finds out which build this is: the digest of the program's own file. Until that is known, and if it
/// cannot be known, no snapshot is read or written.
pub(crate) async fn know_build() {
    if BUILD.get().is_some() {
        return;
    }
    let digest = tokio::task::spawn_blocking(|| -> io::Result<String> {
        let mut file = File::open(std::env::current_exe()?)?;
        let (mut digest, mut piece) = (Sha256::new(), vec![0; 256 << 10]);
        loop {
            match file.read(&mut piece)? {
                0 => break,
                read => digest.update(&piece[..read]),
            }
        }
        let beginning = *digest.finalize().first_chunk().expect("SHA-256 gives 32 bytes");
        Ok(format!("{:016x}", u64::from_be_bytes(beginning)))
    });
    match digest.await {
        Ok(Ok(build)) => {
            let _ = BUILD.set(build);
        }
        _ => tracing::warn!(
            "the program's file cannot be read; aggregates are loaded without snapshots"
        ),
    }
}

/// Which snapshots this build can read as an `A`; empty while it can read none.
pub(crate) fn state_version<A>() -> String {
    BUILD.get().map(|build| format!("{build} {}", type_name::<A>())).unwrap_or_default()
}

/// Whether an aggregate that grew from `before` to `after` events is due.
pub(crate) const fn is_due(before: i64, after: i64) -> bool {
    before / EVERY < after / EVERY
}

/// A state on its way into the database.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) target: Target,
    pub(crate) aggregate_type: &'static str,
    pub(crate) sequence: i64,
    pub(crate) state_version: String,
    pub(crate) state: String,
}

/// Writes snapshots in the background.
#[derive(Debug, Clone)]
pub(crate) struct Snapshots {
    queue: mpsc::Sender<Snapshot>,
}

impl Snapshots {
    /// Starts the writer, which ends when the last handle is dropped.
    pub(crate) fn start(pool: PgPool) -> Self {
        let (queue, mut snapshots) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while let Some(snapshot) = snapshots.recv().await {
                if let Err(error) = write(&pool, &snapshot).await {
                    tracing::debug!(%error, "a snapshot was not written");
                }
            }
        });
        Self { queue }
    }

    /// Has a snapshot written, unless too many wait.
    pub(crate) fn offer(&self, snapshot: Snapshot) {
        if !snapshot.state_version.is_empty() && self.queue.try_send(snapshot).is_err() {
            metrics::counter!("event_log_snapshots_left_out").increment(1);
        }
    }
}

async fn write(pool: &PgPool, snapshot: &Snapshot) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO es.snapshots AS s
          (tenant_id, aggregate_type, aggregate_id, sequence, state_version, state)
        VALUES ($1, $2, $3, $4, $5, $6::text::json)
        ON CONFLICT (tenant_id, aggregate_type, aggregate_id) DO UPDATE
          SET sequence = $4, state_version = $5, state = $6::text::json, taken_at = clock_timestamp()
          WHERE s.sequence < $4 OR s.state_version <> $5
        "#,
        snapshot.target.tenant,
        snapshot.aggregate_type,
        snapshot.target.id,
        snapshot.sequence,
        snapshot.state_version,
        snapshot.state,
    )
    .execute(pool)
    .await?;
    Ok(())
}
