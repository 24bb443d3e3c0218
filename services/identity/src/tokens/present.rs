//! Sessions that go on: found by their token, or by their name, which stays when the token is exchanged.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{SessionRow, hash};

/// The session of a token.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn session(pool: &PgPool, token: &str) -> sqlx::Result<Option<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        r#"
        SELECT s.session_id, s.account_id, s.last_seen_at, s.expires_at, s.proved_at, s.second_factor, s.renew,
               EXISTS (SELECT 1 FROM devices d WHERE d.device_sha256 = s.device_sha256
                       AND d.account_id = s.account_id AND d.trusted) AS "trusted!"
        FROM sessions s WHERE s.token_sha256 = $1
        "#,
        hash(token),
    )
    .fetch_optional(pool)
    .await
}

/// A session of an account by its name.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn session_of(
    pool: &PgPool,
    account: Uuid,
    session: Uuid,
) -> sqlx::Result<Option<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        r#"
        SELECT s.session_id, s.account_id, s.last_seen_at, s.expires_at, s.proved_at, s.second_factor, s.renew,
               EXISTS (SELECT 1 FROM devices d WHERE d.device_sha256 = s.device_sha256
                       AND d.account_id = s.account_id AND d.trusted) AS "trusted!"
        FROM sessions s WHERE s.account_id = $1 AND s.session_id = $2
        "#,
        account,
        session,
    )
    .fetch_optional(pool)
    .await
}

/// Notes that a session was used, at most once a minute.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn touch_session(
    pool: &PgPool,
    session: &SessionRow,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE sessions SET last_seen_at = $3
        WHERE account_id = $1 AND session_id = $2 AND last_seen_at < $3::timestamptz - interval '1 minute'
        "#,
        session.account_id,
        session.session_id,
        now,
    )
    .execute(pool)
    .await?;
    Ok(())
}
