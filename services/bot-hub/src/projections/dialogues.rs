//! `dialogues`: where each citizen can be reached.

use bot_hub_domain::DialogueEvent;
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Lets the table reflect one fact.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &DialogueEvent,
) -> sqlx::Result<()> {
    if let DialogueEvent::Started { chat, .. } = fact {
        sqlx::query!(
            "INSERT INTO dialogues (tenant_id, citizen_id, chat_sealed) VALUES ($1, $2, $3)",
            event.tenant,
            event.aggregate_id,
            chat.to_string(),
        )
        .execute(db)
        .await?;
    }
    Ok(())
}

/// Where a citizen can be reached, sealed.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn chat(pool: &PgPool, tenant: Uuid, citizen: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "SELECT chat_sealed FROM dialogues WHERE tenant_id = $1 AND citizen_id = $2",
        tenant,
        citizen,
    )
    .fetch_optional(pool)
    .await
}
