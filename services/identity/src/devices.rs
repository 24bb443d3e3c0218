//! `devices`: browsers from which an account has been logged in to, known by a cookie of which only the hash
//! is kept. A year after the last login from it a browser is a stranger again.

use sqlx::{PgExecutor, PgPool};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// For how long a browser is known without a login from it; the gateway's cookie lasts as long.
const KNOWN: Duration = Duration::days(365);

/// Whether an account has been logged in to from a browser within the last year. Another account's browser is a
/// stranger's.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn is_known(
    pool: &PgPool,
    device: &[u8],
    account: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
          SELECT 1 FROM devices
          WHERE device_sha256 = $1 AND account_id = $2 AND last_seen_at > $3) AS "known!"
        "#,
        device,
        account,
        now - KNOWN,
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
    db: impl PgExecutor<'_>,
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
    .fetch_one(db)
    .await
}

/// The browser that a session is on; `None` when the account has no such session.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn of_session(
    pool: &PgPool,
    account: Uuid,
    session: Uuid,
) -> sqlx::Result<Option<Vec<u8>>> {
    let found = sqlx::query_scalar!(
        "SELECT device_sha256 FROM sessions WHERE account_id = $1 AND session_id = $2",
        account,
        session,
    );
    Ok(found.fetch_optional(pool).await?.flatten())
}

/// Lets go of browsers that are not known any more.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn sweep(pool: &PgPool, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM devices WHERE last_seen_at <= $1", now - KNOWN).execute(pool).await?;
    Ok(())
}

/// Trusts the browser of a session no longer; `false` when the account has no such session.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn distrust(pool: &PgPool, account: Uuid, session: Uuid) -> sqlx::Result<bool> {
    let known = sqlx::query!(
        r#"
        UPDATE devices d SET trusted = false FROM sessions s
        WHERE s.session_id = $2 AND s.account_id = $1
          AND d.account_id = s.account_id AND d.device_sha256 = s.device_sha256
        "#,
        account,
        session,
    )
    .execute(pool)
    .await?;
    Ok(known.rows_affected() == 1)
}
