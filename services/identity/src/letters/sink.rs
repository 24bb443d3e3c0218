//! Where letters end on a machine without a mail server: a file that its operator alone may read.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A file to which letters are added.
#[derive(Debug, Clone)]
pub struct Sink(PathBuf);

impl Sink {
    /// Adds to the file at `path`, made at the first letter.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Adds a letter.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub(super) async fn add(&self, letter: String) -> io::Result<()> {
        let path = self.0.clone();
        let write = move || {
            let mut options = OpenOptions::new();
            let mut file = options.append(true).create(true).mode(0o600).open(path)?;
            file.write_all(letter.as_bytes())
        };
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
    }
}
