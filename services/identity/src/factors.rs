//! `factors`, `recovery_codes` and `login_challenges`: second factors, and the logins that wait for one.
//!
//! Whatever may be used once is used by one statement, so that of many at once one alone succeeds.

use sqlx::{PgConnection, PgPool};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long a login waits for its second factor.
const WAITS: Duration = Duration::minutes(5);
/// Wrong codes that end it.
const MOST_TRIES: i32 = 5;
/// Authenticators that an account may have.
const MOST: i64 = 10;

/// An authenticator as it is kept.
#[derive(Debug, Clone)]
pub struct FactorRow {
    /// Its id.
    pub factor_id: Uuid,
    /// What its holder calls it, sealed.
    pub name_sealed: String,
    /// Its secret, sealed.
    pub secret_sealed: String,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When it was last used.
    pub last_used_at: Option<OffsetDateTime>,
}

/// The authenticators of an account that work.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn of_account(pool: &PgPool, account: Uuid) -> sqlx::Result<Vec<FactorRow>> {
    sqlx::query_as!(
        FactorRow,
        r#"
        SELECT factor_id, name_sealed, secret_sealed, created_at, last_used_at FROM factors
        WHERE account_id = $1 AND confirmed_at IS NOT NULL ORDER BY created_at, factor_id
        "#,
        account,
    )
    .fetch_all(pool)
    .await
}

/// Whether an account has an authenticator that works.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn has(pool: &PgPool, account: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM factors WHERE account_id = $1 AND confirmed_at IS NOT NULL) AS "has!"
        "#,
        account,
    )
    .fetch_one(pool)
    .await
}

/// Keeps an authenticator that has still to be confirmed, in place of others that never were; `false` when
/// the account has as many as it may.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn begin(pool: &PgPool, account: Uuid, row: &FactorRow) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    sqlx::query!("DELETE FROM factors WHERE account_id = $1 AND confirmed_at IS NULL", account)
        .execute(&mut *tx)
        .await?;
    let begun = sqlx::query!(
        r#"
        INSERT INTO factors (factor_id, account_id, name_sealed, secret_sealed, created_at)
        SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM factors WHERE account_id = $2) < $6
        "#,
        row.factor_id,
        account,
        row.name_sealed,
        row.secret_sealed,
        row.created_at,
        MOST,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(begun.rows_affected() == 1)
}

/// The secret of an authenticator that has still to be confirmed, sealed.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn begun(pool: &PgPool, account: Uuid, factor: Uuid) -> sqlx::Result<Option<FactorRow>> {
    sqlx::query_as!(
        FactorRow,
        r#"
        SELECT factor_id, name_sealed, secret_sealed, created_at, last_used_at FROM factors
        WHERE account_id = $1 AND factor_id = $2 AND confirmed_at IS NULL
        "#,
        account,
        factor,
    )
    .fetch_optional(pool)
    .await
}

/// Lets an authenticator work, from the code of `step` on; `false` when somebody was quicker.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn confirm(
    pool: &PgPool,
    factor: Uuid,
    step: i64,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let confirmed = sqlx::query!(
        r#"
        UPDATE factors SET confirmed_at = $3, last_step = $2, last_used_at = $3
        WHERE factor_id = $1 AND confirmed_at IS NULL
        "#,
        factor,
        step,
        now,
    )
    .execute(pool)
    .await?;
    Ok(confirmed.rows_affected() == 1)
}

/// Uses the code of `step` up; `false` when it or a later one was used.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn use_step(
    pool: &PgPool,
    factor: Uuid,
    step: i64,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let used = sqlx::query!(
        "UPDATE factors SET last_step = $2, last_used_at = $3 WHERE factor_id = $1 AND last_step < $2",
        factor,
        step,
        now,
    )
    .execute(pool)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Gives an authenticator another name; `false` when there is none.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn rename(
    pool: &PgPool,
    account: Uuid,
    factor: Uuid,
    name_sealed: &str,
) -> sqlx::Result<bool> {
    let renamed = sqlx::query!(
        "UPDATE factors SET name_sealed = $3 WHERE account_id = $1 AND factor_id = $2",
        account,
        factor,
        name_sealed,
    )
    .execute(pool)
    .await?;
    Ok(renamed.rows_affected() == 1)
}

/// How removing an authenticator went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// It is the last one of an account that must have one.
    Last,
    /// There is no such authenticator.
    Unknown,
}

/// Removes an authenticator. With the last one the recovery codes go.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn remove(
    pool: &PgPool,
    account: Uuid,
    factor: Uuid,
    needed: bool,
) -> sqlx::Result<Removal> {
    let mut tx = pool.begin().await?;
    // Of two that are removed at once, the second one sees what the first has left.
    let theirs = sqlx::query_scalar!(
        r#"
        SELECT factor_id FROM factors WHERE account_id = $1 AND confirmed_at IS NOT NULL FOR UPDATE
        "#,
        account,
    )
    .fetch_all(&mut *tx)
    .await?;
    if !theirs.contains(&factor) {
        return Ok(Removal::Unknown);
    }
    if needed && theirs.len() == 1 {
        return Ok(Removal::Last);
    }
    sqlx::query!("DELETE FROM factors WHERE factor_id = $1", factor).execute(&mut *tx).await?;
    if theirs.len() == 1 {
        sqlx::query!("DELETE FROM recovery_codes WHERE account_id = $1", account)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(Removal::Removed)
}

/// Replaces the recovery codes of an account.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn replace_codes(pool: &PgPool, account: Uuid, hashes: &[Vec<u8>]) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    sqlx::query!("DELETE FROM recovery_codes WHERE account_id = $1", account)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "INSERT INTO recovery_codes (account_id, code_sha256) SELECT $1, unnest($2::bytea[])",
        account,
        hashes,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// Uses a recovery code up; `false` when it is none, or was used.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn use_code(pool: &PgPool, account: Uuid, hash: &[u8]) -> sqlx::Result<bool> {
    let used = sqlx::query!(
        "DELETE FROM recovery_codes WHERE account_id = $1 AND code_sha256 = $2",
        account,
        hash,
    )
    .execute(pool)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// How many recovery codes an account has left.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn codes_left(pool: &PgPool, account: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM recovery_codes WHERE account_id = $1"#,
        account,
    )
    .fetch_one(pool)
    .await
}

/// Lets a login wait for its second factor.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn challenge(
    pool: &PgPool,
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
    .execute(pool)
    .await?;
    Ok(())
}

/// Counts a try at a waiting login, and says whose it is; `None` when it is over.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn try_challenge(
    pool: &PgPool,
    token_sha256: &[u8],
    now: OffsetDateTime,
) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        r#"
        UPDATE login_challenges SET tries = tries + 1
        WHERE token_sha256 = $1 AND tries < $2 AND expires_at > $3
        RETURNING account_id
        "#,
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
pub async fn end_challenge(pool: &PgPool, token_sha256: &[u8]) -> sqlx::Result<bool> {
    let ended = sqlx::query!("DELETE FROM login_challenges WHERE token_sha256 = $1", token_sha256)
        .execute(pool)
        .await?;
    Ok(ended.rows_affected() == 1)
}

/// Drops everything beside the password that proves an account; returns the authenticators that worked. For an
/// account whose holder never proved its address, when the address's owner comes.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn drop_all(db: &mut PgConnection, account: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query!("DELETE FROM recovery_codes WHERE account_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM devices WHERE account_id = $1", account).execute(&mut *db).await?;
    let dropped = sqlx::query!(
        "DELETE FROM factors WHERE account_id = $1 RETURNING factor_id, confirmed_at",
        account,
    )
    .fetch_all(db)
    .await?;
    let worked = dropped.into_iter().filter(|factor| factor.confirmed_at.is_some());
    Ok(worked.map(|factor| factor.factor_id).collect())
}
