//! The database of keys. Two processes that make a key at the same moment end up with the same one.

use sqlx::PgPool;
use uuid::Uuid;

/// A subject's key, wrapped; `None` when destroyed.
#[derive(Debug)]
pub(crate) struct SubjectKey {
    pub(crate) key_id: Uuid,
    pub(crate) wrapped: Option<Vec<u8>>,
}

pub(crate) async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query_scalar!("SELECT 1 AS one").fetch_one(pool).await.map(|_| ())
}

pub(crate) async fn campaign(pool: &PgPool, tenant: Uuid) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!("SELECT wrapped FROM campaign_keys WHERE tenant_id = $1", tenant)
        .fetch_optional(pool)
        .await
}

/// Keeps a campaign's key unless there is one, and returns the one that is kept.
pub(crate) async fn keep_campaign(
    pool: &PgPool,
    tenant: Uuid,
    wrapped: &[u8],
) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar!(
        r#"
        INSERT INTO campaign_keys AS k (tenant_id, wrapped) VALUES ($1, $2)
        ON CONFLICT (tenant_id) DO UPDATE SET wrapped = k.wrapped RETURNING wrapped
        "#,
        tenant,
        wrapped,
    )
    .fetch_one(pool)
    .await
}

pub(crate) async fn subject(
    pool: &PgPool,
    tenant: Uuid,
    subject: Uuid,
) -> sqlx::Result<Option<SubjectKey>> {
    sqlx::query_as!(
        SubjectKey,
        "SELECT key_id, wrapped FROM subject_keys WHERE tenant_id = $1 AND subject_id = $2",
        tenant,
        subject,
    )
    .fetch_optional(pool)
    .await
}

/// Keeps a subject's key unless there is one (or was), and returns the one that is kept.
pub(crate) async fn keep_subject(
    pool: &PgPool,
    (tenant, subject): (Uuid, Uuid),
    key_id: Uuid,
    wrapped: &[u8],
) -> sqlx::Result<SubjectKey> {
    sqlx::query_as!(
        SubjectKey,
        r#"
        INSERT INTO subject_keys AS k (tenant_id, subject_id, key_id, wrapped) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id, subject_id) DO UPDATE SET wrapped = k.wrapped
        RETURNING key_id, wrapped
        "#,
        tenant,
        subject,
        key_id,
        wrapped,
    )
    .fetch_one(pool)
    .await
}

pub(crate) async fn by_key_ids(
    pool: &PgPool,
    tenant: Uuid,
    key_ids: &[Uuid],
) -> sqlx::Result<Vec<SubjectKey>> {
    sqlx::query_as!(
        SubjectKey,
        "SELECT key_id, wrapped FROM subject_keys WHERE tenant_id = $1 AND key_id = ANY ($2)",
        tenant,
        key_ids,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn destroy(
    pool: &PgPool,
    tenant: Uuid,
    subject: Uuid,
) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        r#"
        UPDATE subject_keys SET wrapped = NULL, destroyed_at = coalesce(destroyed_at, clock_timestamp())
        WHERE tenant_id = $1 AND subject_id = $2 RETURNING key_id
        "#,
        tenant,
        subject,
    )
    .fetch_optional(pool)
    .await
}
