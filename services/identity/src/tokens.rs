//! Tokens: 256 random bits, of which only the SHA-256 is kept; and the sessions that they open.

mod present;
mod renewal;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::digest::Digest;
use sha2::Sha256;
use sqlx::{PgConnection, PgExecutor, PgPool};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub use self::{
    present::{session, session_of, touch_session},
    renewal::{exchange, kept_until, let_renew, renew_session},
};

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

    /// One that was shown before.
    #[must_use]
    pub fn shown(text: &str) -> Self {
        Self(text.to_owned())
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

/// The token of a session, for a browser to keep.
#[derive(Debug)]
pub struct Given {
    /// The token.
    pub token: Token,
    /// Until when it is kept; `None` where the browser lets go of it when it is closed.
    pub keep_until: Option<OffsetDateTime>,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Without being used.
    pub idle: Duration,
    /// At all.
    pub absolute: Duration,
}

/// How long the sessions of admins and of members last. A member's may rest for 30 days on a device that nobody else
/// uses, which is longer than it lasts: there it does not end by resting.
#[must_use]
pub const fn lifetime(admin: bool, trusted: bool) -> Lifetime {
    if admin {
        return Lifetime { idle: Duration::minutes(30), absolute: Duration::hours(12) };
    }
    let idle = if trusted { Duration::days(30) } else { Duration::hours(2) };
    Lifetime { idle, absolute: Duration::days(14) }
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
    /// When its holder last proved who they are.
    pub proved_at: OffsetDateTime,
    /// Whether a second factor was among the proofs.
    pub second_factor: bool,
    /// Whether nobody else uses the device.
    pub trusted: bool,
    /// Whether it is to get another token, because its holder's role has changed.
    pub renew: bool,
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
    /// Hash of the cookie by which the browser is known.
    pub device: Vec<u8>,
    /// Whether a second factor was proved.
    pub second_factor: bool,
}

/// Keeps a session.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn keep_session(
    db: impl PgExecutor<'_>,
    token: &Token,
    session: &NewSession,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO sessions (token_sha256, session_id, account_id, created_at, last_seen_at, expires_at,
                              address_sealed, user_agent_sealed, device_sha256, second_factor, proved_at)
        VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $4)
        "#,
        token.hash(),
        session.session_id,
        session.account_id,
        now,
        session.expires_at,
        session.address,
        session.user_agent,
        session.device,
        session.second_factor,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the session of a token; returns it, when there was one.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn end_session(
    db: impl PgExecutor<'_>,
    token: &str,
) -> sqlx::Result<Option<(Uuid, Uuid)>> {
    let ended = sqlx::query!(
        "DELETE FROM sessions WHERE token_sha256 = $1 RETURNING account_id, session_id",
        hash(token),
    )
    .fetch_optional(db)
    .await?;
    Ok(ended.map(|row| (row.account_id, row.session_id)))
}

/// Ends all sessions of an account but one; returns those that ended.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn end_other_sessions(
    db: impl PgExecutor<'_>,
    account: Uuid,
    but: Uuid,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "DELETE FROM sessions WHERE account_id = $1 AND session_id <> $2 RETURNING session_id",
        account,
        but,
    )
    .fetch_all(db)
    .await
}

/// Ends one session of an account; `false` when there is none.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn end_session_of(
    db: impl PgExecutor<'_>,
    account: Uuid,
    session: Uuid,
) -> sqlx::Result<bool> {
    let ended = sqlx::query!(
        "DELETE FROM sessions WHERE account_id = $1 AND session_id = $2",
        account,
        session,
    )
    .execute(db)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// When the holder of a session last proved who they are; `None` when the account has no such session.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn proved_at(
    db: impl PgExecutor<'_>,
    account: Uuid,
    session: Uuid,
) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!(
        "SELECT proved_at FROM sessions WHERE account_id = $1 AND session_id = $2",
        account,
        session,
    )
    .fetch_optional(db)
    .await
}

/// Ends everything of an account but one session, because what proved it has changed: other sessions, logins
/// that wait for a code, mailed links to a new password, and what other browsers are known by. Returns the sessions.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn end_others(
    db: &mut PgConnection,
    account: Uuid,
    but: Uuid,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query!("DELETE FROM login_challenges WHERE account_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM recoveries WHERE account_id = $1", account).execute(&mut *db).await?;
    sqlx::query!(
        r#"
        DELETE FROM devices d WHERE d.account_id = $1 AND NOT EXISTS (
          SELECT 1 FROM sessions s
          WHERE s.account_id = $1 AND s.session_id = $2 AND s.device_sha256 = d.device_sha256)
        "#,
        account,
        but,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query_scalar!(
        "DELETE FROM sessions WHERE account_id = $1 AND session_id <> $2 RETURNING session_id",
        account,
        but,
    )
    .fetch_all(&mut *db)
    .await
}

/// A session as its holder sees it.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// Its name.
    pub session_id: Uuid,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it was last used.
    pub last_seen_at: OffsetDateTime,
    /// Network address, sealed.
    pub address_sealed: String,
    /// What the browser calls itself, sealed.
    pub user_agent_sealed: String,
    /// Whether nobody else uses the device.
    pub trusted: bool,
}

/// The sessions of an account that could still be used, the latest first.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn sessions_of(
    pool: &PgPool,
    account: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<OpenSession>> {
    sqlx::query_as!(
        OpenSession,
        r#"
        SELECT s.session_id, s.created_at, s.last_seen_at, s.address_sealed, s.user_agent_sealed,
               EXISTS (SELECT 1 FROM devices d WHERE d.device_sha256 = s.device_sha256
                       AND d.account_id = s.account_id AND d.trusted) AS "trusted!"
        FROM sessions s WHERE s.account_id = $1 AND s.expires_at > $2
        ORDER BY s.last_seen_at DESC, s.session_id LIMIT 100
        "#,
        account,
        now,
    )
    .fetch_all(pool)
    .await
}

/// Puts a password in the place of `before`, for the holder of a session; `false` when the session has ended, or the
/// password is another one by now.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn change_password(
    db: &mut PgConnection,
    (account, session): (Uuid, Uuid),
    (before, password): (&str, &str),
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let changed = sqlx::query!(
        r#"
        UPDATE credentials SET password = $4, changed_at = $5
        WHERE account_id = $1 AND password = $3
          AND EXISTS (SELECT 1 FROM sessions WHERE account_id = $1 AND session_id = $2)
        "#,
        account,
        session,
        before,
        password,
        now,
    )
    .execute(db)
    .await?;
    Ok(changed.rows_affected() == 1)
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
