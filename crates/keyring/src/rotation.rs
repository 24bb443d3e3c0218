//! Rotation: keys are wrapped anew, and nothing that was sealed or hashed is touched.
//!
//! Each step leaves everything readable, so a rotation that is cut short is completed by the next one.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    cipher::fresh,
    keyring::{KeyError, Keyring, campaign_place, fingerprint, hash_place, subject_place},
    store::{self, rotation as rows},
};

/// Subjects' keys that are wrapped anew in one transaction.
const BATCH: i64 = 1_000;
/// How often the older versions are tried to be destroyed, while other processes still wrap with them.
const ATTEMPTS: u32 = 5;

/// The keys of a campaign, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignKeys {
    /// The campaign, or the platform's own id.
    pub campaign: Uuid,
    /// Which version its key is: one more with each rotation.
    pub version: i32,
    /// When that was made.
    pub since: OffsetDateTime,
    /// Keys of people, bots and days that it wraps.
    pub living: i64,
    /// Keys that were destroyed.
    pub destroyed: i64,
}

impl Keyring {
    /// What there is, oldest first. No key leaves the database.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn inventory(&self) -> Result<Vec<CampaignKeys>, KeyError> {
        Ok(rows::inventory(&self.pool).await?)
    }

    /// Wraps every campaign's key by the newest version of the platform's. Returns how many there are.
    ///
    /// # Errors
    ///
    /// See [`KeyError`]; all stays readable, and it may be done again.
    pub async fn rewrap_campaigns(&self) -> Result<u64, KeyError> {
        let mut count = 0;
        for row in rows::all_campaigns(&self.pool).await? {
            let place = campaign_place(row.tenant_id);
            let key = self.platform.unwrap(&row.wrapped, &place).await?;
            let wrapped = self.platform.wrap(&key, &place).await?;
            rows::rewrap_campaign(&self.pool, &row, &wrapped).await?;
            count += 1;
        }
        Ok(count)
    }

    /// Every campaign that has a key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn campaigns(&self) -> Result<Vec<Uuid>, KeyError> {
        let rows = rows::all_campaigns(&self.pool).await?;
        let mut campaigns: Vec<_> = rows.into_iter().map(|row| row.tenant_id).collect();
        campaigns.dedup();
        Ok(campaigns)
    }

    /// Which campaigns got another key than their first, and when each did: as far as these keys are there still, of all
    /// campaigns or of one.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`]
    pub async fn exchanged(
        &self,
        only: Option<Uuid>,
    ) -> Result<Vec<(Uuid, OffsetDateTime)>, KeyError> {
        Ok(rows::exchanged(&self.pool, only).await?)
    }

    /// Gives a campaign a new key, wraps its subjects' keys and the secret of its hashes by it, and destroys
    /// the older one. Tells `begun` as soon as there is the new one, whatever becomes of the rest. Returns how many
    /// subjects' keys were wrapped anew.
    ///
    /// # Errors
    ///
    /// See [`KeyError`]; all stays readable, and it may be done again.
    pub async fn rotate_campaign(
        &self,
        tenant: Uuid,
        begun: impl AsyncFnOnce(),
    ) -> Result<u64, KeyError> {
        let newest = self.add_version(tenant).await?;
        begun().await;
        let mut count = 0;
        for attempt in 1.. {
            count += self.rewrap_subjects(tenant, newest).await?;
            self.rewrap_hash_secret(tenant, newest).await?;
            match rows::destroy_older(&self.pool, tenant, newest).await {
                // A process that has not heard of the new version has just wrapped with an older one.
                Err(error) if store::is_outdated(&error) && attempt < ATTEMPTS => {}
                done => {
                    done?;
                    break;
                }
            }
        }
        Ok(count)
    }

    async fn add_version(&self, tenant: Uuid) -> Result<i32, KeyError> {
        self.forget_campaign(tenant).await;
        let version = self.newest(tenant).await?.version + 1;
        let wrapped = self.platform.wrap(&fresh(), &campaign_place(tenant)).await?;
        let kept = store::keep_campaign(&self.pool, tenant, version, &wrapped).await?;
        self.forget_campaign(tenant).await;
        Ok(kept.ok_or(KeyError::Destroyed)?.version)
    }

    async fn rewrap_subjects(&self, tenant: Uuid, version: i32) -> Result<u64, KeyError> {
        let newest = self.version(tenant, version).await?;
        let mut count = 0;
        loop {
            let old = rows::old_subjects(&self.pool, tenant, version, BATCH).await?;
            if old.is_empty() {
                return Ok(count);
            }
            let (mut ids, mut wrapped, mut names) = (Vec::new(), Vec::new(), Vec::new());
            for row in old {
                let place = subject_place(tenant, row.key_id);
                let older = self.version(tenant, row.campaign_version).await?;
                let key = older.unwrap(&row.wrapped, &place)?;
                ids.push(row.key_id);
                wrapped.push(newest.wrap(&key, &place).wrapped);
                names.push(fingerprint(&key));
            }
            count += u64::try_from(ids.len()).expect("a batch is small");
            rows::rewrap_subjects(&self.pool, tenant, version, (&ids, &wrapped, &names)).await?;
        }
    }

    async fn rewrap_hash_secret(&self, tenant: Uuid, version: i32) -> Result<(), KeyError> {
        // Made if it is not there: it may have to be made of the key that is about to go.
        self.hash_secret(tenant).await?;
        let Some(old) = store::hash_secret(&self.pool, tenant).await? else { return Ok(()) };
        if old.campaign_version >= version {
            return Ok(());
        }
        let older = self.version(tenant, old.campaign_version).await?;
        let secret = older.unwrap(&old.wrapped, &hash_place(tenant))?;
        let new = self.version(tenant, version).await?.wrap(&secret, &hash_place(tenant));
        Ok(rows::rewrap_hash_secret(&self.pool, tenant, &new).await?)
    }
}
