//! Whether the entries are what was signed, and what the logs say.
//!
//! Three witnesses are compared: the rows with the hashes that they arrived with, the trees that they make with the
//! signed checkpoints of the file and of the table, and the entries with the facts of the contexts' own logs. Whoever
//! changes one has to change all, and has neither the key nor the file.

mod let_go;
mod logs;
mod notes;
mod trees;

use std::path::Path;

use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use self::let_go::LetGo;
use crate::note::Verifier;

const ONE_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
/// Most findings that are told.
const MOST: usize = 100;

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A database cannot be read.
    #[error("a database cannot be read")]
    Database(#[from] sqlx::Error),
    /// The file of checkpoints cannot be read.
    #[error("the file of checkpoints cannot be read")]
    File(#[source] std::io::Error),
    /// The copied notes cannot be read.
    #[error("the copied notes cannot be read")]
    Copies(#[source] std::io::Error),
    /// What was let go of stands under a line that does not say when.
    #[error("the file `let-go` does not say when in the line: {0}")]
    NoTime(String),
    /// There are no notes among what was copied.
    #[error("there is no checkpoint among the copied notes")]
    NoCopies,
}

/// What is wrong with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// An entry is not what it was when it arrived.
    Altered,
    /// An entry is not there.
    Removed,
    /// An entry stands in the place of another one.
    Moved,
    /// The newest entries are not there, though a signed checkpoint counts them.
    NewestMissing,
    /// The entries do not make the tree that was signed.
    NotAsSigned,
    /// What is said of a tree besides its entries is not so.
    Tree,
    /// A checkpoint is not the platform's.
    Checkpoint,
    /// The file lacks what was written into it, or holds it in another order.
    File,
    /// A fact of a log has no entry.
    EventWithoutEntry,
    /// An entry has no fact in its log.
    EntryWithoutEvent,
    /// An entry and its fact say different things.
    DiffersFromEvent,
    /// What checkpoints signed is gone since a restore, and an operator has let go of them. No new damage.
    LetGo,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub wrong: Wrong,
    /// The tree in which; `None` when it cannot be said.
    pub tree: Option<Uuid>,
    /// The first entry that is concerned, from 0.
    pub leaf: Option<u64>,
    /// In words.
    pub words: String,
}

/// What was compared, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many trees.
    pub trees: u64,
    /// How many entries.
    pub entries: u64,
    /// How many signed checkpoints, those of the file, of the table, and copied ones.
    pub checkpoints: u64,
    /// How many facts.
    pub events: u64,
    /// Facts that have not arrived yet.
    pub behind: u64,
    /// Entries that no checkpoint counts yet.
    pub unsigned: u64,
    /// What is wrong, in the order of the trees and of their entries; the first ones of many.
    pub findings: Vec<Finding>,
}

impl Report {
    fn find(&mut self, wrong: Wrong, tree: Option<Uuid>, leaf: Option<u64>, words: String) {
        if self.findings.len() < MOST {
            self.findings.push(Finding { wrong, tree, leaf, words });
        }
    }
}

/// Where everything is.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The audit's database.
    pub audit: &'a PgPool,
    /// The database of a log, by its name.
    pub logs: &'a [(&'static str, PgPool)],
    /// The file of checkpoints.
    pub file: &'a Path,
    /// Notes that somebody copied from where they were posted, if there are any.
    pub copies: Option<&'a Path>,
    /// Checks signatures.
    pub verifier: &'a Verifier,
    /// One tree alone; all without one.
    pub tree: Option<Uuid>,
}

impl Evidence<'_> {
    /// Compares everything with everything.
    ///
    /// # Errors
    ///
    /// See [`VerifyError`].
    pub async fn verify(&self) -> Result<Report, VerifyError> {
        let mut report = Report::default();
        // Whatever is written meanwhile is not seen: the rows are those of one moment.
        let mut rows = self.audit.begin_with(ONE_MOMENT).await?;
        let mut let_go = LetGo::read(self)?;
        let notes = notes::read(self, (&mut rows, &mut let_go), &mut report).await?;
        trees::compare(self, (&mut rows, &notes), &mut report).await?;
        for (log, pool) in self.logs {
            logs::compare(self, (log, pool), &mut rows, &mut report).await?;
        }
        // Last: they never take the place of something else among the findings.
        let_go.tell(&mut report);
        Ok(report)
    }

    fn concerns(&self, tree: Uuid) -> bool {
        self.tree.is_none_or(|one| one == tree)
    }
}

/// A tree as people name it.
fn named(tree: Uuid) -> String {
    if tree.is_nil() { "the platform".to_owned() } else { format!("campaign {tree}") }
}
