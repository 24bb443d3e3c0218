//! `members`: who works for which campaign.

use identity_domain::MemberEvent;
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
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
    /// As what.
    pub role: String,
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
                ON CONFLICT (campaign_id, account_id) DO UPDATE SET role = $3, said_sealed = $5
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
            let waiting = sqlx::query_scalar!(
                "SELECT account_id FROM members WHERE campaign_id = $1 AND joined_at IS NULL",
                event.tenant,
            )
            .fetch_all(&mut *db)
            .await?;
            let joined = waiting.into_iter().find(|account| {
                crate::app::member_of(event.tenant, *account) == event.aggregate_id
            });
            if let Some(account) = joined {
                join(db, event.tenant, account, *at).await?;
            }
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
        "UPDATE members SET joined_at = $3 WHERE campaign_id = $1 AND account_id = $2",
        campaign,
        account,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
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
        SELECT m.account_id, m.role, m.joined_at, a.profile_sealed, a.email_sealed, m.said_sealed
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
        SELECT c.campaign_id, c.slug, c.candidate_name, c.status, m.role
        FROM members m JOIN campaigns c ON c.campaign_id = m.campaign_id
        WHERE m.account_id = $1 AND m.joined_at IS NOT NULL ORDER BY c.candidate_name
        "#,
        account,
    )
    .fetch_all(pool)
    .await
}
