//! `messages`: the conversation of a ticket, in and out.

use crm_domain::TicketEvent;
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// One message, as stored.
#[derive(Debug, Clone)]
pub struct MessageRow {
    /// The message.
    pub message_id: Uuid,
    /// From the citizen.
    pub incoming: bool,
    /// When it was written.
    pub at: OffsetDateTime,
    /// What it holds, sealed; `None` when erased.
    pub body_sealed: Option<String>,
    /// The album it is a part of.
    pub album: Option<String>,
    /// When it was last changed.
    pub edited_at: Option<OffsetDateTime>,
    /// What it held before, oldest first, sealed.
    pub earlier_sealed: Vec<String>,
    /// How far an answer has come.
    pub delivery: Option<String>,
    /// Why it did not arrive.
    pub failure: Option<String>,
    /// Account that wrote an answer.
    pub author: Option<Uuid>,
    /// What the author is called, sealed.
    pub author_name_sealed: Option<String>,
}

/// Lets the table reflect one fact.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &TicketEvent,
) -> sqlx::Result<()> {
    match fact {
        TicketEvent::MessageReceived { message_id, body, album, at, .. } => {
            receive(db, event, *message_id, (&body.to_string(), album.as_deref()), *at).await
        }
        TicketEvent::MessageEdited { message_id, body, at } => {
            edit(db, event.tenant, *message_id, &body.to_string(), *at).await
        }
        TicketEvent::ReplyWritten { message_id, body, author, author_name, at, .. } => {
            let sealed = (body.to_string(), author_name.to_string());
            write(db, event, *message_id, (*author, sealed), *at).await
        }
        TicketEvent::ReplySent { message_id, .. } => {
            settle(db, event, *message_id, "sent", None).await
        }
        TicketEvent::ReplyFailed { message_id, failure, .. } => {
            settle(db, event, *message_id, "failed", Some(failure.name())).await
        }
        TicketEvent::ReplyInDoubt { message_id, .. } => {
            settle(db, event, *message_id, "in_doubt", None).await
        }
        TicketEvent::Opened { .. }
        | TicketEvent::Reopened { .. }
        | TicketEvent::StatusChanged { .. } => Ok(()),
    }
}

async fn receive(
    db: &mut PgConnection,
    event: &Recorded,
    message: Uuid,
    (body, album): (&str, Option<&str>),
    at: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO messages (tenant_id, message_id, ticket_id, place, incoming, at, body_sealed, album)
        VALUES ($1, $2, $3, $4, true, $5, $6, $7)
        "#,
        event.tenant,
        message,
        event.aggregate_id,
        event.position,
        at,
        body,
        album,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn edit(
    db: &mut PgConnection,
    tenant: Uuid,
    message: Uuid,
    body: &str,
    at: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE messages SET earlier_sealed = earlier_sealed || array_remove(ARRAY[body_sealed], NULL),
                            body_sealed = $3, edited_at = $4
        WHERE tenant_id = $1 AND message_id = $2
        "#,
        tenant,
        message,
        body,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn write(
    db: &mut PgConnection,
    event: &Recorded,
    message: Uuid,
    (author, (body, author_name)): (Uuid, (String, String)),
    at: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO messages (tenant_id, message_id, ticket_id, place, incoming, at, body_sealed,
                              delivery, author, author_name_sealed)
        VALUES ($1, $2, $3, $4, false, $5, $6, 'queued', $7, $8)
        "#,
        event.tenant,
        message,
        event.aggregate_id,
        event.position,
        at,
        body,
        author,
        author_name,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes what became of an answer, and keeps the ticket's count of those that did not arrive.
async fn settle(
    db: &mut PgConnection,
    event: &Recorded,
    message: Uuid,
    delivery: &str,
    failure: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE messages SET delivery = $3, failure = $4 WHERE tenant_id = $1 AND message_id = $2
        "#,
        event.tenant,
        message,
        delivery,
        failure,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        r#"
        UPDATE tickets SET undelivered = (
          SELECT count(*) FROM messages
          WHERE tenant_id = $1 AND ticket_id = $2 AND delivery IN ('failed', 'in_doubt'))
        WHERE tenant_id = $1 AND ticket_id = $2
        "#,
        event.tenant,
        event.aggregate_id,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The messages of a ticket, in order.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn of_ticket(pool: &PgPool, tenant: Uuid, ticket: Uuid) -> sqlx::Result<Vec<MessageRow>> {
    sqlx::query_as!(
        MessageRow,
        r#"
        SELECT message_id, incoming, at, body_sealed, album, edited_at, earlier_sealed, delivery, failure,
               author, author_name_sealed
        FROM messages WHERE tenant_id = $1 AND ticket_id = $2 ORDER BY place
        "#,
        tenant,
        ticket,
    )
    .fetch_all(pool)
    .await
}

/// What one message holds, sealed; `None` when it was erased, or there is none.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn body(pool: &PgPool, tenant: Uuid, message: Uuid) -> sqlx::Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "SELECT body_sealed FROM messages WHERE tenant_id = $1 AND message_id = $2",
        tenant,
        message,
    )
    .fetch_optional(pool)
    .await?;
    Ok(found.flatten())
}
