//! Erased people: where they were reached is forgotten, what was to be told to them too, and whoever comes
//! back is a stranger. An erased bot is gone.

use meydan_event_log::Recorded;
use sqlx::PgConnection;

/// Lets go of a citizen, or of a bot.
pub(super) async fn forget(db: &mut PgConnection, event: &Recorded) -> sqlx::Result<()> {
    let (tenant, subject) = (event.tenant, event.aggregate_id);
    sqlx::query!("DELETE FROM dialogues WHERE tenant_id = $1 AND citizen_id = $2", tenant, subject)
        .execute(&mut *db)
        .await?;
    // Rows that wait stay: the sender finds nobody, and says so to the ticket.
    sqlx::query!(
        r#"
        UPDATE outbound SET body_sealed = NULL
        WHERE tenant_id = $1 AND citizen_id = $2 AND body_sealed IS NOT NULL
        "#,
        tenant,
        subject,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        r#"
        DELETE FROM es.unique_keys
        WHERE tenant_id = $1 AND scope = 'telegram.user' AND aggregate_id = $2
        "#,
        tenant,
        subject,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("DELETE FROM bots WHERE tenant_id = $1 AND bot_id = $2", tenant, subject)
        .execute(db)
        .await?;
    Ok(())
}
