//! Proves that an entry is in a tree that was signed, to somebody who trusts nobody here: everything needed is in one
//! JSON document, and a page of any language checks it.

use serde::Serialize;
use sqlx::PgPool;

use crate::{
    entry::{Entry, hex},
    merkle::{Hash, inclusion, leaf_hash},
    note::{BadNote, Verifier},
};

/// An entry, the way from it to the root (RFC 9162, section 2.1.3), and the signed note that names the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The entry, byte by byte as it is hashed.
    pub leaf: String,
    /// Its place in the tree, from 0.
    pub leaf_index: i64,
    /// How many entries the tree had.
    pub tree_size: i64,
    /// The hashes beside the way, from the leaf upwards, in hexadecimal.
    pub path: Vec<String>,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The key that signed it, in base64: to tell which one it was, not to believe it.
    pub public_key: String,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The database cannot be read.
    #[error("the database cannot be read")]
    Database(#[from] sqlx::Error),
    /// There is no such entry.
    #[error("there is no such entry")]
    NotFound,
    /// No checkpoint counts it yet.
    #[error("no signed checkpoint counts the entry yet: wait a moment")]
    NotSigned,
    /// The checkpoint is not the platform's.
    #[error("the checkpoint proves nothing")]
    Checkpoint(#[from] BadNote),
    /// Rows were changed or removed; `meydan audit verify` says which.
    #[error("the entries are not those that were signed: type meydan audit verify")]
    Damaged,
}

/// Proves the entry of a fact by the newest checkpoint.
///
/// # Errors
///
/// See [`ProveError`].
pub async fn prove(
    audit: &PgPool,
    verifier: &Verifier,
    (log, position): (&str, i64),
) -> Result<Proof, ProveError> {
    let entry = sqlx::query_as!(
        Entry,
        "SELECT * FROM entries WHERE log = $1 AND part = 0 AND position = $2",
        log,
        position,
    )
    .fetch_optional(audit)
    .await?
    .ok_or(ProveError::NotFound)?;
    let newest = sqlx::query!(
        "SELECT size, note FROM checkpoints WHERE tree_id = $1 AND size > $2 ORDER BY size DESC LIMIT 1",
        entry.tree_id,
        entry.leaf,
    )
    .fetch_optional(audit)
    .await?
    .ok_or(ProveError::NotSigned)?;
    let root = verifier.open(&newest.note)?.root;
    let stored = sqlx::query_scalar!(
        "SELECT leaf_sha256 FROM entries WHERE tree_id = $1 AND leaf < $2 ORDER BY leaf",
        entry.tree_id,
        newest.size,
    )
    .fetch_all(audit)
    .await?;
    let leaves: Option<Vec<_>> =
        stored.iter().map(|hash| Hash::try_from(hash.as_slice()).ok()).collect();
    let leaf = entry.leaf().ok_or(ProveError::Damaged)?;
    let at = usize::try_from(entry.leaf).map_err(|_| ProveError::Damaged)?;
    let leaves = leaves.ok_or(ProveError::Damaged)?;
    let mut tree = crate::merkle::Frontier::default();
    for hash in &leaves {
        tree.push(*hash);
    }
    if tree.root() != root || leaves.get(at) != Some(&leaf_hash(leaf.as_bytes())) {
        return Err(ProveError::Damaged);
    }
    let path = inclusion(&leaves, at).ok_or(ProveError::Damaged)?;
    Ok(Proof {
        leaf,
        leaf_index: entry.leaf,
        tree_size: newest.size,
        path: path.iter().map(|hash| hex(hash)).collect(),
        checkpoint: newest.note,
        public_key: verifier.public(),
    })
}
