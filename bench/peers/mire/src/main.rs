//! mire 0.4 under the yardstick: `repository().send()` for commands, a transactional batch handler for the
//! read model, as its README advises for each.

use std::{collections::HashMap, time::Duration};

use anyhow::Result;
use bench_measure::{Options, Store};
use clap::Parser;
use mire::{
    Aggregate, Command, EventData, EventStore, HandledEvent, ProjectionRunner,
    TransactionalBatchEventHandler,
};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool, postgres::PgPoolOptions};
use tokio_util::sync::CancellationToken;

/// Events that one reading takes.
const PAGE: i64 = 1_000;
/// How often to look whether the read model is whole.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Serialize, Deserialize, EventData)]
#[serde(tag = "type")]
#[mire(entity = "notebook")]
enum Noted {
    Noted { number: u64, text: String },
}

#[derive(Debug, Default)]
struct Notebook {
    notes: u64,
}

impl Aggregate for Notebook {
    type Event = Noted;

    fn stream_category() -> &'static str {
        "notebook"
    }

    fn apply(&mut self, Noted::Noted { number, .. }: &Noted) {
        self.notes = *number;
    }
}

struct Take(Vec<String>);

#[derive(Debug, thiserror::Error)]
#[error("the notebook is full")]
struct Full;

impl Command for Take {
    type Aggregate = Notebook;
    type Error = Full;
    type Events = Vec<Noted>;

    fn handle(self, notebook: &Notebook) -> Result<Vec<Noted>, Full> {
        if notebook.notes >= 1_000_000 {
            return Err(Full);
        }
        let numbers = notebook.notes + 1..;
        Ok(numbers.zip(self.0).map(|(number, text)| Noted::Noted { number, text }).collect())
    }
}

/// The read model: how many events each notebook has.
struct Totals;

impl TransactionalBatchEventHandler for Totals {
    type Aggregate = Notebook;

    async fn handle_batch(
        &self,
        events: Vec<HandledEvent<Noted>>,
        connection: &mut PgConnection,
    ) -> Result<()> {
        let mut counts = HashMap::<&str, i64>::new();
        for event in &events {
            *counts.entry(event.stream_id()).or_default() += 1;
        }
        let (ids, counts): (Vec<&str>, Vec<i64>) = counts.into_iter().unzip();
        sqlx::query(
            "INSERT INTO totals AS t (id, events) SELECT * FROM unnest($1::text[], $2::bigint[]) \
             ON CONFLICT (id) DO UPDATE SET events = t.events + excluded.events",
        )
        .bind(ids)
        .bind(counts)
        .execute(connection)
        .await?;
        Ok(())
    }
}

#[derive(Clone)]
struct Mire {
    pool: PgPool,
    store: EventStore,
}

impl Store for Mire {
    const PEER: &'static str = "mire";
    const VERSION: &'static str = "0.4.0";

    async fn prepare(database: &str) -> Result<()> {
        let pool = PgPool::connect(database).await?;
        EventStore::new(pool.clone()).migrate().await?;
        sqlx::query("CREATE TABLE totals (id text PRIMARY KEY, events bigint NOT NULL)")
            .execute(&pool)
            .await?;
        pool.close().await;
        Ok(())
    }

    async fn open(database: &str, clients: usize) -> Result<Self> {
        let connections = u32::try_from(clients.min(64))?;
        let pool = PgPoolOptions::new().max_connections(connections).connect(database).await?;
        Ok(Self { store: EventStore::new(pool.clone()), pool })
    }

    async fn close(self) {
        self.pool.close().await;
    }

    async fn execute(&self, command: bench_measure::Command) -> Result<()> {
        let notebooks = self.store.repository::<Notebook>();
        notebooks.send(&command.aggregate.to_string(), Take(command.texts)).await?;
        Ok(())
    }

    async fn replay(&self) -> Result<u64> {
        let (mut transaction, mut position, mut seen) = (0, 0, 0);
        loop {
            let page = self.store.read_all_after(transaction, position, PAGE).await?;
            let Some(last) = page.last() else { return Ok(seen) };
            (transaction, position) = (last.transaction_id, last.global_position);
            for event in &page {
                let Noted::Noted { .. } = Noted::deserialize(&event.data)?;
                seen += 1;
            }
        }
    }

    async fn project(&self, events: u64) -> Result<()> {
        let runner = ProjectionRunner::builder(self.store.clone())
            .batch_size(500)
            .subscribe_transactional_batch("totals", Totals)
            .build();
        let stop = CancellationToken::new();
        let running = tokio::spawn(runner.run(stop.clone()));
        let wanted = i64::try_from(events)?;
        let sum = "SELECT coalesce(sum(events), 0)::bigint FROM totals";
        while sqlx::query_scalar::<_, i64>(sum).fetch_one(&self.pool).await? < wanted {
            tokio::time::sleep(LOOK).await;
        }
        stop.cancel();
        running.await?
    }

    async fn stored(&self) -> Result<u64> {
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM es_events").fetch_one(&self.pool).await?;
        Ok(u64::try_from(count)?)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    bench_measure::run::<Mire>(&Options::parse()).await
}
