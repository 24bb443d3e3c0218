//! The relay: leads by a lock that lives as long as a session, and publishes from the end of the stream on.
//!
//! As `lead.rs`, `relay.rs` and `relay/send.rs` of the log, and `discard_remains` of `repair.rs`.

use std::{cell::Cell, convert::Infallible, rc::Rc};

use meydan_event_log::rules::{self, Halt};

use super::{
    Rule,
    jetstream::{InBatch, Reply, Sent},
    plan::Recorded,
    postgres::{Lost, Postgres, Session},
    world::Scope,
};

/// Facts in a round.
const PAGE: usize = 6;
/// From how many on a round is one batch.
const BEHIND: usize = 4;
/// In how many rounds to see once whether the stream holds what was published.
const WATCH: u32 = 10;
/// How long to wait for an acknowledgement, in steps of one's own.
const PATIENCE: u32 = 60;

/// The lead, as long as the session lives that holds the lock; it is looked at now and then.
#[derive(Clone, Default)]
pub(super) struct Lease(Rc<Cell<Option<Session>>>);

/// Leads when nobody else does, and publishes until the lead is lost.
pub(super) async fn publish(scope: Scope, lease: Lease) {
    loop {
        let Ok(session) = scope.connect().await else { continue };
        let lock = |postgres: &mut Postgres| *postgres.leader.get_or_insert(session) == session;
        if !matches!(scope.ask(session, lock).await, Ok(true)) {
            scope.close(session);
            scope.pause(10).await;
            continue;
        }
        scope.note(|| "leads".to_owned());
        lease.0.set(Some(session));
        while lease.0.get().is_some() {
            let failure = publish_on(&scope, &lease).await;
            scope.note(|| format!("waits: {failure:?}"));
            if failure == Failure::Halted {
                scope.world().alarm = true;
            }
            scope.pause(5).await;
        }
    }
}

/// Ends the lease when the session has ended.
pub(super) async fn watch(scope: Scope, lease: Lease) {
    loop {
        scope.pause(10).await;
        if let Some(session) = lease.0.get()
            && scope.ask(session, |_| ()).await.is_err()
        {
            scope.note(|| "the lead is lost".to_owned());
            scope.close(session);
            lease.0.set(None);
        }
    }
}

/// Why a relay stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// A server does not answer, refuses, or the lead is lost.
    Passing,
    /// Only an operator can end it.
    Halted,
}

impl From<Lost> for Failure {
    fn from(Lost: Lost) -> Self {
        Self::Passing
    }
}

async fn publish_on(scope: &Scope, lease: &Lease) -> Failure {
    let Err(failure) = publish_while(scope, lease).await;
    failure
}

async fn publish_while(scope: &Scope, lease: &Lease) -> Result<Infallible, Failure> {
    let mut position = resume_at(scope).await?;
    for round in 1.. {
        if lease.0.get().is_none() {
            break;
        }
        if round % WATCH == 0 && !holds(scope, position).await? {
            position = resume_at(scope).await?;
        }
        position = publish_after(scope, position).await?;
    }
    Err(Failure::Passing)
}

/// How far the stream has come, and how many messages are there.
async fn state(scope: &Scope, makes: bool) -> Result<(i64, i64), Failure> {
    scope.step().await;
    let mut world = scope.world();
    if world.jetstream.down {
        return Err(Failure::Passing);
    }
    if makes {
        world.jetstream.make();
    }
    Ok((world.jetstream.last(), world.jetstream.held()))
}

/// Whether the stream holds everything up to `position`, and nothing more.
async fn holds(scope: &Scope, position: i64) -> Result<bool, Failure> {
    let holds = state(scope, false).await? == (position, position);
    Ok(holds || !scope.world().holds(Rule::Watch))
}

/// Where the stream ends, if it ends with what the log has there.
async fn resume_at(scope: &Scope) -> Result<i64, Failure> {
    state(scope, true).await?;
    let recorded = ask(scope, |postgres| postgres.log.last()).await?;
    let (published, held) = state(scope, true).await?;
    if held < published && published <= recorded && scope.world().holds(Rule::Watch) {
        discard_remains(scope).await?;
    }
    let (published, _) = state(scope, true).await?;
    if !scope.world().holds(Rule::Resume) {
        return Ok(published);
    }
    let (mut ours, mut theirs) = (None, None);
    if (1..=recorded).contains(&published) {
        let fact = |postgres: &mut Postgres| postgres.log.after(published - 1, 1).first().cloned();
        ours = ask(scope, fact).await?.map(|fact| fact.event.id);
        scope.step().await;
        let world = scope.world();
        let stream = world.jetstream.stream.as_ref().filter(|_| !world.jetstream.down);
        let place = usize::try_from(published - 1).expect("positions are positive");
        let message = stream.and_then(|stream| stream.messages.get(place)?.as_ref());
        theirs = Some(message.ok_or(Failure::Passing)?.event.id);
    }
    scope.note(|| format!("stream at {published}, log at {recorded}"));
    rules::resume(published, recorded, ours.as_ref(), theirs.as_ref())
        .map_err(|(Halt::LogIsShorter | Halt::Diverged)| Failure::Halted)
}

/// Throws a stream away that lacks messages, if the log has all that it has.
async fn discard_remains(scope: &Scope) -> Result<(), Failure> {
    scope.step().await;
    let messages = {
        let world = scope.world();
        let stream = world.jetstream.stream.as_ref().filter(|_| !world.jetstream.down);
        stream.ok_or(Failure::Passing)?.messages.clone()
    };
    let log = ask(scope, |postgres| postgres.log.facts().to_vec()).await?;
    let same = |(place, fact): (usize, &Recorded)| log.get(place) == Some(fact);
    let mut held = messages.iter().enumerate().filter_map(|(at, fact)| Some((at, fact.as_ref()?)));
    if !held.all(same) || messages.len() > log.len() {
        return Err(Failure::Halted);
    }
    if messages.iter().all(Option::is_some) {
        return Ok(());
    }
    scope.step().await;
    let mut world = scope.world();
    if world.jetstream.down {
        return Err(Failure::Passing);
    }
    world.jetstream.delete();
    drop(world);
    scope.note(|| "makes the stream again".to_owned());
    Ok(())
}

/// Asks with any session of the pool, not the one that holds the lock.
async fn ask<T>(scope: &Scope, what: impl FnOnce(&mut Postgres) -> T) -> Result<T, Lost> {
    let session = scope.connect().await?;
    let said = scope.ask(session, what).await;
    scope.close(session);
    said
}

async fn publish_after(scope: &Scope, position: i64) -> Result<i64, Failure> {
    let facts = ask(scope, |postgres| postgres.log.after(position, PAGE).to_vec()).await?;
    if facts.is_empty() {
        scope.step().await;
        return Ok(position);
    }
    scope.note(|| format!("publishes {} after {position}", facts.len()));
    if facts.len() < BEHIND {
        pipelined(scope, position, facts).await
    } else {
        in_one_batch(scope, position, facts).await
    }
}

async fn pipelined(scope: &Scope, position: i64, facts: Vec<Recorded>) -> Result<i64, Failure> {
    let connection = scope.world().jetstream.number();
    let mut acks = Vec::new();
    for (expected, fact) in (position..).zip(facts) {
        let reply = Reply::default();
        let sent = Sent { fact, expected: Some(expected), batch: None, reply: reply.clone() };
        scope.world().jetstream.send(connection, sent);
        acks.push(reply);
        scope.step().await;
    }
    let mut reached = 0;
    for ack in acks {
        reached = acknowledged(scope, &ack).await?;
    }
    Ok(reached)
}

async fn in_one_batch(scope: &Scope, position: i64, facts: Vec<Recorded>) -> Result<i64, Failure> {
    let (connection, batch) = {
        let mut world = scope.world();
        (world.jetstream.number(), world.jetstream.number())
    };
    let count = facts.len();
    let mut answer = Reply::default();
    for (number, fact) in (1..).zip(facts) {
        let reply = Reply::default();
        let place = InBatch { batch, number, commits: number == count };
        let expected = (number == 1).then_some(position);
        let sent = Sent { fact, expected, batch: Some(place), reply: reply.clone() };
        scope.world().jetstream.send(connection, sent);
        scope.step().await;
        answer = reply;
    }
    // Nobody waits in the middle: the answer to the last message says what became of all.
    acknowledged(scope, &answer).await
}

async fn acknowledged(scope: &Scope, reply: &Reply) -> Result<i64, Failure> {
    for _ in 0..PATIENCE {
        if let Some(said) = reply.get() {
            return said.map_err(|()| Failure::Passing);
        }
        scope.step().await;
    }
    Err(Failure::Passing)
}
