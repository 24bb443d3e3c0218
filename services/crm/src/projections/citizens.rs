//! `citizens`: who has reached the campaign.

use crm_domain::{CitizenEvent, TicketEvent};
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// One citizen, as stored.
#[derive(Debug, Clone)]
pub struct CitizenRow {
    /// The citizen.
    pub citizen_id: Uuid,
    /// What they are called, sealed; `None` when erased.
    pub person_sealed: Option<String>,
    /// Their number, sealed, if they shared it.
    pub phone_sealed: Option<String>,
    /// The link through which they came first, sealed, if there was one.
    pub source_sealed: Option<String>,
    /// When they first reached the campaign.
    pub first_seen: OffsetDateTime,
    /// When they last did something.
    pub last_seen: OffsetDateTime,
    /// Whether they have blocked the bot.
    pub blocked: bool,
}

/// Lets the table reflect one fact about a citizen.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &CitizenEvent,
) -> sqlx::Result<()> {
    let (tenant, citizen) = (event.tenant, event.aggregate_id);
    match fact {
        CitizenEvent::Met { person, at, .. } | CitizenEvent::Changed { person, at, .. } => {
            sqlx::query!(
                r#"
                INSERT INTO citizens (tenant_id, citizen_id, person_sealed, first_seen, last_seen)
                VALUES ($1, $2, $3, $4, $4)
                ON CONFLICT (tenant_id, citizen_id)
                DO UPDATE SET person_sealed = $3, last_seen = greatest(citizens.last_seen, $4)
                "#,
                tenant,
                citizen,
                person.to_string(),
                at,
            )
            .execute(db)
            .await?;
        }
        CitizenEvent::PhoneShared { phone, .. } => {
            sqlx::query!(
                "UPDATE citizens SET phone_sealed = $3 WHERE tenant_id = $1 AND citizen_id = $2",
                tenant,
                citizen,
                phone.to_string(),
            )
            .execute(db)
            .await?;
        }
        CitizenEvent::CameFrom { source, .. } => {
            sqlx::query!(
                r#"
                UPDATE citizens SET source_sealed = coalesce(source_sealed, $3)
                WHERE tenant_id = $1 AND citizen_id = $2
                "#,
                tenant,
                citizen,
                source.to_string(),
            )
            .execute(db)
            .await?;
        }
        CitizenEvent::BlockedBot { .. } => block(db, tenant, citizen, true).await?,
        CitizenEvent::UnblockedBot { .. } => block(db, tenant, citizen, false).await?,
    }
    Ok(())
}

async fn block(
    db: &mut PgConnection,
    tenant: Uuid,
    citizen: Uuid,
    blocked: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE citizens SET blocked = $3 WHERE tenant_id = $1 AND citizen_id = $2",
        tenant,
        citizen,
        blocked,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lets the table reflect that a citizen wrote.
pub(super) async fn apply_ticket(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &TicketEvent,
) -> sqlx::Result<()> {
    if let TicketEvent::MessageReceived { at, .. } = fact {
        sqlx::query!(
            r#"
            UPDATE citizens c SET last_seen = greatest(c.last_seen, $3) FROM tickets t
            WHERE t.tenant_id = $1 AND t.ticket_id = $2
              AND c.tenant_id = $1 AND c.citizen_id = t.citizen_id
            "#,
            event.tenant,
            event.aggregate_id,
            at,
        )
        .execute(db)
        .await?;
    }
    Ok(())
}

/// One citizen.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn by_id(pool: &PgPool, tenant: Uuid, citizen: Uuid) -> sqlx::Result<Option<CitizenRow>> {
    sqlx::query_as!(
        CitizenRow,
        r#"
        SELECT citizen_id, person_sealed, phone_sealed, source_sealed, first_seen, last_seen, blocked
        FROM citizens WHERE tenant_id = $1 AND citizen_id = $2
        "#,
        tenant,
        citizen,
    )
    .fetch_optional(pool)
    .await
}
