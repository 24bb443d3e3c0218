//! `dialogues`: where each citizen can be reached.

use bot_hub_domain::{DialogueEvent, Did};
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Lets the table reflect one fact.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &DialogueEvent,
) -> sqlx::Result<()> {
    match fact {
        DialogueEvent::Started { bot_id, chat, .. } => {
            sqlx::query!(
                r#"
                INSERT INTO dialogues (tenant_id, citizen_id, bot_id, chat_sealed) VALUES ($1, $2, $3, $4)
                "#,
                event.tenant,
                event.aggregate_id,
                bot_id,
                chat.to_string(),
            )
            .execute(db)
            .await?;
        }
        DialogueEvent::CitizenActed { did, .. } => {
            let blocked = matches!(did, Did::Block);
            sqlx::query!(
                r#"
                UPDATE dialogues SET blocked = $3
                WHERE tenant_id = $1 AND citizen_id = $2 AND blocked <> $3
                "#,
                event.tenant,
                event.aggregate_id,
                blocked,
            )
            .execute(db)
            .await?;
        }
        DialogueEvent::ReplySent { .. }
        | DialogueEvent::ReplyFailed { .. }
        | DialogueEvent::ReplyInDoubt { .. } => {}
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
