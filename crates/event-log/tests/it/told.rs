//! What the log tells whoever operates it.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::subscriber::DefaultGuard;

/// Keeps what is told while it listens, on this thread.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<u8>>>);

impl io::Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics here").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Told {
    /// Listens until the guard is dropped.
    pub(crate) fn listen() -> (Self, DefaultGuard) {
        let told = Self::default();
        let writer = told.clone();
        let listening =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        let listening = tracing::subscriber::set_default(listening.finish());
        (told, listening)
    }

    pub(crate) fn has(&self, words: &str) -> bool {
        self.lines(words) > 0
    }

    /// How many lines hold these words.
    pub(crate) fn lines(&self, words: &str) -> usize {
        let told = self.0.lock().expect("no test panics here");
        String::from_utf8_lossy(&told).lines().filter(|line| line.contains(words)).count()
    }

    /// Waits until so many lines hold these words.
    pub(crate) async fn until(&self, lines: usize, words: &str) {
        let told = async {
            while self.lines(words) < lines {
                tokio::task::yield_now().await;
            }
        };
        let told = tokio::time::timeout(crate::counter::PATIENCE, told).await;
        told.unwrap_or_else(|_| panic!("it is not told: {words}"));
    }
}
