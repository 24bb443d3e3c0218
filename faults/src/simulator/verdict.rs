//! The judgement of a run: what was promised against what is there.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{
    plan::{MOST, TENANT, is_mirror, mirror_of},
    reader::{COPIES, MIRROR, SUMS},
    world::World,
};

/// Whether everybody was answered and every copy has come to the end.
pub(super) fn rests(world: &World) -> bool {
    let last = world.postgres.log.last();
    let here = &world.postgres.here;
    world.plan.open.is_empty()
        && !world.alarm
        && world.jetstream.is_quiet()
        && (world.jetstream.held(), world.jetstream.last()) == (last, last)
        && here.checkpoint(SUMS) == last
        && here.checkpoint(MIRROR) == last
        && world.postgres.elsewhere.checkpoint(COPIES) == last
}

/// What is still open when it should not be.
pub(super) fn unrest(world: &World) -> String {
    let here = &world.postgres.here;
    format!(
        "it does not come to rest: {} commands open, alarm {}, log at {}, stream {}, holding {}, sums {}, mirror {}, copies {}",
        world.plan.open.len(),
        world.alarm,
        world.postgres.log.last(),
        world.jetstream.last(),
        world.jetstream.held(),
        here.checkpoint(SUMS),
        here.checkpoint(MIRROR),
        world.postgres.elsewhere.checkpoint(COPIES),
    )
}

fn ensure(so: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if so { Ok(()) } else { Err(otherwise()) }
}

/// Judges a run that has come to rest.
pub(super) fn judge(world: &World) -> Result<(), String> {
    facts_are_in_order(world)?;
    commands_are_kept(world)?;
    answers_are_single(world)?;
    let log = &world.postgres.log;
    let stream = world.jetstream.stream.as_ref().map(|stream| &stream.messages[..]);
    let published = stream.unwrap_or_default().iter().map(Option::as_ref);
    let same = published.eq(log.facts().iter().map(Some));
    ensure(same, || "stream and log differ".to_owned())?;
    let mut rows = BTreeMap::<Uuid, (i64, i64)>::new();
    for fact in log.facts() {
        let (sum, facts) = rows.entry(fact.aggregate.1).or_default();
        (*sum, *facts) = (*sum + fact.event.by, *facts + 1);
    }
    let tables = [(SUMS, &world.postgres.here), (COPIES, &world.postgres.elsewhere)];
    for (name, tables) in tables {
        let shown = tables.rows.iter().filter(|((of, _), _)| *of == name);
        let shown = shown.map(|((_, id), row)| (*id, *row)).collect::<BTreeMap<_, _>>();
        ensure(shown == rows, || format!("{name} shows {shown:?}, a replay {rows:?}"))?;
    }
    Ok(())
}

fn facts_are_in_order(world: &World) -> Result<(), String> {
    let (mut heads, mut sums) = (BTreeMap::new(), BTreeMap::<Uuid, i64>::new());
    let mut holders = BTreeMap::new();
    for (position, fact) in (1..).zip(world.postgres.log.facts()) {
        let id = fact.aggregate.1;
        ensure(fact.position == position, || format!("{} stands at {position}", fact.position))?;
        let head = heads.entry(id).or_insert(0);
        *head += 1;
        ensure(fact.sequence == *head, || format!("{id} has {} after {head}", fact.sequence))?;
        let sum = sums.entry(id).or_default();
        *sum += fact.event.by;
        let judged = is_mirror(id) || *sum <= MOST;
        ensure(judged, || format!("{id} has {sum}, more than {MOST}: judged on an old state"))?;
        if let Some(key) = fact.event.key {
            let holder = *holders.entry(key).or_insert(id);
            ensure(holder == id, || format!("key {key} has two holders"))?;
        }
    }
    Ok(())
}

fn commands_are_kept(world: &World) -> Result<(), String> {
    let mut carried = BTreeMap::<Uuid, (i64, i64, (i64, i64))>::new();
    for fact in world.postgres.log.facts() {
        let (events, of, at) = carried.entry(fact.command).or_default();
        *events += 1;
        (*of, *at) = (fact.event.of, (fact.sequence, fact.position));
    }
    for (id, (events, of, _)) in &carried {
        ensure(events == of, || format!("command {id} has {events} events instead of {of}"))?;
        let known = world.postgres.log.carried_out(TENANT, *id).is_some();
        ensure(known, || format!("command {id} would not be recognised"))?;
    }
    for (id, told) in &world.plan.acknowledged {
        let there = carried.get(id).map(|(_, _, at)| at);
        ensure(there == Some(told), || {
            format!("command {id} was acknowledged at {told:?}, and is at {there:?}")
        })?;
    }
    for id in &world.plan.refused {
        ensure(!carried.contains_key(id), || format!("command {id} was refused, and carried out"))?;
    }
    Ok(())
}

fn answers_are_single(world: &World) -> Result<(), String> {
    let (mut asked, mut answered) = (BTreeMap::new(), BTreeSet::new());
    for fact in world.postgres.log.facts() {
        if fact.event.mirrored {
            asked.insert(fact.event.id, (mirror_of(fact.aggregate.1), fact.event.by));
        }
        if let Some(cause) = fact.event.cause {
            let answer = (fact.aggregate.1, fact.event.by);
            ensure(asked.get(&cause) == Some(&answer), || format!("{cause} was answered wrongly"))?;
            ensure(answered.insert(cause), || format!("{cause} was answered twice"))?;
        }
    }
    ensure(asked.len() == answered.len(), || {
        format!("{} of {} facts were answered", answered.len(), asked.len())
    })
}
