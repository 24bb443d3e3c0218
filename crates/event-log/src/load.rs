//! Loads aggregates: many in one query, from where the asker knows them, a snapshot, or the beginning.

use std::sync::Arc;

use cqrs_es::Aggregate;
use serde_json::value::RawValue;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions, types::Json};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{
    append::Committed,
    codec::{Event, Unreadable, decode},
    log::{EventLog, Loaded, Target},
    session::connect,
    snapshot::state_version,
};

/// Most aggregates in one query.
const MOST: usize = 256;

/// What is asked about one aggregate.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) target: Target,
    pub(crate) aggregate_type: &'static str,
    /// How many of its events the asker knows.
    pub(crate) after: i64,
    /// Which snapshots the asker can read.
    pub(crate) state_version: String,
    /// The command it is asked for, which may have been carried out before.
    pub(crate) command: Uuid,
}

/// What is known about it.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The first answer to the command.
    pub(crate) carried_out: Option<Committed>,
    /// A snapshot newer than what the asker knows: the number of events in it, and the state.
    pub(crate) snapshot: Option<(i64, Box<RawValue>)>,
    /// The events after that.
    pub(crate) events: Vec<Stored>,
}

/// An event of an aggregate.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) position: i64,
    pub(crate) sequence: i64,
    pub(crate) event_type: String,
    pub(crate) event_version: i16,
    pub(crate) payload: Box<RawValue>,
}

/// Why an aggregate could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// PostgreSQL cannot be used at the moment.
    #[error("the log is unavailable")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// The log holds something that this program cannot read.
    #[error("the log is damaged")]
    Damaged(#[from] Unreadable),
}

type Reply = oneshot::Sender<Result<Answer, Arc<sqlx::Error>>>;

/// Asks PostgreSQL about aggregates.
#[derive(Debug, Clone)]
pub(crate) struct Loader {
    questions: mpsc::Sender<(Question, Reply)>,
}

impl Loader {
    /// Starts the task that asks, which ends when the last handle is dropped.
    pub(crate) fn start(options: PgConnectOptions) -> Self {
        let (questions, queue) = mpsc::channel(4 * MOST);
        tokio::spawn(run(options, queue));
        Self { questions }
    }

    pub(crate) async fn ask(&self, question: Question) -> Result<Answer, Arc<sqlx::Error>> {
        let (reply, answer) = oneshot::channel();
        let gone = || Arc::new(sqlx::Error::WorkerCrashed);
        self.questions.send((question, reply)).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

async fn run(options: PgConnectOptions, mut queue: mpsc::Receiver<(Question, Reply)>) {
    let mut session: Option<PgConnection> = None;
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, MOST).await > 0 {
        let (questions, replies): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        let mut said = ask(&mut session, &options, &questions).await;
        if said.is_err() {
            // Reading again is always safe, and PostgreSQL may just have been restarted.
            said = ask(&mut session, &options, &questions).await;
        }
        match said {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    let _ = reply.send(Ok(answer));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }
}

async fn ask(
    kept: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    questions: &[Question],
) -> Result<Vec<Answer>, sqlx::Error> {
    let mut session = match kept.take() {
        Some(session) => session,
        None => connect(options).await?,
    };
    let said = query(&mut session, questions).await;
    match &said {
        Ok(_) => *kept = Some(session),
        Err(_) => {
            let _ = session.close_hard().await;
        }
    }
    said
}

struct Row {
    question: i64,
    last_position: Option<i64>,
    last_sequence: Option<i64>,
    snapshot: Option<i64>,
    state: Option<Json<Box<RawValue>>>,
    position: Option<i64>,
    sequence: Option<i64>,
    event_type: Option<String>,
    event_version: Option<i16>,
    payload: Option<Json<Box<RawValue>>>,
}

async fn query(
    session: &mut PgConnection,
    questions: &[Question],
) -> Result<Vec<Answer>, sqlx::Error> {
    let column = |of: fn(&Question) -> Uuid| questions.iter().map(of).collect::<Vec<_>>();
    let kinds = questions.iter().map(|question| question.aggregate_type).collect::<Vec<_>>();
    let after = questions.iter().map(|question| question.after).collect::<Vec<_>>();
    let versions = questions.iter().map(|question| &*question.state_version).collect::<Vec<_>>();
    // The state stands in the first row of its aggregate only.
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT q.i AS "question!", k.last_position AS "last_position?", k.last_sequence AS "last_sequence?",
               s.sequence AS "snapshot?",
               CASE WHEN e.sequence IS NULL OR e.sequence = s.sequence + 1 THEN s.state END
                 AS "state?: Json<Box<RawValue>>",
               e.position AS "position?", e.sequence AS "sequence?", e.event_type AS "event_type?",
               e.event_version AS "event_version?", e.payload AS "payload?: Json<Box<RawValue>>"
        FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::uuid[])
             WITH ORDINALITY q(tenant, type, id, after, version, command, i)
        LEFT JOIN LATERAL (
          SELECT c.last_position, c.last_sequence FROM es.commands c
          WHERE c.tenant_id = q.tenant AND c.command_id = q.command LIMIT 1) k ON true
        LEFT JOIN LATERAL (
          SELECT p.sequence, p.state FROM es.snapshots p
          WHERE p.tenant_id = q.tenant AND p.aggregate_type = q.type AND p.aggregate_id = q.id
            AND p.state_version = q.version AND p.sequence > q.after LIMIT 1) s ON true
        LEFT JOIN LATERAL (
          SELECT x.position, x.sequence, x.event_type, x.event_version, x.payload FROM es.events x
          WHERE x.tenant_id = q.tenant AND x.aggregate_type = q.type AND x.aggregate_id = q.id
            AND x.sequence > coalesce(s.sequence, q.after)
          ORDER BY x.sequence) e ON true
        ORDER BY q.i, e.sequence
        "#,
        &column(|question| question.target.tenant),
        &kinds as &[&str],
        &column(|question| question.target.id),
        &after,
        &versions as &[&str],
        &column(|question| question.command),
    )
    .fetch_all(session)
    .await?;
    let mut answers = Vec::new();
    answers.resize_with(questions.len(), Answer::default);
    for row in rows {
        let place = usize::try_from(row.question - 1).expect("ordinals begin at one");
        answers[place].take(row);
    }
    Ok(answers)
}

impl Answer {
    fn take(&mut self, row: Row) {
        if let (Some(position), Some(sequence)) = (row.last_position, row.last_sequence) {
            self.carried_out = Some(Committed { position, sequence, repeated: true });
        }
        if let (Some(sequence), Some(state)) = (row.snapshot, row.state) {
            self.snapshot = Some((sequence, state.0));
        }
        if let (
            Some(position),
            Some(sequence),
            Some(event_type),
            Some(event_version),
            Some(payload),
        ) = (row.position, row.sequence, row.event_type, row.event_version, row.payload)
        {
            let payload = payload.0;
            self.events.push(Stored { position, sequence, event_type, event_version, payload });
        }
    }
}

/// How far the tables of a reader are with some aggregates.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The position of the last of their facts; 0 when there is none.
    pub last: i64,
    /// The position up to which the tables have been written.
    pub read: i64,
    /// The types of those of them that wait for an operator, and stand still meanwhile.
    pub parked: Vec<String>,
}

impl EventLog {
    /// How far the tables of `reader` are with these aggregates, named by type, which lie in one partition.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL does.
    pub async fn seen_by(
        &self,
        reader: &str,
        aggregates: &[(&str, Target)],
    ) -> Result<Seen, sqlx::Error> {
        let part = aggregates.first().map_or(0, |(_, target)| self.part_of(target.tenant));
        let types: Vec<_> = aggregates.iter().map(|(name, _)| (*name).to_owned()).collect();
        let tenants: Vec<_> = aggregates.iter().map(|(_, target)| target.tenant).collect();
        let ids: Vec<_> = aggregates.iter().map(|(_, target)| target.id).collect();
        sqlx::query_as!(
            Seen,
            r#"
            WITH asked AS (
              SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS a (tenant_id, aggregate_type, aggregate_id))
            SELECT
              coalesce((
                SELECT max(newest.position) FROM asked, LATERAL (
                  SELECT e.position FROM es.events e
                  WHERE e.tenant_id = asked.tenant_id AND e.aggregate_type = asked.aggregate_type
                    AND e.aggregate_id = asked.aggregate_id
                  ORDER BY e.sequence DESC LIMIT 1) AS newest), 0) AS "last!",
              coalesce((SELECT position FROM es.checkpoints WHERE reader = $4 AND part = $5), 0) AS "read!",
              coalesce((
                SELECT array_agg(p.aggregate_type) FROM es.parked p
                JOIN asked USING (tenant_id, aggregate_type, aggregate_id)
                WHERE p.reader = $4 AND p.part = $5), '{}') AS "parked!"
            "#,
            &tenants,
            &types,
            &ids,
            reader,
            part,
        )
        .fetch_one(self.pool())
        .await
    }

    /// Makes an aggregate from its events, all that are recorded by now.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub async fn load<A>(&self, target: Target) -> Result<Loaded<A>, LoadError>
    where
        A: Aggregate + Clone + 'static,
        A::Event: Event,
    {
        let known = self.hot().get(target).unwrap_or_default();
        Ok(self.catch_up(target, known, Uuid::nil()).await?.0)
    }

    /// The events of an aggregate, as today's, with the place of each.
    pub(crate) async fn events_of<A>(
        &self,
        target: Target,
    ) -> Result<Vec<(i64, A::Event)>, LoadError>
    where
        A: Aggregate,
        A::Event: Event,
    {
        let question = Question {
            target,
            aggregate_type: A::TYPE,
            after: 0,
            state_version: String::new(),
            command: Uuid::nil(),
        };
        let answer = self.loader().ask(question).await.map_err(LoadError::Unavailable)?;
        let mut events = Vec::new();
        for stored in answer.events {
            let sequence = stored.sequence;
            events.extend(stored.decode()?.into_iter().map(|event| (sequence, event)));
        }
        Ok(events)
    }

    /// Adds to `known` what the log knows more; and says what `command` led to, if it was carried out.
    pub(crate) async fn catch_up<A>(
        &self,
        target: Target,
        mut known: Loaded<A>,
        command: Uuid,
    ) -> Result<(Loaded<A>, Option<Committed>), LoadError>
    where
        A: Aggregate + Clone + 'static,
        A::Event: Event,
    {
        let before = known.sequence;
        let mut version = if before == 0 { state_version::<A>() } else { String::new() };
        loop {
            let question = Question {
                target,
                aggregate_type: A::TYPE,
                after: before,
                state_version: version,
                command,
            };
            let answer = self.loader().ask(question).await.map_err(LoadError::Unavailable)?;
            let Answer { carried_out, snapshot, events } = answer;
            if let Some((sequence, state)) = snapshot {
                let Ok(aggregate) = serde_json::from_str(state.get()) else {
                    tracing::warn!(
                        aggregate = A::TYPE,
                        "a snapshot cannot be read; it is left aside"
                    );
                    version = String::new();
                    continue;
                };
                known = Loaded { aggregate, sequence };
            }
            for event in events {
                known.apply(&event)?;
            }
            if known.sequence != before {
                self.hot().put(target, known.clone());
            }
            return Ok((known, carried_out));
        }
    }
}

impl Stored {
    fn decode<E: Event>(&self) -> Result<Vec<E>, Unreadable> {
        decode(&self.event_type, self.event_version, &self.payload).map_err(|source| Unreadable {
            position: self.position,
            event_type: self.event_type.clone(),
            event_version: self.event_version,
            source,
        })
    }
}

impl<A: Aggregate> Loaded<A>
where
    A::Event: Event,
{
    fn apply(&mut self, stored: &Stored) -> Result<(), Unreadable> {
        for event in stored.decode()? {
            self.aggregate.apply(event);
        }
        self.sequence = stored.sequence;
        Ok(())
    }
}
