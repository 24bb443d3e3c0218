//! The batcher: commands that arrive together go to PostgreSQL in one call, under one lock and one flush.
//!
//! One call is in flight at a time. A command whose aggregate, id or key is already in the call waits for
//! the next one, because the call judges each of them once.

use std::collections::HashSet;

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

/// Most commands in one call. More would only lengthen the wait of the first.
const MOST_COMMANDS: usize = 500;

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
    /// Position of its last event; 0 when it changed nothing.
    pub position: i64,
    /// Number of events of the aggregate afterwards.
    pub sequence: i64,
    /// Whether it was carried out earlier, and this is the first answer again.
    pub repeated: bool,
}

/// Why events were not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else changed the aggregate since it was loaded.
    #[error("the aggregate has changed meanwhile")]
    Conflict,
    /// A unique key belongs to another aggregate.
    #[error("a unique key is taken")]
    KeyTaken,
    /// PostgreSQL did not do it, or did not say whether it did.
    #[error("the log cannot be written")]
    Unavailable(#[source] Option<std::sync::Arc<sqlx::Error>>),
}

/// One event on its way into the log.
#[derive(Debug)]
pub(crate) struct NewEvent {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) version: i16,
    pub(crate) payload: String,
}

/// One command's events.
#[derive(Debug)]
pub(crate) struct NewEvents {
    pub(crate) tenant: Uuid,
    pub(crate) aggregate_type: &'static str,
    pub(crate) aggregate_id: Uuid,
    pub(crate) expected: i64,
    pub(crate) command_id: Uuid,
    pub(crate) meta: String,
    pub(crate) keys: Vec<UniqueKey>,
    pub(crate) events: Vec<NewEvent>,
}

struct Job {
    append: NewEvents,
    reply: oneshot::Sender<Result<Committed, AppendError>>,
}

/// Hands commands to the batcher.
#[derive(Debug, Clone)]
pub(crate) struct Appender {
    jobs: mpsc::Sender<Job>,
}

impl Appender {
    /// Starts the batcher, which ends when the last handle is dropped.
    pub(crate) fn start(pool: PgPool, part: i16, head: watch::Sender<i64>) -> Self {
        let (jobs, queue) = mpsc::channel(4 * MOST_COMMANDS);
        tokio::spawn(run(pool, part, queue, head));
        Self { jobs }
    }

    pub(crate) async fn append(&self, append: NewEvents) -> Result<Committed, AppendError> {
        let (reply, answer) = oneshot::channel();
        let job = Job { append, reply };
        self.jobs.send(job).await.map_err(|_| AppendError::Unavailable(None))?;
        answer.await.unwrap_or(Err(AppendError::Unavailable(None)))
    }
}

async fn run(pool: PgPool, part: i16, mut queue: mpsc::Receiver<Job>, head: watch::Sender<i64>) {
    let mut waiting = Vec::new();
    loop {
        if waiting.is_empty() && queue.recv_many(&mut waiting, MOST_COMMANDS).await == 0 {
            return;
        }
        while waiting.len() < MOST_COMMANDS
            && let Ok(job) = queue.try_recv()
        {
            waiting.push(job);
        }
        let (batch, later) = split(waiting);
        waiting = later;
        metrics::histogram!("event_log_batch_commands").record(count(batch.len()));
        let reached = call(&pool, part, batch).await;
        if reached > 0 {
            head.send_if_modified(|head| {
                let further = reached > *head;
                *head = reached.max(*head);
                further
            });
        }
    }
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// Takes what may go into one call, in order, and leaves the rest in order.
fn split(jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
    let (mut aggregates, mut commands, mut keys) = (HashSet::new(), HashSet::new(), HashSet::new());
    let (mut now, mut later) = (Vec::new(), Vec::new());
    for job in jobs {
        let append = &job.append;
        let tenant = append.tenant;
        // A command that waits reserves its place too, so that those behind it can't overtake.
        let fresh_aggregate =
            aggregates.insert((tenant, append.aggregate_type, append.aggregate_id));
        let fresh_command = commands.insert((tenant, append.command_id));
        let taken_keys = append.keys.iter().filter(|key| !keys.insert((*key).clone())).count();
        if fresh_aggregate && fresh_command && taken_keys == 0 {
            now.push(job);
        } else {
            later.push(job);
        }
    }
    (now, later)
}

#[derive(Default)]
struct Columns {
    group: Vec<i32>,
    command: Vec<Uuid>,
    tenant: Vec<Uuid>,
    kind: Vec<String>,
    id: Vec<Uuid>,
    expected: Vec<i64>,
    key_of: Vec<i32>,
    key_tenant: Vec<Uuid>,
    key_scope: Vec<String>,
    key: Vec<Vec<u8>>,
    event_of: Vec<i32>,
    offset: Vec<i32>,
    event_id: Vec<Uuid>,
    event_type: Vec<String>,
    event_version: Vec<i16>,
    payload: Vec<String>,
    meta: Vec<String>,
}

impl Columns {
    fn push(&mut self, append: NewEvents) {
        let at = i32::try_from(self.group.len() + 1).expect("a batch is bounded");
        self.group.push(at);
        self.command.push(append.command_id);
        self.tenant.push(append.tenant);
        self.kind.push(append.aggregate_type.to_owned());
        self.id.push(append.aggregate_id);
        self.expected.push(append.expected);
        for key in append.keys {
            self.key_of.push(at);
            self.key_tenant.push(key.tenant);
            self.key_scope.push(key.scope.to_owned());
            self.key.push(key.key);
        }
        for (offset, event) in (1..).zip(append.events) {
            self.event_of.push(at);
            self.offset.push(offset);
            self.event_id.push(event.id);
            self.event_type.push(event.kind);
            self.event_version.push(event.version);
            self.payload.push(event.payload);
            self.meta.push(append.meta.clone());
        }
    }
}

/// Makes the call, answers everybody in it, and returns the last position it reached.
async fn call(pool: &PgPool, part: i16, batch: Vec<Job>) -> i64 {
    let mut columns = Columns::default();
    let mut replies = Vec::with_capacity(batch.len());
    for job in batch {
        columns.push(job.append);
        replies.push(Some(job.reply));
    }
    let rows = match query(pool, part, &columns).await {
        Ok(rows) => rows,
        Err(error) => {
            let error = std::sync::Arc::new(error);
            for reply in replies.into_iter().flatten() {
                let _ = reply.send(Err(AppendError::Unavailable(Some(error.clone()))));
            }
            return 0;
        }
    };
    let mut reached = 0;
    for row in rows {
        let place = usize::try_from(row.idx - 1).expect("the function counts from one");
        let Some(reply) = replies.get_mut(place).and_then(Option::take) else { continue };
        let committed = |repeated| Committed {
            position: row.last_position.unwrap_or(0),
            sequence: row.last_sequence.unwrap_or(0),
            repeated,
        };
        let answer = match row.status {
            0 => Ok(committed(false)),
            2 => Ok(committed(true)),
            3 => Err(AppendError::KeyTaken),
            _ => Err(AppendError::Conflict),
        };
        if row.status == 0 {
            reached = reached.max(row.last_position.unwrap_or(0));
        }
        let _ = reply.send(answer);
    }
    reached
}

struct Row {
    idx: i32,
    status: i16,
    last_sequence: Option<i64>,
    last_position: Option<i64>,
}

async fn query(pool: &PgPool, part: i16, columns: &Columns) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"
        SELECT idx AS "idx!", status AS "status!", last_sequence, last_position
        FROM es.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        "#,
        part,
        &columns.group,
        &columns.command,
        &columns.tenant,
        &columns.kind,
        &columns.id,
        &columns.expected,
        &columns.key_of,
        &columns.key_tenant,
        &columns.key_scope,
        &columns.key,
        &columns.event_of,
        &columns.offset,
        &columns.event_id,
        &columns.event_type,
        &columns.event_version,
        &columns.payload,
        &columns.meta,
    )
    .fetch_all(pool)
    .await
}
