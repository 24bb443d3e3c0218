//! What a worker was told about its commands, in a file that outlives it.
//!
//! One line a command, written before the client goes on. It is not flushed: it has to survive the death of
//! the worker, not that of the machine.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use anyhow::{Context, Result};
use meydan_event_log::Committed;
use uuid::Uuid;

/// What a client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Carried out.
    Done {
        /// The last position.
        position: i64,
        /// The last event's number in its aggregate.
        sequence: i64,
    },
    /// Refused, for good.
    Refused,
}

/// A line of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) command: Uuid,
    /// The sum of all numbers of the command.
    pub(crate) sum: i64,
    pub(crate) told: Told,
}

/// A journal that is being written.
#[derive(Debug)]
pub(crate) struct Journal(File);

impl Journal {
    /// Opens a new one.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(File::create(path)?))
    }

    /// Notes what became of a command.
    pub(crate) fn note(&self, command: Uuid, sum: i64, said: Option<Committed>) -> io::Result<()> {
        let line = match said {
            Some(Committed { position, sequence, .. }) => {
                format!("{command} {sum} {position} {sequence}\n")
            }
            None => format!("{command} {sum} refused\n"),
        };
        // One call for the whole line: a kill leaves it out or in.
        (&self.0).write_all(line.as_bytes())
    }
}

/// Reads what was written.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>> {
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    text.lines().map(|line| parse(line).with_context(|| line.to_owned())).collect()
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    let (command, sum) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let told = match words.next()? {
        "refused" => Told::Refused,
        position => {
            Told::Done { position: position.parse().ok()?, sequence: words.next()?.parse().ok()? }
        }
    };
    Some(Line { command, sum, told })
}
