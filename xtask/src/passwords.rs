//! Makes the list of common passwords that identity ships, from a list of words by how common they are.
//!
//! What is kept: of each word that is long enough to be chosen, in small letters, the first 40 bits of its
//! SHA-256, sorted. See `services/identity/data/README.md`.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// Shorter ones are refused for their length.
const SHORTEST: usize = 12;
/// Bytes kept of each hash.
const WIDTH: usize = 5;
/// Where the list lies.
const TARGET: &str = "services/identity/data/common-passwords.bin";

/// Reads a list with one word a line, and writes the hashes of those that count.
pub(crate) fn run(list: &str) -> Result<()> {
    let bytes = fs::read(list).with_context(|| list.to_owned())?;
    let text = String::from_utf8_lossy(&bytes);
    let words = text.lines().map(|line| line.trim_end_matches('\r'));
    let long = words.filter(|word| word.chars().count() >= SHORTEST);
    let hashes: BTreeSet<[u8; WIDTH]> = long
        .filter_map(|word| {
            let hash = Sha256::digest(word.to_lowercase().as_bytes());
            hash.first_chunk::<WIDTH>().copied()
        })
        .collect();
    ensure!(!hashes.is_empty(), "{list} has no word of {SHORTEST} letters");
    fs::write(Path::new(TARGET), hashes.iter().flatten().copied().collect::<Vec<_>>())?;
    println!("{TARGET}: {} passwords", hashes.len());
    Ok(())
}
