//! `devices`: browsers from which an account has been logged in to, known by a cookie of which only the hash
//! is kept.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

/// Whether an account has been logged in to from a browser.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn is_known(pool: &PgPool, device: &[u8], account: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM devices WHERE device_sha256 = $1 AND account_id = $2) AS "known!"
        "#,
        device,
        account,
    )
    .fetch_one(pool)
    .await
}

/// Notes that an account was logged in to from a browser; whether that is a new one beside others.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn note(
    pool: &PgPool,
    device: &[u8],
    account: Uuid,
    trusted: bool,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        INSERT INTO devices (device_sha256, account_id, first_seen_at, last_seen_at, trusted)
        VALUES ($1, $2, $3, $3, $4)
        ON CONFLICT (device_sha256, account_id) DO UPDATE SET last_seen_at = $3, trusted = $4
        RETURNING xmax = 0 AND EXISTS (
          SELECT 1 FROM devices o WHERE o.account_id = $2 AND o.device_sha256 <> $1) AS "new!"
        "#,
        device,
        account,
        now,
        trusted,
    )
    .fetch_one(pool)
    .await
}
