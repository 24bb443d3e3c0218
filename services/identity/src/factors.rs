//! `factors` and `recovery_codes`: second factors, which are authenticators and passkeys.
//!
//! Whatever may be used once is used by one statement, so that of many at once one alone succeeds.

use sqlx::{PgConnection, PgExecutor, PgPool};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long a new factor can be confirmed.
pub const CONFIRMED_WITHIN: Duration = Duration::minutes(10);
/// Authenticators that an account may have.
const MOST: i64 = 10;

/// A factor whose codes are typed (RFC 6238).
pub const TOTP: &str = "totp";
/// A factor that signs challenges (WebAuthn).
pub const PASSKEY: &str = "passkey";

/// A factor as it is kept.
#[derive(Debug, Clone)]
pub struct FactorRow {
    /// Its id.
    pub factor_id: Uuid,
    /// What its holder calls it, sealed.
    pub name_sealed: String,
    /// [`TOTP`] or [`PASSKEY`].
    pub kind: String,
    /// Its secret, sealed; of a passkey its public key.
    pub secret_sealed: String,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When it was last used.
    pub last_used_at: Option<OffsetDateTime>,
}

/// The factors of an account that work.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn of_account(pool: &PgPool, account: Uuid) -> sqlx::Result<Vec<FactorRow>> {
    sqlx::query_as!(
        FactorRow,
        r#"
        SELECT factor_id, name_sealed, kind, secret_sealed, created_at, last_used_at FROM factors
        WHERE account_id = $1 AND confirmed_at IS NOT NULL ORDER BY created_at, factor_id
        "#,
        account,
    )
    .fetch_all(pool)
    .await
}

/// Whether an account has a factor that works.
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

/// Keeps a factor that has still to be confirmed, in place of others that never were; `false` when
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
        INSERT INTO factors (factor_id, account_id, name_sealed, secret_sealed, created_at, kind)
        SELECT $1, $2, $3, $4, $5, $7 WHERE (SELECT count(*) FROM factors WHERE account_id = $2) < $6
        "#,
        row.factor_id,
        account,
        row.name_sealed,
        row.secret_sealed,
        row.created_at,
        MOST,
        row.kind,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(begun.rows_affected() == 1)
}

/// An authenticator that has still to be confirmed, if it was begun a moment ago.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn begun(
    pool: &PgPool,
    account: Uuid,
    factor: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<Option<FactorRow>> {
    sqlx::query_as!(
        FactorRow,
        r#"
        SELECT factor_id, name_sealed, kind, secret_sealed, created_at, last_used_at FROM factors
        WHERE account_id = $1 AND factor_id = $2 AND confirmed_at IS NULL AND created_at > $3 AND kind = 'totp'
        "#,
        account,
        factor,
        now - CONFIRMED_WITHIN,
    )
    .fetch_optional(pool)
    .await
}

/// Of a factor that has shown that it works.
#[derive(Debug, Clone, Copy)]
pub struct Confirmation {
    /// The account.
    pub account: Uuid,
    /// The session that shows it.
    pub session: Uuid,
    /// The authenticator.
    pub factor_id: Uuid,
    /// The step of the code, which is used up; 0 for a passkey.
    pub step: i64,
    /// When.
    pub now: OffsetDateTime,
}

/// What letting an authenticator work has led to.
#[derive(Debug)]
pub struct ConfirmedFactor {
    /// Whether it is the first one, so that the recovery codes count.
    pub is_first: bool,
    /// Sessions that had no second factor, and ended.
    pub ended: Vec<Uuid>,
}

/// Lets a factor work; of a passkey `key` is kept, sealed, beside the hash of its id. The session that shows its code
/// gets a new token and counts as proved by it, sessions without a second factor end, and with the first authenticator
/// come recovery codes. `None` when somebody was quicker, or the session has ended: then what was done is to be
/// rolled back.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn confirm(
    db: &mut PgConnection,
    confirmation: &Confirmation,
    token_sha256: &[u8],
    codes_sha256: &[Vec<u8>],
    key: Option<(String, Vec<u8>)>,
) -> sqlx::Result<Option<ConfirmedFactor>> {
    let Confirmation { account, session, factor_id, step, now } = *confirmation;
    let (secret_sealed, credential_sha256) = key.unzip();
    let proved = sqlx::query!(
        r#"
        UPDATE sessions SET token_sha256 = $3, proved_at = $4, second_factor = true
        WHERE account_id = $1 AND session_id = $2
        "#,
        account,
        session,
        token_sha256,
        now,
    )
    .execute(&mut *db)
    .await?;
    let others = sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM factors WHERE account_id = $1 AND confirmed_at IS NOT NULL
        "#,
        account,
    )
    .fetch_one(&mut *db)
    .await?;
    let confirmed = sqlx::query!(
        r#"
        UPDATE factors SET confirmed_at = $4, last_step = $3, last_used_at = $4,
          secret_sealed = coalesce($5, secret_sealed), credential_sha256 = $6
        WHERE factor_id = $1 AND account_id = $2 AND confirmed_at IS NULL
        "#,
        factor_id,
        account,
        step,
        now,
        secret_sealed,
        credential_sha256,
    )
    .execute(&mut *db)
    .await?;
    if proved.rows_affected() != 1 || confirmed.rows_affected() != 1 {
        return Ok(None);
    }
    // Whatever else was begun is no authenticator of whoever confirmed this one.
    sqlx::query!("DELETE FROM factors WHERE account_id = $1 AND confirmed_at IS NULL", account)
        .execute(&mut *db)
        .await?;
    let is_first = others == 0;
    if is_first {
        replace_codes(&mut *db, account, codes_sha256).await?;
    }
    let ended = sqlx::query_scalar!(
        "DELETE FROM sessions WHERE account_id = $1 AND NOT second_factor RETURNING session_id",
        account,
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(Some(ConfirmedFactor { is_first, ended }))
}

/// Uses the code of `step` up; `false` when it or a later one was used.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn use_step(
    db: impl PgExecutor<'_>,
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
    .execute(db)
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
    db: &mut PgConnection,
    account: Uuid,
    factor: Uuid,
    needed: bool,
) -> sqlx::Result<Removal> {
    // Of two that are removed at once, the second one sees what the first has left.
    let theirs = sqlx::query_scalar!(
        r#"
        SELECT factor_id FROM factors WHERE account_id = $1 AND confirmed_at IS NOT NULL FOR UPDATE
        "#,
        account,
    )
    .fetch_all(&mut *db)
    .await?;
    if !theirs.contains(&factor) {
        return Ok(Removal::Unknown);
    }
    if needed && theirs.len() == 1 {
        return Ok(Removal::Last);
    }
    sqlx::query!("DELETE FROM factors WHERE factor_id = $1", factor).execute(&mut *db).await?;
    if theirs.len() == 1 {
        sqlx::query!("DELETE FROM recovery_codes WHERE account_id = $1", account)
            .execute(&mut *db)
            .await?;
    }
    Ok(Removal::Removed)
}

/// Replaces the recovery codes of an account.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn replace_codes(
    db: &mut PgConnection,
    account: Uuid,
    hashes: &[Vec<u8>],
) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM recovery_codes WHERE account_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!(
        "INSERT INTO recovery_codes (account_id, code_sha256) SELECT $1, unnest($2::bytea[])",
        account,
        hashes,
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Uses a recovery code up; `false` when it is none, or was used.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn use_code(db: impl PgExecutor<'_>, account: Uuid, hash: &[u8]) -> sqlx::Result<bool> {
    let used = sqlx::query!(
        "DELETE FROM recovery_codes WHERE account_id = $1 AND code_sha256 = $2",
        account,
        hash,
    )
    .execute(db)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Whether an account has a recovery code.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn has_code(pool: &PgPool, account: Uuid, hash: &[u8]) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM recovery_codes WHERE account_id = $1 AND code_sha256 = $2) AS "has!"
        "#,
        account,
        hash,
    )
    .fetch_one(pool)
    .await
}

/// How many recovery codes an account has left.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn codes_left(db: impl PgExecutor<'_>, account: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM recovery_codes WHERE account_id = $1"#,
        account,
    )
    .fetch_one(db)
    .await
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
