//! A restored log: what the stream gives back includes the unique keys that the facts took.

use std::collections::BTreeSet;

use async_nats::jetstream;
use meydan_event_log::{
    EventLog, ExecuteError, KeyChange, PLATFORM, Recorded, RepairError, Target, UniqueKey,
    recover_from_stream,
};
use meydan_testkit::servers::Nats;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    counter::{Add, Counted, Counter, database, key, meta, owner, target},
    stream::{Publishing, agree, restore},
};

/// What is added to let go of all keys; what is less takes the key of that number.
const LET_GO: i64 = 500;

fn name(number: i64) -> UniqueKey {
    key(&number.to_string())
}

/// As a context tells it: from the fact alone.
async fn told(fact: &Recorded) -> Result<Vec<KeyChange>, Box<dyn std::error::Error + Send + Sync>> {
    let mut changes = Vec::new();
    for Counted::Added { by } in fact.decode()? {
        let UniqueKey { tenant, scope, .. } = name(by);
        changes.push(match by {
            LET_GO => KeyChange::AllReleased { tenant, scope },
            number => KeyChange::Taken(name(number)),
        });
    }
    Ok(changes)
}

async fn take(log: &EventLog, who: u128, number: i64) {
    let said = log
        .execute_with::<Counter>(
            target(who),
            Add(number),
            &meta((who << 64) | u128::from(number.unsigned_abs())),
            &[name(number)],
        )
        .await;
    said.expect("the key is free");
}

async fn holders(log: &EventLog) -> BTreeSet<(Vec<u8>, Uuid)> {
    let all = sqlx::query_as("SELECT key, aggregate_id FROM es.unique_keys").fetch_all(log.pool());
    all.await.expect("it answers").into_iter().collect()
}

#[tokio::test]
async fn keys_that_were_taken_or_let_go_after_the_backup_are_as_they_were() {
    let (url, nats) = (database().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    let publishing = Publishing::start(&log, &jetstream, 0);
    take(&log, 1, 101).await;
    take(&log, 2, 102).await;
    let in_the_backup = holders(&log).await;
    take(&log, 3, 103).await;
    log.execute::<Counter>(target(1), Add(LET_GO), &meta(7)).await.expect("it fits");
    let let_go = "DELETE FROM es.unique_keys WHERE key = $1";
    sqlx::query(let_go).bind(name(101).key).execute(log.pool()).await.expect("a service may");
    take(&log, 4, 101).await;
    let before = holders(&log).await;
    agree(&log, &jetstream, 0).await;
    publishing.end().await;

    restore(&log, 2).await;
    let mut session = owner(&log).await;
    sqlx::raw_sql("DELETE FROM es.unique_keys").execute(&mut session).await.expect("it may");
    for (key, holder) in &in_the_backup {
        let row = format!(
            "INSERT INTO es.unique_keys VALUES ('{}', 'counter.name', $1, 'counter', $2)",
            Uuid::nil()
        );
        let row = sqlx::query(AssertSqlSafe(row)).bind(key).bind(holder);
        row.execute(&mut session).await.expect("it may");
    }
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");

    let silent = recover_from_stream(
        &log,
        &jetstream,
        0,
        async |_| Err("no keys".into()),
        |_, _| {},
        async || Ok(()),
    );
    assert!(matches!(silent.await, Err(RepairError::Keys(3, _))));
    assert_eq!(log.last_position(0).await.expect("it answers"), 2);

    let back = recover_from_stream(&log, &jetstream, 0, told, |_, _| {}, async || Ok(())).await;
    assert_eq!(back.expect("nothing differs"), 3);
    assert_eq!(holders(&log).await, before);
    for number in [101, 102, 103] {
        let other =
            log.execute_with::<Counter>(target(9), Add(1), &meta(99), &[name(number)]).await;
        assert!(matches!(other, Err(ExecuteError::KeyTaken)), "{number}: {other:?}");
    }
}

#[tokio::test]
async fn a_command_to_several_tenants_that_came_back_is_known_to_each_of_them() {
    let (url, nats) = (database().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    let publishing = Publishing::start(&log, &jetstream, 0);
    let other = Target { tenant: Uuid::from_u128(8), id: Uuid::from_u128(9) };
    for command in 1..=2 {
        let mut group = log.group(PLATFORM);
        group.add::<Counter>(target(1), Add(1), (&[], None));
        group.add::<Counter>(other, Add(1), (&[], None));
        group.execute(&meta(command)).await.expect("nothing is against it");
    }
    agree(&log, &jetstream, 0).await;
    publishing.end().await;

    // As where the stream was read to between the facts of the second command.
    restore(&log, 3).await;
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    let back =
        recover_from_stream(&log, &jetstream, 0, async |_| Ok(vec![]), |_, _| {}, async || Ok(()))
            .await;

    assert_eq!(back.expect("nothing differs"), 1);
    for fewer in [target(1), other] {
        let mut group = log.group(PLATFORM);
        group.add::<Counter>(fewer, Add(1), (&[], None));
        let again = group.execute(&meta(2)).await.expect("it is known");
        assert_eq!((again.position, again.repeated), (4, true), "{fewer:?}");
    }
}

#[tokio::test]
async fn two_commands_under_one_id_that_came_back_are_answered_each_as_its_own() {
    let (url, nats) = (database().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    let publishing = Publishing::start(&log, &jetstream, 0);
    let other = Target { tenant: Uuid::from_u128(8), id: Uuid::from_u128(9) };
    // One page that acts in several campaigns sends one id to each; between two of them others act.
    let sent = [(target(1), 1), (target(2), 2), (other, 1)];
    for (whose, command) in sent {
        log.execute::<Counter>(whose, Add(1), &meta(command)).await.expect("it fits");
    }
    agree(&log, &jetstream, 0).await;
    publishing.end().await;

    restore(&log, 0).await;
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    let back =
        recover_from_stream(&log, &jetstream, 0, async |_| Ok(vec![]), |_, _| {}, async || Ok(()))
            .await;

    assert_eq!(back.expect("nothing differs"), 3);
    for (position, (whose, command)) in (1..).zip(sent) {
        let again = log.execute::<Counter>(whose, Add(1), &meta(command)).await;
        let again = again.expect("it is known");
        assert_eq!((again.position, again.repeated), (position, true), "{whose:?}");
    }
}

#[tokio::test]
async fn two_commands_under_one_id_with_nothing_between_are_both_known_by_the_answer_of_the_later()
{
    let (url, nats) = (database().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    let publishing = Publishing::start(&log, &jetstream, 0);
    let both = [target(1), Target { tenant: Uuid::from_u128(8), id: Uuid::from_u128(9) }];
    for (position, whose) in (1..).zip(both) {
        let done = log.execute::<Counter>(whose, Add(1), &meta(1)).await.expect("it fits");
        assert_eq!((done.position, done.repeated), (position, false), "{whose:?}");
    }
    agree(&log, &jetstream, 0).await;
    publishing.end().await;

    restore(&log, 0).await;
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    let back =
        recover_from_stream(&log, &jetstream, 0, async |_| Ok(vec![]), |_, _| {}, async || Ok(()))
            .await;

    assert_eq!(back.expect("nothing differs"), 2);
    for whose in both {
        let again = log.execute::<Counter>(whose, Add(1), &meta(1)).await.expect("it is known");
        assert_eq!((again.position, again.repeated), (2, true), "{whose:?}");
    }
    assert_eq!(log.last_position(0).await.expect("it answers"), 2, "nothing was done twice");
}
