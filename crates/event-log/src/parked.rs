//! Aggregates that a reader cannot go on with: their events wait, in order, and the others pass.
//!
//! A reader that skipped only the poisonous event would apply the later ones to a state that lacks it. So the
//! whole aggregate is parked from that event on, until an operator has mended the cause and asks for a retry;
//! the reader itself then takes the events back in one piece.

use std::collections::HashSet;

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::envelope::Recorded;

/// An aggregate that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Which reader could not go on.
    pub reader: String,
    /// The partition.
    pub part: i16,
    /// The campaign, or [`crate::PLATFORM`].
    pub tenant: Uuid,
    /// Kind of aggregate.
    pub aggregate_type: String,
    /// Which one.
    pub aggregate_id: Uuid,
    /// The first event that waits.
    pub position: i64,
    /// Why.
    pub reason: String,
    /// Since when.
    pub parked_at: OffsetDateTime,
    /// Whether the reader has been asked to try again.
    pub retry: bool,
}

/// Names of aggregates.
pub(crate) type Aggregates = HashSet<(Uuid, String, Uuid)>;

pub(crate) fn name(event: &Recorded) -> (Uuid, String, Uuid) {
    (event.tenant, event.aggregate_type.clone(), event.aggregate_id)
}

/// Parks the aggregate of an event.
pub(crate) async fn park(
    db: &mut PgConnection,
    reader: &str,
    event: &Recorded,
    reason: &str,
) -> Result<(), sqlx::Error> {
    tracing::error!(reader, position = event.position, event = %event.event_type, reason, "aggregate parked");
    let database = sqlx::query_scalar!(
        r#"
        INSERT INTO es.parked (reader, part, tenant_id, aggregate_type, aggregate_id, position, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (reader, part, tenant_id, aggregate_type, aggregate_id)
          DO UPDATE SET reason = $7, retry = false
        RETURNING current_database() AS "database!: String"
        "#,
        reader,
        event.part,
        event.tenant,
        event.aggregate_type,
        event.aggregate_id,
        event.position,
        reason,
    )
    .fetch_one(db)
    .await?;
    let reader = reader.to_owned();
    metrics::counter!("reader_parked", "database" => database, "reader" => reader).increment(1);
    Ok(())
}

/// The aggregates that wait for a reader.
pub(crate) async fn waiting(
    db: impl PgExecutor<'_>,
    reader: &str,
    part: i16,
) -> Result<Aggregates, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT tenant_id, aggregate_type, aggregate_id FROM es.parked WHERE reader = $1 AND part = $2",
        reader,
        part,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.tenant_id, row.aggregate_type, row.aggregate_id)).collect())
}

/// Lists what is parked, oldest first: all, or what one reader parked.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn parked(
    db: impl PgExecutor<'_>,
    reader: Option<&str>,
) -> Result<Vec<Parked>, sqlx::Error> {
    sqlx::query_as!(
        Parked,
        r#"
        SELECT reader, part, tenant_id AS tenant, aggregate_type, aggregate_id, position, reason, parked_at, retry
        FROM es.parked WHERE $1::text IS NULL OR reader = $1 ORDER BY parked_at, position
        "#,
        reader,
    )
    .fetch_all(db)
    .await
}

/// Asks the readers to try again: all of them, one, or one about one aggregate. Returns how many aggregates
/// that concerns. The readers notice within a second.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn retry_parked(
    db: impl PgExecutor<'_>,
    reader: Option<&str>,
    aggregate: Option<Uuid>,
) -> Result<u64, sqlx::Error> {
    let asked = sqlx::query!(
        r#"
        UPDATE es.parked SET retry = true
        WHERE ($1::text IS NULL OR reader = $1) AND ($2::uuid IS NULL OR aggregate_id = $2)
        "#,
        reader,
        aggregate,
    )
    .execute(db)
    .await?;
    Ok(asked.rows_affected())
}

/// The next aggregate with which a reader was asked to try again.
pub(crate) async fn next_retry(
    db: impl PgExecutor<'_>,
    reader: &str,
    part: i16,
) -> Result<Option<Parked>, sqlx::Error> {
    sqlx::query_as!(
        Parked,
        r#"
        SELECT reader, part, tenant_id AS tenant, aggregate_type, aggregate_id, position, reason, parked_at, retry
        FROM es.parked WHERE reader = $1 AND part = $2 AND retry ORDER BY position LIMIT 1
        "#,
        reader,
        part,
    )
    .fetch_optional(db)
    .await
}

/// Takes an aggregate back.
pub(crate) async fn unpark(db: &mut PgConnection, parked: &Parked) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        DELETE FROM es.parked
        WHERE reader = $1 AND part = $2 AND tenant_id = $3 AND aggregate_type = $4 AND aggregate_id = $5
        "#,
        parked.reader,
        parked.part,
        parked.tenant,
        parked.aggregate_type,
        parked.aggregate_id,
    )
    .execute(db)
    .await?;
    Ok(())
}
