//! Moments at which a policy is to act: reminders, expiries, second tries.
//!
//! A timer is set in the transaction of whoever sets it. The command that answers it has an id made from the
//! timer's, so ringing twice changes nothing; one that is moved after it rang needs a new name.

use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

/// Most timers in one sweep.
const MOST: i64 = 100;

/// A moment at which a policy is to act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Its name. Setting it again moves it.
    pub timer_id: Uuid,
    /// The campaign, or [`crate::PLATFORM`].
    pub tenant: Uuid,
    /// What it is about.
    pub aggregate_id: Uuid,
    /// When.
    pub due_at: OffsetDateTime,
}

/// Sets a timer of a policy, or moves it.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn set_timer(
    db: impl PgExecutor<'_>,
    policy: &str,
    timer: &Timer,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        INSERT INTO es.timers (policy, timer_id, tenant_id, aggregate_id, due_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (policy, timer_id) DO UPDATE SET due_at = $5
        "#,
        policy,
        timer.timer_id,
        timer.tenant,
        timer.aggregate_id,
        timer.due_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a timer away; `false` when there was none, because it has rung or was never set.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn cancel_timer(
    db: impl PgExecutor<'_>,
    policy: &str,
    timer_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!(
        "DELETE FROM es.timers WHERE policy = $1 AND timer_id = $2",
        policy,
        timer_id,
    )
    .execute(db)
    .await?;
    Ok(gone.rows_affected() == 1)
}

/// The timers that are due, the oldest first.
pub(crate) async fn due_timers(
    db: impl PgExecutor<'_>,
    policy: &str,
    now: OffsetDateTime,
) -> Result<Vec<Timer>, sqlx::Error> {
    sqlx::query_as!(
        Timer,
        r#"
        SELECT timer_id, tenant_id AS tenant, aggregate_id, due_at FROM es.timers
        WHERE policy = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3
        "#,
        policy,
        now,
        MOST,
    )
    .fetch_all(db)
    .await
}

/// Takes a timer away that has rung, unless it was moved meanwhile.
pub(crate) async fn forget_timer(
    db: impl PgExecutor<'_>,
    policy: &str,
    timer: &Timer,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM es.timers WHERE policy = $1 AND timer_id = $2 AND due_at = $3",
        policy,
        timer.timer_id,
        timer.due_at,
    )
    .execute(db)
    .await?;
    Ok(())
}
