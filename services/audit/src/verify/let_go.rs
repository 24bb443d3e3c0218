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

/// Those of a tree that went together, and when the last of them was signed.
type Gone = (BTreeSet<(u64, Hash)>, OffsetDateTime);

/// How the line begins that says when and why: after the end of any other, also of one that was cut short.
const TITLE: &str = "\n# let go of at ";

/// The checkpoints that were let go of, and those of them that were met.
#[derive(Default)]
pub(super) struct LetGo {
    /// When and why, each time.
    titles: Vec<String>,
    /// Each with the place of its title.
    known: BTreeMap<Said, usize>,
    /// Of each tree and title.
    met: BTreeMap<(Uuid, usize), Gone>,
}

impl LetGo {
    /// Reads the file, if there is one.
    pub(super) fn read(evidence: &Evidence<'_>) -> Result<Self, VerifyError> {
        let text = text(&evidence.file.with_file_name(FILE)).map_err(VerifyError::File)?;
        let mut read = Self::default();
        for (place, section) in format!("\n{text}").split(TITLE).enumerate() {
            read.titles.push(section.lines().next().unwrap_or_default().to_owned());
            let notes = copied(section).into_iter();
            let notes = notes.filter_map(|note| evidence.verifier.open(&note).ok());
            read.known.extend(notes.map(|note| (said(&note), place)));
        }
        Ok(read)
    }

    /// Whether it was let go of; then it is told in the end.
    pub(super) fn has(&mut self, note: &Checkpoint) -> bool {
        let Some(place) = self.known.get(&said(note)) else { return false };
        let (all, latest) =
            self.met.entry((note.tree, *place)).or_insert((BTreeSet::new(), note.at));
        all.insert((note.size, note.root));
        *latest = note.at.max(*latest);
        true
    }

    /// Tells those that were met: of each tree, each time together.
    pub(super) fn tell(self, report: &mut Report) {
        for ((tree, place), (all, latest)) in self.met {
            let (count, of, title) = (all.len(), named(tree), &self.titles[place]);
            let most = all.last().map_or(0, |(size, _)| *size);
            let at = latest.format(&Rfc3339).unwrap_or_default();
            let words = format!(
                "checkpoints of {of} that were let go of after a restore: {count}, of up to {most} entries, the last \
                 signed at {at}; what they signed is gone, or was recorded anew. Let go of at {title}"
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
        // The file first: what comes into it is in the table before.
        let all = notes::notes(&text(self.file).map_err(VerifyError::File)?);
        let mut rows = self.audit.acquire().await?;
        let (known, kept) = (LetGo::read(self)?.known, kept(self, &mut rows).await?);
        let mut orphans = BTreeMap::new();
        for note in all {
            let Ok(checkpoint) = self.verifier.open(&note) else { continue };
            let said = said(&checkpoint);
            if !kept.contains(&said) && !known.contains_key(&said) {
                orphans.insert(said, note);
            }
        }
        if !orphans.is_empty() {
            let at = at.format(&Rfc3339).unwrap_or_default();
            let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
            let notes = orphans.values().flat_map(|note| [note.as_str(), "\n"]).collect::<String>();
            let section = format!("{TITLE}{at}: {why}\n\n{notes}");
            append(&self.file.with_file_name(FILE), &section).map_err(VerifyError::File)?;
        }
        Ok(orphans.len())
    }

    /// How many checkpoints were let go of, by the file: of each tree, each time together.
    ///
    /// # Errors
    ///
    /// See [`VerifyError`].
    pub fn all_let_go(&self) -> Result<BTreeMap<(Uuid, OffsetDateTime), u64>, VerifyError> {
        let LetGo { titles, known, .. } = LetGo::read(self)?;
        let mut counts = BTreeMap::new();
        for ((tree, ..), place) in known {
            let title = &titles[place];
            let at =
                title.split_once(": ").and_then(|(at, _)| OffsetDateTime::parse(at, &Rfc3339).ok());
            let at = at.ok_or_else(|| VerifyError::NoTime(title.clone()))?;
            *counts.entry((tree, at)).or_default() += 1;
        }
        Ok(counts)
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
