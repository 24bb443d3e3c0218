//! The database of keys. Two processes that make a key at the same moment end up with the same one.

pub(crate) mod erasures;
pub(crate) mod rotation;

use sqlx::PgPool;
use uuid::Uuid;

/// A version of a campaign's key, wrapped by the platform's.
#[derive(Debug)]
pub(crate) struct CampaignRow {
    pub(crate) version: i32,
    pub(crate) wrapped: Vec<u8>,
    /// Whether keyed hashes were made with it.
    pub(crate) hashes: bool,
}

/// A key wrapped by a campaign's.
#[derive(Debug)]
pub(crate) struct Wrapped {
    pub(crate) campaign_version: i32,
    pub(crate) wrapped: Vec<u8>,
}

/// A subject's key; without a wrapping when destroyed.
#[derive(Debug)]
pub(crate) struct SubjectRow {
    pub(crate) key_id: Uuid,
    pub(crate) campaign_version: Option<i32>,
    pub(crate) wrapped: Option<Vec<u8>>,
}

impl SubjectRow {
    pub(crate) fn wrapped(self) -> Option<Wrapped> {
        let (campaign_version, wrapped) = (self.campaign_version?, self.wrapped?);
        Some(Wrapped { campaign_version, wrapped })
    }
}

/// Whether a row was refused because the version of the campaign's key that it names is gone.
pub(crate) fn is_outdated(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

pub(crate) async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query_scalar!("SELECT 1 AS one").fetch_one(pool).await.map(|_| ())
}

/// The newest version of a campaign's key.
pub(crate) async fn newest_campaign(
    pool: &PgPool,
    tenant: Uuid,
) -> sqlx::Result<Option<CampaignRow>> {
    sqlx::query_as!(
        CampaignRow,
        r#"
        SELECT version, wrapped, hashes FROM campaign_keys
        WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1
        "#,
        tenant,
    )
    .fetch_optional(pool)
    .await
}

/// One version of a campaign's key.
pub(crate) async fn campaign(
    pool: &PgPool,
    tenant: Uuid,
    version: i32,
) -> sqlx::Result<Option<CampaignRow>> {
    sqlx::query_as!(
        CampaignRow,
        "SELECT version, wrapped, hashes FROM campaign_keys WHERE tenant_id = $1 AND version = $2",
        tenant,
        version,
    )
    .fetch_optional(pool)
    .await
}

/// Keeps a version of a campaign's key unless there is one, and returns the one that is kept; none for a campaign
/// that was erased.
pub(crate) async fn keep_campaign(
    pool: &PgPool,
    tenant: Uuid,
    version: i32,
    wrapped: &[u8],
) -> sqlx::Result<Option<CampaignRow>> {
    sqlx::query_as!(
        CampaignRow,
        r#"
        INSERT INTO campaign_keys AS k (tenant_id, version, wrapped) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id, version) DO UPDATE SET wrapped = k.wrapped
        RETURNING version, wrapped, hashes
        "#,
        tenant,
        version,
        wrapped,
    )
    .fetch_optional(pool)
    .await
}

/// The secret of a campaign's keyed hashes.
pub(crate) async fn hash_secret(pool: &PgPool, tenant: Uuid) -> sqlx::Result<Option<Wrapped>> {
    sqlx::query_as!(
        Wrapped,
        "SELECT campaign_version, wrapped FROM hash_secrets WHERE tenant_id = $1",
        tenant,
    )
    .fetch_optional(pool)
    .await
}

/// Keeps the secret of a campaign's keyed hashes unless there is one, and returns the one that is kept.
pub(crate) async fn keep_hash_secret(
    pool: &PgPool,
    tenant: Uuid,
    secret: &Wrapped,
) -> sqlx::Result<Wrapped> {
    sqlx::query_as!(
        Wrapped,
        r#"
        INSERT INTO hash_secrets AS s (tenant_id, campaign_version, wrapped) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO UPDATE SET wrapped = s.wrapped
        RETURNING campaign_version, wrapped
        "#,
        tenant,
        secret.campaign_version,
        secret.wrapped,
    )
    .fetch_one(pool)
    .await
}

/// Whether there is a campaign whose keyed hashes were made with its first key.
pub(crate) async fn hashing_campaign(
    pool: &PgPool,
    tenant: Uuid,
) -> sqlx::Result<Option<CampaignRow>> {
    sqlx::query_as!(
        CampaignRow,
        "SELECT version, wrapped, hashes FROM campaign_keys WHERE tenant_id = $1 AND hashes",
        tenant,
    )
    .fetch_optional(pool)
    .await
}

pub(crate) async fn subject(
    pool: &PgPool,
    tenant: Uuid,
    subject: Uuid,
) -> sqlx::Result<Option<SubjectRow>> {
    sqlx::query_as!(
        SubjectRow,
        r#"
        SELECT key_id, campaign_version, wrapped FROM subject_keys
        WHERE tenant_id = $1 AND subject_id = $2
        "#,
        tenant,
        subject,
    )
    .fetch_optional(pool)
    .await
}

/// Keeps a subject's key unless there is one (or was), and returns the one that is kept; none for whoever was
/// erased, there or everywhere.
pub(crate) async fn keep_subject(
    pool: &PgPool,
    (tenant, subject): (Uuid, Uuid),
    (key_id, key): (Uuid, &Wrapped),
    fingerprint: &[u8],
) -> sqlx::Result<Option<SubjectRow>> {
    sqlx::query_as!(
        SubjectRow,
        r#"
        INSERT INTO subject_keys AS k (tenant_id, subject_id, key_id, campaign_version, wrapped, fingerprint)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id, subject_id) DO UPDATE SET wrapped = k.wrapped
        RETURNING key_id, campaign_version, wrapped
        "#,
        tenant,
        subject,
        key_id,
        key.campaign_version,
        key.wrapped,
        fingerprint,
    )
    .fetch_optional(pool)
    .await
}

pub(crate) async fn by_key_ids(
    pool: &PgPool,
    tenant: Uuid,
    key_ids: &[Uuid],
) -> sqlx::Result<Vec<SubjectRow>> {
    sqlx::query_as!(
        SubjectRow,
        r#"
        SELECT key_id, campaign_version, wrapped FROM subject_keys
        WHERE tenant_id = $1 AND key_id = ANY ($2)
        "#,
        tenant,
        key_ids,
    )
    .fetch_all(pool)
    .await
}

/// Destroys one key; its id, if there is or was one.
pub(crate) async fn destroy(
    pool: &PgPool,
    tenant: Uuid,
    subject: Uuid,
) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        r#"
        UPDATE subject_keys
        SET wrapped = NULL, campaign_version = NULL, destroyed_at = coalesce(destroyed_at, clock_timestamp())
        WHERE tenant_id = $1 AND subject_id = $2 RETURNING key_id
        "#,
        tenant,
        subject,
    )
    .fetch_optional(pool)
    .await
}
