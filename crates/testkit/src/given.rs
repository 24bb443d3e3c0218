//! Given facts, when a projection or a policy takes them, then rows, or answers. What
//! `cqrs_es::test::TestFramework` is for aggregates.
//!
//! Both are put to more than the test asks for. A projection takes the facts one by one and as sets of several
//! sizes, and has to show the same each time. A policy is told of each fact twice, as happens when it is killed
//! before its checkpoint, and has to say the same again.

use std::collections::{BTreeMap, HashMap};

use cqrs_es::{Aggregate, DomainEvent};
use meydan_event_log::{
    Actor, Meta, Outcome, Policy, Projection, ProjectionError, Recorded, Target, answer_to,
};
use serde_json::{Value, value::to_raw_value};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// When the first fact is recorded; each later one a second after the one before.
pub const BEGINNING: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

/// Most facts that a projection is given at a time, in each of its passes.
const AT_ONCE: [usize; 3] = [2, 7, usize::MAX];

/// What has happened before the test begins: facts of one partition, in order.
#[derive(Debug, Clone, Default)]
pub struct Given {
    facts: Vec<Recorded>,
    sequences: HashMap<(Uuid, String, Uuid), i64>,
}

impl Given {
    /// No facts yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// One more fact about an aggregate.
    #[must_use]
    pub fn fact<A: Aggregate>(self, target: Target, event: &A::Event) -> Self {
        let version = event.event_version().parse().expect("versions are small whole numbers");
        let payload = serde_json::to_value(event).expect("events are plain data");
        self.told(target, A::TYPE, (&event.event_type(), version), &payload)
    }

    /// One more fact as it is stored: of another context, of an older version, or one that nobody knows.
    #[must_use]
    pub fn told(
        mut self,
        target: Target,
        aggregate: &str,
        (event_type, event_version): (&str, i16),
        payload: &Value,
    ) -> Self {
        let position = i64::try_from(self.facts.len() + 1).expect("there are few");
        let key = (target.tenant, aggregate.to_owned(), target.id);
        let sequence = self.sequences.entry(key).or_default();
        *sequence += 1;
        // Names of one's own that are the same in every run.
        let name =
            |what: &[u8]| Uuid::new_v5(&Uuid::from_u128(position.unsigned_abs().into()), what);
        self.facts.push(Recorded {
            part: 0,
            position,
            tenant: target.tenant,
            aggregate_type: aggregate.to_owned(),
            aggregate_id: target.id,
            sequence: *sequence,
            event_id: name(b"event"),
            event_type: event_type.to_owned(),
            event_version,
            payload: to_raw_value(payload).expect("it is JSON"),
            meta: Meta::new(name(b"command"), Actor::Service { name: "test".to_owned() }),
            recorded_at: BEGINNING + Duration::seconds(position - 1),
        });
        self
    }

    /// What the tables of `projection` hold after these facts. The database is left as it was.
    ///
    /// # Errors
    ///
    /// The first fact that the projection does not digest.
    ///
    /// # Panics
    ///
    /// If the projection shows something else when it takes several facts at a time.
    pub async fn shown_by<P: Projection>(
        &self,
        projection: &P,
        db: &mut PgConnection,
    ) -> Result<Rows, ProjectionError> {
        let facts = self.facts.iter().collect::<Vec<_>>();
        let mut pass = db.begin().await?;
        for fact in &facts {
            projection.apply(&mut pass, fact).await?;
        }
        let shown = Rows::read(P::TABLES, &mut pass).await?;
        pass.rollback().await?;
        for most in AT_ONCE {
            let mut pass = db.begin().await?;
            for some in facts.chunks(most) {
                projection.apply_all(&mut pass, some).await?;
            }
            let again = Rows::read(P::TABLES, &mut pass).await?;
            pass.rollback().await?;
            assert_eq!(shown, again, "{} shows something else in sets of {most}", P::NAME);
        }
        Ok(shown)
    }

    /// What `policy` says to each fact.
    ///
    /// # Panics
    ///
    /// If it says something else when it is told again.
    pub async fn answered_by<P: Policy>(&self, policy: &P) -> Vec<Outcome> {
        let mut answers = Vec::with_capacity(self.facts.len());
        for fact in &self.facts {
            let origin = || answer_to(fact, P::NAME, P::SERVICE);
            let said = policy.react(fact, origin()).await;
            let again = policy.react(fact, origin()).await;
            assert_eq!(said, again, "{} answers {} differently", P::NAME, fact.event_type);
            answers.push(said);
        }
        answers
    }
}

/// What tables hold: each row as JSON, in an order of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows(BTreeMap<&'static str, Vec<Value>>);

impl Rows {
    async fn read(tables: &[&'static str], db: &mut PgConnection) -> sqlx::Result<Self> {
        let mut held = BTreeMap::new();
        for table in tables {
            let rows = format!("SELECT to_jsonb(r) FROM {table} r ORDER BY to_jsonb(r)");
            held.insert(*table, sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut *db).await?);
        }
        Ok(Self(held))
    }

    /// These columns of a table's rows: an array of arrays.
    ///
    /// # Panics
    ///
    /// If the table or a column is not there.
    #[must_use]
    pub fn of(&self, table: &str, columns: &[&str]) -> Value {
        let rows = self.0.get(table).unwrap_or_else(|| panic!("{table} is not a table of it"));
        let cell = |row: &Value, column: &&str| {
            row.get(column).unwrap_or_else(|| panic!("{table} has no {column}")).clone()
        };
        let row = |row: &Value| columns.iter().map(|column| cell(row, column)).collect::<Value>();
        rows.iter().map(row).collect()
    }
}
