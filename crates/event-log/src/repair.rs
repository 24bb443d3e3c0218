//! What an operator does when a log and its stream disagree.
//!
//! The log is the truth, with one exception: a database that was restored from a backup lacks what happened
//! since, and the stream still has it. Then the stream gives the facts back, as long as the log has not gone
//! another way meanwhile.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use async_nats::jetstream::{self, stream::Stream};
use sqlx::{Acquire, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    compare::{Finding, Messages, Standing, compare, find_stream, position},
    envelope::Recorded,
    keys::{KeyChange, change_key},
    log::EventLog,
    relay::Relay,
    source::{SourceError, is_not_there, stream_name},
};

/// Facts copied at a time.
const PAGE: usize = 1_000;
/// How often to see how far a stream has been filled.
const LOOK: Duration = Duration::from_millis(50);
/// How long a stream that is being filled may stand still.
const PATIENCE: Duration = Duration::from_secs(20);

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
        "the log and the stream have different facts from position {0} on: the database was restored and has \
         been used since, so what the stream holds from there on cannot be given back, and is nowhere else; \
         keep a copy of the broker's data if it matters, then --discard-stream makes them agree"
    )]
    Diverged(i64),
    /// Somebody else publishes into the stream.
    #[error(
        "the stream holds messages that are no facts, and that Meydan did not publish: {0}, the first at position {1}; \
         see who else may publish there and end that, then --discard-stream makes the stream again from the log, which \
         has every fact"
    )]
    Foreign(i64, i64),
    /// Some facts are in neither.
    #[error(
        "facts that are neither in the log nor on the stream: {0}, the first at position {1}; only a backup of \
         the database can have them"
    )]
    Lost(i64, i64),
    /// The log ends before this position, and the stream, which has been further, has lost it.
    #[error(
        "the fact at position {0} was published, and is neither in the log nor on the stream any more: only a \
         later backup of the database can have it; without one, --discard-stream goes on without it"
    )]
    Forgotten(i64),
    /// What the fact at this position did to the unique keys cannot be told now.
    #[error(
        "the unique keys of the fact at position {0} cannot be told; nothing of its page is given back"
    )]
    Keys(i64, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// What has to come before the first fact is given back failed; nothing is given back.
    #[error(transparent)]
    Stay(Box<dyn std::error::Error + Send + Sync>),
    /// The stream stays behind its log.
    #[error("the stream does not grow; what `meydan up` logs as `relay waits` says why")]
    Stuck,
    /// So many facts are in the log again, and then something went wrong.
    #[error("facts that were given back before this went wrong: {0}")]
    Partly(i64, #[source] Box<Self>),
}

/// Copies what the stream has and the log lacks, at its end or in between, back into the log, each fact to its
/// own position, and returns how many facts that were. Tells `progress` how far the comparison is, and then the
/// copying; `before` comes last before the first fact is written.
///
/// Unique keys are not on the stream: `keys_of` tells what each fact did to them, and they come back with it. Where
/// facts come back in between, the keys have been told of all that came after, and are left as they are.
///
/// # Errors
///
/// [`RepairError::Diverged`] when the log has gone another way, and [`RepairError::Forgotten`] when the end
/// of the log could not be given back without a gap; nothing is written then. [`RepairError::Keys`] when `keys_of`
/// fails; trying again goes on from there. [`RepairError::Stay`] when `before` fails. [`RepairError::Partly`] when some
/// facts are back already.
pub async fn recover_from_stream(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
    keys_of: impl AsyncFn(&Recorded) -> Result<Vec<KeyChange>, Box<dyn std::error::Error + Send + Sync>>,
    progress: impl Fn(i64, i64),
    before: impl AsyncFnOnce() -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
) -> Result<i64, RepairError> {
    let standing = compare(log, jetstream, part, &progress).await?;
    if let Some(position) = standing.differs_at {
        return Err(RepairError::Diverged(position));
    }
    // A message that is no fact has a place that no fact can have: what follows it cannot come back without a gap.
    let end = standing.log_lacks.ranges().last().map_or(0, |range| *range.end());
    let between =
        |range: &RangeInclusive<i64>| *range.end() > standing.recorded && *range.start() < end;
    if standing.foreign.ranges().iter().any(between) {
        let (count, first) = (standing.foreign.count(), standing.foreign.first());
        return Err(RepairError::Foreign(count, first.unwrap_or_default()));
    }
    let beyond = |range: &&RangeInclusive<i64>| *range.end() > standing.recorded;
    if let Some(gap) = standing.lost.ranges().iter().find(beyond) {
        return Err(RepairError::Forgotten(*gap.start()));
    }
    let Some(stream) = find_stream(log, jetstream, part).await? else { return Ok(0) };
    let mut back = 0;
    let given = give_back((log, part), &stream, &standing, keys_of, progress, (before, &mut back));
    let given = given.await;
    match given {
        Err(error) if back > 0 => Err(RepairError::Partly(back, Box::new(error))),
        done => done.map(|()| back),
    }
}

/// Copies what the log lacks, and counts what it has again.
async fn give_back(
    (log, part): (&EventLog, i16),
    stream: &Stream,
    standing: &Standing,
    keys_of: impl AsyncFn(&Recorded) -> Result<Vec<KeyChange>, Box<dyn std::error::Error + Send + Sync>>,
    progress: impl Fn(i64, i64),
    (before, back): (
        impl AsyncFnOnce() -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
        &mut i64,
    ),
) -> Result<(), RepairError> {
    let all = standing.log_lacks.count();
    let mut session = log.pool().acquire().await?;
    let mut before = Some(before);
    for range in standing.log_lacks.ranges() {
        let mut messages = Messages::among(stream, range).await?;
        let mut facts = Vec::new();
        loop {
            let message = messages.next().await?;
            let ended = message.is_none();
            if let Some(fact) = message.and_then(|message| message.fact) {
                let at = fact.position;
                let is_beyond = at > standing.recorded;
                let keys = if is_beyond { keys_of(&fact).await } else { Ok(Vec::new()) };
                facts.push((fact, keys.map_err(|error| RepairError::Keys(at, error))?));
            }
            if facts.len() == PAGE || ended {
                let page = i64::try_from(facts.len()).expect("a page is small");
                if let Some(before) = before.take_if(|_| page > 0) {
                    before().await.map_err(RepairError::Stay)?;
                }
                put_back(&mut session, part, std::mem::take(&mut facts)).await?;
                *back += page;
                progress(*back, all);
            }
            if ended {
                break;
            }
        }
    }
    Ok(())
}

/// Writes facts to where they were, with what they did to the unique keys, if nothing else has come there.
async fn put_back(
    session: &mut PgConnection,
    part: i16,
    facts: Vec<(Recorded, Vec<KeyChange>)>,
) -> Result<(), RepairError> {
    let edges = facts.first().zip(facts.last());
    let Some(edges) = edges.map(|((first, _), (last, _))| [edge(first), edge(last)]) else {
        return Ok(());
    };
    let mut tx = session.begin().await?;
    sqlx::query!("SELECT pg_advisory_xact_lock(7100, $1)", i32::from(part))
        .execute(&mut *tx)
        .await?;
    for (fact, keys) in facts {
        let meta = serde_json::to_string(&fact.meta).expect("an origin is plain data");
        let written = sqlx::query!(
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
        .await;
        written.map_err(|error| taken(error, fact.position))?;
        for change in keys {
            change_key(&mut tx, &fact, change).await?;
        }
    }
    know_commands(&mut tx, part, edges).await?;
    Ok(tx.commit().await?)
}

/// Where a fact is, and what command led to it.
fn edge(fact: &Recorded) -> (i64, Uuid) {
    (fact.position, fact.meta.command_id)
}

/// The log went another way meanwhile when a fact's place is taken, in the log or in its aggregate.
fn taken(error: sqlx::Error, position: i64) -> RepairError {
    let unique =
        error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation);
    if unique { RepairError::Diverged(position) } else { error.into() }
}

/// Commands that come again get the answers of their last facts, in every tenant that they changed. The facts of one
/// stand next to each other, also beyond those that came back just now; what stands apart under the same id was another
/// command, to another tenant. Two such commands with nothing between them cannot be told from one to both tenants, for
/// no fact says where a command ends: each is known, and both get the answer of the later one. A tenant that a command
/// named and left as it was is in no fact: to it alone, the command would be a new one.
async fn know_commands(
    tx: &mut PgConnection,
    part: i16,
    [(first, begun_by), (last, ended_by)]: [(i64, Uuid); 2],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        INSERT INTO es.commands (tenant_id, command_id, last_position, last_sequence)
        SELECT DISTINCT ON (tenant_id, command_id) tenant_id, command_id, first_value(position) OVER facts,
               first_value(sequence) OVER facts
          FROM (SELECT tenant_id, command_id, position, sequence,
                       position - row_number() OVER (PARTITION BY command_id ORDER BY position) AS run
                  FROM (SELECT tenant_id, position, sequence, (meta ->> 'command_id')::uuid AS command_id
                          FROM es.events
                         WHERE part = $1
                           AND position > coalesce((SELECT max(x.position) FROM es.events x
                                 WHERE x.part = $1 AND x.position < $2 AND (x.meta ->> 'command_id')::uuid <> $3), 0)
                           AND position < coalesce((SELECT min(x.position) FROM es.events x
                                 WHERE x.part = $1 AND x.position > $4 AND (x.meta ->> 'command_id')::uuid <> $5),
                                 9223372036854775807)) back) back
        WINDOW facts AS (PARTITION BY command_id, run ORDER BY position DESC)
         ORDER BY tenant_id, command_id, position DESC
        ON CONFLICT (tenant_id, command_id)
          DO UPDATE SET last_position = excluded.last_position, last_sequence = excluded.last_sequence
          WHERE es.commands.last_position < excluded.last_position
        "#,
        part,
        first,
        begun_by,
        last,
        ended_by,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Throws a stream away, if there is one. The relay makes it again from the log, fact by fact, with the same numbers.
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
    let deleted = jetstream.delete_stream(stream_name(log.context(), part)).await;
    match deleted {
        Err(error) if !is_not_there(&error) => Err(RepairError::Stream(error.to_string())),
        _ => Ok(()),
    }
}

/// Throws a stream away that lacks messages which the log has. Does nothing when it lacks none.
///
/// # Errors
///
/// Fails, and leaves the stream as it is, when the log does not have all that the stream has.
pub(crate) async fn discard_remains(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
) -> Result<(), RepairError> {
    match compare(log, jetstream, part, |_, _| {}).await?.finding() {
        None | Some(Finding::Absent) => Ok(()),
        Some(Finding::StreamLacks(..)) => discard_stream(log, jetstream, part).await,
        Some(Finding::Differs(at)) => Err(RepairError::Diverged(at)),
        Some(Finding::Foreign(count, first)) => Err(RepairError::Foreign(count, first)),
        Some(Finding::LogLacks(count, first) | Finding::Lost(count, first)) => {
            Err(RepairError::Lost(count, first))
        }
    }
}

/// Waits until the stream holds every fact there is now. A relay that runs publishes what is missing; if none
/// does, it is done here.
///
/// # Errors
///
/// [`RepairError::Stuck`] when nothing is published for a while.
pub async fn refill(
    log: &EventLog,
    jetstream: &jetstream::Context,
    part: i16,
    progress: impl Fn(i64, i64),
) -> Result<(), RepairError> {
    let stop = CancellationToken::new();
    let _ends_with_us = stop.clone().drop_guard();
    let relay = Relay::new(log.clone(), jetstream.clone(), part);
    let relay = tokio::spawn(relay.run(stop.clone()));
    let end = log.last_position(part).await?;
    let (mut held, mut since) = (0, Instant::now());
    while held < end {
        if since.elapsed() > PATIENCE {
            return Err(RepairError::Stuck);
        }
        tokio::time::sleep(LOOK).await;
        let stream = find_stream(log, jetstream, part).await?;
        let now = stream.map_or(0, |stream| position(stream.cached_info().state.messages));
        if now != held {
            (held, since) = (now, Instant::now());
            progress(held, end);
        }
    }
    stop.cancel();
    let _ = relay.await;
    Ok(())
}
