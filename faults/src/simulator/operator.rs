//! The operator: restores PostgreSQL from a backup, and comes when a relay calls.
//!
//! As `repair.rs` of the log: the stream gives back what the backup lacks, unless the log has gone another way;
//! then the stream is thrown away, and whoever has read it is grown again.

use super::{
    Rule,
    plan::{Added, Recorded, keys},
    postgres::{Lost, Postgres, Session},
    world::Scope,
};

/// Facts copied at a time.
const PAGE: usize = 3;

/// Waits for the alarm, and mends what is wrong.
pub(super) async fn mend(scope: Scope) {
    loop {
        scope.pause(20).await;
        if !scope.world().alarm {
            continue;
        }
        let session = scope.session().await;
        let said = repair(&scope, session).await;
        scope.note(|| format!("has repaired: {said:?}"));
        scope.close(session);
        if matches!(said, Ok(())) {
            let mut world = scope.world();
            (world.alarm, world.closed) = (false, false);
        }
    }
}

async fn repair(scope: &Scope, session: Session) -> Result<(), Lost> {
    if scope.world().jetstream.down {
        return Err(Lost);
    }
    loop {
        let recorded = scope.ask(session, |postgres| postgres.log.last()).await?;
        let (facts, differs) = {
            let world = scope.world();
            let messages = world.jetstream.stream.as_ref().map(|stream| &stream.messages[..]);
            let messages = messages.unwrap_or_default();
            let differs = messages
                .iter()
                .zip(world.postgres.log.facts())
                .any(|(one, other)| one.as_ref().is_some_and(|one| one != other));
            let from = usize::try_from(recorded).expect("positions are positive");
            let page = messages.iter().skip(from).map_while(Clone::clone).take(PAGE);
            (page.collect::<Vec<Recorded>>(), differs)
        };
        if differs {
            return discard(scope);
        }
        if facts.is_empty() {
            return Ok(());
        }
        let gives_keys = scope.world().holds(Rule::KeysGivenBack);
        // Only if the log still ends where it ended.
        let put_back = |postgres: &mut Postgres| {
            let same = postgres.log.last() == recorded;
            if same {
                let keys_of = |event: &Added| if gives_keys { keys(event.key) } else { vec![] };
                postgres.log.put_back(&facts, keys_of);
            }
            same
        };
        scope.note(|| format!("puts {} facts back after {recorded}", facts.len()));
        scope.ask(session, put_back).await?;
    }
}

/// Throws the stream away, and what another context made of it. Its reader is stopped for that: it may hold
/// facts of the old stream.
fn discard(scope: &Scope) -> Result<(), Lost> {
    scope.note(|| "throws the stream away".to_owned());
    let mut world = scope.world();
    if world.jetstream.down {
        return Err(Lost);
    }
    world.jetstream.delete();
    world.postgres.end_all();
    world.postgres.elsewhere = super::postgres::Tables::default();
    Ok(())
}
