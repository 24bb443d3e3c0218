//! `login_history`: what happened to accounts, for their holders.

use identity_domain::{AccountEvent, Proof};
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// Entries of a page.
const PAGE: i64 = 50;

/// One entry, as stored.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    /// Where it stands in the log.
    pub position: i64,
    /// When.
    pub at: OffsetDateTime,
    /// Type of the fact.
    pub kind: String,
    /// With what proof, when one was given.
    pub proof: Option<String>,
    /// From where, sealed; of a session, from where it had come.
    pub origin_sealed: Option<String>,
    /// Which page an admin opened, who looked as its holder.
    pub page: Option<String>,
}

/// Lets the table reflect one fact.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &AccountEvent,
) -> sqlx::Result<()> {
    let (proof, origin) = match fact {
        AccountEvent::LoggedIn { proof, origin, .. }
        | AccountEvent::FactorLocked { proof, origin, .. }
        | AccountEvent::LogInFailed { proof, origin, .. } => (*proof, origin.as_ref()),
        AccountEvent::Challenged { origin, .. } | AccountEvent::Locked { origin, .. } => {
            (None, origin.as_ref())
        }
        AccountEvent::PasskeyDoubted { origin, .. } => (Some(Proof::Passkey), origin.as_ref()),
        AccountEvent::ProvedAgain { proof, .. } => (Some(*proof), None),
        _ => (None, None),
    };
    let session = match fact {
        AccountEvent::LoggedIn { session_id, .. }
        | AccountEvent::LoggedOut { session_id, .. }
        | AccountEvent::SessionExpired { session_id, .. }
        | AccountEvent::ProvedAgain { session_id, .. } => Some(*session_id),
        _ => None,
    };
    let page = if let AccountEvent::LookedAt { page, .. } = fact { Some(page) } else { None };
    sqlx::query!(
        r#"
        INSERT INTO login_history (position, account_id, at, kind, proof, origin_sealed, page, session_id)
        VALUES ($1, $2, $3, $4, $5, coalesce($6, (
          SELECT h.origin_sealed FROM login_history h
          WHERE h.session_id = $8 AND h.account_id = $2 AND h.kind = 'account.logged_in' LIMIT 1)), $7, $8)
        "#,
        event.position,
        event.aggregate_id,
        fact.at(),
        event.event_type,
        proof.map(Proof::name),
        origin.map(ToString::to_string),
        page,
        session,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What happened to an account, the latest first, from before a position on.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn of_account(
    pool: &PgPool,
    account: Uuid,
    before: Option<i64>,
) -> sqlx::Result<Vec<HistoryRow>> {
    sqlx::query_as!(
        HistoryRow,
        r#"
        SELECT position, at, kind, proof, origin_sealed, page FROM login_history
        WHERE account_id = $1 AND ($2::bigint IS NULL OR position < $2)
        ORDER BY position DESC LIMIT $3
        "#,
        account,
        before,
        PAGE,
    )
    .fetch_all(pool)
    .await
}

/// When somebody last logged in to an account.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn last_login(pool: &PgPool, account: Uuid) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!(
        r#"
        SELECT at FROM login_history WHERE account_id = $1 AND kind = 'account.logged_in'
        ORDER BY position DESC LIMIT 1
        "#,
        account,
    )
    .fetch_optional(pool)
    .await
}
