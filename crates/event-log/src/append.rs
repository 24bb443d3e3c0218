//! The batcher: commands that arrive together go to PostgreSQL in one call, under one lock and one flush.
//!
//! One call is in flight at a time, on a connection of its own. A command whose aggregate, id or key is
//! already in the call waits for the next one, because the call judges each of them once.
//!
//! What must come to be together with rows of the service goes past the batcher, in the transaction of those rows
//! ([`within`]), under the same lock.

mod call;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::{
    rules,
    session::connect,
    sqlstate::{code, is_in},
};

/// Most commands in one call. More would only lengthen the wait of the first.
const MOST_COMMANDS: usize = 500;
/// Commands from which on a call is worth its flush.
const ENOUGH: usize = 64;
/// What a command costs when its call is mostly work. A call that took longer for each of its commands was
/// mostly a flush, which more commands may share.
const WORK: Duration = Duration::from_micros(35);

/// Most bytes of a message of a stream: what it says and its headers.
pub(crate) const LARGEST_MESSAGE: i32 = 512 << 10;
/// What the headers take of it besides the origin, at most: ids, names, numbers.
const HEADERS: i32 = 4 << 10;

/// Something of which there may be one in a campaign, or on the platform.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UniqueKey {
    /// Within which tenant it is unique: the campaign, or [`crate::PLATFORM`].
    pub tenant: Uuid,
    /// What kind of thing, for instance `account.email`.
    pub scope: &'static str,
    /// Which one; a keyed hash where it comes from personal data.
    pub key: Vec<u8>,
}

/// What a command reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Position of its last event, in the partition of its aggregate; 0 when it changed nothing.
    pub position: i64,
    /// Number of events of the aggregate afterwards; of a group, of the aggregate that changed last.
    pub sequence: i64,
    /// Whether it was carried out earlier, and this is the first answer again.
    pub repeated: bool,
}

/// Why events were not appended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Somebody else changed the aggregate since it was loaded.
    #[error("the aggregate has changed meanwhile")]
    Conflict,
    /// Somebody else took a key or a place in the same moment, and PostgreSQL ended the transaction for it.
    #[error("the transaction lost a race")]
    Aborted,
    /// A unique key belongs to another aggregate.
    #[error("a unique key is taken")]
    KeyTaken,
    /// An event would never get through the stream.
    #[error("an event is too large")]
    TooLarge,
    /// PostgreSQL did not do it, or did not say whether it did.
    #[error("the log cannot be written")]
    Unavailable(#[source] Option<Arc<sqlx::Error>>),
}

/// One event on its way into the log.
#[derive(Debug)]
pub(crate) struct NewEvent {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) version: i16,
    pub(crate) payload: String,
    /// Where it comes from, if not from where its group does.
    pub(crate) meta: Option<Arc<str>>,
}

/// What one aggregate adds.
#[derive(Debug)]
pub(crate) struct NewEvents {
    pub(crate) tenant: Uuid,
    pub(crate) aggregate_type: &'static str,
    pub(crate) aggregate_id: Uuid,
    pub(crate) expected: i64,
    pub(crate) keys: Vec<UniqueKey>,
    pub(crate) events: Vec<NewEvent>,
}

/// What one command adds: to one aggregate or several, all or nothing.
#[derive(Debug)]
pub(crate) struct NewGroup {
    pub(crate) command_id: Uuid,
    pub(crate) meta: String,
    pub(crate) aggregates: Vec<NewEvents>,
}

impl NewGroup {
    /// Whether the stream takes each event. One that it does not take would stop the relay for good.
    fn fits(&self) -> bool {
        let mut events = self.aggregates.iter().flat_map(|change| &change.events);
        events.all(|event| {
            let bytes = i32::try_from(event.payload.len() + self.meta_of(event).len());
            bytes.is_ok_and(|bytes| bytes <= LARGEST_MESSAGE - HEADERS)
        })
    }

    /// Where one of its events comes from.
    fn meta_of<'a>(&'a self, event: &'a NewEvent) -> &'a str {
        event.meta.as_deref().unwrap_or(&self.meta)
    }
}

struct Job {
    group: NewGroup,
    reply: oneshot::Sender<Result<Committed, AppendError>>,
}

/// Hands commands to the batcher of one partition.
#[derive(Debug, Clone)]
pub(crate) struct Appender {
    jobs: mpsc::Sender<Job>,
}

impl Appender {
    /// Starts the batcher, which ends when the last handle is dropped.
    pub(crate) fn start(options: PgConnectOptions, part: i16, head: watch::Sender<i64>) -> Self {
        let (jobs, queue) = mpsc::channel(4 * MOST_COMMANDS);
        tokio::spawn(run(Writer { options, part, session: None }, queue, head));
        Self { jobs }
    }

    pub(crate) async fn append(&self, group: NewGroup) -> Result<Committed, AppendError> {
        if !group.fits() {
            return Err(AppendError::TooLarge);
        }
        let (reply, answer) = oneshot::channel();
        let job = Job { group, reply };
        self.jobs.send(job).await.map_err(|_| AppendError::Unavailable(None))?;
        answer.await.unwrap_or(Err(AppendError::Unavailable(None)))
    }
}

async fn run(mut writer: Writer, mut queue: mpsc::Receiver<Job>, head: watch::Sender<i64>) {
    let mut waiting = Vec::new();
    let mut is_flush_dear = false;
    loop {
        if waiting.is_empty() && queue.recv_many(&mut waiting, MOST_COMMANDS).await == 0 {
            return;
        }
        gather(&mut waiting, &mut queue, is_flush_dear).await;
        let (batch, later) = split(waiting);
        waiting = later;
        let commands = u32::try_from(batch.len()).expect("calls are bounded");
        metrics::histogram!("event_log_batch_commands").record(f64::from(commands));
        let began = Instant::now();
        let reached = answer(&mut writer, batch).await;
        is_flush_dear = began.elapsed() > WORK * commands;
        tell(&head, reached);
    }
}

/// Tells the readers of a partition how far it goes now.
pub(crate) fn tell(head: &watch::Sender<i64>, reached: i64) {
    head.send_if_modified(|head| {
        let further = reached > *head;
        *head = reached.max(*head);
        further
    });
}

/// Appends a group in the transaction of `db`, which has to end at once: until then nobody else appends to the
/// partition. Whatever is answered but an error of PostgreSQL leaves the transaction as good as it was.
pub(crate) async fn within(
    db: &mut PgConnection,
    part: i16,
    group: NewGroup,
) -> Result<Committed, AppendError> {
    if !group.fits() {
        return Err(AppendError::TooLarge);
    }
    let said = call::append(db, part, &[group]).await;
    let mut said = said.map_err(|error| match failure(error) {
        AppendError::Conflict => AppendError::Aborted,
        failure => failure,
    })?;
    said.pop().unwrap_or(Err(AppendError::Conflict))
}

/// Takes what has come meanwhile. Where a flush is dear and would be for few, it gives way as long as that
/// brings more: whoever was just answered may have the next command ready, and would otherwise wait for the
/// flush of the others.
async fn gather(waiting: &mut Vec<Job>, queue: &mut mpsc::Receiver<Job>, is_flush_dear: bool) {
    let mut before = 0;
    while waiting.len() > before {
        before = waiting.len();
        if is_flush_dear && before < ENOUGH {
            tokio::task::yield_now().await;
        }
        while waiting.len() < MOST_COMMANDS
            && let Ok(job) = queue.try_recv()
        {
            waiting.push(job);
        }
    }
}

/// What a call may name only once.
#[derive(PartialEq, Eq, Hash)]
enum Name {
    Command(Uuid),
    Aggregate(Uuid, &'static str, Uuid),
    Key(UniqueKey),
}

fn split(jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
    if jobs.len() == 1 {
        return (jobs, Vec::new());
    }
    rules::split(jobs, |job, name| {
        name(Name::Command(job.group.command_id));
        for change in &job.group.aggregates {
            name(Name::Aggregate(change.tenant, change.aggregate_type, change.aggregate_id));
            change.keys.iter().for_each(|key| name(Name::Key(key.clone())));
        }
    })
}

/// Makes the call, answers everybody in it, and returns the last position it reached.
async fn answer(writer: &mut Writer, batch: Vec<Job>) -> i64 {
    let (groups, replies): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|job| (job.group, job.reply)).unzip();
    let mut reached = 0;
    for (reply, said) in replies.into_iter().zip(writer.append(&groups).await) {
        if let Ok(committed) = &said {
            reached = reached.max(committed.position);
        }
        // Whoever asked may have gone away. What was done stays done.
        let _ = reply.send(said);
    }
    reached
}

type Answers = Vec<Result<Committed, AppendError>>;

/// The one who writes a partition.
struct Writer {
    options: PgConnectOptions,
    part: i16,
    session: Option<PgConnection>,
}

impl Writer {
    /// Appends the groups, each wholly or not at all.
    ///
    /// A call whose outcome is unknown is made once more: command ids make that safe. A call that failed as
    /// a whole, because a foreign writer took a key in the same moment, or because one of them cannot be
    /// appended, is made again group by group.
    async fn append(&mut self, groups: &[NewGroup]) -> Answers {
        let mut said = self.call(groups).await;
        if said.as_ref().is_err_and(is_lost) {
            said = self.call(groups).await;
        }
        match said {
            Ok(answers) => answers,
            Err(error) if is_of_one(&error) && groups.len() > 1 => {
                let mut answers = Vec::with_capacity(groups.len());
                for group in groups {
                    let said = self.call(std::slice::from_ref(group)).await;
                    answers.extend(said.unwrap_or_else(|error| vec![Err(failure(error))]));
                }
                answers
            }
            Err(error) => {
                let failure = failure(error);
                groups.iter().map(|_| Err(failure.clone())).collect()
            }
        }
    }

    async fn call(&mut self, groups: &[NewGroup]) -> Result<Answers, sqlx::Error> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => connect(&self.options).await?,
        };
        let said = call::append(&mut session, self.part, groups).await;
        match &said {
            Err(error) if is_lost(error) => {
                // Its state is unknown. Closing it tells PostgreSQL, if that is still there.
                let _ = session.close_hard().await;
            }
            _ => self.session = Some(session),
        }
        said
    }
}

/// Whether the connection is gone, and with it the answer.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        // 57P01 to 57P03: PostgreSQL shuts down, was killed, or starts.
        sqlx::Error::Database(_) => code(error).is_some_and(|code| code.starts_with("57P")),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether it may be about one group of many. What PostgreSQL lacks, it lacks for all of them: a place to write at
/// all (25), a disk (53), a lock in time (55), somebody who lets it go on (57), a file (58).
fn is_of_one(error: &sqlx::Error) -> bool {
    const OF_ALL: [&str; 5] = ["25", "53", "55", "57", "58"];
    code(error).is_some_and(|code| !is_in(&code, &OF_ALL))
}

/// Whether somebody else took a key, a position or a command id in the same moment, or waited for what we hold.
fn is_race(error: &sqlx::Error) -> bool {
    const UNIQUE_VIOLATION: &str = "23505";
    const DEADLOCK: &str = "40P01";
    code(error).is_some_and(|code| code == UNIQUE_VIOLATION || code == DEADLOCK)
}

fn failure(error: sqlx::Error) -> AppendError {
    if is_race(&error) {
        AppendError::Conflict
    } else {
        AppendError::Unavailable(Some(Arc::new(error)))
    }
}
