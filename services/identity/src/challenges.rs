//! `login_challenges`: logins whose password was right, and whose second factor is awaited.

use sqlx::{PgExecutor, PgPool};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long a login waits for its second factor.
const WAITS: Duration = Duration::minutes(5);
/// Wrong codes that end it.
const MOST_TRIES: i32 = 5;

/// A try at a waiting login.
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    /// Whose login it is.
    pub account: Uuid,
    /// Whether it is over unless this try is right.
    pub last: bool,
}

/// Lets a login wait for its second factor.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn begin(
    db: impl PgExecutor<'_>,
    token_sha256: &[u8],
    account: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO login_challenges (token_sha256, account_id, expires_at) VALUES ($1, $2, $3)",
        token_sha256,
        account,
        now + WAITS,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Counts a try at a waiting login, and says whose it is; `None` when it is over.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn try_at(
    pool: &PgPool,
    token_sha256: &[u8],
    now: OffsetDateTime,
) -> sqlx::Result<Option<Tried>> {
    sqlx::query_as!(
        Tried,
        r#"
        UPDATE login_challenges SET tries = tries + 1
        WHERE token_sha256 = $1 AND tries < $2 AND expires_at > $3
        RETURNING account_id AS account, tries >= $2 AS "last!"
        "#,
        token_sha256,
        MOST_TRIES,
        now,
    )
    .fetch_optional(pool)
    .await
}

/// Whose a waiting login is, without counting a try.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn waiting(
    pool: &PgPool,
    token_sha256: &[u8],
    now: OffsetDateTime,
) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "SELECT account_id FROM login_challenges WHERE token_sha256 = $1 AND tries < $2 AND expires_at > $3",
        token_sha256,
        MOST_TRIES,
        now,
    )
    .fetch_optional(pool)
    .await
}

/// Ends a waiting login; `false` when somebody was quicker.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn end(db: impl PgExecutor<'_>, token_sha256: &[u8]) -> sqlx::Result<bool> {
    let ended = sqlx::query!("DELETE FROM login_challenges WHERE token_sha256 = $1", token_sha256)
        .execute(db)
        .await?;
    Ok(ended.rows_affected() == 1)
}
