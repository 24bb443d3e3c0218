//! What operators do is on record, or is not done: also when nobody reads what they are told, when something goes wrong
//! on the way, and when the broker is away.

use std::process::Stdio;

use meydan_testkit::{ports, process::Ground};

use crate::{
    damage::{at_rest, end, forget, jetstream},
    erase::database,
    office::PROGRAM,
    operate::{found, meydan},
};

/// With what a command ends whose reader has left before it says anything.
async fn unread(ground: &Ground, arguments: &[&str]) -> Option<i32> {
    let (reader, writer) = std::io::pipe().expect("there is room");
    drop(reader);
    let mut command = ground.command(PROGRAM, arguments);
    let started = command.stdout(writer).stderr(Stdio::piped()).spawn();
    let ended = started.expect("the program starts").wait_with_output().await;
    ended.expect("it ends").status.code()
}

/// How often an act is on record.
async fn on_record(ground: &Ground, act: &str) -> i64 {
    let facts = "SELECT count(*) FROM es.events WHERE event_type = 'operation.' || $1";
    let facts = sqlx::query_scalar(facts).bind(act);
    facts.fetch_one(&database(ground, "identity").await).await.expect("it answers")
}

#[tokio::test]
async fn a_reader_who_leaves_changes_neither_what_is_found_nor_what_is_on_record() {
    let (ground, _) = at_rest().await;
    let compare = [&["verify"][..], &["relay", "status"]];
    for command in compare {
        assert_eq!(unread(&ground, command).await, Some(0), "{command:?}");
    }
    forget(&ground, "position = 3").await;
    for command in compare {
        assert_eq!(unread(&ground, command).await, Some(1), "{command:?}");
    }

    assert_eq!(unread(&ground, &["relay", "repair", "crm"]).await, Some(0));
    assert_eq!(on_record(&ground, "log_repaired").await, 1);
    meydan(&ground, &["relay", "repair", "crm"]).await.expect("all agrees");
    assert_eq!(on_record(&ground, "log_repaired").await, 1, "and nothing was done");
    assert_eq!(unread(&ground, &["keys", "rotate", "--campaign", "tehran"]).await, Some(0));
    assert_eq!(on_record(&ground, "keys_rotated").await, 1);
}

#[tokio::test]
async fn what_was_done_before_something_went_wrong_is_on_record_and_told() {
    let (mut ground, stream) = at_rest().await;
    let last = stream.cached_info().state.last_sequence;
    forget(&ground, &format!("position IN (3, {last})")).await;
    // What the last fact did to unique keys cannot be told by it; nothing asks that of one in between.
    let other = ground.data().join("secrets/other.key").display().to_string();
    ground.settings.insert("MEYDAN_PLATFORM_KEY_FILE", other);
    let (code, printed, told) = end(&ground, &["relay", "repair", "crm"]).await;
    assert_eq!(code, 1, "{told}");
    assert!(printed.starts_with("facts given back to crm: 1\n"), "{printed}");
    assert!(told.contains(&format!("keys of the fact at position {last}")), "{told}");
    assert_eq!(on_record(&ground, "log_repaired").await, 1);
    ground.settings.remove("MEYDAN_PLATFORM_KEY_FILE");

    let broken = "UPDATE campaign_keys SET wrapped = sha256(wrapped)
                  WHERE tenant_id <> '00000000-0000-0000-0000-000000000000'";
    let keys = database(&ground, "keys").await;
    sqlx::raw_sql(broken).execute(&keys).await.expect("the owner may");
    let (code, printed, told) = end(&ground, &["keys", "rotate", "--platform"]).await;
    assert_eq!(code, 1, "{told}");
    assert!(printed.contains("does not wrap the keys of all campaigns yet"), "{printed}");
    assert!(printed.contains("keep a copy of"), "the file has a new version: {printed}");
    assert_eq!(on_record(&ground, "keys_rotated").await, 1);
}

#[tokio::test]
async fn without_the_broker_or_the_whole_log_of_identity_nothing_is_done_that_would_be_on_record() {
    let (mut ground, _) = at_rest().await;
    let somebody = jetstream(&ground).await;
    let sent = somebody.publish("es.identity.somebody", "hello".into()).await.expect("it is sent");
    sent.await.expect("the stream takes it");
    let rotate = ["keys", "rotate", "--platform"];
    let told = meydan(&ground, &rotate).await.expect_err("it would have no place");
    assert!(told.contains("nothing was done, because it could not be put on record"), "{told}");
    assert!(told.contains("identity lacks nothing by that"), "{told}");
    let discard = ["relay", "repair", "identity", "--discard-stream"];
    meydan(&ground, &discard).await.expect("the log has every fact");
    assert_eq!(on_record(&ground, "stream_discarded").await, 1);

    let rebuild = ["projection", "rebuild", "crm", "--switch"];
    meydan(&ground, &rebuild).await.expect("they grow, and the old ones are kept");
    meydan(&ground, &rebuild[..3]).await.expect("others grow beside them");
    let state = async |ground: &Ground| {
        let tables = found(ground, &["projection", "list", "crm"]).await;
        (tables, found(ground, &["keys", "list"]).await)
    };
    let before = state(&ground).await;
    let nowhere = format!("nats://127.0.0.1:{}", ports::free());
    let broker = ground.settings.insert("MEYDAN_NATS_URL", nowhere).expect("there was one");
    let (switch, rollback) = (["projection", "switch", "crm"], ["projection", "rollback", "crm"]);
    for act in [&switch[..], &rollback, &rebuild, &rotate, &["relay", "repair", "crm"]] {
        let told = meydan(&ground, act).await.expect_err("it could not be put on record");
        assert!(told.contains("nothing was done, because it could not"), "{act:?}: {told}");
        assert!(told.contains("NATS cannot be reached"), "{act:?}: {told}");
    }
    assert_eq!(state(&ground).await, before);

    ground.settings.insert("MEYDAN_NATS_URL", broker);
    meydan(&ground, &switch).await.expect("they are put in place");
    meydan(&ground, &rollback).await.expect("the old ones are kept");
    assert_eq!(on_record(&ground, "tables_exchanged").await, 3);
}
