//! What operators do is on record, or is not done: also when nobody reads what they are told, when something goes wrong
//! on the way, when they are killed, and when the broker is away.

use std::process::Stdio;

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use meydan_testkit::{ports, process::Ground};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::process::Child;

use crate::{
    damage::{PATIENCE, at_rest, end, forget, jetstream},
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

/// A command that has begun, and that nobody reads.
fn begun(ground: &Ground, arguments: &[&str]) -> Child {
    let mut command = ground.command(PROGRAM, arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("the program starts")
}

/// How often an act is on record.
async fn on_record(ground: &Ground, act: &str) -> i64 {
    noted(&database(ground, "identity").await, act).await
}

/// The same, as one who looks often.
async fn noted(identity: &PgPool, act: &str) -> i64 {
    let facts = "SELECT count(*) FROM es.events WHERE event_type = 'operation.' || $1";
    let facts = sqlx::query_scalar(facts).bind(act).fetch_one(identity).await;
    facts.expect("it answers")
}

/// Does to a database what only its owner may.
async fn run(database: &PgPool, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(database).await.expect("the owner may");
}

/// Has the record refuse an act, until [`take`].
async fn refuse(identity: &PgPool, act: &str) {
    let trap = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON es.events
           FOR EACH ROW WHEN (NEW.event_type = 'operation.{act}') EXECUTE FUNCTION refuse()"
    );
    run(identity, trap).await;
}

/// Has it take everything again.
async fn take(identity: &PgPool) {
    run(identity, "DROP TRIGGER refuse ON es.events; DROP FUNCTION refuse".to_owned()).await;
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
        let help = meydan(&ground, &[act, &["--help"]].concat()).await.expect("it helps");
        assert!(help.contains("put on record, or not done: the broker"), "{act:?}: {help}");
    }
    assert_eq!(state(&ground).await, before);

    ground.settings.insert("MEYDAN_NATS_URL", broker);
    meydan(&ground, &switch).await.expect("they are put in place");
    meydan(&ground, &rollback).await.expect("the old ones are kept");
    assert_eq!(on_record(&ground, "tables_exchanged").await, 3);
}

#[tokio::test]
async fn a_campaign_is_told_of_a_new_key_as_often_as_it_got_one() {
    let (ground, _) = at_rest().await;
    let (keys, identity) = (database(&ground, "keys").await, database(&ground, "identity").await);
    let rotate = ["keys", "rotate", "--campaign", "tehran"];
    let fail = "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$";
    run(&keys, fail.to_owned()).await;
    // The first one has added a key, and ends there; the second finds two, and adds none.
    for step in ["UPDATE ON subject_keys", "INSERT ON campaign_keys"] {
        let trap = format!("CREATE TRIGGER stop BEFORE {step} EXECUTE FUNCTION stop()");
        run(&keys, trap).await;

        let (code, printed, told) = end(&ground, &rotate).await;

        assert_eq!(code, 1, "{step}: {told}");
        assert!(told.contains("the key of campaign"), "{step}: {told}");
        let has_one = printed.contains("does not wrap all that it should yet: rotate it once more");
        assert_eq!(has_one, step.starts_with("UPDATE"), "{step}: {printed}");
        assert_eq!(noted(&identity, "keys_rotated").await, 1, "{step}");
        let table = step.rsplit(' ').next().expect("it names one");
        run(&keys, format!("DROP TRIGGER stop ON {table}")).await;
    }
    meydan(&ground, &rotate).await.expect("nothing is in the way");
    assert_eq!(noted(&identity, "keys_rotated").await, 2);
}

#[tokio::test]
async fn a_rotation_that_could_not_be_put_on_record_is_put_there_once_by_the_next() {
    let (ground, _) = at_rest().await;
    let identity = database(&ground, "identity").await;
    let mut before = 0;
    for rotate in
        [&["keys", "rotate", "--platform"][..], &["keys", "rotate", "--campaign", "tehran"]]
    {
        refuse(&identity, "keys_rotated").await;
        let (code, printed, told) = end(&ground, rotate).await;
        assert_eq!(code, 1, "{printed}");
        assert!(told.contains("it is done, but could not be put on record"), "{told}");
        assert!(!printed.is_empty(), "what was done is told: {rotate:?}");
        let told = meydan(&ground, rotate).await.expect_err("the record has to know first");
        assert!(told.contains("nothing was exchanged now"), "{told}");
        assert_eq!(noted(&identity, "keys_rotated").await, before, "{rotate:?}");
        take(&identity).await;

        meydan(&ground, rotate).await.expect("nothing is in the way");
        before += 2;
        assert_eq!(noted(&identity, "keys_rotated").await, before, "that and its own: {rotate:?}");
    }
}

#[tokio::test]
async fn a_repair_that_cannot_be_put_on_record_is_not_begun_and_is_on_it_once_when_it_can() {
    let (ground, _) = at_rest().await;
    let identity = database(&ground, "identity").await;
    forget(&ground, "position = 3").await;
    refuse(&identity, "log_repaired").await;

    let told = meydan(&ground, &["relay", "repair", "crm"]).await.expect_err("it is refused");

    assert!(told.contains("nothing was done, because it could not"), "{told}");
    let (code, table, _) = end(&ground, &["relay", "status", "crm"]).await;
    assert!(code == 1 && table.contains("holds facts that the log lacks: 1"), "{table}");
    take(&identity).await;
    for _ in 0..2 {
        meydan(&ground, &["relay", "repair", "crm"]).await.expect("nothing is in the way");
        assert_eq!(noted(&identity, "log_repaired").await, 1);
    }
}

#[tokio::test]
async fn what_was_begun_is_on_record_also_when_the_command_is_killed() {
    let (ground, _) = at_rest().await;
    let (broker, identity) = (jetstream(&ground).await, database(&ground, "identity").await);
    // As long as somebody else leads, nothing is published into the new stream.
    let mut leader = database(&ground, "crm").await.acquire().await.expect("a session").detach();
    let lead = sqlx::raw_sql("SELECT pg_advisory_lock(7101, 0)");
    lead.execute(&mut leader).await.expect("nobody else leads");
    let discard = ["relay", "repair", "crm", "--discard-stream", "--force"];
    let mut discarding = begun(&ground, &discard);
    let gone = async { while broker.get_stream("ES_CRM").await.is_ok() {} };
    tokio::time::timeout(PATIENCE, gone).await.expect("the stream is thrown away");
    discarding.kill().await.expect("it can be killed");
    assert_eq!(noted(&identity, "stream_discarded").await, 1);

    // Nothing is wrapped anew as long as somebody holds the table.
    let keys = database(&ground, "keys").await;
    let mut holder = keys.begin().await.expect("it begins");
    let hold = sqlx::raw_sql("LOCK TABLE subject_keys").execute(&mut *holder);
    hold.await.expect("the owner may");
    let mut rotating = begun(&ground, &["keys", "rotate", "--campaign", "tehran"]);
    let told = async { while noted(&identity, "keys_rotated").await == 0 {} };
    tokio::time::timeout(PATIENCE, told).await.expect("it is on record before all is done");
    rotating.kill().await.expect("it can be killed");
    holder.rollback().await.expect("it lets go");
    let two = "SELECT count(*) FROM campaign_keys WHERE version = 2";
    let two = sqlx::query_scalar::<_, i64>(two).fetch_one(&keys).await;
    assert_eq!(two.expect("it answers"), 1, "the campaign has a new key");
    assert_eq!(noted(&identity, "keys_rotated").await, 1);
}

#[tokio::test]
async fn what_was_published_before_a_stream_takes_no_more_is_on_record_and_told() {
    let (ground, stream) = at_rest().await;
    let broker = jetstream(&ground).await;
    let config = stream.cached_info().config.clone();
    broker.delete_stream(&config.name).await.expect("it can be deleted");
    let small = Config { max_messages: 3, discard: DiscardPolicy::New, ..config };
    broker.create_stream(small).await.expect("there is room for three");

    let (code, printed, told) = end(&ground, &["relay", "repair", "crm"]).await;

    assert_eq!(code, 1, "{printed}");
    assert!(told.contains("the stream does not grow"), "{told}");
    assert!(printed.contains("messages that ES_CRM lacked and has now: 3\n"), "{printed}");
    assert_eq!(on_record(&ground, "log_repaired").await, 1);
}
