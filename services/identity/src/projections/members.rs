//! `members`: who works for which campaign.

use std::collections::BTreeSet;

use identity_domain::MemberEvent;
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// One member of a campaign, as stored.
#[derive(Debug, Clone)]
pub struct MemberRow {
    /// The account.
    pub account_id: Uuid,
    /// As what.
    pub role: String,
    /// When they joined; `None` while the invitation is open.
    pub joined_at: Option<OffsetDateTime>,
    /// Address and name as the person gave them, sealed. Not for the team before they joined.
    pub profile_sealed: String,
    /// The address that they proved, sealed. Not for the team before they joined.
    pub email_sealed: Option<String>,
    /// Address and name as the inviter gave them, sealed.
    pub said_sealed: Option<String>,
    /// Whether their place gives them nothing until somebody reactivates it.
    pub deactivated: bool,
    /// Permissions beyond those of the role.
    pub granted: Vec<String>,
    /// Permissions of the role that they have not.
    pub denied: Vec<String>,
    /// When they last used a session that they still have.
    pub last_seen_at: Option<OffsetDateTime>,
    /// Until when the newest link that invites them works, or worked.
    pub link_ends_at: Option<OffsetDateTime>,
}

/// One place of an account, as stored.
#[derive(Debug, Clone)]
pub struct PlaceRow {
    /// The campaign.
    pub campaign_id: Uuid,
    /// Its name in addresses.
    pub slug: String,
    /// Its candidate.
    pub candidate_name: String,
    /// Where it stands.
    pub status: String,
    /// When it will be deleted, if nobody withdraws that.
    pub deletion_due_at: Option<OffsetDateTime>,
    /// As what.
    pub role: String,
    /// Permissions beyond those of the role.
    pub granted: Vec<String>,
    /// Permissions of the role that they have not.
    pub denied: Vec<String>,
    /// Whether everybody who works there needs a second factor.
    pub factor_demanded: bool,
}

/// One place of an account, open or not, as stored.
#[derive(Debug, Clone)]
pub struct AnyPlaceRow {
    /// The campaign.
    pub campaign_id: Uuid,
    /// Its name in addresses.
    pub slug: String,
    /// Its candidate.
    pub candidate_name: String,
    /// As what.
    pub role: String,
    /// When they joined; `None` while the invitation is open.
    pub joined_at: Option<OffsetDateTime>,
    /// Whether their place gives them nothing until somebody reactivates it.
    pub deactivated: bool,
    /// Until when the newest link that invites them works, or worked.
    pub link_ends_at: Option<OffsetDateTime>,
}

/// Lets the table reflect one fact. The aggregate's id is made of campaign and account, so a later fact
/// finds its row through the account that the first one named.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &MemberEvent,
) -> sqlx::Result<()> {
    match fact {
        MemberEvent::Invited { account_id, role, said, at } => {
            sqlx::query!(
                r#"
                INSERT INTO members (campaign_id, account_id, role, invited_at, said_sealed)
                VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (campaign_id, account_id)
                DO UPDATE SET role = $3, said_sealed = $5, granted = '{}', denied = '{}'
                "#,
                event.tenant,
                account_id,
                role.name(),
                at,
                said.as_ref().map(ToString::to_string),
            )
            .execute(db)
            .await?;
        }
        MemberEvent::Joined { at } => {
            let joined = account_of(&mut *db, event.tenant, event.aggregate_id).await?;
            if let Some(account) = joined {
                join(db, event.tenant, account, *at).await?;
            }
        }
        MemberEvent::InvitationRenewed { .. }
        | MemberEvent::Impersonated { .. }
        | MemberEvent::LookedAt { .. } => {}
        MemberEvent::RoleChanged { account_id, to, .. } => {
            change_role(db, (event.tenant, *account_id), to.name()).await?;
        }
        MemberEvent::PermissionsChanged { account_id, granted, denied, .. } => {
            except(db, (event.tenant, *account_id), granted, denied).await?;
        }
        MemberEvent::Deactivated { account_id, .. } => {
            deactivate(db, (event.tenant, *account_id), true).await?;
        }
        MemberEvent::Reactivated { account_id, .. } => {
            deactivate(db, (event.tenant, *account_id), false).await?;
        }
        MemberEvent::InvitationWithdrawn { account_id, .. }
        | MemberEvent::Removed { account_id, .. } => {
            remove(db, (event.tenant, *account_id)).await?;
        }
    }
    Ok(())
}

async fn join(
    db: &mut PgConnection,
    campaign: Uuid,
    account: Uuid,
    at: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE members SET joined_at = $3
        WHERE campaign_id = $1 AND account_id = $2 AND joined_at IS NULL
        "#,
        campaign,
        account,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A place: campaign and account.
type Key = (Uuid, Uuid);

async fn change_role(
    db: &mut PgConnection,
    (campaign, account): Key,
    role: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE members SET role = $3, granted = '{}', denied = '{}'
        WHERE campaign_id = $1 AND account_id = $2
        "#,
        campaign,
        account,
        role,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn except(
    db: &mut PgConnection,
    (campaign, account): Key,
    granted: &BTreeSet<String>,
    denied: &BTreeSet<String>,
) -> sqlx::Result<()> {
    let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
    sqlx::query!(
        "UPDATE members SET granted = $3, denied = $4 WHERE campaign_id = $1 AND account_id = $2",
        campaign,
        account,
        &list(granted),
        &list(denied),
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn deactivate(
    db: &mut PgConnection,
    (campaign, account): Key,
    deactivated: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE members SET deactivated = $3 WHERE campaign_id = $1 AND account_id = $2",
        campaign,
        account,
        deactivated,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn remove(db: &mut PgConnection, (campaign, account): Key) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM members WHERE campaign_id = $1 AND account_id = $2",
        campaign,
        account,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lets go of a whole team, whose campaign is deleted.
pub(super) async fn remove_all(db: &mut PgConnection, campaign: Uuid) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM members WHERE campaign_id = $1", campaign).execute(db).await?;
    Ok(())
}

/// The account of a member, among those that have a place in the campaign.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn account_of(
    db: impl PgExecutor<'_>,
    campaign: Uuid,
    member: Uuid,
) -> sqlx::Result<Option<Uuid>> {
    let accounts = accounts_of(db, campaign).await?;
    Ok(accounts.into_iter().find(|account| crate::app::member_of(campaign, *account) == member))
}

/// The accounts that have a place in a campaign, or were asked to take one.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn accounts_of(db: impl PgExecutor<'_>, campaign: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!("SELECT account_id FROM members WHERE campaign_id = $1", campaign)
        .fetch_all(db)
        .await
}

/// The accounts that work in a campaign now.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn at_work(pool: &PgPool, campaign: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        SELECT account_id FROM members
        WHERE campaign_id = $1 AND joined_at IS NOT NULL AND NOT deactivated
        "#,
        campaign,
    )
    .fetch_all(pool)
    .await
}

/// The accounts that own a campaign now.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn owners_of(pool: &PgPool, campaign: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        SELECT account_id FROM members
        WHERE campaign_id = $1 AND role = 'owner' AND joined_at IS NOT NULL AND NOT deactivated
        "#,
        campaign,
    )
    .fetch_all(pool)
    .await
}

/// The team of a campaign, in the order in which they were invited.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn of_campaign(pool: &PgPool, campaign: Uuid) -> sqlx::Result<Vec<MemberRow>> {
    sqlx::query_as!(
        MemberRow,
        r#"
        SELECT m.account_id, m.role, m.joined_at, a.profile_sealed, a.email_sealed, m.said_sealed,
               m.deactivated, m.granted, m.denied,
               (SELECT max(s.last_seen_at) FROM sessions s WHERE s.account_id = m.account_id) AS last_seen_at,
               (SELECT max(i.expires_at) FROM invitations i WHERE i.account_id = m.account_id
                AND i.campaign_id = m.campaign_id AND i.used_at IS NULL) AS link_ends_at
        FROM members m JOIN accounts a ON a.account_id = m.account_id
        WHERE m.campaign_id = $1 ORDER BY m.invited_at
        "#,
        campaign,
    )
    .fetch_all(pool)
    .await
}

/// What the inviter of a campaign called an account; `None` when nobody asked it to join, or did so before
/// that was kept.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn said(pool: &PgPool, campaign: Uuid, account: Uuid) -> sqlx::Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "SELECT said_sealed FROM members WHERE campaign_id = $1 AND account_id = $2",
        campaign,
        account,
    );
    Ok(found.fetch_optional(pool).await?.flatten())
}

/// Where an account works.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn of_account(pool: &PgPool, account: Uuid) -> sqlx::Result<Vec<PlaceRow>> {
    sqlx::query_as!(
        PlaceRow,
        r#"
        SELECT c.campaign_id, c.slug, c.candidate_name, c.status, c.deletion_due_at, m.role, m.granted,
               m.denied, c.factor_demanded
        FROM members m JOIN campaigns c ON c.campaign_id = m.campaign_id
        WHERE m.account_id = $1 AND m.joined_at IS NOT NULL AND NOT m.deactivated
        ORDER BY c.candidate_name
        "#,
        account,
    )
    .fetch_all(pool)
    .await
}

/// The campaigns in which an account has a place, whatever it is.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn campaigns_of(pool: &PgPool, account: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!("SELECT campaign_id FROM members WHERE account_id = $1", account)
        .fetch_all(pool)
        .await
}

/// Whether an account works in a campaign that demands a second factor of its team.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn demand_factor(pool: &PgPool, account: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
          SELECT 1 FROM members m JOIN campaigns c ON c.campaign_id = m.campaign_id
          WHERE m.account_id = $1 AND m.joined_at IS NOT NULL AND NOT m.deactivated AND c.factor_demanded
        ) AS "demanded!"
        "#,
        account,
    )
    .fetch_one(pool)
    .await
}

/// Where an account works, worked, or was asked to.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn all_of_account(pool: &PgPool, account: Uuid) -> sqlx::Result<Vec<AnyPlaceRow>> {
    sqlx::query_as!(
        AnyPlaceRow,
        r#"
        SELECT c.campaign_id, c.slug, c.candidate_name, m.role, m.joined_at, m.deactivated,
               (SELECT max(i.expires_at) FROM invitations i WHERE i.account_id = m.account_id
                AND i.campaign_id = m.campaign_id AND i.used_at IS NULL) AS link_ends_at
        FROM members m JOIN campaigns c ON c.campaign_id = m.campaign_id
        WHERE m.account_id = $1 ORDER BY c.candidate_name, c.slug
        "#,
        account,
    )
    .fetch_all(pool)
    .await
}
