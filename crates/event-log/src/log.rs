//! Carries out commands and reads facts back.
//!
//! A command is judged by one aggregate: load, decide, append. A command that lost a race is judged again
//! on the new state; one that was carried out before gets its first answer.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde_json::value::RawValue;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    append::{AppendError, Appender, Committed, NewEvent, NewEvents, UniqueKey},
    envelope::{Meta, Recorded, Unreadable},
};

/// How often a command is judged after losing races.
const ATTEMPTS: u32 = 4;
/// The one partition that there is until one lock is too slow.
pub(crate) const PART: i16 = 0;

/// Which aggregate a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The campaign, or [`crate::PLATFORM`].
    pub tenant: Uuid,
    /// The aggregate.
    pub id: Uuid,
}

/// An aggregate as its events made it.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// Its state.
    pub aggregate: A,
    /// How many events made it.
    pub sequence: i64,
}

/// Why a command changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<R: std::error::Error> {
    /// A rule of the domain said no.
    #[error(transparent)]
    Refused(R),
    /// Others changed the aggregate each time; it may be tried again.
    #[error("lost a race {ATTEMPTS} times")]
    Conflict,
    /// A unique key belongs to another aggregate.
    #[error("a unique key is taken")]
    KeyTaken,
    /// PostgreSQL cannot be used at the moment.
    #[error("the log is unavailable")]
    Unavailable(#[source] Option<std::sync::Arc<sqlx::Error>>),
    /// The log holds something that this program cannot read, or it has a bug.
    #[error("the log is damaged")]
    Damaged(#[from] Unreadable),
}

impl<R: std::error::Error> From<sqlx::Error> for ExecuteError<R> {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(Some(std::sync::Arc::new(error)))
    }
}

/// The log of one context.
#[derive(Debug, Clone)]
pub struct EventLog {
    context: &'static str,
    pool: PgPool,
    appender: Appender,
    head: watch::Receiver<i64>,
}

impl EventLog {
    /// Connects to `url` under the service role, which cannot change facts.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL cannot be reached or the log has not been migrated.
    pub async fn open(
        context: &'static str,
        url: &str,
        connections: u32,
    ) -> Result<Self, sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(std::time::Duration::from_secs(2))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(
                        "SET ROLE meydan_service; SET lock_timeout = '2s'; SET statement_timeout = '10s'; \
                         SET idle_in_transaction_session_timeout = '10s'",
                    )
                    .execute(connection)
                    .await
                    .map(|_| ())
                })
            })
            .connect(url)
            .await?;
        let last = sqlx::query_scalar!("SELECT max(position) FROM es.events WHERE part = $1", PART)
            .fetch_one(&pool)
            .await?
            .unwrap_or(0);
        let (sender, head) = watch::channel(last);
        let appender = Appender::start(pool.clone(), PART, sender);
        Ok(Self { context, pool, appender, head })
    }

    /// Name of the context, for instance `crm`.
    #[must_use]
    pub const fn context(&self) -> &'static str {
        self.context
    }

    /// The pool, for the context's own tables.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Tells of the last position that this process appended.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<i64> {
        self.head.clone()
    }

    /// Carries out a command.
    ///
    /// # Errors
    ///
    /// See [`ExecuteError`].
    pub async fn execute<A>(
        &self,
        target: Target,
        command: A::Command,
        meta: &Meta,
    ) -> Result<Committed, ExecuteError<A::Error>>
    where
        A: Aggregate<Services = ()>,
        A::Command: Clone + Send,
    {
        self.execute_with::<A>(target, command, meta, &[]).await
    }

    /// Carries out a command that also takes unique keys, in the same transaction.
    ///
    /// # Errors
    ///
    /// See [`ExecuteError`].
    #[tracing::instrument(name = "log.execute", skip_all, fields(context = self.context, aggregate = A::TYPE))]
    pub async fn execute_with<A>(
        &self,
        target: Target,
        command: A::Command,
        meta: &Meta,
        keys: &[UniqueKey],
    ) -> Result<Committed, ExecuteError<A::Error>>
    where
        A: Aggregate<Services = ()>,
        A::Command: Clone + Send,
    {
        for _ in 0..ATTEMPTS {
            if let Some(first) = self.carried_out(target.tenant, meta.command_id).await? {
                return Ok(first);
            }
            let Loaded { mut aggregate, sequence } = self.load::<A>(target).await?;
            let sink = EventSink::default();
            aggregate.handle(command.clone(), &(), &sink).await.map_err(ExecuteError::Refused)?;
            let events = sink.collect().await;
            if events.is_empty() {
                return Ok(Committed { position: 0, sequence, repeated: false });
            }
            match self.append(target, A::TYPE, sequence, &events, meta, keys).await {
                Err(AppendError::Conflict) => metrics::counter!("event_log_conflicts").increment(1),
                Err(AppendError::KeyTaken) => return Err(ExecuteError::KeyTaken),
                Err(AppendError::Unavailable(error)) => {
                    return Err(ExecuteError::Unavailable(error));
                }
                Ok(committed) => return Ok(committed),
            }
        }
        Err(ExecuteError::Conflict)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one append")]
    pub(crate) async fn append<E: DomainEvent>(
        &self,
        target: Target,
        aggregate_type: &'static str,
        expected: i64,
        events: &[E],
        meta: &Meta,
        keys: &[UniqueKey],
    ) -> Result<Committed, AppendError> {
        let events = events.iter().map(new_event).collect();
        self.appender
            .append(NewEvents {
                tenant: target.tenant,
                aggregate_type,
                aggregate_id: target.id,
                expected,
                command_id: meta.command_id,
                meta: serde_json::to_string(meta).expect("an origin is plain data"),
                keys: keys.to_vec(),
                events,
            })
            .await
    }

    async fn carried_out(
        &self,
        tenant: Uuid,
        command: Uuid,
    ) -> Result<Option<Committed>, sqlx::Error> {
        sqlx::query!(
            "SELECT last_position, last_sequence FROM es.commands WHERE tenant_id = $1 AND command_id = $2",
            tenant,
            command,
        )
        .map(|row| Committed {
            position: row.last_position,
            sequence: row.last_sequence,
            repeated: true,
        })
        .fetch_optional(&self.pool)
        .await
    }

    /// Makes an aggregate from its events.
    ///
    /// # Errors
    ///
    /// [`ExecuteError::Unavailable`] or [`ExecuteError::Damaged`].
    pub async fn load<A: Aggregate>(
        &self,
        target: Target,
    ) -> Result<Loaded<A>, ExecuteError<A::Error>> {
        let rows = sqlx::query!(
            r#"
            SELECT position, sequence, event_type, event_version, payload AS "payload!: sqlx::types::Json<Box<RawValue>>"
            FROM es.events
            WHERE tenant_id = $1 AND aggregate_type = $2 AND aggregate_id = $3
            ORDER BY sequence
            "#,
            target.tenant,
            A::TYPE,
            target.id,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut loaded = Loaded { aggregate: A::default(), sequence: 0 };
        for row in rows {
            let event = serde_json::from_str(row.payload.get()).map_err(|source| Unreadable {
                position: row.position,
                event_type: row.event_type,
                event_version: row.event_version,
                source,
            })?;
            loaded.aggregate.apply(event);
            loaded.sequence = row.sequence;
        }
        Ok(loaded)
    }

    /// The aggregate that holds a unique key.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL does.
    pub async fn holder(&self, key: &UniqueKey) -> Result<Option<Uuid>, sqlx::Error> {
        sqlx::query_scalar!(
            "SELECT aggregate_id FROM es.unique_keys WHERE tenant_id = $1 AND scope = $2 AND key = $3",
            key.tenant,
            key.scope,
            key.key,
        )
        .fetch_optional(&self.pool)
        .await
    }

    /// The aggregate that holds the greatest key of `scope` that begins with `prefix`, and that key.
    ///
    /// Keys of such a scope go on for at most 15 bytes after the prefix.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL does.
    pub async fn last_holder(
        &self,
        tenant: Uuid,
        scope: &str,
        prefix: &[u8],
    ) -> Result<Option<(Vec<u8>, Uuid)>, sqlx::Error> {
        let end = [prefix, &[0xff; 16]].concat();
        let row = sqlx::query!(
            r#"
            SELECT key, aggregate_id FROM es.unique_keys
            WHERE tenant_id = $1 AND scope = $2 AND key BETWEEN $3 AND $4
            ORDER BY key DESC LIMIT 1
            "#,
            tenant,
            scope,
            prefix,
            end,
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| (row.key, row.aggregate_id)))
    }

    /// Reads up to `limit` facts after `position`, in order.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL does.
    pub async fn after(&self, position: i64, limit: i64) -> Result<Vec<Recorded>, sqlx::Error> {
        sqlx::query!(
            r#"
            SELECT position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type,
                   event_version, payload AS "payload!: sqlx::types::Json<Box<RawValue>>",
                   meta AS "meta!: sqlx::types::Json<Meta>", recorded_at
            FROM es.events
            WHERE part = $1 AND position > $2
            ORDER BY position
            LIMIT $3
            "#,
            PART,
            position,
            limit,
        )
        .map(|row| Recorded {
            position: row.position,
            tenant: row.tenant_id,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            event_id: row.event_id,
            event_type: row.event_type,
            event_version: row.event_version,
            payload: row.payload.0,
            meta: row.meta.0,
            recorded_at: row.recorded_at,
        })
        .fetch_all(&self.pool)
        .await
    }
}

fn new_event<E: DomainEvent>(event: &E) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        kind: event.event_type(),
        version: event.event_version().parse().expect("versions are small whole numbers"),
        payload: serde_json::to_string(event).expect("events are plain data"),
    }
}
