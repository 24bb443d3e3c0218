//! Signs what the trees are, and writes it into a file that only grows.
//!
//! A checkpoint is a row first. Its commit waits for the disk, so whatever it signs is on disk as well; then it is
//! appended to the file, and the row says so. A death in between appends it once more, which says the same twice.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use meydan_event_log::Clock;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    merkle::Frontier,
    note::{Checkpoint, Notary},
    record::RecordError,
};

/// How often to look whether something is to be signed.
const LOOK: Duration = Duration::from_secs(1);

/// When checkpoints are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// After so many new entries of a tree.
    pub entries: u32,
    /// After so many seconds, when there are fewer.
    pub seconds: u32,
}

/// Signs and files checkpoints.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) pool: PgPool,
    pub(crate) notary: Notary,
    pub(crate) file: PathBuf,
    pub(crate) pace: Pace,
    pub(crate) clock: Clock,
}

/// Why nothing was signed, or what was signed was not filed.
#[derive(Debug, thiserror::Error)]
enum SignError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("checkpoints cannot be written to the file")]
    File(#[from] io::Error),
}

impl From<sqlx::Error> for SignError {
    fn from(error: sqlx::Error) -> Self {
        Self::Record(error.into())
    }
}

impl Signer {
    /// Works until `stop`, and signs what is there then.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            let stopped = tokio::time::timeout(LOOK, stop.cancelled()).await.is_ok();
            let pace = if stopped { Pace { entries: 1, seconds: 0 } } else { self.pace };
            if let Err(error) = self.work(pace).await {
                metrics::counter!("audit_sign_failures").increment(1);
                tracing::warn!(%error, "nothing is signed");
            }
            if stopped {
                return;
            }
        }
    }

    async fn work(&self, pace: Pace) -> Result<(), SignError> {
        self.sign(pace).await?;
        self.file().await
    }

    /// Signs the trees that have grown enough, or long enough ago.
    async fn sign(&self, pace: Pace) -> Result<(), SignError> {
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        let rows = sqlx::query!(
            r#"
            SELECT tree_id, size, frontier FROM trees
            WHERE size > signed AND (size - signed >= $1 OR signed_at <= $2)
            ORDER BY tree_id FOR UPDATE
            "#,
            i64::from(pace.entries),
            now - time::Duration::seconds(pace.seconds.into()),
        )
        .fetch_all(&mut *tx)
        .await?;
        let (mut ids, mut sizes, mut notes) = (vec![], vec![], vec![]);
        for row in rows {
            let size = u64::try_from(row.size).ok();
            let tree = size.and_then(|size| Frontier::read(size, &row.frontier));
            let tree = tree.ok_or(RecordError::Damaged(row.tree_id))?;
            let (size, root) = (tree.size(), tree.root());
            notes.push(self.notary.sign(&Checkpoint { tree: row.tree_id, size, root, at: now }));
            ids.push(row.tree_id);
            sizes.push(row.size);
        }
        sqlx::query!(
            r#"
            WITH fresh AS (
              INSERT INTO checkpoints (tree_id, size, note)
              SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[])
            )
            UPDATE trees t SET signed = u.size, signed_at = $4
            FROM unnest($1::uuid[], $2::bigint[]) u(id, size) WHERE t.tree_id = u.id
            "#,
            &ids,
            &sizes,
            &notes,
            now,
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Appends to the file what is not in it.
    async fn file(&self) -> Result<(), SignError> {
        let rows = sqlx::query!(
            "SELECT tree_id, size, note FROM checkpoints WHERE NOT filed ORDER BY tree_id, size"
        )
        .fetch_all(&self.pool)
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let notes = rows.iter().flat_map(|row| [row.note.as_str(), "\n"]).collect::<String>();
        let path = self.file.clone();
        let appended = tokio::task::spawn_blocking(move || append(&path, &notes)).await;
        appended.map_err(io::Error::other)??;
        let ids: Vec<_> = rows.iter().map(|row| row.tree_id).collect();
        let sizes: Vec<_> = rows.iter().map(|row| row.size).collect();
        sqlx::query!(
            r#"
            UPDATE checkpoints c SET filed = true
            FROM unnest($1::uuid[], $2::bigint[]) u(id, size)
            WHERE c.tree_id = u.id AND c.size = u.size
            "#,
            &ids,
            &sizes,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Adds to the end of a file, and waits until it is on disk.
pub(crate) fn append(path: &PathBuf, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
