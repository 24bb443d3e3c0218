//! Logs, streams and read models that were damaged: the commands find out what is wrong, say how it is mended,
//! and mend it.

use std::{collections::BTreeSet, path::Path, time::Duration};

use async_nats::jetstream::{self, stream::Stream};
use meydan_event_log::{EventLog, Rebuild};
use meydan_testkit::process::{Ground, Meydan};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection};

use crate::{
    erase::database,
    office::{Office, PROGRAM},
    operate::{busy, found, meydan},
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const STREAM: &str = "ES_CRM";

/// What is left of a busy office after its program was killed.
pub(crate) async fn at_rest() -> (Ground, Stream) {
    let Office { ground, meydan, .. } = busy().await;
    // Whatever was recorded is published before it ends.
    published(&ground).await;
    meydan.kill().await;
    let stream = crm_stream(&ground).await;
    (ground, stream)
}

pub(crate) async fn jetstream(ground: &Ground) -> jetstream::Context {
    jetstream::new(ground.nats().connect().await)
}

async fn crm_stream(ground: &Ground) -> Stream {
    jetstream(ground).await.get_stream(STREAM).await.expect("there is a stream")
}

/// Waits until every stream holds its whole log.
pub(crate) async fn published(ground: &Ground) {
    let waiting = async {
        loop {
            let Ok(told) = meydan(ground, &["relay", "status", "--json"]).await else { continue };
            let streams: Value = serde_json::from_str(&told).expect("it is JSON");
            if streams.as_array().expect("a list").iter().all(|one| one["behind"] == 0) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the streams are whole");
}

/// With what a command ends, what it prints and what it complains of.
pub(crate) async fn end(ground: &Ground, arguments: &[&str]) -> (i32, String, String) {
    let run = ground.command(PROGRAM, arguments).output().await.expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    (run.status.code().expect("it ends by itself"), text(run.stdout), text(run.stderr))
}

/// What a program has written into its log once that holds `words`.
pub(crate) async fn tells(log: &Path, words: &str) -> String {
    let told = async {
        loop {
            let told = std::fs::read_to_string(log).unwrap_or_default();
            if told.contains(words) {
                return told;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("it says so")
}

async fn id_at(stream: &Stream, position: u64) -> String {
    let message = stream.get_raw_message(position).await.expect("it is there");
    message.headers.get("Nats-Msg-Id").expect("it has a name").to_string()
}

/// Takes facts out of the log of crm, against every rule.
pub(crate) async fn forget(ground: &Ground, which: &str) {
    let forget = format!(
        "SET session_replication_role = replica; DELETE FROM es.events WHERE {which};
         SET session_replication_role = origin"
    );
    let done = sqlx::raw_sql(AssertSqlSafe(forget)).execute(&database(ground, "crm").await).await;
    done.expect("the owner may");
}

/// That both commands which compare find `words` wrong with the stream, and nothing else with anything.
pub(crate) async fn is_found_out(ground: &Ground, words: &str) {
    let (code, table, told) = end(ground, &["relay", "status"]).await;
    assert_eq!(code, 1, "{told}");
    assert!(table.contains(words), "{table}");
    assert!(told.contains(&format!("{STREAM} {words}")), "{told}");
    assert!(told.contains("meydan relay repair crm"), "{told}");
    assert_eq!(table.matches("agrees").count(), 2, "{table}");
    let (code, document, told) = end(ground, &["verify", "--no-tables", "--json"]).await;
    let document: Value = serde_json::from_str(&document).expect("it is JSON");
    let wrong = document["wrong"].as_array().expect("a list");
    assert_eq!((code, wrong.len()), (1, 1), "{document} {told}");
    assert!(wrong[0].as_str().is_some_and(|wrong| wrong.contains(words)), "{document}");
}

#[tokio::test]
async fn whatever_a_stream_has_lost_is_found_out_and_published_again_under_the_same_numbers() {
    let (ground, stream) = at_rest().await;
    let last = stream.cached_info().state.last_sequence;
    let (one, middle) = (id_at(&stream, 1).await, id_at(&stream, 3).await);
    let mended = async |lacked: u64| {
        let told = meydan(&ground, &["relay", "repair", "crm", "--json"]).await.expect("it mends");
        let told: Value = serde_json::from_str(&told).expect("it is JSON");
        assert_eq!((&told["recovered"], &told["published_again"]), (&0.into(), &lacked.into()));
        found(&ground, &["relay", "status"]).await;
        found(&ground, &["verify", "--no-tables"]).await;
        let stream = crm_stream(&ground).await;
        let state = &stream.cached_info().state;
        assert_eq!((state.messages, state.last_sequence), (last, last));
        assert_eq!(
            (id_at(&stream, 1).await, id_at(&stream, 3).await),
            (one.clone(), middle.clone())
        );
    };

    stream.purge().await.expect("it can be purged");
    is_found_out(&ground, &format!("lacks messages that the log has: {last}, the first at 1"))
        .await;
    mended(last).await;

    crm_stream(&ground).await.delete_message(last).await.expect("it can be deleted");
    is_found_out(&ground, &format!("lacks messages that the log has: 1, the first at {last}"))
        .await;
    mended(1).await;

    crm_stream(&ground).await.delete_message(3).await.expect("it can be deleted");
    is_found_out(&ground, "lacks messages that the log has: 1, the first at 3").await;
    mended(1).await;

    jetstream(&ground).await.delete_stream(STREAM).await.expect("it can be deleted");
    is_found_out(&ground, "is not there").await;
    mended(last).await;
}

#[tokio::test]
async fn a_running_platform_mends_a_stream_that_has_lost_messages_by_itself() {
    let office = busy().await;
    let ground = &office.ground;
    published(ground).await;

    crm_stream(ground).await.purge().await.expect("it can be purged");
    published(ground).await;
    jetstream(ground).await.delete_stream(STREAM).await.expect("it can be deleted");
    published(ground).await;

    let told = meydan(ground, &["relay", "repair", "crm", "--discard-stream"]).await;
    assert!(told.expect_err("nothing is wrong with it").contains("agrees with its log"));
    for _ in 0..2 {
        let force = ["relay", "repair", "crm", "--discard-stream", "--force"];
        meydan(ground, &force).await.expect("whoever insists may");
        found(ground, &["relay", "status"]).await;
    }
    office.answer(1001, "پاسخ دوم").await;
    office.owner.until("/c/tehran/inbox/1001/messages", "delivery is-sent").await;
    office.meydan.stop().await;
}

#[tokio::test]
async fn a_log_gets_single_facts_back_that_only_its_stream_has() {
    let (ground, _) = at_rest().await;
    let before = found(&ground, &["log", "show", "crm", "3"]).await;
    forget(&ground, "position = 3").await;

    let told = meydan(&ground, &["relay", "status", "crm"]).await.expect_err("one is missing");
    assert!(told.contains("holds facts that the log lacks: 1, the first at 3"), "{told}");
    let told = meydan(&ground, &["verify", "crm"]).await.expect_err("one is missing");
    assert!(!told.contains("projection rebuild"), "tables are not what is to be mended: {told}");
    let discard = ["relay", "repair", "crm", "--discard-stream"];
    let told = meydan(&ground, &discard).await.expect_err("it is the last copy");
    assert!(told.contains("can get back: `meydan relay repair crm`"), "{told}");
    let rebuild = ["projection", "rebuild", "crm", "--switch"];
    let told = meydan(&ground, &rebuild).await.expect_err("the tables would lack it");
    assert!(told.contains("the log of crm lacks facts"), "{told}");
    let told = meydan(&ground, &["relay", "repair", "crm"]).await.expect("the stream has it");
    assert!(told.starts_with("facts given back to crm: 1"), "{told}");

    assert_eq!(found(&ground, &["log", "show", "crm", "3"]).await, before);
    found(&ground, &["verify"]).await;
}

#[tokio::test]
async fn what_neither_log_nor_stream_has_is_said_to_be_lost() {
    let (ground, stream) = at_rest().await;
    let last = stream.cached_info().state.last_sequence;
    forget(&ground, "position = 3").await;
    stream.delete_message(3).await.expect("it can be deleted");

    let told = meydan(&ground, &["relay", "repair", "crm"]).await.expect_err("it is lost");
    assert!(
        told.contains("neither in the log nor on the stream: 1, the first at position 3"),
        "{told}"
    );
    let discard = ["relay", "repair", "crm", "--discard-stream"];
    let told = meydan(&ground, &discard).await.expect_err("the others would be gone, too");
    assert!(told.contains("before which ES_CRM would end"), "{told}");
    assert_eq!(crm_stream(&ground).await.cached_info().state.messages, last - 1);
}

#[tokio::test]
async fn a_log_whose_end_nobody_has_goes_on_without_it_when_an_operator_says_so() {
    let (ground, stream) = at_rest().await;
    let last = stream.cached_info().state.last_sequence;
    forget(&ground, &format!("position = {last}")).await;
    stream.purge().await.expect("it can be purged");

    let told = meydan(&ground, &["relay", "repair", "crm"]).await.expect_err("it is lost");
    assert!(told.contains(&format!("the fact at position {last} was published")), "{told}");
    let discard = ["relay", "repair", "crm", "--discard-stream"];
    meydan(&ground, &discard).await.expect("an operator may");

    found(&ground, &["relay", "status"]).await;
    assert_eq!(crm_stream(&ground).await.cached_info().state.last_sequence, last - 1);
}

/// Waits until each log has a stream, which it gets soon after the pages are up.
async fn streams_are_made(ground: &Ground) {
    let broker = jetstream(ground).await;
    let made = async {
        for stream in ["ES_IDENTITY", "ES_CRM", "ES_BOT_HUB"] {
            while broker.get_stream(stream).await.is_err() {}
        }
    };
    tokio::time::timeout(PATIENCE, made).await.expect("each has one in the end");
}

#[tokio::test]
async fn a_platform_on_which_nothing_has_happened_yet_agrees() {
    let ground = Ground::prepare("http://127.0.0.1:9").await;
    let platform = Meydan::start(PROGRAM, &ground).await;
    streams_are_made(&ground).await;
    found(&ground, &["relay", "status"]).await;
    found(&ground, &["verify"]).await;
    meydan(&ground, &["projection", "rebuild", "crm"]).await.expect("there is nothing to take in");
    let kinds = async || {
        let all = found(&ground, &["projection", "list", "crm"]).await;
        let tables = all.as_array().expect("a list").iter().filter(|one| {
            one["reader"]["reader"].as_str().is_some_and(|name| name.starts_with("inbox"))
        });
        tables.map(|one| one["kind"].as_str().expect("words").to_owned()).collect::<BTreeSet<_>>()
    };
    let (used, grown, kept) = ("tables", "tables that grow anew", "tables that were replaced");
    assert_eq!(kinds().await, BTreeSet::from([used.to_owned(), grown.to_owned()]));
    meydan(&ground, &["projection", "switch", "crm"]).await.expect("they are at the end");
    assert_eq!(kinds().await, BTreeSet::from([used.to_owned(), kept.to_owned()]));
    platform.stop().await;
}

#[tokio::test]
async fn what_could_not_be_compared_is_told_apart_from_what_differs() {
    let mut ground = Ground::prepare("http://127.0.0.1:9").await;
    let platform = Meydan::start(PROGRAM, &ground).await;
    streams_are_made(&ground).await;
    found(&ground, &["relay", "status"]).await;
    platform.stop().await;
    let drop = format!("DROP DATABASE {}crm", ground.prefix());
    let server = database(&ground, "identity").await;
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&server).await.expect("the owner may");

    for command in ["relay status", "verify"] {
        let command = command.split(' ').collect::<Vec<_>>();
        let (code, printed, told) = end(&ground, &command).await;
        assert_eq!(code, 2, "{told}");
        assert!(told.contains("the log of crm cannot be opened"), "{told}");
        assert!(printed.contains("identity") || printed.contains("ES_IDENTITY"), "{printed}");
        assert!(printed.contains("bot_hub") || printed.contains("ES_BOT_HUB"), "{printed}");
    }
    ground.settings.insert("MEYDAN_NATS_URL", "nats://127.0.0.1:9".to_owned());
    let (code, printed, told) = end(&ground, &["verify"]).await;
    assert_eq!(code, 2, "{told}");
    assert!(
        told.contains("streams: ") && printed.contains("identity: 1 facts, not the stream"),
        "{printed} {told}"
    );
}

#[tokio::test]
async fn a_fact_that_was_given_another_time_or_another_author_is_told() {
    let (ground, _) = at_rest().await;
    let crm = database(&ground, "crm").await;
    let author = r#"jsonb_set(meta::jsonb, '{actor}', '{"kind": "service", "name": "x"}')::json"#;
    for (at, change) in [
        (2, "UPDATE es.events SET recorded_at = recorded_at - interval '1 hour'".to_owned()),
        (1, format!("UPDATE es.events SET meta = {author}")),
    ] {
        let change = format!(
            "SET session_replication_role = replica; {change} WHERE position = {at}; SET session_replication_role = origin"
        );
        sqlx::raw_sql(AssertSqlSafe(change)).execute(&crm).await.expect("a superuser may");
        let told = meydan(&ground, &["relay", "status", "crm"]).await.expect_err("it differs");
        assert!(told.contains(&format!("something else than the log from {at} on")), "{told}");
    }
}

#[tokio::test]
async fn a_reader_who_has_seen_enough_ends_the_listing_quietly() {
    let (ground, _) = at_rest().await;
    for command in [["log", "tail", "bot-hub"], ["log", "stats", "bot_hub"]] {
        let mut command = ground.command(PROGRAM, &command);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut listing = command.spawn().expect("the program starts");
        drop(listing.stdout.take());
        let ended = listing.wait_with_output().await.expect("it ends");
        assert_eq!((ended.status.code(), ended.stderr), (Some(0), vec![]));
    }
}

#[tokio::test]
async fn tables_that_have_not_grown_to_the_end_are_not_put_in_place() {
    let (ground, _) = at_rest().await;
    let mut url = url::Url::parse(&ground.settings["MEYDAN_DATABASE_URL"]).expect("it is a URL");
    url.set_path(&format!("{}crm", ground.prefix()));
    let log = EventLog::open("crm", url.as_str(), 2).await.expect("it opens");
    // As a command leaves it that was interrupted at once.
    Rebuild::of::<crm::projections::Inbox>(log).begin().await.expect("there is room");

    let switch = ["projection", "switch", "crm"];
    let told = meydan(&ground, &switch).await.expect_err("they are empty");
    assert!(told.contains("meydan projection rebuild crm --resume"), "{told}");
    found(&ground, &["verify", "crm"]).await;
    let readers = meydan(&ground, &["projection", "list", "crm"]).await.expect("a list");
    let next = readers.lines().find(|line| line.contains("inbox_next")).expect("they are there");
    let position = next.split_whitespace().rev().nth(3);
    assert_eq!(position, Some("0"), "nothing has grown yet: {readers}");
    meydan(&ground, &["projection", "rebuild", "crm", "--resume"]).await.expect("it goes on");
    let readers = meydan(&ground, &["projection", "list", "crm"]).await.expect("a list");
    assert!(readers.contains("tables that grow anew"), "{readers}");
    meydan(&ground, &switch).await.expect("they are ready");
    found(&ground, &["verify", "crm"]).await;
    let readers = meydan(&ground, &["projection", "list", "crm"]).await.expect("a list");
    assert!(readers.contains("tables that were replaced"), "{readers}");
}

#[tokio::test]
async fn going_on_with_nothing_leaves_the_tables_in_use_alone() {
    let (ground, _) = at_rest().await;
    let before = found(&ground, &["projection", "list", "crm"]).await;

    for command in [&["rebuild", "crm", "--resume"][..], &["switch", "crm"]] {
        let told = meydan(&ground, &[&["projection"], command].concat()).await;
        let told = told.expect_err("nothing was begun");
        assert!(told.contains("no new tables of crm were begun"), "{told}");
    }
    let told = meydan(&ground, &["projection", "rollback", "crm"]).await.expect_err("none is kept");
    assert!(told.contains("no tables of crm were replaced"), "{told}");

    assert_eq!(found(&ground, &["projection", "list", "crm"]).await, before);
    found(&ground, &["verify", "crm"]).await;
}

#[tokio::test]
async fn a_rebuild_waits_a_moment_for_the_session_of_one_that_ended() {
    let (ground, _) = at_rest().await;
    let mut ended = database(&ground, "crm").await.acquire().await.expect("a session").detach();
    let lock = "SELECT pg_advisory_lock(7104, hashtext('inbox_next'))";
    sqlx::raw_sql(lock).execute(&mut ended).await.expect("nobody holds it");

    let command = ["projection", "rebuild", "crm", "--switch"];
    let (rebuilt, ()) = tokio::join!(meydan(&ground, &command), async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 7104
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let waiting = async {
            while sqlx::query_scalar::<_, i64>(waiting)
                .fetch_one(&mut ended)
                .await
                .expect("a number")
                == 0
            {}
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it waits");
        ended.close().await.expect("it ends");
    });

    rebuilt.expect("nobody grows tables any more");
    found(&ground, &["verify", "crm"]).await;
}
