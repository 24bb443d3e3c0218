//! The log of a context: opened once, shared by everything in a service.

use std::{str::FromStr, sync::Arc};

use futures::{Stream, TryStreamExt};
use serde_json::value::RawValue;
use sqlx::{PgPool, postgres::PgConnectOptions, types::Json};
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    append::{Appender, UniqueKey, tell},
    envelope::{Meta, Recorded},
    hot::Hot,
    load::Loader,
    parked::Parked,
    session,
    snapshot::{Snapshots, know_build},
};

/// Which aggregate a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The campaign, or [`crate::PLATFORM`].
    pub tenant: Uuid,
    /// The aggregate.
    pub id: Uuid,
}

/// An aggregate as its events made it.
#[derive(Debug, Clone, Default)]
pub struct Loaded<A> {
    /// Its state.
    pub aggregate: A,
    /// How many events made it.
    pub sequence: i64,
}

/// How a log is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Sessions for reading, besides one for writing each partition and one for loading.
    pub connections: u32,
    /// Partitions. A tenant's facts lie in one of them, in order; each has a lock, a relay and a stream of
    /// its own. One is right until one lock is too slow; the number never changes afterwards.
    pub parts: i16,
    /// Most bytes for aggregates that were used lately.
    pub hot_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 8, parts: 1, hot_bytes: 32 << 20 }
    }
}

struct Partition {
    appender: Appender,
    head: watch::Sender<i64>,
}

struct Inner {
    context: &'static str,
    pool: PgPool,
    parts: Vec<Partition>,
    loader: Loader,
    hot: Hot,
    snapshots: Snapshots,
}

/// The log of one context.
#[derive(Clone)]
pub struct EventLog(Arc<Inner>);

impl std::fmt::Debug for EventLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EventLog").field(&self.0.context).finish()
    }
}

impl EventLog {
    /// Opens the log of `context` as most are used, with `connections` for reading.
    ///
    /// # Errors
    ///
    /// See [`EventLog::open_with`].
    pub async fn open(
        context: &'static str,
        url: &str,
        connections: u32,
    ) -> Result<Self, sqlx::Error> {
        Self::open_with(context, url, Options { connections, ..Options::default() }).await
    }

    /// Connects to `url` under the service role, which cannot change facts.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL cannot be reached or the log has not been migrated.
    pub async fn open_with(
        context: &'static str,
        url: &str,
        options: Options,
    ) -> Result<Self, sqlx::Error> {
        let to = PgConnectOptions::from_str(url)?;
        let pool = session::service_pool(to.clone(), options.connections).await?;
        let mut parts = Vec::new();
        for part in 0..options.parts.max(1) {
            let last = last_position(&pool, part).await?;
            let head = watch::Sender::new(last);
            let appender = Appender::start(to.clone(), part, head.clone());
            parts.push(Partition { appender, head });
        }
        tokio::spawn(know_build());
        Ok(Self(Arc::new(Inner {
            context,
            parts,
            loader: Loader::start(to),
            hot: Hot::new(options.hot_bytes),
            snapshots: Snapshots::start(pool.clone()),
            pool,
        })))
    }

    /// Name of the context, for instance `crm`.
    #[must_use]
    pub fn context(&self) -> &'static str {
        self.0.context
    }

    /// The pool, for the context's own tables.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    /// The partitions there are.
    pub fn parts(&self) -> impl Iterator<Item = i16> + use<> {
        0..i16::try_from(self.0.parts.len()).expect("there are few")
    }

    /// The partition in which the facts of `tenant` lie.
    #[must_use]
    pub fn part_of(&self, tenant: Uuid) -> i16 {
        let parts = self.0.parts.len() as u128;
        i16::try_from(tenant.as_u128() % parts).expect("there are few")
    }

    /// Tells of the last position that this process appended to a partition.
    ///
    /// # Panics
    ///
    /// If there is no such partition.
    #[must_use]
    pub fn head(&self, part: i16) -> watch::Receiver<i64> {
        self.partition(part).head.subscribe()
    }

    fn partition(&self, part: i16) -> &Partition {
        let place = usize::try_from(part).expect("partitions count from zero");
        &self.0.parts[place]
    }

    pub(crate) fn appender(&self, part: i16) -> &Appender {
        &self.partition(part).appender
    }

    /// Tells whoever listens of a position that was appended past the batcher.
    pub(crate) fn reached(&self, part: i16, position: i64) {
        tell(&self.partition(part).head, position);
    }

    pub(crate) fn loader(&self) -> &Loader {
        &self.0.loader
    }

    pub(crate) fn hot(&self) -> &Hot {
        &self.0.hot
    }

    pub(crate) fn snapshots(&self) -> &Snapshots {
        &self.0.snapshots
    }

    /// The last position of a partition; 0 while it is empty.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL does.
    pub async fn last_position(&self, part: i16) -> Result<i64, sqlx::Error> {
        last_position(&self.0.pool, part).await
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
        .fetch_optional(&self.0.pool)
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
        .fetch_optional(&self.0.pool)
        .await?;
        Ok(row.map(|row| (row.key, row.aggregate_id)))
    }

    /// Reads up to `limit` facts of a partition after `position`, in order.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL does.
    pub async fn after(
        &self,
        part: i16,
        position: i64,
        limit: i64,
    ) -> Result<Vec<Recorded>, sqlx::Error> {
        let rows = sqlx::query_as!(
            Row,
            r#"
            SELECT part, position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type,
                   event_version, payload AS "payload!: _", meta AS "meta!: _", recorded_at
            FROM es.events WHERE part = $1 AND position > $2 ORDER BY position LIMIT $3
            "#,
            part,
            position,
            limit,
        )
        .fetch_all(&self.0.pool)
        .await?;
        Ok(rows.into_iter().map(Recorded::from).collect())
    }

    /// Reads the facts of a parked aggregate, up to a position.
    pub(crate) async fn of_aggregate(
        &self,
        parked: &Parked,
        last: i64,
    ) -> Result<Vec<Recorded>, sqlx::Error> {
        let rows = sqlx::query_as!(
            Row,
            r#"
            SELECT part, position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type,
                   event_version, payload AS "payload!: _", meta AS "meta!: _", recorded_at
            FROM es.events
            WHERE tenant_id = $1 AND aggregate_type = $2 AND aggregate_id = $3 AND position BETWEEN $4 AND $5
            ORDER BY sequence
            "#,
            parked.tenant,
            parked.aggregate_type,
            parked.aggregate_id,
            parked.position,
            last,
        )
        .fetch_all(&self.0.pool)
        .await?;
        Ok(rows.into_iter().map(Recorded::from).collect())
    }

    /// The facts of an aggregate that a command led to, in order.
    pub(crate) async fn of_command(
        &self,
        target: Target,
        aggregate_type: &str,
        command: Uuid,
    ) -> Result<Vec<Recorded>, sqlx::Error> {
        let rows = sqlx::query_as!(
            Row,
            r#"
            SELECT part, position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type,
                   event_version, payload AS "payload!: _", meta AS "meta!: _", recorded_at
            FROM es.events
            WHERE tenant_id = $1 AND aggregate_type = $2 AND aggregate_id = $3 AND meta ->> 'command_id' = $4
            ORDER BY sequence
            "#,
            target.tenant,
            aggregate_type,
            target.id,
            command.to_string(),
        )
        .fetch_all(&self.0.pool)
        .await?;
        Ok(rows.into_iter().map(Recorded::from).collect())
    }
}

/// All facts of a partition in order, or those of one tenant, one after the other: however many there are.
///
/// # Errors
///
/// An item is an error when PostgreSQL fails.
pub fn facts(
    pool: &PgPool,
    part: i16,
    tenant: Option<Uuid>,
) -> impl Stream<Item = Result<Recorded, sqlx::Error>> + Unpin + '_ {
    sqlx::query_as!(
        Row,
        r#"
        SELECT part, position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type,
               event_version, payload AS "payload!: _", meta AS "meta!: _", recorded_at
        FROM es.events WHERE part = $1 AND ($2::uuid IS NULL OR tenant_id = $2) ORDER BY position
        "#,
        part,
        tenant,
    )
    .fetch(pool)
    .map_ok(Recorded::from)
}

/// A row of `es.events`.
struct Row {
    part: i16,
    position: i64,
    tenant_id: Uuid,
    aggregate_type: String,
    aggregate_id: Uuid,
    sequence: i64,
    event_id: Uuid,
    event_type: String,
    event_version: i16,
    payload: Json<Box<RawValue>>,
    meta: Json<Meta>,
    recorded_at: OffsetDateTime,
}

impl From<Row> for Recorded {
    fn from(row: Row) -> Self {
        Self {
            part: row.part,
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
        }
    }
}

async fn last_position(pool: &PgPool, part: i16) -> Result<i64, sqlx::Error> {
    let last = sqlx::query_scalar!("SELECT max(position) FROM es.events WHERE part = $1", part);
    Ok(last.fetch_one(pool).await?.unwrap_or(0))
}
