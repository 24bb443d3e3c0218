//! Wrapping anew: reading what is wrapped by an older key, and exchanging it only if it is still that.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Wrapped;
use crate::rotation::CampaignKeys;

/// A version of some campaign's key.
#[derive(Debug)]
pub(crate) struct AnyCampaignRow {
    pub(crate) tenant_id: Uuid,
    pub(crate) version: i32,
    pub(crate) wrapped: Vec<u8>,
}

/// A subject's key that an older version of its campaign's key wraps.
#[derive(Debug)]
pub(crate) struct OldSubjectRow {
    pub(crate) key_id: Uuid,
    pub(crate) campaign_version: i32,
    pub(crate) wrapped: Vec<u8>,
}

/// Every version of every campaign's key.
pub(crate) async fn all_campaigns(pool: &PgPool) -> sqlx::Result<Vec<AnyCampaignRow>> {
    sqlx::query_as!(
        AnyCampaignRow,
        "SELECT tenant_id, version, wrapped FROM campaign_keys ORDER BY tenant_id, version",
    )
    .fetch_all(pool)
    .await
}

/// How many keys each campaign's key wraps, or once wrapped.
pub(crate) async fn inventory(pool: &PgPool) -> sqlx::Result<Vec<CampaignKeys>> {
    sqlx::query_as!(
        CampaignKeys,
        r#"
        SELECT c.tenant_id AS campaign, c.version, c.created_at AS since, count(s.wrapped) AS "living!",
               count(s.destroyed_at) AS "destroyed!"
        FROM (SELECT DISTINCT ON (tenant_id) tenant_id, version, created_at FROM campaign_keys
              ORDER BY tenant_id, version DESC) c
        LEFT JOIN subject_keys s ON s.tenant_id = c.tenant_id
        GROUP BY 1, 2, 3 ORDER BY 3, 1
        "#,
    )
    .fetch_all(pool)
    .await
}

/// Keys that are not the first of their campaign, and when they were made; of one campaign, or of all.
pub(crate) async fn exchanged(
    pool: &PgPool,
    only: Option<Uuid>,
) -> sqlx::Result<Vec<(Uuid, OffsetDateTime)>> {
    let rows = sqlx::query!(
        r#"
        SELECT tenant_id, created_at FROM campaign_keys
        WHERE version > 1 AND tenant_id = coalesce($1, tenant_id) ORDER BY tenant_id, version
        "#,
        only,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.tenant_id, row.created_at)).collect())
}

/// Exchanges the wrapping of a campaign's key.
pub(crate) async fn rewrap_campaign(
    pool: &PgPool,
    row: &AnyCampaignRow,
    wrapped: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE campaign_keys SET wrapped = $4 WHERE tenant_id = $1 AND version = $2 AND wrapped = $3
        "#,
        row.tenant_id,
        row.version,
        row.wrapped,
        wrapped,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Some of the subjects whose key is wrapped by an older version than `version`.
pub(crate) async fn old_subjects(
    pool: &PgPool,
    tenant: Uuid,
    version: i32,
    most: i64,
) -> sqlx::Result<Vec<OldSubjectRow>> {
    sqlx::query_as!(
        OldSubjectRow,
        r#"
        SELECT key_id, campaign_version AS "campaign_version!", wrapped AS "wrapped!" FROM subject_keys
        WHERE tenant_id = $1 AND campaign_version < $2 LIMIT $3
        "#,
        tenant,
        version,
        most,
    )
    .fetch_all(pool)
    .await
}

/// Exchanges the wrappings of some subjects' keys, in one transaction. One destroyed meanwhile stays so.
pub(crate) async fn rewrap_subjects(
    pool: &PgPool,
    tenant: Uuid,
    version: i32,
    (key_ids, wrapped, fingerprints): (&[Uuid], &[Vec<u8>], &[Vec<u8>]),
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE subject_keys k SET wrapped = n.wrapped, campaign_version = $2, fingerprint = n.fingerprint
        FROM unnest($3::uuid[], $4::bytea[], $5::bytea[]) n(key_id, wrapped, fingerprint)
        WHERE k.key_id = n.key_id AND k.tenant_id = $1 AND k.campaign_version < $2
        "#,
        tenant,
        version,
        key_ids,
        wrapped,
        fingerprints,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Exchanges the wrapping of the secret of a campaign's hashes.
pub(crate) async fn rewrap_hash_secret(
    pool: &PgPool,
    tenant: Uuid,
    secret: &Wrapped,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE hash_secrets SET wrapped = $3, campaign_version = $2
        WHERE tenant_id = $1 AND campaign_version < $2
        "#,
        tenant,
        secret.campaign_version,
        secret.wrapped,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Destroys the versions of a campaign's key before `version`. Refused while anything is wrapped by them.
pub(crate) async fn destroy_older(pool: &PgPool, tenant: Uuid, version: i32) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM campaign_keys WHERE tenant_id = $1 AND version < $2",
        tenant,
        version
    )
    .execute(pool)
    .await?;
    Ok(())
}
