//! Erased people: where they were reached is forgotten, what was to be told to them too, and whoever comes
//! back is a stranger. An erased bot is gone.

use meydan_event_log::Recorded;
use sqlx::PgConnection;
use uuid::Uuid;

/// Lets go of a citizen, of a bot, or of a whole campaign.
pub(super) async fn forget(db: &mut PgConnection, event: &Recorded) -> sqlx::Result<()> {
    let (tenant, subject) = (event.tenant, event.aggregate_id);
    if tenant == subject {
        return forget_campaign(db, tenant).await;
    }
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

/// Lets go of everything of a campaign. Its bot's token cannot be read any more, so nobody is reached by it.
async fn forget_campaign(db: &mut PgConnection, tenant: Uuid) -> sqlx::Result<()> {
    for statement in [
        "DELETE FROM bots WHERE tenant_id = $1",
        "DELETE FROM bots_left WHERE tenant_id = $1",
        "DELETE FROM dialogues WHERE tenant_id = $1",
        "DELETE FROM outbound WHERE tenant_id = $1",
        "DELETE FROM aside WHERE tenant_id = $1",
        "DELETE FROM es.unique_keys WHERE tenant_id = $1 AND scope = 'telegram.user'",
    ] {
        sqlx::query(statement).bind(tenant).execute(&mut *db).await?;
    }
    Ok(())
}
