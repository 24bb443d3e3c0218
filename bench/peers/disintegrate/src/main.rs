//! disintegrate-postgres 4 under the yardstick: a decision over the state query of one notebook, without
//! snapshots, as its README has it.
//!
//! Its appends are SERIALIZABLE and fail now and then although nobody else touched the notebook; a client has
//! to decide again, so that is part of the command here. Its listener calls the handler event by event, on a
//! connection of the handler's own.

use std::time::Duration;

use anyhow::{Result, bail};
use async_trait::async_trait;
use bench_measure::{Command, Options, Store};
use clap::Parser;
use disintegrate::{
    Decision, Event, EventListener, EventStore, NoSnapshot, PersistedEvent, StateMutate,
    StateQuery, StreamItem, StreamQuery, query, serde::json::Json,
};
use disintegrate_postgres::{
    Error, PgDecisionMaker, PgEventId, PgEventListener, PgEventListenerConfig, PgEventStore,
    decision_maker,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use sqlx_0_8::{PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

/// How often a decision is made before it counts as failed.
const ATTEMPTS: u32 = 100;
/// How often to look whether the read model is whole.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, PartialEq, Eq, Event, Serialize, Deserialize)]
#[stream(NotebookEvent, [Noted])]
enum DomainEvent {
    Noted {
        #[id]
        notebook_id: Uuid,
        number: u64,
        text: String,
    },
}

#[derive(Default, StateQuery, Clone, Serialize, Deserialize)]
#[state_query(NotebookEvent)]
struct Notebook {
    #[id]
    notebook_id: Uuid,
    notes: u64,
}

impl StateMutate for Notebook {
    fn mutate(&mut self, NotebookEvent::Noted { number, .. }: NotebookEvent) {
        self.notes = number;
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the notebook is full")]
struct Full;

struct Take<'a> {
    notebook_id: Uuid,
    texts: &'a [String],
}

impl Decision for Take<'_> {
    type Event = DomainEvent;
    type StateQuery = Notebook;
    type Error = Full;

    fn state_query(&self) -> Notebook {
        Notebook { notebook_id: self.notebook_id, notes: 0 }
    }

    fn process(&self, notebook: &Notebook) -> Result<Vec<DomainEvent>, Full> {
        if notebook.notes >= 1_000_000 {
            return Err(Full);
        }
        let note = |(number, text): (u64, &String)| DomainEvent::Noted {
            notebook_id: self.notebook_id,
            number,
            text: text.clone(),
        };
        Ok((notebook.notes + 1..).zip(self.texts).map(note).collect())
    }
}

/// The read model: how many events each notebook has.
struct Totals {
    pool: PgPool,
    query: StreamQuery<PgEventId, DomainEvent>,
}

#[async_trait]
impl EventListener<PgEventId, DomainEvent> for Totals {
    type Error = sqlx_0_8::Error;

    fn id(&self) -> &'static str {
        "totals"
    }

    fn query(&self) -> &StreamQuery<PgEventId, DomainEvent> {
        &self.query
    }

    async fn handle(
        &self,
        event: PersistedEvent<PgEventId, DomainEvent>,
    ) -> Result<(), sqlx_0_8::Error> {
        let DomainEvent::Noted { notebook_id, .. } = event.into_inner();
        sqlx_0_8::query(
            "INSERT INTO totals AS t (id, events) VALUES ($1, 1) \
             ON CONFLICT (id) DO UPDATE SET events = t.events + 1",
        )
        .bind(notebook_id)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

type Events = PgEventStore<DomainEvent, Json<DomainEvent>>;

#[derive(Clone)]
struct Disintegrate {
    pool: PgPool,
    events: Events,
    decisions: PgDecisionMaker<DomainEvent, Json<DomainEvent>, NoSnapshot>,
}

impl Store for Disintegrate {
    const PEER: &'static str = "disintegrate-postgres";
    const VERSION: &'static str = "4.0.1";

    async fn prepare(database: &str) -> Result<()> {
        let pool = PgPool::connect(database).await?;
        let _: Events = PgEventStore::try_new(pool.clone(), Json::default()).await?;
        sqlx_0_8::query("CREATE TABLE totals (id uuid PRIMARY KEY, events bigint NOT NULL)")
            .execute(&pool)
            .await?;
        pool.close().await;
        Ok(())
    }

    async fn open(database: &str, clients: usize) -> Result<Self> {
        let connections = u32::try_from(clients.clamp(4, 64))?;
        let pool = PgPoolOptions::new().max_connections(connections).connect(database).await?;
        let events = PgEventStore::new_uninitialized(pool.clone(), Json::default());
        Ok(Self { pool, decisions: decision_maker(events.clone(), NoSnapshot), events })
    }

    async fn close(self) {
        self.pool.close().await;
    }

    async fn execute(&self, Command { aggregate, texts }: Command) -> Result<()> {
        for attempt in 0..ATTEMPTS {
            match self.decisions.make(Take { notebook_id: aggregate, texts: &texts }).await {
                Ok(_) => return Ok(()),
                // Everybody who lost coming back at once would lose again.
                Err(error) if lost_a_race(&error) => {
                    let part = u64::from(Uuid::new_v4().as_bytes()[0]);
                    let pause = (1 << attempt.min(5)) * part / 255;
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        bail!("lost a race {ATTEMPTS} times")
    }

    async fn replay(&self) -> Result<u64> {
        let all = query!(DomainEvent);
        let mut events = self.events.stream::<DomainEvent>(&all);
        let mut seen = 0;
        while let Some(item) = events.next().await {
            if let StreamItem::Event(_) = item? {
                seen += 1;
            }
        }
        Ok(seen)
    }

    async fn project(&self, events: u64) -> Result<()> {
        let totals = Totals { pool: self.pool.clone(), query: query!(DomainEvent) };
        let listener = PgEventListener::builder(self.events.clone())
            .register_listener(totals, PgEventListenerConfig::poller(LOOK));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopping = async move {
            let _ = stopped.await;
        };
        let running = tokio::spawn(listener.start_with_shutdown(stopping));
        let wanted = i64::try_from(events)?;
        let sum = "SELECT coalesce(sum(events), 0)::bigint FROM totals";
        while sqlx_0_8::query_scalar::<_, i64>(sum).fetch_one(&self.pool).await? < wanted {
            tokio::time::sleep(LOOK).await;
        }
        drop(stop);
        Ok(running.await??)
    }

    async fn stored(&self) -> Result<u64> {
        let count: i64 =
            sqlx_0_8::query_scalar("SELECT count(*) FROM event").fetch_one(&self.pool).await?;
        Ok(u64::try_from(count)?)
    }
}

/// Whether PostgreSQL or disintegrate saw a conflict, so that the decision has to be made again. The error of
/// a decision is not public; its cause is.
fn lost_a_race(error: &dyn std::error::Error) -> bool {
    match error.source().and_then(<dyn std::error::Error>::downcast_ref) {
        Some(Error::Concurrency) => true,
        Some(Error::Database(error)) => {
            error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("40001"))
        }
        _ => false,
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    bench_measure::run::<Disintegrate>(&Options::parse()).await
}
