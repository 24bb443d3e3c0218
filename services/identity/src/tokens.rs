//! Sessions and one-time links: 256 random bits, of which only the SHA-256 is kept.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::digest::Digest;
use sha2::Sha256;
use sqlx::{PgConnection, PgPool};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::letters::{self, Written};

/// How long an invitation can be used.
const INVITED: Duration = Duration::hours(72);

/// A secret that is shown once.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// A new one.
    #[must_use]
    pub fn fresh() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system has randomness");
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Its text, to be shown.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }

    /// Under which it is kept.
    #[must_use]
    pub fn hash(&self) -> Vec<u8> {
        hash(&self.0)
    }
}

/// Under which a token is kept.
#[must_use]
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Without being used.
    pub idle: Duration,
    /// At all.
    pub absolute: Duration,
}

/// How long the sessions of admins and of members last.
#[must_use]
pub const fn lifetime(admin: bool) -> Lifetime {
    if admin {
        Lifetime { idle: Duration::minutes(30), absolute: Duration::hours(12) }
    } else {
        Lifetime { idle: Duration::hours(2), absolute: Duration::days(14) }
    }
}

/// A session as it is kept.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Its name.
    pub session_id: Uuid,
    /// Whose it is.
    pub account_id: Uuid,
    /// When it was last used.
    pub last_seen_at: OffsetDateTime,
    /// When it ends whatever happens.
    pub expires_at: OffsetDateTime,
}

/// A session that begins.
#[derive(Debug)]
pub struct NewSession {
    /// Its name.
    pub session_id: Uuid,
    /// Whose it is.
    pub account_id: Uuid,
    /// Network address, sealed.
    pub address: String,
    /// What the browser calls itself, sealed.
    pub user_agent: String,
    /// When it ends whatever happens.
    pub expires_at: OffsetDateTime,
}

/// Keeps a session.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn keep_session(
    pool: &PgPool,
    token: &Token,
    session: &NewSession,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO sessions (token_sha256, session_id, account_id, created_at, last_seen_at, expires_at,
                              address_sealed, user_agent_sealed)
        VALUES ($1, $2, $3, $4, $4, $5, $6, $7)
        "#,
        token.hash(),
        session.session_id,
        session.account_id,
        now,
        session.expires_at,
        session.address,
        session.user_agent,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The session of a token.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn session(pool: &PgPool, token: &str) -> sqlx::Result<Option<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        "SELECT session_id, account_id, last_seen_at, expires_at FROM sessions WHERE token_sha256 = $1",
        hash(token),
    )
    .fetch_optional(pool)
    .await
}

/// Notes that a session was used, at most once a minute.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn touch_session(pool: &PgPool, token: &str, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE sessions SET last_seen_at = $2
        WHERE token_sha256 = $1 AND last_seen_at < $2::timestamptz - interval '1 minute'
        "#,
        hash(token),
        now,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Ends the session of a token; returns it, when there was one.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn end_session(pool: &PgPool, token: &str) -> sqlx::Result<Option<(Uuid, Uuid)>> {
    let ended = sqlx::query!(
        "DELETE FROM sessions WHERE token_sha256 = $1 RETURNING account_id, session_id",
        hash(token),
    )
    .fetch_optional(pool)
    .await?;
    Ok(ended.map(|row| (row.account_id, row.session_id)))
}

/// Ends all sessions of an account but one.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn end_other_sessions(pool: &PgPool, account: Uuid, but: Uuid) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sessions WHERE account_id = $1 AND session_id <> $2", account, but,)
        .execute(pool)
        .await?;
    Ok(())
}

/// Sets the password of an account, in place of the one that it had.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn set_password(
    db: &mut PgConnection,
    account: Uuid,
    password: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO credentials (account_id, password, changed_at) VALUES ($1, $2, $3)
        ON CONFLICT (account_id) DO UPDATE SET password = $2, changed_at = $3
        "#,
        account,
        password,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// An invitation that can be used.
#[derive(Debug, Clone)]
pub struct InvitationRow {
    /// For whom; `None` for the first admin.
    pub account_id: Option<Uuid>,
    /// Into which campaign.
    pub campaign_id: Option<Uuid>,
    /// Whether the link went to the account's address, and nowhere else.
    pub mailed: bool,
}

/// Keeps an invitation, for 72 hours, with the letter that brings it. One for the first admin replaces those
/// before. A letter that was written before keeps its own link, and nothing is done.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn keep_invitation(
    pool: &PgPool,
    token: &Token,
    invitation: &InvitationRow,
    letter: Option<&Written>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    if let Some(letter) = letter
        && !letters::write(&mut tx, letter).await?
    {
        return tx.rollback().await;
    }
    if invitation.account_id.is_none() {
        sqlx::query!("DELETE FROM invitations WHERE account_id IS NULL AND used_at IS NULL")
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query!(
        r#"
        INSERT INTO invitations (token_sha256, account_id, campaign_id, mailed, expires_at)
        VALUES ($1, $2, $3, $4, $5)
        "#,
        token.hash(),
        invitation.account_id,
        invitation.campaign_id,
        invitation.mailed,
        now + INVITED,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// The invitation of a token, if it can still be used.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn invitation(
    pool: &PgPool,
    token: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Option<InvitationRow>> {
    sqlx::query_as!(
        InvitationRow,
        r#"
        SELECT account_id, campaign_id, mailed FROM invitations
        WHERE token_sha256 = $1 AND used_at IS NULL AND expires_at > $2
        "#,
        hash(token),
        now,
    )
    .fetch_optional(pool)
    .await
}

/// Sets the first password of `account` by an invitation, which stays good; `false` when it is not, or the
/// account has a password already.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn set_first_password(
    pool: &PgPool,
    token: &str,
    account: Uuid,
    password: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let set = sqlx::query!(
        r#"
        INSERT INTO credentials (account_id, password, changed_at)
        SELECT account_id, $3, $4 FROM invitations
        WHERE token_sha256 = $1 AND account_id = $2 AND used_at IS NULL AND expires_at > $4
        ON CONFLICT (account_id) DO NOTHING
        "#,
        hash(token),
        account,
        password,
        now,
    )
    .execute(pool)
    .await?;
    Ok(set.rows_affected() == 1)
}

/// Uses an invitation up; `false` when it is used or too old.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn use_up(pool: &PgPool, token: &str, now: OffsetDateTime) -> sqlx::Result<bool> {
    let used = sqlx::query!(
        r#"
        UPDATE invitations SET used_at = $2
        WHERE token_sha256 = $1 AND used_at IS NULL AND expires_at > $2
        "#,
        hash(token),
        now,
    )
    .execute(pool)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Uses the first admin's invitation up, and sets the password of `account` with it; `false` when somebody was
/// quicker.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn use_first_invitation(
    pool: &PgPool,
    token: &str,
    account: Uuid,
    password: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    let used = sqlx::query!(
        r#"
        UPDATE invitations SET used_at = $2
        WHERE token_sha256 = $1 AND account_id IS NULL AND used_at IS NULL AND expires_at > $2
        "#,
        hash(token),
        now,
    )
    .execute(&mut *tx)
    .await?;
    let set = sqlx::query!(
        r#"
        INSERT INTO credentials (account_id, password, changed_at) VALUES ($1, $2, $3)
        ON CONFLICT (account_id) DO NOTHING
        "#,
        account,
        password,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if used.rows_affected() != 1 || set.rows_affected() != 1 {
        tx.rollback().await?;
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}
