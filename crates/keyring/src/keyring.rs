//! Keys at work: found, made, cached for a minute, destroyed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aes_gcm_siv::{Aes256GcmSiv, KeyInit};
use moka::future::Cache;
use serde::de::DeserializeOwned;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    cipher::{Place, Sealer, decrypt_key, encrypt, fresh, mac},
    platform_key::{Key, PlatformKey, WrapError},
    sealed::Sealed,
    store::{self, CampaignRow, SubjectRow, Wrapped},
};

/// How long a key is remembered. A key that another process destroyed opens for so long, at most, when its
/// word of it is lost.
const REMEMBERED: Duration = Duration::from_secs(60);
const MOST_SUBJECTS: u64 = 100_000;
const MOST_CAMPAIGNS: u64 = 10_000;
/// How often a key is wrapped again when the campaign's is rotated at the same moment.
const ATTEMPTS: u32 = 3;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The subject was erased, or all of the campaign.
    #[error("the key was destroyed")]
    Destroyed,
    /// The database of keys, or the platform's key, cannot be used.
    #[error("the keys are unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored key or value is not what was stored, or belongs elsewhere.
    #[error("a sealed value or a key was changed or moved")]
    Tampered,
}

impl From<sqlx::Error> for KeyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<WrapError> for KeyError {
    fn from(error: WrapError) -> Self {
        match error {
            WrapError::Tampered => Self::Tampered,
            WrapError::Unavailable(_) => Self::Unavailable(error.into()),
        }
    }
}

/// A version of a campaign's key, unwrapped.
pub(crate) struct Campaign {
    pub(crate) version: i32,
    pub(crate) key: Key,
}

impl Campaign {
    fn cipher(&self) -> Aes256GcmSiv {
        Aes256GcmSiv::new((&*self.key).into())
    }

    pub(crate) fn wrap(&self, key: &Key, place: &[u8]) -> Wrapped {
        let wrapped = encrypt(&self.cipher(), key.as_ref(), place);
        Wrapped { campaign_version: self.version, wrapped }
    }

    pub(crate) fn unwrap(&self, wrapped: &[u8], place: &[u8]) -> Result<Key, KeyError> {
        decrypt_key(&self.cipher(), wrapped, place).ok_or(KeyError::Tampered)
    }
}

/// Seals, opens and erases.
#[derive(Clone)]
pub struct Keyring {
    pub(crate) pool: PgPool,
    pub(crate) platform: Arc<dyn PlatformKey>,
    /// Where other processes hear of keys that were destroyed.
    pub(crate) nats: Option<async_nats::Client>,
    /// Newest version by tenant.
    newest: Cache<Uuid, Arc<Campaign>>,
    /// By tenant and version.
    campaigns: Cache<(Uuid, i32), Arc<Campaign>>,
    /// Secrets of keyed hashes by tenant.
    hashes: Cache<Uuid, Arc<Key>>,
    /// By tenant and subject.
    subjects: Cache<(Uuid, Uuid), Sealer>,
    /// By tenant and key id.
    openers: Cache<(Uuid, Uuid), Sealer>,
    /// Key ids that were destroyed not long ago: what was read before that is not remembered after it.
    destroyed: Cache<Uuid, ()>,
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
    pub fn new(pool: PgPool, platform: Arc<dyn PlatformKey>) -> Self {
        Self {
            pool,
            platform,
            nats: None,
            newest: cache(MOST_CAMPAIGNS, REMEMBERED),
            campaigns: cache(MOST_CAMPAIGNS, REMEMBERED),
            hashes: cache(MOST_CAMPAIGNS, REMEMBERED),
            subjects: cache(MOST_SUBJECTS, REMEMBERED),
            openers: cache(MOST_SUBJECTS, REMEMBERED),
            destroyed: cache(MOST_SUBJECTS, 2 * REMEMBERED),
        }
    }

    /// Tells other processes through `nats` when a key is destroyed.
    #[must_use]
    pub fn announcing(self, nats: async_nats::Client) -> Self {
        Self { nats: Some(nats), ..self }
    }

    /// Whether the database of keys answers.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn check(&self) -> Result<(), KeyError> {
        Ok(store::ping(&self.pool).await?)
    }

    /// Whether the platform's key opens what is kept of a tenant: it is no copy from before a rotation, nor another one.
    ///
    /// # Errors
    ///
    /// [`KeyError::Tampered`] when it does not, [`KeyError::Unavailable`] when that cannot be said.
    pub async fn fits(&self, tenant: Uuid) -> Result<(), KeyError> {
        if let Some(row) = store::newest_campaign(&self.pool, tenant).await? {
            self.open_campaign(tenant, &row).await?;
        }
        Ok(())
    }

    /// The newest version of a campaign's key, made the first time.
    pub(crate) async fn newest(&self, tenant: Uuid) -> Result<Arc<Campaign>, KeyError> {
        if let Some(campaign) = self.newest.get(&tenant).await {
            return Ok(campaign);
        }
        let row = match store::newest_campaign(&self.pool, tenant).await? {
            Some(row) => row,
            None => {
                let wrapped = self.platform.wrap(&fresh(), &campaign_place(tenant)).await?;
                let kept = store::keep_campaign(&self.pool, tenant, 1, &wrapped).await?;
                kept.ok_or(KeyError::Destroyed)?
            }
        };
        let campaign = self.open_campaign(tenant, &row).await?;
        self.newest.insert(tenant, campaign.clone()).await;
        Ok(campaign)
    }

    /// The version of a campaign's key that something was wrapped by.
    pub(crate) async fn version(
        &self,
        tenant: Uuid,
        version: i32,
    ) -> Result<Arc<Campaign>, KeyError> {
        if let Some(campaign) = self.campaigns.get(&(tenant, version)).await {
            return Ok(campaign);
        }
        let row = store::campaign(&self.pool, tenant, version).await?;
        // Something wrapped by it was read, and wrapped anew before the version was looked for.
        let row = row.ok_or_else(|| KeyError::Unavailable("it was rotated this moment".into()))?;
        self.open_campaign(tenant, &row).await
    }

    async fn open_campaign(
        &self,
        tenant: Uuid,
        row: &CampaignRow,
    ) -> Result<Arc<Campaign>, KeyError> {
        let key = self.platform.unwrap(&row.wrapped, &campaign_place(tenant)).await?;
        let campaign = Arc::new(Campaign { version: row.version, key });
        self.campaigns.insert((tenant, row.version), campaign.clone()).await;
        Ok(campaign)
    }

    /// Forgets which version is the newest.
    pub(crate) async fn forget_campaign(&self, tenant: Uuid) {
        self.newest.invalidate(&tenant).await;
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
        let row = match store::subject(&self.pool, tenant, subject).await? {
            Some(row) => row,
            None => self.make_subject(tenant, subject).await?,
        };
        let sealer = self.open_subject(tenant, row).await?.ok_or(KeyError::Destroyed)?;
        self.subjects.insert((tenant, subject), sealer.clone()).await;
        if self.destroyed.contains_key(&sealer.key_id()) {
            self.subjects.invalidate(&(tenant, subject)).await;
            return Err(KeyError::Destroyed);
        }
        Ok(sealer)
    }

    async fn make_subject(&self, tenant: Uuid, subject: Uuid) -> Result<SubjectRow, KeyError> {
        let (key_id, key) = (Uuid::new_v4(), fresh());
        let mut attempt = 1;
        loop {
            let wrapped = self.newest(tenant).await?.wrap(&key, &subject_place(tenant, key_id));
            let whose = (tenant, subject);
            let name = fingerprint(&key);
            match store::keep_subject(&self.pool, whose, (key_id, &wrapped), &name).await {
                Err(error) if store::is_outdated(&error) && attempt < ATTEMPTS => {
                    self.forget_campaign(tenant).await;
                    attempt += 1;
                }
                kept => return kept?.ok_or(KeyError::Destroyed),
            }
        }
    }

    async fn open_subject(
        &self,
        tenant: Uuid,
        row: SubjectRow,
    ) -> Result<Option<Sealer>, KeyError> {
        let key_id = row.key_id;
        let Some(wrapped) = row.wrapped() else { return Ok(None) };
        let campaign = self.version(tenant, wrapped.campaign_version).await?;
        let key = campaign.unwrap(&wrapped.wrapped, &subject_place(tenant, key_id))?;
        Ok(Some(Sealer::new(key_id, &key)))
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
        for row in store::by_key_ids(&self.pool, tenant, &missing).await? {
            if let Some(sealer) = self.open_subject(tenant, row).await? {
                let key_id = sealer.key_id();
                self.openers.insert((tenant, key_id), sealer.clone()).await;
                if self.destroyed.contains_key(&key_id) {
                    self.openers.invalidate(&(tenant, key_id)).await;
                } else {
                    openers.keys.insert(key_id, sealer);
                }
            }
        }
        Ok(openers)
    }

    /// Destroys one key whose ids nobody else holds, such as that of a day. A person is erased with
    /// [`Keyring::erase`]. Returns the key's id, if there was one.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn destroy(&self, tenant: Uuid, subject: Uuid) -> Result<Option<Uuid>, KeyError> {
        let key_id = store::destroy(&self.pool, tenant, subject).await?;
        if let Some(key_id) = key_id {
            self.forget_subject((tenant, subject), key_id).await;
        }
        Ok(key_id)
    }

    /// Drops a key from the caches, and keeps it out of them.
    pub(crate) async fn forget_subject(&self, (tenant, subject): (Uuid, Uuid), key_id: Uuid) {
        self.destroyed.insert(key_id, ()).await;
        self.subjects.invalidate(&(tenant, subject)).await;
        self.openers.invalidate(&(tenant, key_id)).await;
    }

    /// The secret of a campaign's keyed hashes, made the first time.
    pub(crate) async fn hash_secret(&self, tenant: Uuid) -> Result<Arc<Key>, KeyError> {
        if let Some(secret) = self.hashes.get(&tenant).await {
            return Ok(secret);
        }
        let row = match store::hash_secret(&self.pool, tenant).await? {
            Some(row) => row,
            None => self.make_hash_secret(tenant).await?,
        };
        let campaign = self.version(tenant, row.campaign_version).await?;
        let secret = Arc::new(campaign.unwrap(&row.wrapped, &hash_place(tenant))?);
        self.hashes.insert(tenant, secret.clone()).await;
        Ok(secret)
    }

    async fn make_hash_secret(&self, tenant: Uuid) -> Result<Wrapped, KeyError> {
        // What was hashed before with the campaign's first key stays comparable.
        let secret = match store::hashing_campaign(&self.pool, tenant).await? {
            Some(row) if row.hashes => self.open_campaign(tenant, &row).await?.key.clone(),
            _ => fresh(),
        };
        let mut attempt = 1;
        loop {
            let wrapped = self.newest(tenant).await?.wrap(&secret, &hash_place(tenant));
            match store::keep_hash_secret(&self.pool, tenant, &wrapped).await {
                Err(error) if store::is_outdated(&error) && attempt < ATTEMPTS => {
                    self.forget_campaign(tenant).await;
                    attempt += 1;
                }
                kept => return Ok(kept?),
            }
        }
    }
}

fn cache<K, V>(most: u64, remembered: Duration) -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(most).time_to_live(remembered).build()
}

/// Names a key without telling it: a key is 256 random bits, which no hash gives away.
pub(crate) fn fingerprint(key: &Key) -> Vec<u8> {
    mac(key.as_ref(), &[b"meydan key fingerprint 1\0"])[..16].to_vec()
}

pub(crate) fn campaign_place(tenant: Uuid) -> Vec<u8> {
    [b"meydan campaign 1\0".as_slice(), tenant.as_bytes()].concat()
}

pub(crate) fn hash_place(tenant: Uuid) -> Vec<u8> {
    [b"meydan hash secret 1\0".as_slice(), tenant.as_bytes()].concat()
}

pub(crate) fn subject_place(tenant: Uuid, key_id: Uuid) -> Vec<u8> {
    [b"meydan subject 1\0".as_slice(), tenant.as_bytes(), key_id.as_bytes()].concat()
}
