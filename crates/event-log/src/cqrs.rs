//! `cqrs_es::EventStore` over the log, for whoever drives aggregates through `cqrs_es::CqrsFramework`.
//!
//! The state that `handle` leaves behind already is the state after the events (the sink applies each as it
//! is written), so nothing is applied again here. See `docs/decisions/2026-11-21-postgres-es-is-not-used.md`.

use std::collections::HashMap;

use cqrs_es::{Aggregate, AggregateContext, AggregateError, EventEnvelope, EventStore};
use uuid::Uuid;

use crate::{
    append::AppendError,
    envelope::{Actor, Meta},
    log::{EventLog, ExecuteError, Loaded, Target},
};

/// The aggregates of one tenant, acted on by one actor.
#[derive(Debug, Clone)]
pub struct AggregateStore {
    log: EventLog,
    tenant: Uuid,
    actor: Actor,
}

impl AggregateStore {
    /// Stores through `log`.
    #[must_use]
    pub const fn new(log: EventLog, tenant: Uuid, actor: Actor) -> Self {
        Self { log, tenant, actor }
    }

    fn target<E: std::error::Error>(&self, id: &str) -> Result<Target, AggregateError<E>> {
        let id =
            Uuid::try_parse(id).map_err(|error| AggregateError::UnexpectedError(error.into()))?;
        Ok(Target { tenant: self.tenant, id })
    }
}

/// An aggregate on its way through a command.
#[derive(Debug)]
pub struct Context<A> {
    target: Target,
    loaded: Loaded<A>,
}

impl<A: Aggregate> AggregateContext<A> for Context<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.loaded.aggregate
    }
}

impl<A: Aggregate> EventStore<A> for AggregateStore {
    type AC = Context<A>;

    async fn load_events(
        &self,
        id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let target = self.target(id)?;
        let rows = sqlx::query!(
            r#"
            SELECT sequence, payload::text AS "payload!" FROM es.events
            WHERE tenant_id = $1 AND aggregate_type = $2 AND aggregate_id = $3 ORDER BY sequence
            "#,
            target.tenant,
            A::TYPE,
            target.id,
        )
        .fetch_all(self.log.pool())
        .await
        .map_err(|error| AggregateError::DatabaseConnectionError(error.into()))?;
        rows.into_iter()
            .map(|row| {
                Ok(EventEnvelope {
                    aggregate_id: id.to_owned(),
                    sequence: usize::try_from(row.sequence).expect("sequences are positive"),
                    payload: serde_json::from_str(&row.payload)
                        .map_err(|error| AggregateError::DeserializationError(error.into()))?,
                    metadata: HashMap::new(),
                })
            })
            .collect()
    }

    async fn load_aggregate(&self, id: &str) -> Result<Context<A>, AggregateError<A::Error>> {
        let target = self.target(id)?;
        match self.log.load::<A>(target).await {
            Ok(loaded) => Ok(Context { target, loaded }),
            Err(ExecuteError::Damaged(error)) => {
                Err(AggregateError::DeserializationError(error.into()))
            }
            Err(error) => Err(AggregateError::DatabaseConnectionError(error.to_string().into())),
        }
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: Context<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let Context { target, loaded } = context;
        if events.is_empty() {
            return Ok(vec![]);
        }
        let command_id = metadata.get("command_id").and_then(|id| Uuid::try_parse(id).ok());
        let meta = Meta::new(command_id.unwrap_or_else(Uuid::now_v7), self.actor.clone());
        match self.log.append(target, A::TYPE, loaded.sequence, &events, &meta, &[]).await {
            Ok(_) => {}
            Err(AppendError::Conflict) => return Err(AggregateError::AggregateConflict),
            Err(error) => return Err(AggregateError::DatabaseConnectionError(error.into())),
        }
        let first = usize::try_from(loaded.sequence).expect("sequences are positive") + 1;
        Ok((first..)
            .zip(events)
            .map(|(sequence, payload)| EventEnvelope {
                aggregate_id: target.id.to_string(),
                sequence,
                payload,
                metadata: metadata.clone(),
            })
            .collect())
    }
}
