//! Entries arrive: rows, trees and the reader's checkpoint move in one transaction, so each fact is an entry once.

use std::collections::HashMap;

use meydan_event_log::{Recorded, advance, checkpoint};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::{
    entry::{Entry, Place},
    merkle::Frontier,
};

/// Begins a transaction whose commit does not wait for the disk. A crash may forget it whole, and the facts are read
/// again; nothing is signed before it is on disk, because the signature's own commit waits for all before it.
const LIGHTLY: &str = "BEGIN; SET LOCAL synchronous_commit = off";
/// The lock under which entries arrive, one reader at a time.
const ARRIVALS: i32 = 7_200;

/// Why facts did not become entries. Trying again is right in every case.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// PostgreSQL said no, or nothing.
    #[error("entries cannot be written: {0}")]
    Database(#[from] sqlx::Error),
    /// A tree is not what this program wrote.
    #[error("the frontier of tree {0} is damaged: nothing arrives until an operator has looked")]
    Damaged(Uuid),
}

/// Name of the reader of a log.
#[must_use]
pub fn reader(log: &str) -> String {
    format!("entries_{log}")
}

/// How far the entries of a log have come.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn reached(db: impl PgExecutor<'_>, log: &str) -> Result<i64, sqlx::Error> {
    checkpoint(db, &reader(log), 0).await
}

/// Makes entries of the facts of a log that come after `after`; of none when others were quicker.
///
/// # Errors
///
/// See [`RecordError`].
pub async fn record(
    pool: &PgPool,
    log: &str,
    after: i64,
    events: &[Recorded],
) -> Result<(), RecordError> {
    let Some(last) = events.last() else { return Ok(()) };
    let mut tx = pool.begin_with(LIGHTLY).await?;
    sqlx::query!("SELECT pg_advisory_xact_lock($1, 0)", ARRIVALS).fetch_one(&mut *tx).await?;
    if !advance(&mut tx, &reader(log), 0, after, last.position).await? {
        return Ok(tx.rollback().await?);
    }
    let mut trees = trees(&mut tx, events).await?;
    let newest =
        sqlx::query_scalar!("SELECT max(arrival) FROM entries").fetch_one(&mut *tx).await?;
    let arrivals = newest.unwrap_or(0) + 1..;
    let entries: Vec<_> = arrivals
        .zip(events)
        .map(|(arrival, event)| {
            let tree = trees.entry(event.tenant).or_default();
            let leaf = i64::try_from(tree.size()).expect("a tree has fewer than 2^63 leaves");
            let entry = Entry::of(log, event, Place { arrival, leaf });
            tree.push(hash(&entry));
            entry
        })
        .collect();
    insert(&mut tx, &entries).await?;
    keep(&mut tx, trees).await?;
    Ok(tx.commit().await?)
}

fn hash(entry: &Entry) -> crate::merkle::Hash {
    entry.leaf_sha256.as_slice().try_into().expect("an entry that was just made has its hash")
}

/// The trees in which facts arrive, as they are.
async fn trees(
    db: &mut PgConnection,
    events: &[Recorded],
) -> Result<HashMap<Uuid, Frontier>, RecordError> {
    let mut ids: Vec<_> = events.iter().map(|event| event.tenant).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows =
        sqlx::query!("SELECT tree_id, size, frontier FROM trees WHERE tree_id = ANY ($1)", &ids);
    let read = |id, size: i64, frontier: &[u8]| {
        let size = u64::try_from(size).ok();
        let tree = size.and_then(|size| Frontier::read(size, frontier));
        Ok((id, tree.ok_or(RecordError::Damaged(id))?))
    };
    let rows = rows.fetch_all(db).await?;
    rows.into_iter().map(|row| read(row.tree_id, row.size, &row.frontier)).collect()
}

/// One statement for all: the names of the fields are those of the columns.
async fn insert(db: &mut PgConnection, entries: &[Entry]) -> Result<(), sqlx::Error> {
    let rows = serde_json::to_string(entries).expect("entries are plain data");
    sqlx::query!(
        "INSERT INTO entries SELECT * FROM json_populate_recordset(NULL::entries, $1::text::json)",
        rows,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn keep(db: &mut PgConnection, trees: HashMap<Uuid, Frontier>) -> Result<(), sqlx::Error> {
    let (mut ids, mut sizes, mut frontiers) = (vec![], vec![], vec![]);
    for (id, tree) in trees {
        ids.push(id);
        sizes.push(i64::try_from(tree.size()).expect("a tree has fewer than 2^63 leaves"));
        frontiers.push(tree.bytes());
    }
    sqlx::query!(
        r#"
        INSERT INTO trees (tree_id, size, frontier)
        SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[])
        ON CONFLICT (tree_id) DO UPDATE SET size = excluded.size, frontier = excluded.frontier
        "#,
        &ids,
        &sizes,
        &frontiers,
    )
    .execute(db)
    .await?;
    Ok(())
}
