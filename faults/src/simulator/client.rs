//! Clients, who ask until they are answered, and the batcher, which asks PostgreSQL for many of them at once.
//!
//! As `execute.rs` and `append.rs` of the log: judged on what is remembered, or on nothing at all, and on what
//! the log holds before anything is refused.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use meydan_event_log::rules;
use meydan_testkit::model::{Change, Group, NamedTwice, Said};
use uuid::Uuid;

use super::{
    Rule,
    plan::{Added, Command, MOST, TENANT, counter, is_mirror},
    postgres::{Lost, Session},
    world::Scope,
};

/// How often a command that lost a race is judged again.
const RETRIES: u32 = 3;

/// A counter as it is known: its sum and the number of its events.
type Known = (i64, i64);

type Answer = Rc<Cell<Option<Result<Said, Lost>>>>;

/// What a process remembers, and what waits in it.
#[derive(Default)]
pub(super) struct Memory {
    hot: BTreeMap<Uuid, Known>,
    queue: Vec<Job>,
}

struct Job {
    group: Group<Added>,
    reply: Answer,
}

pub(super) type Shared = Rc<RefCell<Memory>>;

/// Why there is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    Refused,
    Unknown,
}

/// Asks for one command after another.
pub(super) async fn ask(scope: Scope, memory: Shared) {
    loop {
        scope.step().await;
        let command = {
            let mut world = scope.world();
            let again = world.mishap(20);
            let super::world::World { plan, dice, .. } = &mut *world;
            plan.next(dice, again)
        };
        let Some(command) = command else { continue };
        let said = carry_out(&scope, &memory, &command).await;
        scope.note(|| format!("{} {:?}: {said:?}", command.id, command.parts));
        let mut world = scope.world();
        match said {
            Ok(at) => {
                if let Err(broken) = world.plan.acknowledge(&command, at) {
                    world.breaks(broken);
                }
            }
            Err(Failed::Refused) => world.plan.refuse(&command),
            Err(Failed::Unknown) => {}
        }
    }
}

/// Carries a command out; the last sequence and position.
pub(super) async fn carry_out(
    scope: &Scope,
    memory: &Shared,
    command: &Command,
) -> Result<(i64, i64), Failed> {
    let of_hot = |id: Uuid| memory.borrow().hot.get(&id).copied().unwrap_or_default();
    let mut known = command.parts.iter().map(|(id, _)| of_hot(*id)).collect::<Vec<_>>();
    let (mut sure, mut retries) = (false, 0);
    loop {
        let fits =
            |((id, by), (sum, _)): (&(Uuid, i64), &Known)| is_mirror(*id) || sum + by <= MOST;
        let accepted = command.parts.iter().zip(&known).all(fits);
        if accepted {
            match append(scope, memory, group(scope, command, &known)).await {
                Err(Lost) => return Err(Failed::Unknown),
                Ok(Said::Appended { sequence, position }) => {
                    for ((id, by), (sum, head)) in command.parts.iter().zip(&known) {
                        memory.borrow_mut().hot.insert(*id, (sum + by, head + 1));
                    }
                    return Ok((sequence, position));
                }
                Ok(Said::Repeated { sequence, position }) => return Ok((sequence, position)),
                Ok(Said::Taken) => return Err(Failed::Refused),
                Ok(Said::Stale) if sure && retries == RETRIES => return Err(Failed::Unknown),
                Ok(Said::Stale) => retries += u32::from(sure),
            }
        } else if sure {
            return Err(Failed::Refused);
        }
        for ((id, _), known) in command.parts.iter().zip(&mut known) {
            if let Some(first_answer) = look(scope, memory, command, *id, known).await? {
                return Ok(first_answer);
            }
        }
        sure = true;
    }
}

fn group(scope: &Scope, command: &Command, known: &[Known]) -> Group<Added> {
    let of = i64::try_from(command.parts.len()).expect("a command has few parts");
    let changes = command.parts.iter().zip(known).enumerate().map(|(number, (part, known))| {
        let first = number == 0;
        let event = Added {
            id: Uuid::from_u128(scope.world().dice.u128(..)),
            by: part.1,
            of,
            key: command.key.filter(|_| first),
            mirrored: command.mirrored && first,
            cause: command.cause,
        };
        let keys = if first { command.keys() } else { Vec::new() };
        Change { id: part.0, expected: known.1, keys, events: vec![event] }
    });
    Group { tenant: TENANT, command: command.id, changes: changes.collect() }
}

/// Adds to `known` what the log knows more; the first answer, if the command was carried out before.
async fn look(
    scope: &Scope,
    memory: &Shared,
    command: &Command,
    id: Uuid,
    known: &mut Known,
) -> Result<Option<(i64, i64)>, Failed> {
    let session = scope.connect().await.map_err(|Lost| Failed::Unknown)?;
    let (command, after) = (command.id, known.1);
    let said = scope.ask(session, move |postgres| {
        let log = &postgres.log;
        let newer =
            |fact: &&super::plan::Recorded| fact.aggregate == counter(id) && fact.sequence > after;
        let sum = log.facts().iter().filter(newer).map(|fact| fact.event.by).sum::<i64>();
        (log.carried_out(TENANT, command), sum, log.head(counter(id)))
    });
    let said = said.await;
    scope.close(session);
    let (carried_out, more, head) = said.map_err(|Lost| Failed::Unknown)?;
    if head > known.1 {
        *known = (known.0 + more, head);
        memory.borrow_mut().hot.insert(id, *known);
    }
    Ok(carried_out.filter(|_| scope.world().holds(Rule::CommandIds)))
}

async fn append(scope: &Scope, memory: &Shared, group: Group<Added>) -> Result<Said, Lost> {
    let reply = Answer::default();
    memory.borrow_mut().queue.push(Job { group, reply: reply.clone() });
    loop {
        if let Some(said) = reply.get() {
            return said;
        }
        scope.step().await;
    }
}

/// What a call may name only once.
#[derive(PartialEq, Eq, Hash)]
enum Name {
    Command(Uuid),
    Counter(Uuid),
    Key(meydan_testkit::model::Key),
}

fn names(job: &Job, name: &mut dyn FnMut(Name)) {
    name(Name::Command(job.group.command));
    for change in &job.group.changes {
        name(Name::Counter(change.id));
        change.keys.iter().for_each(|key| name(Name::Key(key.clone())));
    }
}

/// Takes what waits to PostgreSQL, one call at a time.
pub(super) async fn batch(scope: Scope, memory: Shared) {
    let mut session = None;
    loop {
        scope.step().await;
        let waiting = std::mem::take(&mut memory.borrow_mut().queue);
        if waiting.is_empty() {
            continue;
        }
        let splits = scope.world().holds(Rule::Split);
        let (now, later) = if splits { rules::split(waiting, names) } else { (waiting, vec![]) };
        memory.borrow_mut().queue.splice(0..0, later);
        let groups = now.iter().map(|job| job.group.clone()).collect::<Vec<_>>();
        let mut said = call(&scope, &mut session, &groups).await;
        if said.is_err() {
            // Command ids make that safe.
            said = call(&scope, &mut session, &groups).await;
        }
        for (number, job) in now.iter().enumerate() {
            job.reply.set(Some(said.as_ref().map(|said| said[number]).map_err(|lost| *lost)));
        }
    }
}

async fn call(
    scope: &Scope,
    kept: &mut Option<Session>,
    groups: &[Group<Added>],
) -> Result<Vec<Said>, Lost> {
    let session = match kept.take() {
        Some(session) => session,
        None => scope.connect().await?,
    };
    let said = scope.ask(session, |postgres| postgres.log.append(groups)).await?;
    *kept = Some(session);
    said.map_err(|NamedTwice| {
        scope.world().breaks("a call of es.append names something twice".to_owned());
        Lost
    })
}
