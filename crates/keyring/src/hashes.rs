//! Keyed hashes of a campaign: for equality, and for the words of a text.
//!
//! What they show to whoever has the database without the keys is in
//! `docs/decisions/2026-11-21-blind-indexes-and-what-they-show.md`.

use uuid::Uuid;

use crate::{
    cipher::mac,
    keyring::{KeyError, Keyring},
    words,
};

impl Keyring {
    /// A keyed hash of `value`, for equality within a campaign and a purpose. Two campaigns cannot compare.
    ///
    /// # Errors
    ///
    /// See [`KeyError`].
    pub async fn blind_index(
        &self,
        tenant: Uuid,
        purpose: &str,
        value: &[u8],
    ) -> Result<[u8; 16], KeyError> {
        let secret = self.hash_secret(tenant).await?;
        let purpose_key = mac(secret.as_slice(), &[b"meydan blind index 1\0", purpose.as_bytes()]);
        let hash = mac(&purpose_key, &[value]);
        Ok(*hash.first_chunk().expect("SHA-256 gives 32 bytes"))
    }

    /// Keyed hashes of the words of `text` and of their beginnings, for a column of type `bigint[]` under a GIN
    /// index: ascending, each once.
    ///
    /// # Errors
    ///
    /// See [`KeyError`].
    pub async fn blind_words(
        &self,
        tenant: Uuid,
        purpose: &str,
        text: &str,
    ) -> Result<Vec<i64>, KeyError> {
        self.hash_words(tenant, purpose, words::stored(text)).await
    }

    /// Keyed hashes of what a person types into a search: a text holds all of its words, the last perhaps only
    /// begun, when its hashes contain these (`words @> $1`). Empty when there is nothing to look for.
    ///
    /// # Errors
    ///
    /// See [`KeyError`].
    pub async fn blind_query(
        &self,
        tenant: Uuid,
        purpose: &str,
        typed: &str,
    ) -> Result<Vec<i64>, KeyError> {
        self.hash_words(tenant, purpose, words::wanted(typed)).await
    }

    async fn hash_words(
        &self,
        tenant: Uuid,
        purpose: &str,
        terms: impl IntoIterator<Item = String>,
    ) -> Result<Vec<i64>, KeyError> {
        let secret = self.hash_secret(tenant).await?;
        let purpose_key = mac(secret.as_slice(), &[b"meydan blind words 1\0", purpose.as_bytes()]);
        let mut hashes: Vec<_> = terms
            .into_iter()
            .map(|term| {
                let hash = mac(&purpose_key, &[term.as_bytes()]);
                i64::from_be_bytes(*hash.first_chunk().expect("SHA-256 gives 32 bytes"))
            })
            .collect();
        hashes.sort_unstable();
        hashes.dedup();
        Ok(hashes)
    }
}
