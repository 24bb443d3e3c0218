//! Keys at work: found, made, cached for a minute, destroyed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aes_gcm_siv::{Aes256GcmSiv, KeyInit};
use hmac::{Hmac, Mac};
use moka::future::Cache;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use sqlx::PgPool;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    cipher::{Place, Sealer, decrypt, encrypt},
    platform_key::PlatformKey,
    sealed::Sealed,
    store,
};

/// How long a key is remembered. A key that another process destroyed opens for so long, at most.
const REMEMBERED: Duration = Duration::from_secs(60);
const MOST_SUBJECTS: u64 = 100_000;
const MOST_CAMPAIGNS: u64 = 10_000;

type Key = Zeroizing<[u8; 32]>;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The subject was erased.
    #[error("the key was destroyed")]
    Destroyed,
    /// The database of keys cannot be used.
    #[error("the keys are unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// A stored key or value is not what was stored, or belongs elsewhere.
    #[error("a sealed value or a key was changed or moved")]
    Tampered,
}

impl From<sqlx::Error> for KeyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// Seals, opens and erases.
#[derive(Clone)]
pub struct Keyring {
    pool: PgPool,
    platform: Arc<Aes256GcmSiv>,
    campaigns: Cache<Uuid, Arc<Key>>,
    /// By tenant and subject.
    subjects: Cache<(Uuid, Uuid), Sealer>,
    /// By tenant and key id.
    openers: Cache<(Uuid, Uuid), Sealer>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring")
    }
}

/// The keys of a page.
#[derive(Debug, Default)]
pub struct Openers {
    keys: HashMap<Uuid, Sealer>,
}

impl Openers {
    /// Opens a value; `None` when its key was destroyed, or it belongs elsewhere (which is logged).
    pub fn open<T: DeserializeOwned>(&self, sealed: &Sealed<T>, place: &Place) -> Option<T> {
        let sealer = self.keys.get(&sealed.key_id())?;
        let opened = sealer.open(place, sealed);
        if opened.is_none() {
            tracing::error!(key = %sealed.key_id(), "a sealed value was changed or moved");
        }
        opened
    }
}

impl Keyring {
    /// Keeps keys in `pool`, wrapped in the end by `platform`.
    #[must_use]
    pub fn new(pool: PgPool, platform: &PlatformKey) -> Self {
        let cache = |most| Cache::builder().max_capacity(most).time_to_live(REMEMBERED);
        Self {
            pool,
            platform: Arc::new(Aes256GcmSiv::new((&*platform.0).into())),
            campaigns: cache(MOST_CAMPAIGNS).build(),
            subjects: Cache::builder().max_capacity(MOST_SUBJECTS).time_to_live(REMEMBERED).build(),
            openers: Cache::builder().max_capacity(MOST_SUBJECTS).time_to_live(REMEMBERED).build(),
        }
    }

    /// Whether the database of keys answers.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn check(&self) -> Result<(), KeyError> {
        Ok(store::ping(&self.pool).await?)
    }

    async fn campaign(&self, tenant: Uuid) -> Result<Arc<Key>, KeyError> {
        if let Some(key) = self.campaigns.get(&tenant).await {
            return Ok(key);
        }
        let aad = [b"meydan campaign 1\0".as_slice(), tenant.as_bytes()].concat();
        let wrapped = match store::campaign(&self.pool, tenant).await? {
            Some(wrapped) => wrapped,
            None => {
                let fresh = encrypt(&self.platform, fresh().as_ref(), &aad);
                store::keep_campaign(&self.pool, tenant, &fresh).await?
            }
        };
        let key = Arc::new(unwrap(&self.platform, &wrapped, &aad)?);
        self.campaigns.insert(tenant, key.clone()).await;
        Ok(key)
    }

    /// Seals for `subject` in a campaign, making its key the first time.
    ///
    /// # Errors
    ///
    /// See [`KeyError`]; [`KeyError::Destroyed`] for a subject that was erased.
    pub async fn sealer(&self, tenant: Uuid, subject: Uuid) -> Result<Sealer, KeyError> {
        if let Some(sealer) = self.subjects.get(&(tenant, subject)).await {
            return Ok(sealer);
        }
        let campaign = Aes256GcmSiv::new((&**self.campaign(tenant).await?).into());
        let row = match store::subject(&self.pool, tenant, subject).await? {
            Some(row) => row,
            None => {
                let key_id = Uuid::new_v4();
                let wrapped = encrypt(&campaign, fresh().as_ref(), &subject_aad(tenant, key_id));
                store::keep_subject(&self.pool, (tenant, subject), key_id, &wrapped).await?
            }
        };
        let sealer = Self::unwrap_subject(&campaign, tenant, &row)?.ok_or(KeyError::Destroyed)?;
        self.subjects.insert((tenant, subject), sealer.clone()).await;
        Ok(sealer)
    }

    fn unwrap_subject(
        campaign: &Aes256GcmSiv,
        tenant: Uuid,
        row: &store::SubjectKey,
    ) -> Result<Option<Sealer>, KeyError> {
        let Some(wrapped) = &row.wrapped else { return Ok(None) };
        let key = unwrap(campaign, wrapped, &subject_aad(tenant, row.key_id))?;
        Ok(Some(Sealer::new(row.key_id, &key)))
    }

    /// Opens one value; `None` when its key was destroyed.
    ///
    /// # Errors
    ///
    /// See [`KeyError`].
    pub async fn reveal<T: DeserializeOwned>(
        &self,
        sealed: &Sealed<T>,
        tenant: Uuid,
        place: &Place,
    ) -> Result<Option<T>, KeyError> {
        let openers = self.openers(tenant, std::iter::once(sealed.key_id())).await?;
        match openers.keys.get(&sealed.key_id()) {
            None => Ok(None),
            Some(sealer) => sealer.open(place, sealed).map(Some).ok_or(KeyError::Tampered),
        }
    }

    /// The keys of a page, found in one query. Those that were destroyed are left out.
    ///
    /// # Errors
    ///
    /// See [`KeyError`].
    pub async fn openers(
        &self,
        tenant: Uuid,
        key_ids: impl Iterator<Item = Uuid>,
    ) -> Result<Openers, KeyError> {
        let mut openers = Openers::default();
        let mut missing = Vec::new();
        for key_id in key_ids {
            match self.openers.get(&(tenant, key_id)).await {
                Some(sealer) => {
                    openers.keys.insert(key_id, sealer);
                }
                None => missing.push(key_id),
            }
        }
        if missing.is_empty() {
            return Ok(openers);
        }
        let campaign = Aes256GcmSiv::new((&**self.campaign(tenant).await?).into());
        for row in store::by_key_ids(&self.pool, tenant, &missing).await? {
            if let Some(sealer) = Self::unwrap_subject(&campaign, tenant, &row)? {
                self.openers.insert((tenant, row.key_id), sealer.clone()).await;
                openers.keys.insert(row.key_id, sealer);
            }
        }
        Ok(openers)
    }

    /// Destroys a subject's key. Whatever was sealed under it, anywhere, cannot be read again; other
    /// processes forget the key within a minute. Returns the key's id, if there was one.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn destroy(&self, tenant: Uuid, subject: Uuid) -> Result<Option<Uuid>, KeyError> {
        let key_id = store::destroy(&self.pool, tenant, subject).await?;
        self.subjects.invalidate(&(tenant, subject)).await;
        if let Some(key_id) = key_id {
            self.openers.invalidate(&(tenant, key_id)).await;
        }
        Ok(key_id)
    }

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
        let campaign = self.campaign(tenant).await?;
        let purpose_key = mac(&**campaign, &[b"meydan blind index 1\0", purpose.as_bytes()]);
        let hash = mac(&purpose_key, &[value]);
        Ok(*hash.first_chunk().expect("SHA-256 gives 32 bytes"))
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn fresh() -> Key {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut()).expect("the operating system has randomness");
    key
}

fn unwrap(cipher: &Aes256GcmSiv, wrapped: &[u8], aad: &[u8]) -> Result<Key, KeyError> {
    let plain = decrypt(cipher, wrapped, aad).ok_or(KeyError::Tampered)?;
    let key = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| KeyError::Tampered)?;
    Ok(Zeroizing::new(key))
}

fn subject_aad(tenant: Uuid, key_id: Uuid) -> Vec<u8> {
    [b"meydan subject 1\0".as_slice(), tenant.as_bytes(), key_id.as_bytes()].concat()
}
