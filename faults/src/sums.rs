//! The read models under load: the sum of each counter, once from the log itself and once from the stream.
//!
//! Both are written as sets and count as they go, so a fact that came twice or not at all shows in the sums.

use meydan_event_log::{Projection, ProjectionError, Recorded};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::counter::Counted;

/// The tables, which the log's own role may not make.
pub(crate) const TABLES: &str = "
    CREATE TABLE sums (id uuid PRIMARY KEY, sum bigint NOT NULL, facts bigint NOT NULL);
    CREATE TABLE copies (id uuid PRIMARY KEY, sum bigint NOT NULL, facts bigint NOT NULL);";

/// Reads the log.
pub(crate) struct Sums;

/// Reads the stream, as another context would.
pub(crate) struct Copies;

impl Projection for Sums {
    const NAME: &'static str = "sums";
    const TABLES: &'static [&'static str] = &["sums"];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        add_up(db, "sums", &[event]).await
    }

    async fn apply_all(
        &self,
        db: &mut PgConnection,
        events: &[&Recorded],
    ) -> Result<(), ProjectionError> {
        add_up(db, "sums", events).await
    }
}

impl Projection for Copies {
    const NAME: &'static str = "copies";
    const TABLES: &'static [&'static str] = &["copies"];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        add_up(db, "copies", &[event]).await
    }

    async fn apply_all(
        &self,
        db: &mut PgConnection,
        events: &[&Recorded],
    ) -> Result<(), ProjectionError> {
        add_up(db, "copies", events).await
    }
}

async fn add_up(
    db: &mut PgConnection,
    table: &str,
    events: &[&Recorded],
) -> Result<(), ProjectionError> {
    let (mut ids, mut additions) = (Vec::new(), Vec::new());
    for event in events {
        for Counted::Added { by, .. } in event.decode()? {
            ids.push(event.aggregate_id);
            additions.push(by);
        }
    }
    let add = format!(
        "INSERT INTO {table} AS t (id, sum, facts)
         SELECT id, sum(by), count(*) FROM unnest($1::uuid[], $2::bigint[]) AS u (id, by) GROUP BY id
         ON CONFLICT (id) DO UPDATE SET sum = t.sum + EXCLUDED.sum, facts = t.facts + EXCLUDED.facts"
    );
    sqlx::query(AssertSqlSafe(add)).bind(ids).bind(additions).execute(db).await?;
    Ok(())
}
