//! `cqrs_es::EventStore` over the log, for whoever drives aggregates through `cqrs_es::CqrsFramework`.
//!
//! The state that `handle` leaves behind already is the state after the events (the sink applies each as it
//! is written), so nothing is applied again here. See `docs/decisions/2026-11-21-postgres-es-is-not-used.md`.

use std::collections::HashMap;

use cqrs_es::{Aggregate, AggregateContext, AggregateError, EventEnvelope, EventStore};
use uuid::Uuid;

use crate::{
    append::{AppendError, NewEvents, NewGroup},
    codec::Event,
    envelope::{Actor, Meta},
    execute::new_event,
    load::LoadError,
    log::{EventLog, Loaded, Target},
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

    /// What a command led to that was carried out before.
    async fn carried_out<A>(
        &self,
        target: Target,
        command: Uuid,
    ) -> Result<Vec<(i64, A::Event)>, AggregateError<A::Error>>
    where
        A: Aggregate,
        A::Event: Event,
    {
        let facts = self.log.of_command(target, A::TYPE, command).await;
        let facts = facts.map_err(|error| AggregateError::DatabaseConnectionError(error.into()))?;
        if facts.is_empty() {
            let another = "the id of the command belongs to one that another aggregate carried out";
            return Err(AggregateError::UnexpectedError(another.into()));
        }
        let mut events = Vec::with_capacity(facts.len());
        for fact in facts {
            let read = fact.decode::<A::Event>();
            let read = read.map_err(|error| AggregateError::DeserializationError(error.into()))?;
            events.extend(read.into_iter().map(|event| (fact.sequence, event)));
        }
        Ok(events)
    }
}

fn envelopes<A: Aggregate>(
    id: Uuid,
    events: Vec<(i64, A::Event)>,
    metadata: &HashMap<String, String>,
) -> Vec<EventEnvelope<A>> {
    let envelope = |(sequence, payload)| EventEnvelope {
        aggregate_id: id.to_string(),
        sequence: usize::try_from(sequence).expect("sequences are positive"),
        payload,
        metadata: metadata.clone(),
    };
    events.into_iter().map(envelope).collect()
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

impl<A> EventStore<A> for AggregateStore
where
    A: Aggregate + Clone + 'static,
    A::Event: Event,
{
    type AC = Context<A>;

    async fn load_events(
        &self,
        id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let target = self.target(id)?;
        let events = self.log.events_of::<A>(target).await.map_err(unloaded)?;
        Ok(envelopes::<A>(target.id, events, &HashMap::new()))
    }

    async fn load_aggregate(&self, id: &str) -> Result<Context<A>, AggregateError<A::Error>> {
        let target = self.target(id)?;
        let loaded = self.log.load::<A>(target).await.map_err(unloaded)?;
        Ok(Context { target, loaded })
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
        let group = NewGroup {
            command_id: meta.command_id,
            meta: serde_json::to_string(&meta).expect("an origin is plain data"),
            aggregates: vec![NewEvents {
                tenant: target.tenant,
                aggregate_type: A::TYPE,
                aggregate_id: target.id,
                expected: loaded.sequence,
                keys: Vec::new(),
                events: events.iter().map(new_event).collect(),
            }],
        };
        let part = self.log.part_of(target.tenant);
        match self.log.appender(part).append(group).await {
            Ok(committed) if committed.repeated => {
                let events = self.carried_out::<A>(target, meta.command_id).await?;
                Ok(envelopes::<A>(target.id, events, &metadata))
            }
            Ok(_) => {
                let events = (loaded.sequence + 1..).zip(events).collect();
                Ok(envelopes::<A>(target.id, events, &metadata))
            }
            Err(AppendError::Conflict) => Err(AggregateError::AggregateConflict),
            Err(error) => Err(AggregateError::DatabaseConnectionError(error.into())),
        }
    }
}

fn unloaded<E: std::error::Error>(error: LoadError) -> AggregateError<E> {
    match error {
        LoadError::Damaged(error) => AggregateError::DeserializationError(error.into()),
        LoadError::Unavailable(error) => {
            AggregateError::DatabaseConnectionError(error.to_string().into())
        }
    }
}
