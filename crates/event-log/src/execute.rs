//! Carries out commands: judge, append, and tell what came of it.
//!
//! A command is judged on the state that the cache holds, or on none at all, which is right for whatever
//! begins an aggregate and costs no query. If the log knows better, the version check of the append says so,
//! and the command is judged again on what the log holds. Nothing is refused on a guess.

mod group;
mod part;

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use cqrs_es::Aggregate;
use sqlx::PgConnection;
use uuid::Uuid;

pub use self::group::{Group, Refusal};
pub(crate) use self::part::new_event;
use self::part::{Of, Part, Verdict};
use crate::{
    append::{self, AppendError, Committed, NewEvents, NewGroup, UniqueKey},
    codec::{Event, Unreadable},
    envelope::Meta,
    load::LoadError,
    log::{EventLog, Target},
};

/// How often a command that lost a race is judged again.
const RETRIES: u32 = 3;
/// Longest pause before the first of these; it doubles.
const JITTER: Duration = Duration::from_millis(4);

/// Why a command changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<R> {
    /// A rule of the domain said no.
    #[error("refused: {0}")]
    Refused(R),
    /// Others changed the aggregate each time; it may be tried again.
    #[error("lost a race {RETRIES} times and once more")]
    Conflict,
    /// A unique key belongs to another aggregate.
    #[error("a unique key is taken")]
    KeyTaken,
    /// A command with this id was carried out before, by an aggregate that this one does not ask.
    #[error("the id of the command belongs to one that {} carried out", .0.aggregate_type)]
    CommandIdTaken(Elsewhere),
    /// An event is larger than a message of the stream may be, so nobody else would ever hear of it.
    #[error("an event is too large")]
    TooLarge,
    /// PostgreSQL cannot be used at the moment.
    #[error("the log is unavailable")]
    Unavailable(#[source] Option<Arc<sqlx::Error>>),
    /// The log holds something that this program cannot read, or it has a bug.
    #[error("the log is damaged")]
    Damaged(#[from] Unreadable),
}

/// What a command with the same id reached, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The type of the aggregate that changed last.
    pub aggregate_type: String,
    /// That aggregate.
    pub aggregate_id: Uuid,
    /// The first answer.
    pub committed: Committed,
}

impl<R> From<sqlx::Error> for ExecuteError<R> {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(Some(Arc::new(error)))
    }
}

impl ExecuteError<()> {
    fn refused<R>(self, refusal: impl FnOnce() -> R) -> ExecuteError<R> {
        match self {
            Self::Refused(()) => ExecuteError::Refused(refusal()),
            Self::Conflict => ExecuteError::Conflict,
            Self::KeyTaken => ExecuteError::KeyTaken,
            Self::CommandIdTaken(elsewhere) => ExecuteError::CommandIdTaken(elsewhere),
            Self::TooLarge => ExecuteError::TooLarge,
            Self::Unavailable(error) => ExecuteError::Unavailable(error),
            Self::Damaged(error) => ExecuteError::Damaged(error),
        }
    }
}

impl<R> From<LoadError> for ExecuteError<R> {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unavailable(error) => Self::Unavailable(Some(error)),
            LoadError::Damaged(error) => Self::Damaged(error),
        }
    }
}

impl EventLog {
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
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send,
        A::Error: Send + Sync + 'static,
        A::Event: Event,
    {
        self.execute_with::<A>(target, command, meta, &[]).await
    }

    /// Carries out a command that also takes unique keys, in the same transaction.
    ///
    /// # Errors
    ///
    /// See [`ExecuteError`].
    #[tracing::instrument(name = "log.execute", skip_all, fields(context = self.context(), aggregate = A::TYPE))]
    pub async fn execute_with<A>(
        &self,
        target: Target,
        command: A::Command,
        meta: &Meta,
        keys: &[UniqueKey],
    ) -> Result<Committed, ExecuteError<A::Error>>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send,
        A::Error: Send + Sync + 'static,
        A::Event: Event,
    {
        let mut part = Of::<A>::new(target);
        part.ask(command, None);
        part.take(keys);
        let turn = self.hot().turn(vec![target]).await;
        let done = carry_out(self, turn, &mut [&mut part], meta).await;
        done.map_err(|error| {
            error.refused(|| part.refusal.take().expect("a part that refused says why"))
        })
    }
}

/// How facts get into the log.
enum Way<'a> {
    /// With those of other commands.
    Batch,
    /// With the rows of the transaction of a session, which ends at once.
    Within(&'a mut PgConnection),
}

impl Way<'_> {
    async fn append(
        &mut self,
        log: &EventLog,
        part: i16,
        group: NewGroup,
    ) -> Result<Committed, AppendError> {
        match self {
            Self::Batch => log.appender(part).append(group).await,
            Self::Within(db) => append::within(db, part, group).await,
        }
    }

    /// Waits before what lost a race is tried again. Whoever has tried within a transaction holds the lock of the
    /// partition by now, so that nobody is quicker a second time.
    async fn pause(&self, retries: u32) {
        if matches!(self, Self::Batch) {
            tokio::time::sleep(jitter(retries)).await;
        }
    }
}

/// Carries a command out whose `turn` it is, and remembers what it led to.
async fn carry_out<T>(
    log: &EventLog,
    turn: T,
    parts: &mut [&mut dyn Part],
    meta: &Meta,
) -> Result<Committed, ExecuteError<()>> {
    let done = reach(log, parts, &mut Way::Batch, meta).await?;
    if done.repeated {
        drop(turn);
        return again(log, parts, meta, done).await;
    }
    keep(log, parts, done);
    Ok(done)
}

/// Remembers what a command led to.
fn keep(log: &EventLog, parts: &mut [&mut dyn Part], done: Committed) {
    if done.position > 0 {
        for part in parts.iter_mut() {
            part.keep(log);
        }
    }
}

/// Judges and appends, until neither is contradicted by what the log holds. The first answer to a command that was
/// carried out before, by whichever aggregate.
async fn reach(
    log: &EventLog,
    parts: &mut [&mut dyn Part],
    way: &mut Way<'_>,
    meta: &Meta,
) -> Result<Committed, ExecuteError<()>> {
    let Some(first) = parts.first() else {
        return Ok(Committed { position: 0, sequence: 0, repeated: false });
    };
    let part = log.part_of(first.target().tenant);
    for part in parts.iter_mut() {
        part.recall(log);
    }
    let (mut sure, mut retries) = (false, 0);
    if !parts.iter().all(|part| part.is_guess_good(log)) {
        if let Some(first_answer) = look(log, parts, meta).await? {
            return Ok(first_answer);
        }
        sure = true;
    }
    loop {
        let verdict = judge(parts).await;
        let refused = matches!(verdict, Judged::Refused);
        if let Judged::Changes(aggregates) = verdict {
            let meta_text = serde_json::to_string(meta).expect("an origin is plain data");
            let group = NewGroup { command_id: meta.command_id, meta: meta_text, aggregates };
            match way.append(log, part, group).await {
                Ok(committed) => return Ok(committed),
                Err(AppendError::KeyTaken) => return Err(ExecuteError::KeyTaken),
                Err(AppendError::Aborted) => return Err(ExecuteError::Conflict),
                Err(AppendError::Unavailable(error)) => {
                    return Err(ExecuteError::Unavailable(error));
                }
                Err(AppendError::Conflict) if sure => {
                    metrics::counter!("event_log_conflicts").increment(1);
                    if retries == RETRIES {
                        return Err(ExecuteError::Conflict);
                    }
                    retries += 1;
                    way.pause(retries).await;
                }
                Err(AppendError::TooLarge) if sure => return Err(ExecuteError::TooLarge),
                Err(AppendError::Conflict | AppendError::TooLarge) => {}
            }
        } else if sure {
            let sequence = parts.last().map_or(0, |part| part.sequence());
            let nothing = Committed { position: 0, sequence, repeated: false };
            return if refused { Err(ExecuteError::Refused(())) } else { Ok(nothing) };
        }
        if let Some(first_answer) = look(log, parts, meta).await? {
            return Ok(first_answer);
        }
        sure = true;
    }
}

/// Asks the log for what is not known yet; the first answer, if the command was carried out before.
async fn look(
    log: &EventLog,
    parts: &mut [&mut dyn Part],
    meta: &Meta,
) -> Result<Option<Committed>, ExecuteError<()>> {
    for part in parts.iter_mut() {
        if let Some(first_answer) = part.look(log, meta.command_id).await? {
            return Ok(Some(first_answer));
        }
    }
    Ok(None)
}

/// The first answer, if an aggregate that is asked now changed with it. An id that was used for others is a mistake
/// of whoever sends it, who would otherwise believe that this was done. It waits for a session, which nobody may do who
/// has a turn.
fn again<'a>(
    log: &'a EventLog,
    parts: &[&mut dyn Part],
    meta: &Meta,
    committed: Committed,
) -> impl Future<Output = Result<Committed, ExecuteError<()>>> + use<'a> {
    let asked: Vec<_> = parts.iter().map(|part| (part.aggregate_type(), part.target())).collect();
    let command = meta.command_id;
    async move {
        let tenant = asked.first().map(|(_, target)| target.tenant).unwrap_or_default();
        let changed = changed(log, log.part_of(tenant), (committed.position, command)).await?;
        let asked = |(tenant, kind, id): &(Uuid, String, Uuid)| {
            asked.iter().any(|(asked, at)| asked == kind && (at.tenant, at.id) == (*tenant, *id))
        };
        if changed.iter().any(asked) {
            return Ok(committed);
        }
        let last = changed.into_iter().next().ok_or(sqlx::Error::RowNotFound)?;
        let (_, aggregate_type, aggregate_id) = last;
        Err(ExecuteError::CommandIdTaken(Elsewhere { aggregate_type, aggregate_id, committed }))
    }
}

/// Which aggregates a command changed whose last fact is at a position, from the last. Its facts stand next to each other.
async fn changed(
    log: &EventLog,
    part: i16,
    (position, command): (i64, Uuid),
) -> Result<Vec<(Uuid, String, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT tenant_id, aggregate_type, aggregate_id FROM es.events
         WHERE part = $1 AND position <= $2 AND position > coalesce((
           SELECT max(x.position) FROM es.events x
           WHERE x.part = $1 AND x.position < $2 AND (x.meta ->> 'command_id')::uuid <> $3), 0)
         ORDER BY position DESC",
        part,
        position,
        command,
    );
    let rows = rows.fetch_all(log.pool()).await?;
    Ok(rows.into_iter().map(|row| (row.tenant_id, row.aggregate_type, row.aggregate_id)).collect())
}

/// What all parts of a command say together.
enum Judged {
    /// Some of them change. The others are named as well, so that the append checks what each was judged on.
    Changes(Vec<NewEvents>),
    Nothing,
    Refused,
}

async fn judge(parts: &mut [&mut dyn Part]) -> Judged {
    let mut changes = Vec::with_capacity(parts.len());
    for part in parts.iter_mut() {
        match part.judge().await {
            Verdict::Refused => return Judged::Refused,
            Verdict::Events(events) => changes.push(part.change(events)),
        }
    }
    if changes.iter().all(|change| change.events.is_empty()) {
        return Judged::Nothing;
    }
    Judged::Changes(changes)
}

fn jitter(retry: u32) -> Duration {
    let longest = JITTER * 2_u32.pow(retry - 1);
    let random = u32::try_from(RandomState::new().hash_one(retry) % 1_024).expect("it is small");
    longest * random / 1_024
}
