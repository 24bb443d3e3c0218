//! Another token for a session that goes on: after a proof at once, after a change of role with the next page.

use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Token, hash};

/// Gives a session another token, because its holder has proved once more who they are; `false` when it has
/// ended.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn renew_session(
    db: impl PgExecutor<'_>,
    (account, session): (Uuid, Uuid),
    token: &Token,
    second_factor: bool,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let renewed = sqlx::query!(
        r#"
        UPDATE sessions
        SET token_sha256 = $3, proved_at = $4, second_factor = second_factor OR $5, renew = false
        WHERE account_id = $1 AND session_id = $2
        "#,
        account,
        session,
        token.hash(),
        now,
        second_factor,
    )
    .execute(db)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Until when a browser keeps the token of a session: for as long as that may last where the browser is trusted, and
/// `None` where the token goes when the browser is closed. No browser is an admin's own.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn kept_until(
    db: impl PgExecutor<'_>,
    account: Uuid,
    session: Uuid,
) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!(
        r#"
        SELECT s.expires_at FROM sessions s
        JOIN accounts a ON a.account_id = s.account_id AND NOT a.admin
        JOIN devices d ON d.device_sha256 = s.device_sha256 AND d.account_id = s.account_id AND d.trusted
        WHERE s.account_id = $1 AND s.session_id = $2
        "#,
        account,
        session,
    )
    .fetch_optional(db)
    .await
}

/// Has a session of an account, or every one, get another token at the next page that is opened with it.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn let_renew(
    db: impl PgExecutor<'_>,
    account: Uuid,
    session: Option<Uuid>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE sessions SET renew = true
        WHERE account_id = $1 AND ($2::uuid IS NULL OR session_id = $2)
        "#,
        account,
        session,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives a session that is to get one another token; `false` when it is not, or has it.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn exchange(pool: &PgPool, before: &str, token: &Token) -> sqlx::Result<bool> {
    let exchanged = sqlx::query!(
        "UPDATE sessions SET token_sha256 = $2, renew = false WHERE token_sha256 = $1 AND renew",
        hash(before),
        token.hash(),
    )
    .execute(pool)
    .await?;
    Ok(exchanged.rows_affected() == 1)
}
