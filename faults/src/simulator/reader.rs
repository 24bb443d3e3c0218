//! The readers: two projections, one of the log and one of the stream, and a policy.
//!
//! As `projection.rs`, `policy.rs` and `source.rs` of the log.

use meydan_event_log::{
    Actor, Meta, Recorded as Envelope, answer_to,
    rules::{self, Place},
};
use uuid::Uuid;

use super::{
    Rule,
    client::{Failed, Shared, carry_out},
    jetstream::Consumer,
    plan::{Command, Recorded, TENANT, mirror_of},
    postgres::{Lost, Postgres, Session},
    world::Scope,
};

/// The projection that reads the log.
pub(super) const SUMS: &str = "sums";
/// The projection of another context, which reads the stream.
pub(super) const COPIES: &str = "copies";
/// The policy.
pub(super) const MIRROR: &str = "when_added_mirror";

/// Facts in one transaction.
const BATCH: usize = 5;
/// How often to ask for a checkpoint that another one holds.
const TRIES: u32 = 40;

/// Feeds the projection of the log.
pub(super) async fn sums(scope: Scope) {
    loop {
        let session = scope.session().await;
        while let Ok(after) = checkpoint(&scope, session, SUMS).await {
            let page = scope.ask(session, |postgres| postgres.log.after(after, BATCH).to_vec());
            let Ok(facts) = page.await else { break };
            if digest(&scope, session, SUMS, after, &facts).await.is_err() {
                break;
            }
        }
        scope.close(session);
    }
}

/// Feeds the projection of the stream.
pub(super) async fn copies(scope: Scope) {
    let mut consumer = None;
    loop {
        let session = scope.session().await;
        while let Ok(after) = checkpoint(&scope, session, COPIES).await {
            let Some(facts) = receive(&scope, &mut consumer, after).await else {
                consumer = None;
                continue;
            };
            if digest(&scope, session, COPIES, after, &facts).await.is_err() {
                break;
            }
        }
        scope.close(session);
    }
}

async fn checkpoint(scope: &Scope, session: Session, reader: &'static str) -> Result<i64, Lost> {
    scope.ask(session, |postgres| postgres.tables(reader).checkpoint(reader)).await
}

/// The next facts of the stream; `None` when the consumer is gone, or has left something out.
async fn receive(
    scope: &Scope,
    kept: &mut Option<(i64, Consumer)>,
    after: i64,
) -> Option<Vec<Recorded>> {
    let mut consumer = match kept.take() {
        Some((at, consumer)) if at == after => consumer,
        _ => scope.consume(after).await?,
    };
    let mut facts: Vec<Recorded> = Vec::new();
    for message in scope.receive(&mut consumer).await? {
        let last = facts.last().map_or(after, |fact| fact.position);
        let place = rules::place(last, message.position);
        match place {
            _ if !scope.world().holds(Rule::Place) => facts.push(message),
            Place::Known => {}
            Place::Next => facts.push(message),
            Place::BehindHole => return None,
        }
    }
    let reached = facts.last().map_or(after, |fact| fact.position);
    *kept = Some((reached, consumer));
    Some(facts)
}

/// Digests facts in one transaction.
async fn digest(
    scope: &Scope,
    session: Session,
    reader: &'static str,
    after: i64,
    facts: &[Recorded],
) -> Result<(), Lost> {
    let Some(last) = facts.last().map(|fact| fact.position) else {
        scope.step().await;
        return Ok(());
    };
    let holds = scope.world().holds(Rule::CheckpointHeld);
    if holds && hold(scope, session, reader).await? != after {
        // Another process feeds the same tables and was quicker; its work stands.
        return scope.ask(session, |postgres| postgres.release(reader)).await;
    }
    scope.note(|| format!("digests {} after {after}", facts.len()));
    let rows = |postgres: &mut Postgres| {
        for fact in facts {
            postgres.tables(reader).add(reader, fact.aggregate.1, fact.event.by);
        }
    };
    let advance = |postgres: &mut Postgres| {
        postgres.tables(reader).checkpoints.insert(reader, last);
        postgres.release(reader);
    };
    if scope.world().holds(Rule::CheckpointWithRows) {
        let both = |postgres: &mut Postgres| {
            rows(postgres);
            advance(postgres);
        };
        return scope.ask(session, both).await;
    }
    scope.ask(session, rows).await?;
    scope.ask(session, advance).await
}

/// Holds a checkpoint to the end of the transaction, and tells where it is.
async fn hold(scope: &Scope, session: Session, reader: &'static str) -> Result<i64, Lost> {
    for _ in 0..TRIES {
        let held = scope.ask(session, |postgres| {
            let held = postgres.try_hold(reader, session);
            held.then(|| postgres.tables(reader).checkpoint(reader))
        });
        if let Some(at) = held.await? {
            return Ok(at);
        }
    }
    Err(Lost)
}

/// Answers facts with commands, each once.
pub(super) async fn mirror(scope: Scope, memory: Shared) {
    loop {
        let session = scope.session().await;
        while answer_some(&scope, &memory, session).await.is_ok() {}
        scope.close(session);
    }
}

async fn answer_some(scope: &Scope, memory: &Shared, session: Session) -> Result<(), Lost> {
    let after = checkpoint(scope, session, MIRROR).await?;
    let read = scope.ask(session, |postgres| {
        (postgres.log.after(after, BATCH).to_vec(), postgres.here.inbox.clone())
    });
    let (facts, answered) = read.await?;
    let Some(last) = facts.last().map(|fact| fact.position) else {
        scope.step().await;
        return Ok(());
    };
    for fact in facts.iter().filter(|fact| fact.event.mirrored) {
        let position = fact.position;
        if answered.contains(&position) {
            continue;
        }
        let command = answer(fact);
        while let Err(failed) = carry_out(scope, memory, &command).await {
            if failed == Failed::Refused {
                scope.world().breaks(format!("the answer to {position} was refused"));
            }
            scope.pause(3).await;
        }
        scope.note(|| format!("has answered {position}"));
        scope.ask(session, |postgres| postgres.here.inbox.insert(position)).await?;
    }
    let advance = |postgres: &mut Postgres| {
        if postgres.here.checkpoint(MIRROR) == after {
            postgres.here.checkpoints.insert(MIRROR, last);
            postgres.here.inbox.retain(|position| *position > last);
        }
    };
    scope.ask(session, advance).await
}

/// The command that answers a fact, with the id that the log gives it.
fn answer(fact: &Recorded) -> Command {
    let actor = Actor::Service { name: "client".to_owned() };
    let event = Envelope {
        part: 0,
        position: fact.position,
        tenant: TENANT,
        aggregate_type: "counter".to_owned(),
        aggregate_id: fact.aggregate.1,
        sequence: fact.sequence,
        event_id: fact.event.id,
        event_type: "counter.added".to_owned(),
        event_version: 1,
        payload: Box::default(),
        meta: Meta::new(fact.command, actor),
        recorded_at: time::OffsetDateTime::UNIX_EPOCH,
    };
    let meta = answer_to(&event, MIRROR, "simulator");
    let target: Uuid = mirror_of(fact.aggregate.1);
    Command {
        id: meta.command_id,
        parts: vec![(target, fact.event.by)],
        key: None,
        mirrored: false,
        cause: meta.causation_id,
    }
}
