//! What an operator asks of a log: how much is in it, how far its readers are, what happened to one thing.

use serde::Serialize;
use sqlx::PgExecutor;
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

use crate::{
    envelope::Recorded,
    log::{EventLog, Target},
};

/// How much a log holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// The context.
    pub context: &'static str,
    /// Facts.
    pub events: i64,
    /// Aggregates.
    pub aggregates: i64,
    /// Commands that would be recognised if they came again.
    pub commands: i64,
    /// States that are kept beside the log.
    pub snapshots: i64,
    /// Size of facts and their indexes, in bytes.
    pub bytes: i64,
    /// Facts of each kind, most first.
    pub types: Vec<(String, i64)>,
}

/// How far a reader is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reader {
    /// Its name.
    pub reader: String,
    /// The partition.
    pub part: i16,
    /// The last position that it has digested.
    pub position: i64,
    /// When it did that; nothing before its first fact.
    #[serde(with = "rfc3339::option")]
    pub updated_at: Option<OffsetDateTime>,
    /// Aggregates that it has parked.
    pub parked: i64,
}

/// Tells how far each reader with a checkpoint in this database is; and each generation of tables beside those in use,
/// which has none before it has taken in its first fact.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn readers(db: impl PgExecutor<'_>) -> Result<Vec<Reader>, sqlx::Error> {
    sqlx::query_as!(
        Reader,
        r#"
        SELECT c.reader AS "reader!", c.part AS "part!", c.position AS "position!", c.updated_at AS "updated_at?",
               (SELECT count(*) FROM es.parked p WHERE p.reader = c.reader AND p.part = c.part) AS "parked!"
        FROM es.checkpoints c
        UNION ALL
        SELECT nspname::text, 0::smallint, 0::bigint, NULL, 0::bigint
        FROM pg_namespace
        WHERE nspname ~ '_(next|previous|verify)$'
          AND NOT EXISTS (SELECT 1 FROM es.checkpoints WHERE reader = nspname::text)
        ORDER BY 1, 2
        "#
    )
    .fetch_all(db)
    .await
}

impl EventLog {
    /// Counts what there is. Reads the whole log, and takes its time.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL does.
    pub async fn stats(&self) -> Result<Stats, sqlx::Error> {
        let mut tx = self.pool().begin().await?;
        sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *tx).await?;
        let counts = sqlx::query!(
            r#"
            SELECT (SELECT count(*) FROM es.events) AS "events!",
                   (SELECT count(*) FROM es.events WHERE sequence = 1) AS "aggregates!",
                   (SELECT count(*) FROM es.commands) AS "commands!",
                   (SELECT count(*) FROM es.snapshots) AS "snapshots!",
                   pg_total_relation_size('es.events') AS "bytes!"
            "#
        )
        .fetch_one(&mut *tx)
        .await?;
        let types = sqlx::query!(
            r#"SELECT event_type, count(*) AS "count!" FROM es.events GROUP BY event_type ORDER BY 2 DESC, 1"#
        )
        .fetch_all(&mut *tx)
        .await?;
        Ok(Stats {
            context: self.context(),
            events: counts.events,
            aggregates: counts.aggregates,
            commands: counts.commands,
            snapshots: counts.snapshots,
            bytes: counts.bytes,
            types: types.into_iter().map(|row| (row.event_type, row.count)).collect(),
        })
    }

    /// Where the last fact of an aggregate stands; `None` when it has none.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL does.
    pub async fn last_of(
        &self,
        target: Target,
        aggregate_type: &str,
    ) -> Result<Option<i64>, sqlx::Error> {
        sqlx::query_scalar!(
            r#"
            SELECT position FROM es.events
            WHERE tenant_id = $1 AND aggregate_type = $2 AND aggregate_id = $3 ORDER BY sequence DESC LIMIT 1
            "#,
            target.tenant,
            aggregate_type,
            target.id,
        )
        .fetch_optional(self.pool())
        .await
    }

    /// What happened to an aggregate, whatever its type and tenant, in order.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL does.
    pub async fn history(&self, aggregate: Uuid) -> Result<Vec<Recorded>, sqlx::Error> {
        let mut tx = self.pool().begin().await?;
        sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *tx).await?;
        let places = sqlx::query!(
            "SELECT part, position FROM es.events WHERE aggregate_id = $1 ORDER BY part, position",
            aggregate,
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut events = Vec::with_capacity(places.len());
        for place in places {
            events.extend(self.after(place.part, place.position - 1, 1).await?);
        }
        Ok(events)
    }
}
