//! A projection for tests: the sum of each counter.

use meydan_event_log::{EventLog, Projection, ProjectionError, Recorded};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::counter::{Counted, owner};

/// Sums per aggregate; chokes on sevens.
pub(crate) struct Sums;

impl Projection for Sums {
    const NAME: &'static str = "sums";
    const TABLES: &'static [&'static str] = &["sums"];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        let by = event.decode()?.iter().map(|Counted::Added { by }| by).sum::<i64>();
        // 1/(by-7) is a database error for a seven, as a poisonous fact would be.
        sqlx::query(
            "INSERT INTO sums AS s (id, sum) VALUES ($1, $2 + 0 * (1 / ($2 - 7)))
             ON CONFLICT (id) DO UPDATE SET sum = s.sum + $2 + 0 * (1 / ($2 - 7))",
        )
        .bind(event.aggregate_id)
        .bind(i32::try_from(by).expect("small"))
        .execute(db)
        .await?;
        Ok(())
    }
}

pub(crate) async fn sums(pool: &PgPool) -> Vec<(Uuid, i64)> {
    sqlx::query_as("SELECT id, sum FROM sums ORDER BY id").fetch_all(pool).await.expect("a table")
}

pub(crate) async fn make_table(log: &EventLog) {
    let mut owner = owner(log).await;
    let made = sqlx::raw_sql(
        "CREATE TABLE sums (id uuid, sum bigint NOT NULL, CONSTRAINT sums_pkey PRIMARY KEY (id));
         CREATE INDEX sums_by_sum ON sums (sum)",
    );
    made.execute(&mut owner).await.expect("the table can be made");
}

/// Adds on one event after another, or many with one statement: the same in the end.
pub(crate) struct SumsAsSet;

impl Projection for SumsAsSet {
    const NAME: &'static str = "sums";
    const TABLES: &'static [&'static str] = &["sums"];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        self.apply_all(db, &[event]).await
    }

    async fn apply_all(
        &self,
        db: &mut PgConnection,
        events: &[&Recorded],
    ) -> Result<(), ProjectionError> {
        let (mut ids, mut additions) = (Vec::new(), Vec::new());
        for event in events {
            for Counted::Added { by } in event.decode()? {
                ids.push(event.aggregate_id);
                additions.push(by);
            }
        }
        sqlx::query(
            "INSERT INTO sums AS s (id, sum)
             SELECT id, sum(by) FROM unnest($1::uuid[], $2::bigint[]) AS u (id, by) GROUP BY id
             ON CONFLICT (id) DO UPDATE SET sum = s.sum + EXCLUDED.sum",
        )
        .bind(ids)
        .bind(additions)
        .execute(db)
        .await?;
        Ok(())
    }
}
