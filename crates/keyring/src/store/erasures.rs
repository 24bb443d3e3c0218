//! The ledger of erasures: who was erased, which keys that destroyed, which contexts have forgotten them.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::erasing::{Acknowledgement, DestroyedKey};

/// An erasure as it was asked for.
#[derive(Debug)]
pub(crate) struct ErasureRow {
    pub(crate) asked_by: String,
    pub(crate) asked_at: OffsetDateTime,
    pub(crate) certificate: Option<String>,
}

/// Whether a subject has, or had, a key: in one campaign, or in any when `tenant` is the platform. A campaign
/// as a subject of itself is all of its subjects.
pub(crate) async fn is_known(pool: &PgPool, tenant: Uuid, subject: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
          SELECT 1 FROM subject_keys
          WHERE (subject_id = $2 AND (tenant_id = $1 OR $1 = $3))
             OR (tenant_id = $1 AND $1 = $2 AND $1 <> $3)) AS "known!"
        "#,
        tenant,
        subject,
        Uuid::nil(),
    )
    .fetch_one(pool)
    .await
}

/// Notes the erasure and destroys the keys, in one transaction. The first to ask is the one that is noted.
/// Returns the keys that this destroyed: campaign, subject, key.
pub(crate) async fn erase(
    pool: &PgPool,
    (tenant, subject): (Uuid, Uuid),
    (asked_by, asked_at): (&str, OffsetDateTime),
) -> sqlx::Result<Vec<(Uuid, Uuid, Uuid)>> {
    let mut tx = pool.begin().await?;
    sqlx::query!(
        r#"
        INSERT INTO erasures (tenant_id, subject_id, asked_by, asked_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        "#,
        tenant,
        subject,
        asked_by,
        asked_at,
    )
    .execute(&mut *tx)
    .await?;
    let destroyed = sqlx::query!(
        r#"
        UPDATE subject_keys SET wrapped = NULL, campaign_version = NULL, destroyed_at = clock_timestamp()
        WHERE ((subject_id = $2 AND (tenant_id = $1 OR $1 = $3))
            OR (tenant_id = $1 AND $1 = $2 AND $1 <> $3)) AND wrapped IS NOT NULL
        RETURNING tenant_id, subject_id, key_id
        "#,
        tenant,
        subject,
        Uuid::nil(),
    )
    .map(|row| (row.tenant_id, row.subject_id, row.key_id))
    .fetch_all(&mut *tx)
    .await?;
    if tenant == subject && tenant != Uuid::nil() {
        // The campaign's own keys go with it: nothing is sealed or hashed there any more.
        sqlx::query!("DELETE FROM hash_secrets WHERE tenant_id = $1", tenant)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("DELETE FROM campaign_keys WHERE tenant_id = $1", tenant)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(destroyed)
}

pub(crate) async fn find(
    pool: &PgPool,
    tenant: Uuid,
    subject: Uuid,
) -> sqlx::Result<Option<ErasureRow>> {
    sqlx::query_as!(
        ErasureRow,
        r#"
        SELECT asked_by, asked_at, certificate FROM erasures WHERE tenant_id = $1 AND subject_id = $2
        "#,
        tenant,
        subject,
    )
    .fetch_optional(pool)
    .await
}

/// The keys of a subject that were destroyed.
pub(crate) async fn destroyed_keys(
    pool: &PgPool,
    tenant: Uuid,
    subject: Uuid,
) -> sqlx::Result<Vec<DestroyedKey>> {
    sqlx::query_as!(
        DestroyedKey,
        r#"
        SELECT tenant_id AS campaign, key_id, encode(fingerprint, 'hex') AS fingerprint,
               destroyed_at AS "destroyed_at!"
        FROM subject_keys
        WHERE ((subject_id = $2 AND (tenant_id = $1 OR $1 = $3))
            OR (tenant_id = $1 AND $1 = $2 AND $1 <> $3)) AND destroyed_at IS NOT NULL
        ORDER BY tenant_id, key_id
        "#,
        tenant,
        subject,
        Uuid::nil(),
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn acknowledgements(
    pool: &PgPool,
    tenant: Uuid,
    subject: Uuid,
) -> sqlx::Result<Vec<Acknowledgement>> {
    sqlx::query_as!(
        Acknowledgement,
        r#"
        SELECT context, position, acknowledged_at AS at FROM erasure_acknowledgements
        WHERE tenant_id = $1 AND subject_id = $2 ORDER BY context
        "#,
        tenant,
        subject,
    )
    .fetch_all(pool)
    .await
}

/// Notes an acknowledgement. One that names another position than before is of another log than that one was, because
/// the log was restored: it takes its place, and the certificate that named the other is none any more.
pub(crate) async fn acknowledge(
    pool: &PgPool,
    (tenant, subject): (Uuid, Uuid),
    acknowledgement: &Acknowledgement,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        WITH noted AS (
          INSERT INTO erasure_acknowledgements AS known (tenant_id, subject_id, context, position, acknowledged_at)
          VALUES ($1, $2, $3, $4, $5)
          ON CONFLICT (tenant_id, subject_id, context)
            DO UPDATE SET position = excluded.position, acknowledged_at = excluded.acknowledged_at
            WHERE known.position <> excluded.position
          RETURNING 1)
        UPDATE erasures SET certificate = NULL
        WHERE tenant_id = $1 AND subject_id = $2 AND EXISTS (SELECT FROM noted)
        "#,
        tenant,
        subject,
        acknowledgement.context,
        acknowledgement.position,
        acknowledgement.at,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Keeps a certificate unless there is one, and returns the one that is kept; `None` without an erasure.
pub(crate) async fn keep_certificate(
    pool: &PgPool,
    tenant: Uuid,
    subject: Uuid,
    certificate: &str,
) -> sqlx::Result<Option<String>> {
    let kept = sqlx::query_scalar!(
        r#"
        UPDATE erasures SET certificate = coalesce(certificate, $3)
        WHERE tenant_id = $1 AND subject_id = $2 RETURNING certificate
        "#,
        tenant,
        subject,
        certificate,
    )
    .fetch_optional(pool)
    .await?;
    Ok(kept.flatten())
}
