//! Erased people: their rows stay for the counts, and lose everything that was theirs.

use meydan_event_log::{PLATFORM, Recorded};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Lets go of a citizen, or of what an account is called, here or, when the platform erases it, everywhere.
pub(super) async fn forget(db: &mut PgConnection, event: &Recorded) -> sqlx::Result<()> {
    let (tenant, subject) = (event.tenant, event.aggregate_id);
    if tenant == subject {
        return forget_campaign(db, tenant).await;
    }
    forget_citizen(db, tenant, subject).await?;
    sqlx::query!(
        r#"
        UPDATE messages SET author_name_sealed = NULL
        WHERE author = $1 AND (tenant_id = $2 OR $2 = $3) AND author_name_sealed IS NOT NULL
        "#,
        subject,
        tenant,
        PLATFORM,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lets go of a whole campaign: who was erased as a subject of themselves.
async fn forget_campaign(db: &mut PgConnection, tenant: Uuid) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM messages WHERE tenant_id = $1", tenant).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM tickets WHERE tenant_id = $1", tenant).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM citizens WHERE tenant_id = $1", tenant).execute(db).await?;
    Ok(())
}

async fn forget_citizen(db: &mut PgConnection, tenant: Uuid, citizen: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE citizens SET person_sealed = NULL, phone_sealed = NULL, source_sealed = NULL
        WHERE tenant_id = $1 AND citizen_id = $2
        "#,
        tenant,
        citizen,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        r#"
        UPDATE messages m SET body_sealed = NULL, earlier_sealed = '{}' FROM tickets t
        WHERE t.tenant_id = $1 AND t.citizen_id = $2 AND m.tenant_id = $1 AND m.ticket_id = t.ticket_id
        "#,
        tenant,
        citizen,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "UPDATE tickets SET subject_sealed = NULL WHERE tenant_id = $1 AND citizen_id = $2",
        tenant,
        citizen,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The numbers of a citizen's tickets.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn tickets(pool: &PgPool, tenant: Uuid, citizen: Uuid) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "SELECT number FROM tickets WHERE tenant_id = $1 AND citizen_id = $2",
        tenant,
        citizen,
    )
    .fetch_all(pool)
    .await
}
