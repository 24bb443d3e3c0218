//! The relay: leads by a lock that lives as long as a session, and publishes from the end of the stream on.
//!
//! As `lead.rs`, `relay.rs` and `relay/send.rs` of the log.

use std::{cell::Cell, rc::Rc};

use meydan_event_log::rules::{self, Halt};

use super::{
    Rule,
    jetstream::{InBatch, Reply, Sent},
    plan::Recorded,
    postgres::{Lost, Session},
    world::Scope,
};

/// Facts in a round.
const PAGE: usize = 6;
/// From how many on a round is one batch.
const BEHIND: usize = 4;
/// How long to wait for an acknowledgement, in steps of one's own.
const PATIENCE: u32 = 60;

/// The lead, as long as the session lives that holds the lock; it is looked at now and then.
#[derive(Clone, Default)]
pub(super) struct Lease(Rc<Cell<Option<Session>>>);

/// Leads when nobody else does, and publishes until the lead is lost.
pub(super) async fn publish(scope: Scope, lease: Lease) {
    loop {
        let Ok(session) = scope.connect().await else { continue };
        let lock = |postgres: &mut super::postgres::Postgres| {
            *postgres.leader.get_or_insert(session) == session
        };
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
    match position(scope).await {
        Err(failure) => failure,
        Ok(mut position) => loop {
            if lease.0.get().is_none() {
                return Failure::Passing;
            }
            match publish_after(scope, position).await {
                Ok(reached) => position = reached,
                Err(failure) => return failure,
            }
        },
    }
}

/// Where the stream ends, if it ends with what the log has there.
async fn position(scope: &Scope) -> Result<i64, Failure> {
    scope.step().await;
    let (published, theirs) = {
        let mut world = scope.world();
        if world.jetstream.down {
            return Err(Failure::Passing);
        }
        world.jetstream.make();
        let stream = world.jetstream.stream.as_ref();
        let last = stream.and_then(|stream| stream.messages.last());
        (world.jetstream.last(), last.map(|fact| fact.event.id))
    };
    // Any session of the pool, not the one that holds the lock.
    let session = scope.connect().await?;
    let said = scope.ask(session, |postgres| {
        let before = (published - 1).max(0);
        let ours = postgres.log.after(before, 1).first().map(|fact| fact.event.id);
        (postgres.log.last(), ours)
    });
    let said = said.await;
    scope.close(session);
    let (recorded, ours) = said?;
    scope.note(|| format!("stream at {published}, log at {recorded}"));
    if !scope.world().holds(Rule::Resume) {
        return Ok(published);
    }
    rules::resume(published, recorded, ours.as_ref(), theirs.as_ref())
        .map_err(|(Halt::LogIsShorter | Halt::Diverged)| Failure::Halted)
}

async fn publish_after(scope: &Scope, position: i64) -> Result<i64, Failure> {
    let session = scope.connect().await?;
    let page = scope.ask(session, |postgres| postgres.log.after(position, PAGE).to_vec()).await;
    scope.close(session);
    let facts = page?;
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
    let mut reached = 0;
    for (number, fact) in (1..).zip(facts) {
        let (first, commits) = (number == 1, number == count);
        let reply = Reply::default();
        let place = InBatch { batch, number, commits };
        let expected = first.then_some(position);
        let sent = Sent { fact, expected, batch: Some(place), reply: reply.clone() };
        scope.world().jetstream.send(connection, sent);
        scope.step().await;
        if first || commits {
            reached = acknowledged(scope, &reply).await?;
        }
    }
    Ok(reached)
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
