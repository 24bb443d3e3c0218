//! The signed checkpoints: of the file that only grows, of the table, and those that others kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
};

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Evidence, Report, VerifyError, Wrong, let_go::LetGo, named};
use crate::{
    merkle::Hash,
    note::{Checkpoint, copied},
};

/// What was signed: for each tree, at which sizes it had which roots.
pub(super) type Signed = BTreeMap<Uuid, BTreeMap<u64, Hash>>;

/// Reads and compares them. A checkpoint is a row before it is in the file, and is said to be filed after that. So
/// the table has what was in the file before it was read, and the file has, when it is read again, what the table
/// says is filed.
pub(super) async fn read(
    evidence: &Evidence<'_>,
    (table, let_go): (&mut PgConnection, &mut LetGo),
    report: &mut Report,
) -> Result<Signed, VerifyError> {
    let mut signed = Signed::new();
    let owed = of_file(evidence, let_go, &mut signed, report)?.owed;
    let rows =
        sqlx::query!("SELECT tree_id, size, note, filed FROM checkpoints ORDER BY tree_id, size")
            .fetch_all(table)
            .await?;
    let filed = of_file(evidence, let_go, &mut Signed::new(), &mut Report::default())?.all;
    let mut kept = BTreeSet::new();
    for row in rows.into_iter().filter(|row| evidence.concerns(row.tree_id)) {
        let place = format!(
            "the checkpoint of {} entries of {} in the table",
            row.size,
            named(row.tree_id)
        );
        let tree = Some(row.tree_id);
        match evidence.verifier.open(&row.note) {
            Err(bad) => report.find(Wrong::Checkpoint, tree, None, format!("{place}: {bad}")),
            Ok(note) if note.tree != row.tree_id || i64::try_from(note.size) != Ok(row.size) => {
                report.find(Wrong::Checkpoint, tree, None, format!("{place} is of something else"));
            }
            Ok(note) => {
                if row.filed && !filed.contains(&(note.tree, note.size, note.root)) {
                    let words =
                        format!("{place} is not in the file, which had it: its size went back");
                    report.find(Wrong::File, tree, Some(note.size), words);
                }
                kept.insert((note.tree, note.size));
                keep(&mut signed, &note, report);
            }
        }
    }
    for (tree, size) in owed.difference(&kept) {
        let words = format!(
            "the checkpoint of {size} entries of {} is in the file and not in the table",
            named(*tree)
        );
        report.find(Wrong::Checkpoint, Some(*tree), Some(*size), words);
    }
    of_copies(evidence, (&kept, let_go), &mut signed, report)?;
    Ok(signed)
}

/// The checkpoints that others kept: each is in the table, or was.
fn of_copies(
    evidence: &Evidence<'_>,
    (kept, let_go): (&BTreeSet<(Uuid, u64)>, &mut LetGo),
    signed: &mut Signed,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let Some(copies) = evidence.copies else { return Ok(()) };
    let text = std::fs::read_to_string(copies).map_err(VerifyError::Copies)?;
    let notes = copied(&text);
    if notes.is_empty() {
        return Err(VerifyError::NoCopies);
    }
    for (number, note) in notes.into_iter().enumerate() {
        let place = format!("copied checkpoint {}", number + 1);
        match evidence.verifier.open(&note) {
            Err(bad) => report.find(Wrong::Checkpoint, None, None, format!("{place}: {bad}")),
            Ok(note) if evidence.concerns(note.tree) && !let_go.has(&note) => {
                if !kept.contains(&(note.tree, note.size)) {
                    let of = named(note.tree);
                    let words =
                        format!("{place}, of {} entries of {of}, is not in the table", note.size);
                    report.find(Wrong::Checkpoint, Some(note.tree), Some(note.size), words);
                }
                keep(signed, &note, report);
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// The checkpoints that the file has.
#[derive(Default)]
struct Filed {
    /// With their roots: one that was let go of is another than the one that was signed anew of the same size.
    all: BTreeSet<(Uuid, u64, Hash)>,
    /// Those of them that the table has to have: nobody has let go of them.
    owed: BTreeSet<(Uuid, u64)>,
}

/// The checkpoints of the file, which are believed one by one.
fn of_file(
    evidence: &Evidence<'_>,
    let_go: &mut LetGo,
    signed: &mut Signed,
    report: &mut Report,
) -> Result<Filed, VerifyError> {
    let text = match std::fs::read_to_string(evidence.file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        other => other.map_err(VerifyError::File)?,
    };
    let mut filed = Filed::default();
    let mut newest: BTreeMap<Uuid, u64> = BTreeMap::new();
    for (number, note) in notes(&text).into_iter().enumerate() {
        let place = format!("checkpoint {} of the file", number + 1);
        match evidence.verifier.open(&note) {
            Err(bad) => report.find(Wrong::Checkpoint, None, None, format!("{place}: {bad}")),
            Ok(note) if evidence.concerns(note.tree) => {
                filed.all.insert((note.tree, note.size, note.root));
                if let_go.has(&note) {
                    continue;
                }
                filed.owed.insert((note.tree, note.size));
                let before = newest.insert(note.tree, note.size).unwrap_or(0);
                if note.size < before {
                    let words = format!(
                        "{place} counts {} entries of {} after one that counted {before}",
                        note.size,
                        named(note.tree)
                    );
                    report.find(Wrong::File, Some(note.tree), Some(note.size), words);
                }
                keep(signed, &note, report);
            }
            Ok(_) => {}
        }
    }
    Ok(filed)
}

/// The notes of a file: each has one empty line within, and one after.
pub(super) fn notes(text: &str) -> Vec<String> {
    let pieces: Vec<_> = text.split("\n\n").filter(|piece| !piece.trim().is_empty()).collect();
    let note = |pair: &[&str]| format!("{}\n", pair.join("\n\n"));
    pieces.chunks(2).map(note).collect()
}

fn keep(signed: &mut Signed, note: &Checkpoint, report: &mut Report) {
    report.checkpoints += 1;
    let known = signed.entry(note.tree).or_default().insert(note.size, note.root);
    if known.is_some_and(|root| root != note.root) {
        let words = format!(
            "two checkpoints of {} entries of {} name different roots",
            note.size,
            named(note.tree)
        );
        report.find(Wrong::Checkpoint, Some(note.tree), Some(note.size), words);
    }
}
