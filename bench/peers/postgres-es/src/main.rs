//! postgres-es 0.5 under the yardstick: `postgres_cqrs` with its event store, as its README has it.
//!
//! Its read models are written in-process after the commit, at most once; what rebuilds one is `QueryReplay`,
//! which is timed as projection.

use std::sync::Arc;

use anyhow::{Result, ensure};
use bench_measure::{Command, Options, Store};
use clap::Parser;
use cqrs_es::{
    Aggregate, DomainEvent, EventEnvelope, View,
    event_sink::EventSink,
    persist::{GenericQuery, PersistedEventRepository, QueryReplay},
};
use postgres_es::{PostgresCqrs, PostgresEventRepository, PostgresViewRepository, postgres_cqrs};
use serde::{Deserialize, Serialize};
use sqlx_0_8::{PgPool, postgres::PgPoolOptions};

/// The tables of postgres-es's own `db/init.sql`.
const TABLES: &str = "
CREATE TABLE events (
  aggregate_type text NOT NULL, aggregate_id text NOT NULL,
  sequence bigint CHECK (sequence >= 0) NOT NULL,
  event_type text NOT NULL, event_version text NOT NULL,
  payload json NOT NULL, metadata json NOT NULL,
  PRIMARY KEY (aggregate_type, aggregate_id, sequence));
CREATE TABLE totals (
  view_id text NOT NULL, version bigint CHECK (version >= 0) NOT NULL, payload json NOT NULL,
  PRIMARY KEY (view_id));
";

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Notebook {
    notes: u64,
}

struct Take(Vec<String>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Noted {
    Noted { number: u64, text: String },
}

impl DomainEvent for Noted {
    fn event_type(&self) -> String {
        "Noted".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the notebook is full")]
struct Full;

impl Aggregate for Notebook {
    const TYPE: &'static str = "notebook";

    type Command = Take;
    type Event = Noted;
    type Error = Full;
    type Services = ();

    async fn handle(
        &mut self,
        Take(texts): Take,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Full> {
        for text in texts {
            if self.notes >= 1_000_000 {
                return Err(Full);
            }
            sink.write(Noted::Noted { number: self.notes + 1, text }, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, Noted::Noted { number, .. }: Noted) {
        self.notes = number;
    }
}

/// How many events a notebook has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Total {
    events: u64,
}

impl View<Notebook> for Total {
    fn update(&mut self, _: &EventEnvelope<Notebook>) {
        self.events += 1;
    }
}

#[derive(Clone)]
struct PostgresEs {
    pool: PgPool,
    cqrs: Arc<PostgresCqrs<Notebook>>,
}

impl Store for PostgresEs {
    const PEER: &'static str = "postgres-es";
    const VERSION: &'static str = "0.5.0";

    async fn prepare(database: &str) -> Result<()> {
        let pool = PgPool::connect(database).await?;
        sqlx_0_8::raw_sql(TABLES).execute(&pool).await?;
        pool.close().await;
        Ok(())
    }

    async fn open(database: &str, clients: usize) -> Result<Self> {
        let connections = u32::try_from(clients.min(64))?;
        let pool = PgPoolOptions::new().max_connections(connections).connect(database).await?;
        let cqrs = Arc::new(postgres_cqrs(pool.clone(), vec![], ()));
        Ok(Self { pool, cqrs })
    }

    async fn close(self) {
        self.pool.close().await;
    }

    async fn execute(&self, Command { aggregate, texts }: Command) -> Result<()> {
        Ok(self.cqrs.execute(&aggregate.to_string(), Take(texts)).await?)
    }

    async fn replay(&self) -> Result<u64> {
        let repository = PostgresEventRepository::new(self.pool.clone());
        let mut events = repository.stream_all_events::<Notebook>().await?;
        let mut seen = 0;
        while let Some(event) = events.next::<Notebook>(&[]).await {
            event?;
            seen += 1;
        }
        Ok(seen)
    }

    async fn project(&self, events: u64) -> Result<()> {
        let views = PostgresViewRepository::<Total, Notebook>::new("totals", self.pool.clone());
        let query = GenericQuery::new(Arc::new(views));
        QueryReplay::new(PostgresEventRepository::new(self.pool.clone()), query)
            .replay_all()
            .await?;
        let sum: i64 =
            sqlx_0_8::query_scalar("SELECT sum((payload->>'events')::bigint)::bigint FROM totals")
                .fetch_one(&self.pool)
                .await?;
        ensure!(sum == i64::try_from(events)?, "{events} events were projected as {sum}");
        Ok(())
    }

    async fn stored(&self) -> Result<u64> {
        let count: i64 =
            sqlx_0_8::query_scalar("SELECT count(*) FROM events").fetch_one(&self.pool).await?;
        Ok(u64::try_from(count)?)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    bench_measure::run::<PostgresEs>(&Options::parse()).await
}
