//! What an operator does when a log and its stream disagree, and how they find out whether they do.
//!
//! The log is the truth, with one exception: a database that was restored from a backup lacks what happened
//! since, and the stream still has it. Then the stream gives the facts back, as long as the log has not gone
//! another way meanwhile.

use async_nats::jetstream;
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use crate::{
    envelope::Recorded,
    log::EventLog,
    projection::TICK,
    source::{Source, SourceError, Subscription, stream_name},
};

/// Facts compared or copied at a time.
const PAGE: usize = 1_000;

/// Why a repair or a comparison was not done.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// PostgreSQL did not do it.
    #[error("PostgreSQL did not do it")]
    Database(#[from] sqlx::Error),
    /// The stream cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// JetStream did not do it.
    #[error("JetStream did not do it: {0}")]
    Stream(String),
    /// Log and stream went different ways.
    #[error(
        "the log and the stream have different facts from position {0} on; only throwing the stream away \
         makes them agree (--discard-stream)"
    )]
    Diverged(i64),
}

/// How far a log and its stream have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The last position of the log.
    pub recorded: i64,
    /// The last position of the stream; `None` when there is no stream.
    pub published: Option<i64>,
    /// The first position at which both have a fact, and not the same.
    pub differs_at: Option<i64>,
}

/// Compares a log with its stream, fact by fact, and tells `progress` the position reached and the last one.
///
/// # Errors
///
/// See [`RepairError`].
pub async fn compare(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
    progress: impl Fn(i64, i64),
) -> Result<Standing, RepairError> {
    let recorded = log.last_position(part).await?;
    let Some((first, published)) = ends(log, jetstream, part).await? else {
        return Ok(Standing { recorded, published: None, differs_at: None });
    };
    let mut subscription = subscription(log, jetstream, part);
    let (mut at, end) = (first - 1, published.min(recorded));
    let mut differs_at = None;
    while at < end && differs_at.is_none() {
        let theirs = subscription.next(at, PAGE, TICK).await?;
        let ours =
            log.after(part, at, i64::try_from(theirs.len()).expect("a page is small")).await?;
        differs_at = theirs
            .iter()
            .zip(&ours)
            .find(|(theirs, ours)| !is_same(theirs, ours))
            .map(|(theirs, _)| theirs.position);
        at = theirs.last().map_or(end, |event| event.position);
        progress(at, end);
    }
    Ok(Standing { recorded, published: Some(published), differs_at })
}

fn is_same(one: &Recorded, other: &Recorded) -> bool {
    one.event_id == other.event_id && one.payload.get() == other.payload.get()
}

fn subscription(log: &EventLog, jetstream: &jetstream::Context, part: i16) -> Subscription {
    let (jetstream, context) = (jetstream.clone(), log.context());
    Subscription::new(Source::Stream { jetstream, context, part })
}

/// The first and last sequence number of the stream, if there is one.
async fn ends(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
) -> Result<Option<(i64, i64)>, RepairError> {
    use async_nats::jetstream::{ErrorCode, context::GetStreamErrorKind};
    let stream = match jetstream.get_stream(stream_name(log.context(), part)).await {
        Ok(stream) => stream,
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(why)
                if why.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                return Ok(None);
            }
            _ => return Err(RepairError::Stream(error.to_string())),
        },
    };
    let state = &stream.cached_info().state;
    let position = |sequence: u64| i64::try_from(sequence).expect("fewer than 2^63 messages");
    Ok(Some((position(state.first_sequence), position(state.last_sequence))))
}

/// Copies what the stream has more than the log back into the log, and returns how many facts that were.
///
/// Unique keys are not on the stream, so those that were taken in the lost time are free again.
///
/// # Errors
///
/// [`RepairError::Diverged`] when the log has gone another way; nothing is written then.
pub async fn recover_from_stream(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
    progress: impl Fn(i64, i64),
) -> Result<i64, RepairError> {
    let standing = compare(log, jetstream, part, |_, _| {}).await?;
    if let Some(position) = standing.differs_at {
        return Err(RepairError::Diverged(position));
    }
    let (mut at, end) = (standing.recorded, standing.published.unwrap_or(0));
    let mut subscription = subscription(log, jetstream, part);
    let mut session = log.pool().acquire().await?;
    while at < end {
        let facts = subscription.next(at, PAGE, TICK).await?;
        let Some(last) = facts.last().map(|fact| fact.position) else { continue };
        put_back(&mut session, part, at, &facts).await?;
        at = last;
        progress(at - standing.recorded, end - standing.recorded);
    }
    Ok(at - standing.recorded)
}

/// Writes facts to where they were, if the log still ends at `after`.
async fn put_back(
    session: &mut PgConnection,
    part: i16,
    after: i64,
    facts: &[Recorded],
) -> Result<(), RepairError> {
    let mut tx = session.begin().await?;
    sqlx::query!("SELECT pg_advisory_xact_lock(7100, $1)", i32::from(part))
        .execute(&mut *tx)
        .await?;
    let end = sqlx::query_scalar!("SELECT max(position) FROM es.events WHERE part = $1", part);
    if end.fetch_one(&mut *tx).await?.unwrap_or(0) != after {
        return Err(RepairError::Diverged(after + 1));
    }
    for fact in facts {
        let meta = serde_json::to_string(&fact.meta).expect("an origin is plain data");
        sqlx::query!(
            r#"
            INSERT INTO es.events (part, position, tenant_id, aggregate_type, aggregate_id, sequence, event_id,
                                   event_type, event_version, payload, meta, recorded_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::json, $11::text::json, $12)
            "#,
            part,
            fact.position,
            fact.tenant,
            fact.aggregate_type,
            fact.aggregate_id,
            fact.sequence,
            fact.event_id,
            fact.event_type,
            fact.event_version,
            fact.payload.get(),
            meta,
            fact.recorded_at,
        )
        .execute(&mut *tx)
        .await?;
        know_command(&mut tx, fact.tenant, fact).await?;
    }
    Ok(tx.commit().await?)
}

/// A command that comes again gets the answer of its last event.
async fn know_command(
    tx: &mut PgConnection,
    tenant: Uuid,
    fact: &Recorded,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        INSERT INTO es.commands (tenant_id, command_id, last_position, last_sequence) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id, command_id) DO UPDATE SET last_position = $3, last_sequence = $4
        "#,
        tenant,
        fact.meta.command_id,
        fact.position,
        fact.sequence,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Throws a stream away. The relay makes it again from the log, fact by fact, with the same numbers.
///
/// Readers in other contexts that had gone beyond the place where log and stream differ have seen facts that
/// never happened; they must be grown again.
///
/// # Errors
///
/// [`RepairError::Stream`]
pub async fn discard_stream(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
) -> Result<(), RepairError> {
    let name = stream_name(log.context(), part);
    let deleted = jetstream.delete_stream(name).await;
    deleted.map(|_| ()).map_err(|error| RepairError::Stream(error.to_string()))
}

/// What is wrong inside a log: the first gap of positions in each partition, and of an aggregate's events.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn gaps(log: &EventLog) -> Result<Vec<String>, sqlx::Error> {
    let mut wrong = Vec::new();
    let mut tx = log.pool().begin().await?;
    // It reads everything there is, and takes its time.
    sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *tx).await?;
    let parts = sqlx::query!(
        r#"
        SELECT part, count(*) AS "count!", max(position) AS "last!" FROM es.events GROUP BY part
        HAVING count(*) <> max(position) OR min(position) <> 1
        "#
    );
    for row in parts.fetch_all(&mut *tx).await? {
        let (part, count, last) = (row.part, row.count, row.last);
        wrong.push(format!("partition {part} has {count} facts, but its last position is {last}"));
    }
    let aggregates = sqlx::query!(
        r#"
        SELECT aggregate_type, aggregate_id, count(*) AS "count!", max(sequence) AS "last!"
        FROM es.events GROUP BY tenant_id, aggregate_type, aggregate_id
        HAVING count(*) <> max(sequence) OR min(sequence) <> 1 LIMIT 100
        "#
    );
    for row in aggregates.fetch_all(&mut *tx).await? {
        let (kind, id, count, last) = (row.aggregate_type, row.aggregate_id, row.count, row.last);
        wrong.push(format!("{kind} {id} has {count} facts, but the last is number {last}"));
    }
    let order = sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM (
          SELECT position < lag(position) OVER (PARTITION BY tenant_id, aggregate_type, aggregate_id
                                                ORDER BY sequence) AS turned FROM es.events) o
        WHERE turned
        "#
    );
    let turned = order.fetch_one(&mut *tx).await?;
    if turned > 0 {
        wrong.push(format!("{turned} facts stand before an earlier one of their aggregate"));
    }
    Ok(wrong)
}
