//! `outbound`: the ledger of what goes out, a row for each piece of an answer.
//!
//! planned → claimed → accepted | failed | in doubt; a claimed row that Telegram certainly did not take is
//! planned again.

use bot_hub_domain::{ReplyFailure, ReplyOutcome};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Sent;
use crate::app::BotHub;

/// An answer to be sent.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The campaign.
    pub tenant: Uuid,
    /// The answer.
    pub message_id: Uuid,
    /// In which ticket.
    pub ticket_id: Uuid,
    /// To whom.
    pub citizen_id: Uuid,
    /// What it says, sealed.
    pub body_sealed: String,
    /// In how many pieces.
    pub pieces: usize,
    /// The trace of the answer.
    pub traceparent: Option<String>,
    /// The request at the start of the chain.
    pub correlation: Uuid,
    /// The fact that asks for it.
    pub causation: Uuid,
}

/// A row that was claimed.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) tenant_id: Uuid,
    pub(super) message_id: Uuid,
    pub(super) piece: i32,
    pub(super) ticket_id: Uuid,
    pub(super) citizen_id: Uuid,
    /// What the answer says, sealed; `None` when the citizen was erased.
    pub(super) body_sealed: Option<String>,
    pub(super) attempts: i32,
    pub(super) planned_at: OffsetDateTime,
    pub(super) traceparent: Option<String>,
    pub(super) correlation: Uuid,
    pub(super) causation: Uuid,
}

/// Plans an answer. Planning it again changes nothing.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn plan(pool: &PgPool, answer: &Planned, now: OffsetDateTime) -> sqlx::Result<()> {
    let pieces = i32::try_from(answer.pieces).unwrap_or(i32::MAX);
    sqlx::query!(
        r#"
        INSERT INTO outbound (tenant_id, message_id, piece, ticket_id, citizen_id, body_sealed, next_at,
                              planned_at, traceparent, correlation, causation)
        SELECT $1, $2, piece, $3, $4, $5, $6, $6, $7, $8, $9 FROM generate_series(0, $10::int - 1) piece
        ON CONFLICT DO NOTHING
        "#,
        answer.tenant,
        answer.message_id,
        answer.ticket_id,
        answer.citizen_id,
        answer.body_sealed,
        now,
        answer.traceparent,
        answer.correlation,
        answer.causation,
        pieces,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Claims up to `most` due rows. A citizen's next row waits until the one before it is settled, so that
/// answers arrive in order.
pub(super) async fn claim(hub: &BotHub, most: usize) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"
        UPDATE outbound SET state = 'claimed', attempts = attempts + 1
        WHERE (tenant_id, message_id, piece) IN (
          SELECT o.tenant_id, o.message_id, o.piece FROM outbound o
          WHERE o.state = 'planned' AND o.next_at <= $1 AND NOT EXISTS (
            SELECT 1 FROM outbound earlier
            WHERE earlier.tenant_id = o.tenant_id AND earlier.citizen_id = o.citizen_id
              AND earlier.place < o.place AND earlier.state IN ('planned', 'claimed'))
          ORDER BY o.place LIMIT $2)
        RETURNING tenant_id, message_id, piece, ticket_id, citizen_id, body_sealed, attempts, planned_at,
                  traceparent, correlation, causation
        "#,
        hub.now(),
        i64::try_from(most).unwrap_or(i64::MAX),
    )
    .fetch_all(hub.log.pool())
    .await
}

/// Rows that were claimed by a hub that is no more.
pub(super) async fn claimed(hub: &BotHub) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"
        SELECT tenant_id, message_id, piece, ticket_id, citizen_id, body_sealed, attempts, planned_at,
               traceparent, correlation, causation
        FROM outbound WHERE state = 'claimed' ORDER BY place
        "#,
    )
    .fetch_all(hub.log.pool())
    .await
}

/// What an outcome of one piece means for the whole answer; `None` while other pieces are to come.
pub(super) async fn outcome(
    hub: &BotHub,
    row: &Due,
    sent: &Sent,
) -> sqlx::Result<Option<ReplyOutcome>> {
    Ok(match sent {
        Sent::Later(_) => None,
        Sent::Failed(failure) => Some(ReplyOutcome::Failed(*failure)),
        Sent::InDoubt => Some(ReplyOutcome::InDoubt),
        Sent::Accepted(_) => {
            let others = sqlx::query_scalar!(
                r#"
                SELECT count(*) AS "count!" FROM outbound
                WHERE tenant_id = $1 AND message_id = $2 AND piece <> $3 AND state <> 'accepted'
                "#,
                row.tenant_id,
                row.message_id,
                row.piece,
            )
            .fetch_one(hub.log.pool())
            .await?;
            (others == 0).then_some(ReplyOutcome::Sent)
        }
    })
}

/// Writes an outcome down. The pieces after one that failed are not sent.
pub(super) async fn settle(hub: &BotHub, row: &Due, sent: &Sent) -> sqlx::Result<()> {
    let (state, failure, telegram_id, next_at) = match sent {
        Sent::Accepted(id) => ("accepted", None, Some(*id), None),
        Sent::Failed(failure) => ("failed", Some(name(*failure)), None, None),
        Sent::InDoubt => ("in_doubt", None, None, None),
        Sent::Later(pause) => ("planned", None, None, Some(hub.now() + *pause)),
    };
    sqlx::query!(
        r#"
        UPDATE outbound
        SET state = $4, failure = $5, telegram_id = $6, next_at = coalesce($7, next_at)
        WHERE tenant_id = $1 AND message_id = $2
          AND (piece = $3 OR ($4 IN ('failed', 'in_doubt') AND piece > $3 AND state = 'planned'))
        "#,
        row.tenant_id,
        row.message_id,
        row.piece,
        state,
        failure,
        telegram_id,
        next_at,
    )
    .execute(hub.log.pool())
    .await?;
    Ok(())
}

const fn name(failure: ReplyFailure) -> &'static str {
    match failure {
        ReplyFailure::Blocked => "blocked",
        ReplyFailure::ChatNotFound => "chat_not_found",
        ReplyFailure::BotRevoked => "bot_revoked",
        ReplyFailure::Rejected => "rejected",
        ReplyFailure::GaveUp => "gave_up",
    }
}
