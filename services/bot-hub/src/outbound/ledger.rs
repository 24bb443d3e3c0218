//! `outbound`: the ledger of what goes out, a row for each piece of an answer.
//!
//! planned → claimed → accepted | failed | in doubt; a claimed row that Telegram certainly did not take is
//! planned again.

use std::time::Duration;

use bot_hub_domain::{ReplyFailure, ReplyOutcome};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Own, Sent};
use crate::app::BotHub;

/// Telegram's limits, kept from our side: 30 messages a second for a bot, one a second for a chat.
pub(super) const PER_BOT: Duration = Duration::from_millis(34);
const PER_CHAT: Duration = Duration::from_secs(1);
/// Messages of one campaign on their way at a time: Telegram may be slow with its bot alone.
const PER_CAMPAIGN: i64 = 8;

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
    /// Which words of the hub's own it is instead, and to which chat, sealed.
    pub(super) own: Option<String>,
    pub(super) chat_sealed: Option<String>,
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

/// Something of the hub's own to be told.
#[derive(Debug, Clone)]
pub struct PlannedOwn {
    /// The campaign.
    pub tenant: Uuid,
    /// Names it. What is planned under the same name is told once.
    pub message_id: Uuid,
    /// Whom, by a name under which nothing else is kept.
    pub citizen_id: Uuid,
    /// Their chat, sealed.
    pub chat_sealed: String,
    /// What.
    pub own: Own,
}

/// Plans to tell something of the hub's own. Planning it again changes nothing.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn plan_own(pool: &PgPool, own: &PlannedOwn, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO outbound (tenant_id, message_id, piece, ticket_id, citizen_id, own, chat_sealed, next_at,
                              planned_at, correlation, causation)
        VALUES ($1, $2, 0, $2, $3, $4, $5, $6, $6, $2, $2) ON CONFLICT DO NOTHING
        "#,
        own.tenant,
        own.message_id,
        own.citizen_id,
        own.own.name(),
        own.chat_sealed,
        now,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Claims up to `most` rows that may be sent at this moment.
///
/// Telegram's limits are kept here, from the ledger, before a row is claimed: a row that has to wait is not
/// on its way, is not in doubt after a stop, and takes no place of another campaign's. Each campaign gets
/// one row in a turn, and those that wait longest come first. A citizen's next row waits until the one
/// before it is settled, so that answers arrive in order. Answers of a campaign that does not run wait.
pub(super) async fn claim(hub: &BotHub, most: usize) -> sqlx::Result<Vec<Due>> {
    let now = hub.now();
    sqlx::query_as!(
        Due,
        r#"
        WITH RECURSIVE campaigns AS (
          (SELECT tenant_id FROM outbound WHERE state = 'planned' ORDER BY tenant_id LIMIT 1)
          UNION ALL
          SELECT (SELECT o.tenant_id FROM outbound o WHERE o.state = 'planned' AND o.tenant_id > c.tenant_id
                  ORDER BY o.tenant_id LIMIT 1)
          FROM campaigns c WHERE c.tenant_id IS NOT NULL
        ), turn AS (
          SELECT first.tenant_id, first.message_id, first.piece
          FROM campaigns c
          CROSS JOIN LATERAL (SELECT max(claimed_at) AS at FROM outbound WHERE tenant_id = c.tenant_id) last
          CROSS JOIN LATERAL (
            SELECT o.tenant_id, o.message_id, o.piece FROM outbound o
            WHERE o.tenant_id = c.tenant_id AND o.state = 'planned' AND o.next_at <= $1
              AND (o.own IS NOT NULL OR NOT EXISTS (
                SELECT 1 FROM campaigns_heard s WHERE s.tenant_id = c.tenant_id AND s.status <> 'active'))
              AND NOT EXISTS (
                SELECT 1 FROM outbound earlier
                WHERE earlier.tenant_id = o.tenant_id AND earlier.citizen_id = o.citizen_id
                  AND earlier.place < o.place AND earlier.state IN ('planned', 'claimed'))
              AND NOT EXISTS (
                SELECT 1 FROM outbound recent
                WHERE recent.tenant_id = o.tenant_id AND recent.citizen_id = o.citizen_id
                  AND recent.claimed_at > $3)
            ORDER BY o.place LIMIT 1) first
          WHERE (last.at IS NULL OR last.at <= $2)
            AND (SELECT count(*) FROM outbound WHERE tenant_id = c.tenant_id AND state = 'claimed') < $5
            AND NOT EXISTS (SELECT 1 FROM outbound_pauses p WHERE p.tenant_id = c.tenant_id AND p.ends_at > $1)
          ORDER BY last.at NULLS FIRST LIMIT $4
        )
        UPDATE outbound o SET state = 'claimed', attempts = attempts + 1, claimed_at = $1
        FROM turn t
        WHERE o.tenant_id = t.tenant_id AND o.message_id = t.message_id AND o.piece = t.piece
        RETURNING o.tenant_id, o.message_id, o.piece, o.ticket_id, o.citizen_id, o.body_sealed, o.own,
                  o.chat_sealed, o.attempts, o.planned_at, o.traceparent, o.correlation, o.causation
        "#,
        now,
        now - PER_BOT,
        now - PER_CHAT,
        i64::try_from(most).unwrap_or(i64::MAX),
        PER_CAMPAIGN,
    )
    .fetch_all(hub.log.pool())
    .await
}

/// Lets a campaign's bot write nothing for as long as Telegram asks.
pub(super) async fn pause(hub: &BotHub, campaign: Uuid, pause: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO outbound_pauses AS p (tenant_id, ends_at) VALUES ($1, $2)
        ON CONFLICT (tenant_id) DO UPDATE SET ends_at = greatest(p.ends_at, $2)
        "#,
        campaign,
        hub.now() + pause,
    )
    .execute(hub.log.pool())
    .await?;
    Ok(())
}

/// Rows that were claimed by a hub that is no more.
pub(super) async fn claimed(hub: &BotHub) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"
        SELECT tenant_id, message_id, piece, ticket_id, citizen_id, body_sealed, own, chat_sealed, attempts,
               planned_at, traceparent, correlation, causation
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
        SET state = $4, failure = $5, telegram_id = $6, next_at = coalesce($7, next_at),
            chat_sealed = CASE WHEN $4 = 'planned' THEN chat_sealed END
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
