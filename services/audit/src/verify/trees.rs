//! The rows of each tree: whether each is what it was, and whether together they are what was signed.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Evidence, Report, VerifyError, Wrong, named, notes::Signed};
use crate::{
    entry::{Entry, Place},
    merkle::{Frontier, Hash},
};

/// Most changed rows that are looked at together, to tell those that were exchanged.
const EXCHANGED: usize = 1_000;

/// Compares every tree that is known from anywhere.
pub(super) async fn compare(
    evidence: &Evidence<'_>,
    (table, signed): (&mut PgConnection, &Signed),
    report: &mut Report,
) -> Result<(), VerifyError> {
    let known = sqlx::query!("SELECT tree_id, size, frontier FROM trees").fetch_all(&mut *table);
    let known: BTreeMap<_, _> =
        known.await?.into_iter().map(|row| (row.tree_id, (row.size, row.frontier))).collect();
    let with_rows = sqlx::query_scalar!("SELECT DISTINCT tree_id FROM entries");
    let mut trees: BTreeSet<Uuid> = with_rows.fetch_all(&mut *table).await?.into_iter().collect();
    trees.extend(known.keys().chain(signed.keys()));
    let nothing = BTreeMap::new();
    for tree in trees.into_iter().filter(|tree| evidence.concerns(*tree)) {
        report.trees += 1;
        let mut walk = Walk::new(tree, signed.get(&tree).unwrap_or(&nothing));
        let mut rows =
            sqlx::query_as!(Entry, "SELECT * FROM entries WHERE tree_id = $1 ORDER BY leaf", tree)
                .fetch(&mut *table);
        while let Some(entry) = rows.try_next().await? {
            report.entries += 1;
            walk.step(entry, report);
        }
        walk.end(known.get(&tree), report);
    }
    Ok(())
}

/// A walk along the leaves of a tree.
struct Walk<'a> {
    tree: Uuid,
    signed: &'a BTreeMap<u64, Hash>,
    /// The next leaf.
    next: u64,
    grown: Frontier,
    /// Whether the leaves so far can make the tree that was signed.
    whole: bool,
    /// The largest size whose root was right.
    right: u64,
    /// The first size whose root was wrong.
    wrong: Option<u64>,
    changed: Vec<Entry>,
}

impl<'a> Walk<'a> {
    fn new(tree: Uuid, signed: &'a BTreeMap<u64, Hash>) -> Self {
        Self {
            tree,
            signed,
            next: 0,
            grown: Frontier::default(),
            whole: true,
            right: 0,
            wrong: None,
            changed: vec![],
        }
    }

    fn step(&mut self, entry: Entry, report: &mut Report) {
        let leaf = u64::try_from(entry.leaf).unwrap_or(0);
        if leaf > self.next {
            let gone = leaf - self.next;
            let words =
                format!("entry {} of {} is not there{}", self.next, named(self.tree), more(gone));
            report.find(Wrong::Removed, Some(self.tree), Some(self.next), words);
            self.whole = false;
        }
        self.next = leaf + 1;
        let stored = Hash::try_from(entry.leaf_sha256.as_slice()).ok();
        let is = entry.hash_at(entry.place());
        if is.is_none() || is != stored {
            self.note(entry, report);
        }
        // With the hash that a row arrived with, one changed row does not make all that follow look changed.
        match stored.or(is) {
            Some(hash) if self.whole => self.grow(hash),
            _ => self.whole = false,
        }
    }

    fn grow(&mut self, hash: Hash) {
        self.grown.push(hash);
        let size = self.grown.size();
        match self.signed.get(&size) {
            Some(root) if *root == self.grown.root() => self.right = size,
            Some(_) => {
                self.wrong = Some(size);
                self.whole = false;
            }
            None => {}
        }
    }

    fn note(&mut self, entry: Entry, report: &mut Report) {
        if self.changed.len() < EXCHANGED {
            self.changed.push(entry);
        } else {
            report.find(
                Wrong::Altered,
                Some(self.tree),
                None,
                "many more rows were changed".to_owned(),
            );
        }
    }

    /// Looks at what can be said when all rows have been seen.
    fn end(mut self, known: Option<&(i64, Vec<u8>)>, report: &mut Report) {
        let changed = std::mem::take(&mut self.changed);
        for entry in &changed {
            let leaf = u64::try_from(entry.leaf).ok();
            let (wrong, what) = match changed.iter().find(|other| exchanged(entry, other)) {
                Some(other) => (Wrong::Moved, format!("is the one that was entry {}", other.leaf)),
                None => (Wrong::Altered, "is not what it was when it arrived".to_owned()),
            };
            let words = format!(
                "entry {} of {} ({} of {} at {}) {what}",
                entry.leaf,
                named(self.tree),
                entry.action,
                entry.log,
                entry.position
            );
            report.find(wrong, Some(self.tree), leaf, words);
        }
        if let Some(size) = self.wrong {
            let words = format!(
                "entries {} to {} of {} are not those that were signed",
                self.right,
                size - 1,
                named(self.tree)
            );
            report.find(Wrong::NotAsSigned, Some(self.tree), Some(self.right), words);
        }
        let newest = self.signed.last_key_value().map_or(0, |(size, _)| *size);
        if newest > self.next {
            let words = format!(
                "entry {} of {} is not there{}: {newest} were signed",
                self.next,
                named(self.tree),
                more(newest - self.next)
            );
            report.find(Wrong::NewestMissing, Some(self.tree), Some(self.next), words);
        }
        report.unsigned += self.next.saturating_sub(newest);
        let grown = i64::try_from(self.grown.size()).ok().map(|size| (size, self.grown.bytes()));
        if self.whole && known != grown.as_ref() {
            let words =
                format!("the row of the tree of {} does not fit its entries", named(self.tree));
            report.find(Wrong::Tree, Some(self.tree), None, words);
        }
    }
}

fn more(gone: u64) -> String {
    if gone > 1 { format!(", nor are the {} after it", gone - 1) } else { String::new() }
}

/// Whether `entry` stands where `other` stood: alone, or with everything but its place and hash.
fn exchanged(entry: &Entry, other: &Entry) -> bool {
    let places = [
        Place { arrival: entry.arrival, leaf: other.leaf },
        Place { arrival: other.arrival, leaf: other.leaf },
    ];
    let were = places.map(|place| entry.hash_at(place).map(|hash| hash.to_vec()));
    entry.leaf != other.leaf
        && were
            .into_iter()
            .flatten()
            .any(|was| was == entry.leaf_sha256 || was == other.leaf_sha256)
}
