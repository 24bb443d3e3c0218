//! `bench log`: the event log of the platform, measured like its peers (see `bench/measure`).
//!
//! Through its public door alone, with as many connections as a service has by default: a command is
//! recognised when it was carried out before, judged by its aggregate, appended in the order of the log.

mod commit;
pub(crate) mod pipeline;
mod projection;

use anyhow::{Context, Result};
use bench_measure::{Command, Store};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::{Actor, Event, EventLog, MIGRATOR, Meta, Target, prepare_database};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// Connections of a service when nobody sets `database-connections`.
const CONNECTIONS: u32 = 8;
/// Facts that one reading takes, as `bench log` replays them.
const PAGE: i64 = 1_000;
/// The campaign whose aggregates these are.
const TENANT: Uuid = Uuid::from_u128(1);

/// Notes that were taken, at most a million.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Notebook {
    notes: u64,
}

#[derive(Debug, Clone)]
struct Take(Vec<String>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Noted {
    #[serde(rename = "notebook.noted")]
    Noted { number: u64, text: String },
}

impl Event for Noted {}

impl DomainEvent for Noted {
    fn event_type(&self) -> String {
        "notebook.noted".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
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

/// The log under measurement.
#[derive(Debug, Clone)]
pub(crate) struct Log(EventLog);

impl Store for Log {
    const PEER: &'static str = "meydan";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    async fn prepare(database: &str) -> Result<()> {
        let url = url::Url::parse(database)?;
        let name = url.path().trim_start_matches('/').to_owned();
        let mut server = url;
        server.set_path("postgres");
        prepare_database(server.as_str(), &name, &[&MIGRATOR]).await?;
        // As the owner: the log's own role makes no tables.
        let mut connection = PgConnection::connect(database).await?;
        sqlx::query(projection::TABLE).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    async fn open(database: &str, _clients: usize) -> Result<Self> {
        Ok(Self(EventLog::open("bench", database, CONNECTIONS).await?))
    }

    async fn close(self) {
        self.0.pool().close().await;
    }

    async fn execute(&self, Command { aggregate, texts }: Command) -> Result<()> {
        let meta = Meta::new(Uuid::now_v7(), Actor::Service { name: "bench".to_owned() });
        let target = Target { tenant: TENANT, id: aggregate };
        self.0.execute::<Notebook>(target, Take(texts), &meta).await?;
        Ok(())
    }

    async fn replay(&self) -> Result<u64> {
        let (mut position, mut seen) = (0, 0);
        loop {
            let page = self.0.after(0, position, PAGE).await?;
            let Some(last) = page.last() else { return Ok(seen) };
            position = last.position;
            for event in &page {
                seen += u64::try_from(event.decode::<Noted>()?.len())?;
            }
        }
    }

    async fn project(&self, events: u64) -> Result<()> {
        projection::project(&self.0, events).await
    }

    async fn stored(&self) -> Result<u64> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM es.events")
            .fetch_one(self.0.pool())
            .await
            .context("the log can be counted")?;
        Ok(u64::try_from(count)?)
    }
}
