//! `tickets`: the list of the inbox.

use crm_domain::{TicketEvent, TicketStatus};
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// The number before a campaign's first.
const FIRST: i64 = 1000;

/// One ticket, as stored.
#[derive(Debug, Clone)]
pub struct TicketRow {
    /// The ticket.
    pub ticket_id: Uuid,
    /// Its number in the campaign.
    pub number: i64,
    /// Who opened it.
    pub citizen_id: Uuid,
    /// First words, sealed; `None` when erased.
    pub subject_sealed: Option<String>,
    /// Kind of the first message.
    pub first_kind: String,
    /// Where it stands.
    pub status: String,
    /// When it was opened.
    pub opened_at: OffsetDateTime,
    /// When somebody last wrote.
    pub last_at: OffsetDateTime,
    /// Since when the citizen waits.
    pub waiting_since: Option<OffsetDateTime>,
    /// Answers that did not arrive, or may not have.
    pub undelivered: i32,
    /// The citizen's name and more, sealed.
    pub person_sealed: Option<String>,
}

/// Which tickets a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those that stand here.
    pub status: Option<&'static str>,
    /// Only those whose citizen waits.
    pub unanswered: bool,
    /// Only those with an answer that did not arrive.
    pub undelivered: bool,
    /// Only those after this place in the list.
    pub before: Option<(OffsetDateTime, i64)>,
    /// Only this citizen's.
    pub citizen: Option<Uuid>,
    /// How many at most.
    pub limit: i64,
}

/// Lets the table reflect one fact.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &TicketEvent,
) -> sqlx::Result<()> {
    match fact {
        TicketEvent::Opened { citizen_id, subject, kind, at } => {
            let kind = serde_json::to_value(kind).expect("a kind is a word");
            let kind = kind.as_str().unwrap_or_default().to_owned();
            open(db, event, *citizen_id, (&subject.to_string(), &kind), *at).await
        }
        TicketEvent::MessageReceived { at, .. } => wait(db, event, *at).await,
        TicketEvent::Reopened { .. } => move_to(db, event, TicketStatus::InProgress).await,
        TicketEvent::StatusChanged { to, .. } => move_to(db, event, *to).await,
        TicketEvent::ReplyWritten { at, .. } => answer(db, event, *at).await,
        // The table of messages knows what the delivery was before; it is applied after this one.
        TicketEvent::MessageEdited { .. }
        | TicketEvent::ReplySent { .. }
        | TicketEvent::ReplyFailed { .. }
        | TicketEvent::ReplyInDoubt { .. } => Ok(()),
    }
}

async fn open(
    db: &mut PgConnection,
    event: &Recorded,
    citizen: Uuid,
    (subject, kind): (&str, &str),
    at: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        WITH next AS (
          INSERT INTO ticket_numbers AS n (tenant_id, last) VALUES ($1, $7::bigint + 1)
          ON CONFLICT (tenant_id) DO UPDATE SET last = n.last + 1
          RETURNING last)
        INSERT INTO tickets (tenant_id, ticket_id, number, citizen_id, subject_sealed, first_kind, status,
                             opened_at, last_at)
        SELECT $1, $2, next.last, $3, $4, $5, 'new', $6, $6 FROM next
        "#,
        event.tenant,
        event.aggregate_id,
        citizen,
        subject,
        kind,
        at,
        FIRST,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn wait(db: &mut PgConnection, event: &Recorded, at: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE tickets SET last_at = greatest(last_at, $3), waiting_since = coalesce(waiting_since, $3)
        WHERE tenant_id = $1 AND ticket_id = $2
        "#,
        event.tenant,
        event.aggregate_id,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn answer(db: &mut PgConnection, event: &Recorded, at: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE tickets SET last_at = greatest(last_at, $3), waiting_since = NULL,
                           first_answer_at = coalesce(first_answer_at, $3)
        WHERE tenant_id = $1 AND ticket_id = $2
        "#,
        event.tenant,
        event.aggregate_id,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Nobody waits for an answer to a ticket that is resolved or closed.
async fn move_to(db: &mut PgConnection, event: &Recorded, to: TicketStatus) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE tickets SET status = $3,
               waiting_since = CASE WHEN $3 IN ('resolved', 'closed') THEN NULL ELSE waiting_since END
        WHERE tenant_id = $1 AND ticket_id = $2
        "#,
        event.tenant,
        event.aggregate_id,
        to.name(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The tickets of a list, newest word first.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn list(pool: &PgPool, tenant: Uuid, filter: &Filter) -> sqlx::Result<Vec<TicketRow>> {
    let (before_at, before_number) = filter.before.unzip();
    sqlx::query_as!(
        TicketRow,
        r#"
        SELECT t.ticket_id, t.number, t.citizen_id, t.subject_sealed, t.first_kind, t.status, t.opened_at,
               t.last_at, t.waiting_since, t.undelivered, c.person_sealed AS "person_sealed?"
        FROM tickets t LEFT JOIN citizens c ON c.tenant_id = t.tenant_id AND c.citizen_id = t.citizen_id
        WHERE t.tenant_id = $1
          AND ($2::text IS NULL OR t.status = $2)
          AND (NOT $3 OR t.waiting_since IS NOT NULL)
          AND (NOT $4 OR t.undelivered > 0)
          AND ($5::uuid IS NULL OR t.citizen_id = $5)
          AND ($6::timestamptz IS NULL OR (t.last_at, t.number) < ($6, $7))
        ORDER BY t.last_at DESC, t.number DESC
        LIMIT $8
        "#,
        tenant,
        filter.status,
        filter.unanswered,
        filter.undelivered,
        filter.citizen,
        before_at,
        before_number,
        filter.limit,
    )
    .fetch_all(pool)
    .await
}

/// One ticket by its number.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn by_number(
    pool: &PgPool,
    tenant: Uuid,
    number: i64,
) -> sqlx::Result<Option<TicketRow>> {
    sqlx::query_as!(
        TicketRow,
        r#"
        SELECT t.ticket_id, t.number, t.citizen_id, t.subject_sealed, t.first_kind, t.status, t.opened_at,
               t.last_at, t.waiting_since, t.undelivered, c.person_sealed AS "person_sealed?"
        FROM tickets t LEFT JOIN citizens c ON c.tenant_id = t.tenant_id AND c.citizen_id = t.citizen_id
        WHERE t.tenant_id = $1 AND t.number = $2
        "#,
        tenant,
        number,
    )
    .fetch_optional(pool)
    .await
}

/// The number of a ticket.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn number(pool: &PgPool, tenant: Uuid, ticket: Uuid) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "SELECT number FROM tickets WHERE tenant_id = $1 AND ticket_id = $2",
        tenant,
        ticket,
    )
    .fetch_optional(pool)
    .await
}

/// How many tickets stand where, and how many wait for an answer.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn counts(pool: &PgPool, tenant: Uuid) -> sqlx::Result<(Vec<(String, i64)>, i64)> {
    let rows = sqlx::query!(
        r#"
        SELECT status, count(*) AS "count!", count(waiting_since) AS "waiting!"
        FROM tickets WHERE tenant_id = $1 GROUP BY status
        "#,
        tenant,
    )
    .fetch_all(pool)
    .await?;
    let waiting = rows.iter().map(|row| row.waiting).sum();
    Ok((rows.into_iter().map(|row| (row.status, row.count)).collect(), waiting))
}
