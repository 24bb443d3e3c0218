//! Facts and rows of a service in one transaction: both come to be, or neither.

use std::time::Duration;

use crate::counter::{Add, Counter, TooMuch, database, key, log, meta, owner, target};
use futures::future::join_all;
use meydan_event_log::{Committed, EventLog, ExecuteError, PLATFORM, Refusal, Target};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

/// A table of the service, as its migrations would make it.
async fn with_notes(log: &EventLog) {
    let notes = "CREATE TABLE notes (said text PRIMARY KEY)";
    sqlx::raw_sql(notes).execute(&mut owner(log).await).await.expect("the owner may");
}

/// A transaction that notes something.
async fn noting(log: &EventLog, said: &str) -> Transaction<'static, Postgres> {
    let mut rows = log.pool().begin().await.expect("it begins");
    let note = sqlx::query("INSERT INTO notes (said) VALUES ($1)").bind(said.to_owned());
    note.execute(&mut *rows).await.expect("it is new");
    rows
}

async fn notes(log: &EventLog) -> Vec<String> {
    let notes = sqlx::query_scalar("SELECT said FROM notes ORDER BY said").fetch_all(log.pool());
    notes.await.expect("it answers")
}

/// Notes something, and adds to a counter.
async fn add(
    log: &EventLog,
    said: &str,
    (id, by): (u128, i64),
    command: u128,
) -> Result<Committed, ExecuteError<Refusal>> {
    let rows = noting(log, said).await;
    let group = log.group(target(1).tenant).ask::<Counter>(target(id).id, Add(by));
    group.commit(rows, &meta(command)).await
}

#[tokio::test]
async fn rows_and_facts_come_to_be_together_and_readers_are_told() {
    let log = log().await;
    with_notes(&log).await;
    let mut head = log.head(0);

    let done = add(&log, "a", (1, 3), 1).await.expect("nothing is against it");

    assert_eq!((done.position, done.sequence, done.repeated), (1, 1, false));
    tokio::time::timeout(Duration::from_secs(20), head.changed())
        .await
        .expect("in time")
        .expect("told");
    assert_eq!(*head.borrow(), 1);
    assert_eq!(notes(&log).await, ["a"]);
    let next = log.execute::<Counter>(target(1), Add(1), &meta(2)).await.expect("it fits");
    assert_eq!((next.position, next.sequence), (2, 2));
}

#[tokio::test]
async fn a_refusal_takes_the_rows_back() {
    let log = log().await;
    with_notes(&log).await;

    let refused = add(&log, "a", (1, 1_001), 1).await;

    let Err(ExecuteError::Refused(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.downcast_ref(), Some(&TooMuch));
    assert!(notes(&log).await.is_empty());
    assert_eq!(log.last_position(0).await.expect("it answers"), 0);
}

#[tokio::test]
async fn a_command_that_comes_again_gets_the_first_answer_and_changes_no_row() {
    let log = log().await;
    with_notes(&log).await;
    let first = add(&log, "a", (1, 3), 1).await.expect("nothing is against it");
    add(&log, "b", (1, 3), 2).await.expect("nothing is against it");

    let again = add(&log, "c", (1, 3), 1).await.expect("it is known");
    // Whoever knows nothing of the counter finds out as well.
    let stranger = EventLog::open("counter", &log_url(&log), 2).await.expect("the log opens");
    let told = add(&stranger, "d", (1, 3), 1).await.expect("it is known");
    let elsewhere = add(&log, "e", (2, 3), 1).await;

    assert_eq!((again.position, again.repeated), (first.position, true));
    assert_eq!((told.position, told.repeated), (first.position, true));
    assert!(matches!(elsewhere, Err(ExecuteError::CommandIdTaken(_))), "{elsewhere:?}");
    assert_eq!(notes(&log).await, ["a", "b"]);
    assert_eq!(log.last_position(0).await.expect("it answers"), 2);
}

fn log_url(log: &EventLog) -> String {
    use sqlx::ConnectOptions;
    log.pool().connect_options().to_url_lossy().into()
}

#[tokio::test]
async fn a_key_that_is_taken_takes_the_rows_back_and_one_that_is_freed_with_them_is_free() {
    let log = log().await;
    with_notes(&log).await;
    let keys = [key("sara")];
    log.execute_with::<Counter>(target(1), Add(1), &meta(1), &keys).await.expect("it is free");

    let take = async |rows: Transaction<'static, Postgres>, command| {
        let mut group = log.group(PLATFORM);
        group.add::<Counter>(target(2), Add(1), (&keys, None));
        group.commit(rows, &meta(command)).await
    };
    let taken = take(noting(&log, "a").await, 2).await;
    let mut freeing = noting(&log, "b").await;
    let free = sqlx::query("DELETE FROM es.unique_keys WHERE aggregate_id = $1");
    free.bind(target(1).id).execute(&mut *freeing).await.expect("it may");
    let freed = take(freeing, 3).await;

    assert!(matches!(taken, Err(ExecuteError::KeyTaken)), "{taken:?}");
    assert!(freed.is_ok(), "{freed:?}");
    assert_eq!(notes(&log).await, ["b"]);
    assert_eq!(log.holder(&keys[0]).await.expect("it answers"), Some(target(2).id));
}

#[tokio::test]
async fn what_another_process_did_meanwhile_is_judged_anew_in_the_same_transaction() {
    let url = database().await;
    let open = || async { EventLog::open("counter", &url, 4).await.expect("the log opens") };
    let (log, rival) = (open().await, open().await);
    with_notes(&log).await;
    add(&log, "a", (1, 1), 1).await.expect("nothing is against it");
    rival.execute::<Counter>(target(1), Add(10), &meta(2)).await.expect("it fits");

    let done = add(&log, "b", (1, 100), 3).await.expect("it is judged on what is there");

    assert_eq!((done.position, done.sequence), (3, 3));
    assert_eq!(notes(&log).await, ["a", "b"]);
    let loaded = log.load::<Counter>(target(1)).await.expect("it can be read");
    assert_eq!(loaded.aggregate.sum, 111);
}

#[tokio::test]
async fn a_row_that_is_refused_at_the_very_end_leaves_no_fact_and_no_hole() {
    let log = log().await;
    with_notes(&log).await;
    let rule = "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation'; END $$;
                CREATE CONSTRAINT TRIGGER no AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW WHEN (NEW.said = 'bad') EXECUTE FUNCTION no()";
    sqlx::raw_sql(rule).execute(&mut owner(&log).await).await.expect("the owner may");

    let failed = add(&log, "bad", (1, 1), 1).await;
    let good = add(&log, "good", (1, 5), 1).await.expect("nobody has used the command's id");

    assert!(matches!(failed, Err(ExecuteError::Unavailable(Some(_)))), "{failed:?}");
    assert_eq!((good.position, good.sequence, good.repeated), (1, 1, false));
    assert_eq!(notes(&log).await, ["good"]);
    let loaded = log.load::<Counter>(target(1)).await.expect("it can be read");
    assert_eq!(loaded.aggregate.sum, 5, "what did not come to be is not remembered");
}

#[tokio::test]
async fn aggregates_of_several_tenants_answer_several_commands_in_order_under_their_own_origins() {
    let log = log().await;
    with_notes(&log).await;
    let other = Target { tenant: PLATFORM, id: Uuid::from_u128(9) };
    let mut from = meta(1);
    from.on_behalf_of = Some(Uuid::from_u128(7));

    let mut group = log.group(PLATFORM);
    group.add::<Counter>(target(1), Add(1), (&[key("one")], None));
    group.add::<Counter>(other, Add(2), (&[key("other")], Some(&from)));
    group.add::<Counter>(target(1), Add(3), (&[], None));
    let done = group.commit(noting(&log, "a").await, &meta(1)).await.expect("all is free");

    assert_eq!(done.position, 3);
    let facts = log.after(0, 0, 10).await.expect("it can be read");
    let said: Vec<_> = facts
        .iter()
        .map(|fact| (fact.tenant, fact.sequence, fact.payload.get().contains("\"by\":2")))
        .collect();
    let tenant = target(1).tenant;
    assert_eq!(said, [(tenant, 1, false), (tenant, 2, false), (PLATFORM, 1, true)]);
    assert_eq!(facts[2].meta.on_behalf_of, from.on_behalf_of);
    assert_eq!(facts[0].meta.on_behalf_of, None);
    assert_eq!(log.holder(&key("one")).await.expect("it answers"), Some(target(1).id));
    assert_eq!(log.holder(&key("other")).await.expect("it answers"), Some(other.id));
}

#[tokio::test]
async fn a_command_to_several_tenants_is_known_to_each_of_them_when_it_comes_again_to_fewer() {
    let log = log().await;
    with_notes(&log).await;
    let other = Target { tenant: PLATFORM, id: Uuid::from_u128(9) };
    let ask = |targets: &[Target]| {
        let mut group = log.group(PLATFORM);
        for one in targets {
            group.add::<Counter>(*one, Add(1), (&[], None));
        }
        group
    };
    let both = ask(&[target(1), other]).commit(noting(&log, "a").await, &meta(1)).await;
    let both = both.expect("nothing is against it");
    assert_eq!(both.position, 2);

    for fewer in [target(1), other] {
        let again = ask(&[fewer]).commit(noting(&log, "b").await, &meta(1)).await;
        let again = again.expect("it is known");
        assert_eq!((again.position, again.repeated), (2, true), "{fewer:?}");
        let again = ask(&[fewer]).execute(&meta(1)).await.expect("it is known");
        assert_eq!((again.position, again.repeated), (2, true), "{fewer:?}");
    }
    let stranger = log.execute::<Counter>(target(3), Add(1), &meta(1)).await;
    assert!(matches!(stranger, Err(ExecuteError::CommandIdTaken(_))), "{stranger:?}");
    assert_eq!(notes(&log).await, ["a"]);
    assert_eq!(log.last_position(0).await.expect("it answers"), 2);
}

#[tokio::test]
async fn rows_whose_command_changes_nothing_are_committed_alone() {
    let log = log().await;
    with_notes(&log).await;

    let done = log.group(PLATFORM).commit(noting(&log, "a").await, &meta(1)).await;

    assert_eq!(done.expect("nobody is asked").position, 0);
    assert_eq!(notes(&log).await, ["a"]);
}

#[tokio::test]
async fn positions_stay_gapless_when_transactions_and_the_batcher_append_at_once() {
    let log = log().await;
    with_notes(&log).await;

    let commands = (0..200_u128).map(|n| {
        let log = log.clone();
        async move {
            if n % 2 == 0 {
                add(&log, &format!("{n:03}"), (n % 5, 1), 1_000 + n).await.expect("in turn");
            } else {
                let meta = meta(1_000 + n);
                log.execute::<Counter>(target(n % 5), Add(1), &meta).await.expect("in turn");
            }
        }
    });
    join_all(commands).await;

    let facts = log.after(0, 0, 1_000).await.expect("it can be read");
    let positions: Vec<_> = facts.iter().map(|fact| fact.position).collect();
    assert_eq!(positions, (1..=200).collect::<Vec<i64>>());
    assert_eq!(notes(&log).await.len(), 100);
    for id in 0..5 {
        let of_one = facts.iter().filter(|fact| fact.aggregate_id == Uuid::from_u128(id));
        let sequences: Vec<_> = of_one.map(|fact| fact.sequence).collect();
        assert_eq!(sequences, (1..=40).collect::<Vec<i64>>());
    }
}
