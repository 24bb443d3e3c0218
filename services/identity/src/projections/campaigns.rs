//! `campaigns`: the registry of tenants.

use identity_domain::{CampaignEvent, CampaignProfile, CampaignStatus};
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{api_keys, members};

/// One campaign, as stored.
#[derive(Debug, Clone)]
pub struct CampaignRow {
    /// The campaign.
    pub campaign_id: Uuid,
    /// Its name in addresses.
    pub slug: String,
    /// Its candidate.
    pub candidate_name: String,
    /// The office sought.
    pub office: String,
    /// Where.
    pub constituency: String,
    /// Its first language.
    pub locale: String,
    /// The candidate's home region, by its code; empty where none was said.
    pub home_region: String,
    /// Where it stands.
    pub status: String,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it will be deleted, if nobody withdraws that.
    pub deletion_due_at: Option<OffsetDateTime>,
    /// Whether everybody who works in it needs a second factor.
    pub factor_demanded: bool,
}

/// Lets the table reflect one fact.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &CampaignEvent,
) -> sqlx::Result<()> {
    match fact {
        CampaignEvent::Created { slug, profile, at } => {
            sqlx::query!(
                r#"
                INSERT INTO campaigns (campaign_id, slug, candidate_name, office, constituency, locale,
                                       status, created_at, home_region)
                VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $8)
                "#,
                event.aggregate_id,
                slug,
                profile.candidate_name,
                profile.office,
                profile.constituency,
                profile.locale,
                at,
                profile.home_region,
            )
            .execute(db)
            .await?;
        }
        CampaignEvent::Edited { profile, .. } => edit(db, event, profile).await?,
        CampaignEvent::StatusChanged { to, .. } => move_to(db, event, *to).await?,
        CampaignEvent::DeletionRequested { due_at, .. } => {
            fall_due(db, event, Some(*due_at)).await?;
        }
        CampaignEvent::DeletionWithdrawn { .. } => fall_due(db, event, None).await?,
        CampaignEvent::FactorDemanded { .. } => demand(db, event, true).await?,
        CampaignEvent::FactorWaived { .. } => demand(db, event, false).await?,
        CampaignEvent::Deleted { .. } => {
            fall_due(&mut *db, event, None).await?;
            move_to(&mut *db, event, CampaignStatus::Deleted).await?;
            members::remove_all(&mut *db, event.tenant).await?;
            api_keys::remove_all(db, event.tenant).await?;
        }
    }
    Ok(())
}

async fn edit(
    db: &mut PgConnection,
    event: &Recorded,
    profile: &CampaignProfile,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE campaigns SET candidate_name = $2, office = $3, constituency = $4, locale = $5,
               home_region = $6
        WHERE campaign_id = $1
        "#,
        event.aggregate_id,
        profile.candidate_name,
        profile.office,
        profile.constituency,
        profile.locale,
        profile.home_region,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn move_to(db: &mut PgConnection, event: &Recorded, to: CampaignStatus) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE campaigns SET status = $2 WHERE campaign_id = $1",
        event.aggregate_id,
        to.name(),
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn fall_due(
    db: &mut PgConnection,
    event: &Recorded,
    due_at: Option<OffsetDateTime>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE campaigns SET deletion_due_at = $2 WHERE campaign_id = $1",
        event.aggregate_id,
        due_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn demand(db: &mut PgConnection, event: &Recorded, demanded: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE campaigns SET factor_demanded = $2 WHERE campaign_id = $1",
        event.aggregate_id,
        demanded,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All campaigns, newest first.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn all(pool: &PgPool) -> sqlx::Result<Vec<CampaignRow>> {
    sqlx::query_as!(
        CampaignRow,
        r#"
        SELECT campaign_id, slug, candidate_name, office, constituency, locale, status, created_at,
               deletion_due_at, factor_demanded, home_region
        FROM campaigns ORDER BY created_at DESC, slug
        "#,
    )
    .fetch_all(pool)
    .await
}

/// One campaign, by its id or its name in addresses.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn find(
    pool: &PgPool,
    id: Option<Uuid>,
    slug: Option<&str>,
) -> sqlx::Result<Option<CampaignRow>> {
    sqlx::query_as!(
        CampaignRow,
        r#"
        SELECT campaign_id, slug, candidate_name, office, constituency, locale, status, created_at,
               deletion_due_at, factor_demanded, home_region
        FROM campaigns WHERE campaign_id = $1 OR slug = $2
        "#,
        id,
        slug,
    )
    .fetch_optional(pool)
    .await
}

/// The language of the campaign that an account joined first.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn first_locale(pool: &PgPool, account: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT c.locale FROM members m JOIN campaigns c ON c.campaign_id = m.campaign_id
        WHERE m.account_id = $1 ORDER BY m.joined_at NULLS LAST, m.invited_at LIMIT 1
        "#,
        account,
    )
    .fetch_optional(pool)
    .await
}
