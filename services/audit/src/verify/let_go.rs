//! Checkpoints that an operator has let go of, because the databases were restored: what they signed is gone, or was
//! recorded anew. They stay in the file of checkpoints, and are told for ever, apart from everything else.
//!
//! The notes themselves are copied into a file beside it, under a line that says when and why. They are signed, so
//! nobody can let go of a checkpoint that never was; and a copy that somebody kept is found among them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, ErrorKind},
    path::Path,
};

use sqlx::PgConnection;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::{Evidence, Report, VerifyError, Wrong, named, notes};
use crate::{
    merkle::Hash,
    note::{Checkpoint, copied},
    sign::append,
};

/// Name of the file, beside that of the checkpoints.
const FILE: &str = "let-go";

/// What a checkpoint says.
type Said = (Uuid, u64, Hash);

/// The checkpoints that were let go of, and those of them that were met.
#[derive(Default)]
pub(super) struct LetGo {
    known: BTreeSet<Said>,
    /// Of each tree, with the time at which the last was signed.
    met: BTreeMap<Uuid, (BTreeSet<(u64, Hash)>, OffsetDateTime)>,
}

impl LetGo {
    /// Reads the file, if there is one.
    pub(super) fn read(evidence: &Evidence<'_>) -> Result<Self, VerifyError> {
        let text = text(&evidence.file.with_file_name(FILE)).map_err(VerifyError::File)?;
        let notes = copied(&text).into_iter().filter_map(|note| evidence.verifier.open(&note).ok());
        Ok(Self { known: notes.map(|note| said(&note)).collect(), met: BTreeMap::new() })
    }

    /// Whether it was let go of; then it is told in the end.
    pub(super) fn has(&mut self, note: &Checkpoint) -> bool {
        let known = self.known.contains(&said(note));
        if known {
            let (all, latest) = self.met.entry(note.tree).or_insert((BTreeSet::new(), note.at));
            all.insert((note.size, note.root));
            *latest = note.at.max(*latest);
        }
        known
    }

    /// Tells those that were met, of each tree together.
    pub(super) fn tell(self, report: &mut Report) {
        for (tree, (all, latest)) in self.met {
            let (count, of) = (all.len(), named(tree));
            let most = all.last().map_or(0, |(size, _)| *size);
            let at = latest.format(&Rfc3339).unwrap_or_default();
            let words = format!(
                "checkpoints of {of} that were let go of after a restore: {count}, of up to {most} entries, the last \
                 signed at {at}; what they signed is gone, or was recorded anew"
            );
            report.find(Wrong::LetGo, Some(tree), None, words);
        }
    }
}

impl Evidence<'_> {
    /// Lets go of every checkpoint of the file that is not in the table, because the table is from before it. Says how
    /// many those are.
    ///
    /// # Errors
    ///
    /// See [`VerifyError`].
    pub async fn let_go(&self, why: &str, at: OffsetDateTime) -> Result<usize, VerifyError> {
        let mut rows = self.audit.acquire().await?;
        let (known, kept) = (LetGo::read(self)?.known, kept(self, &mut rows).await?);
        let all = notes::notes(&text(self.file).map_err(VerifyError::File)?);
        let orphans = all.into_iter().filter(|note| {
            let said = self.verifier.open(note).map(|note| said(&note));
            said.is_ok_and(|said| !kept.contains(&said) && !known.contains(&said))
        });
        let orphans = orphans.collect::<BTreeSet<_>>();
        if !orphans.is_empty() {
            let at = at.format(&Rfc3339).unwrap_or_default();
            let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
            let notes = orphans.iter().flat_map(|note| [note.as_str(), "\n"]).collect::<String>();
            append(
                &self.file.with_file_name(FILE),
                &format!("# let go of at {at}: {why}\n\n{notes}"),
            )
            .map_err(VerifyError::File)?;
        }
        Ok(orphans.len())
    }
}

/// The checkpoints of the table.
async fn kept(
    evidence: &Evidence<'_>,
    table: &mut PgConnection,
) -> Result<BTreeSet<Said>, VerifyError> {
    let notes = sqlx::query_scalar!("SELECT note FROM checkpoints").fetch_all(table).await?;
    let notes = notes.iter().filter_map(|note| evidence.verifier.open(note).ok());
    Ok(notes.map(|note| said(&note)).collect())
}

fn said(note: &Checkpoint) -> Said {
    (note.tree, note.size, note.root)
}

fn text(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}
