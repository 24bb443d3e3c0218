//! `invitations`: one-time links with which accounts begin and people join teams. Of a link only the hash is
//! kept.

use sqlx::{PgConnection, PgExecutor, PgPool};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::tokens::{Token, hash};

/// How long an invitation can be used.
const INVITED: Duration = Duration::hours(72);
/// For how long it is known after that, used or not.
const KEPT: Duration = Duration::days(30);

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

/// Keeps an invitation, for 72 hours. One for the first admin replaces those before.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn keep_invitation(
    db: &mut PgConnection,
    token: &Token,
    invitation: &InvitationRow,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    if invitation.account_id.is_none() {
        sqlx::query!("DELETE FROM invitations WHERE account_id IS NULL AND used_at IS NULL")
            .execute(&mut *db)
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
    .execute(db)
    .await?;
    Ok(())
}

/// Which links of an account into one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Whoever has them.
    All,
    /// Those that somebody was shown: what was mailed is the account's alone.
    Shown,
}

/// Ends links with which an account could join a campaign, or without one become an admin.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn end_links(
    db: impl PgExecutor<'_>,
    (campaign, account): (Option<Uuid>, Uuid),
    which: Links,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        DELETE FROM invitations
        WHERE campaign_id IS NOT DISTINCT FROM $1::uuid AND account_id = $2 AND used_at IS NULL AND NOT (mailed AND $3)
        "#,
        campaign,
        account,
        which == Links::Shown,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lets go of links that have been over for long.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn sweep(pool: &PgPool, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM invitations WHERE expires_at <= $1", now - KEPT)
        .execute(pool)
        .await?;
    Ok(())
}

/// Lets go of the links into a campaign that is deleted.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn remove_all(pool: &PgPool, campaign: Uuid) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM invitations WHERE campaign_id = $1", campaign).execute(pool).await?;
    Ok(())
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

/// Sets the first password of an account; `false` when it has one.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn set_first_password(
    db: impl PgExecutor<'_>,
    account: Uuid,
    password: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let set = sqlx::query!(
        r#"
        INSERT INTO credentials (account_id, password, changed_at) VALUES ($1, $2, $3)
        ON CONFLICT (account_id) DO NOTHING
        "#,
        account,
        password,
        now,
    )
    .execute(db)
    .await?;
    Ok(set.rows_affected() == 1)
}

/// Uses an invitation of `account` up, or without one that of the first admin; `false` when it is used or too old.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn use_up(
    db: impl PgExecutor<'_>,
    token: &str,
    account: Option<Uuid>,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let used = sqlx::query!(
        r#"
        UPDATE invitations SET used_at = $3
        WHERE token_sha256 = $1 AND account_id IS NOT DISTINCT FROM $2::uuid AND used_at IS NULL AND expires_at > $3
        "#,
        hash(token),
        account,
        now,
    )
    .execute(db)
    .await?;
    Ok(used.rows_affected() == 1)
}
