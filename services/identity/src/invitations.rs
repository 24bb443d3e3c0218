//! `invitations`: one-time links with which accounts begin and people join teams. Of a link only the hash is
//! kept.

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    letters::{self, Written},
    tokens::{Token, hash},
};

/// How long an invitation can be used.
const INVITED: Duration = Duration::hours(72);

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
