//! `passkey_challenges`, and the passkeys among `factors`.
//!
//! Whatever is signed is signed once: a challenge is taken away by whoever answers it, rightly or not.

use sqlx::{PgConnection, PgPool};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long a challenge waits: as long as WebAuthn gives people to find their authenticator.
const WAITS: Duration = Duration::minutes(5);

/// To what challenges are bound that anybody may answer: those of the login page.
pub const LOGIN_PAGE: &[u8] = b"login";
/// Most challenges of the login page at a time, and for a moment as many more as are asked for at once.
const MOST: i64 = 1_000;
/// Most challenges of one session, or of one login that waits: of several open pages.
const MOST_OF_ONE: i64 = 5;

/// Keeps a challenge, bound to what alone may use it, and lets go of the oldest ones bound to the same when there are too
/// many: whoever asks without end pushes out what was asked long ago, and never closes the door to who asks now.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn keep(
    db: &mut PgConnection,
    (token_sha256, bound_to): (&[u8], &[u8]),
    state: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO passkey_challenges (token_sha256, bound_to, state, expires_at) VALUES ($1, $2, $3, $4)",
        token_sha256,
        bound_to,
        state,
        now + WAITS,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        r#"
        WITH old AS (
          SELECT token_sha256 FROM passkey_challenges WHERE bound_to = $1
          ORDER BY expires_at DESC, token_sha256 OFFSET $2)
        DELETE FROM passkey_challenges WHERE token_sha256 IN (
          SELECT token_sha256 FROM passkey_challenges JOIN old USING (token_sha256)
          FOR UPDATE OF passkey_challenges SKIP LOCKED)
        "#,
        bound_to,
        if bound_to == LOGIN_PAGE { MOST } else { MOST_OF_ONE },
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a challenge away; `None` when it was used, is over, or is bound to something else.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn take(
    pool: &PgPool,
    token_sha256: &[u8],
    bound_to: &[u8],
    now: OffsetDateTime,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        DELETE FROM passkey_challenges WHERE token_sha256 = $1 AND bound_to = $2 AND expires_at > $3
        RETURNING state
        "#,
        token_sha256,
        bound_to,
        now,
    )
    .fetch_optional(pool)
    .await
}

/// Takes away what a passkey that was begun is judged by, sealed; `None` when that was done, or is over.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn take_begun(
    pool: &PgPool,
    account: Uuid,
    factor: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        UPDATE factors f SET secret_sealed = '' FROM (
          SELECT factor_id, secret_sealed FROM factors
          WHERE account_id = $1 AND factor_id = $2 AND kind = 'passkey' AND confirmed_at IS NULL
            AND secret_sealed <> '' AND created_at > $3
          FOR UPDATE) begun
        WHERE f.factor_id = begun.factor_id RETURNING begun.secret_sealed
        "#,
        account,
        factor,
        now - WAITS,
    )
    .fetch_optional(pool)
    .await
}

/// A passkey that works.
#[derive(Debug)]
pub struct PasskeyRow {
    /// Its id among second factors.
    pub factor_id: Uuid,
    /// Whose it is.
    pub account_id: Uuid,
    /// Its public key and its count, sealed.
    pub secret_sealed: String,
}

/// Whose passkey has this id.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn owner(pool: &PgPool, credential_sha256: &[u8]) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "SELECT account_id FROM factors WHERE credential_sha256 = $1",
        credential_sha256,
    )
    .fetch_optional(pool)
    .await
}

/// The passkey with this id, if it works.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn found(pool: &PgPool, credential_sha256: &[u8]) -> sqlx::Result<Option<PasskeyRow>> {
    sqlx::query_as!(
        PasskeyRow,
        r#"
        SELECT factor_id, account_id, secret_sealed FROM factors
        WHERE credential_sha256 = $1 AND confirmed_at IS NOT NULL
        "#,
        credential_sha256,
    )
    .fetch_optional(pool)
    .await
}

/// What is kept of a passkey before and after it has signed something.
#[derive(Debug)]
pub struct Used {
    /// Its id among second factors.
    pub factor_id: Uuid,
    /// What was read, sealed.
    pub before: String,
    /// What takes its place, sealed.
    pub after: String,
}

/// Keeps what has changed of a passkey by its use; `false` when it was used, or removed, since it was read: a count is
/// compared and raised in one go.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn used(db: &mut PgConnection, used: &Used, now: OffsetDateTime) -> sqlx::Result<bool> {
    let used = sqlx::query!(
        "UPDATE factors SET secret_sealed = $3, last_used_at = $4 WHERE factor_id = $1 AND secret_sealed = $2",
        used.factor_id,
        used.before,
        used.after,
        now,
    )
    .execute(db)
    .await?;
    Ok(used.rows_affected() == 1)
}
