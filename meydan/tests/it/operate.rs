//! What operators type while the platform runs: it reads the logs, compares everything that is kept twice, and
//! grows read models anew, while people go on.

use std::{process::Stdio, time::Duration};

use meydan_testkit::{ports, process::Ground};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    erase::database,
    office::{Office, PROGRAM, Reach, TOKEN, telegram},
};

const SARA: i64 = 4_200_000_000_000_001;
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `meydan` with these arguments beside the platform; what it printed, or what it complained of.
pub(crate) async fn meydan(ground: &Ground, arguments: &[&str]) -> Result<String, String> {
    ground.run(PROGRAM, arguments).await
}

/// What `meydan … --json` found.
pub(crate) async fn found(ground: &Ground, arguments: &[&str]) -> Value {
    let told = meydan(ground, &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&told.expect("nothing is wrong")).expect("it is JSON")
}

/// An office in which Sara has written, and was answered.
pub(crate) async fn busy() -> Office {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    telegram.say(TOKEN, SARA, "راز سارا").expect("she writes");
    office.owner.until("/c/tehran/inbox/1001/messages", "راز سارا").await;
    office.answer(1001, "پاسخ به سارا").await;
    office.owner.until("/c/tehran/inbox/1001/messages", "delivery is-sent").await;
    office
}

#[tokio::test]
async fn verify_finds_a_changed_row_and_a_rebuild_beside_the_old_tables_mends_it() {
    let office = busy().await;
    let ground = &office.ground;
    let page = "/c/tehran/inbox/1001/messages";
    let all = found(ground, &["verify"]).await;
    assert_eq!(all["contexts"].as_array().map(Vec::len), Some(3));
    let changed = sqlx::raw_sql("UPDATE messages SET at = at + interval '1 day' WHERE incoming");
    changed.execute(&database(ground, "crm").await).await.expect("the owner of a table may");

    let told = meydan(ground, &["verify", "crm"]).await.expect_err("something is wrong");
    assert!(told.contains("table messages of crm: 1 rows too many, 1 missing"), "{told}");

    meydan(ground, &["projection", "rebuild", "crm"]).await.expect("tables grow");
    assert!(meydan(ground, &["verify", "crm"]).await.is_err(), "the old ones are still in use");
    meydan(ground, &["projection", "switch", "crm"]).await.expect("they are put in place");
    found(ground, &["verify", "crm"]).await;
    office.answer(1001, "پاسخ دوم").await;
    office.owner.until(page, "پاسخ دوم").await;

    meydan(ground, &["projection", "rollback", "crm"]).await.expect("the old ones are kept");
    assert!(meydan(ground, &["verify", "crm"]).await.is_err(), "the changed row is back");
    office.owner.until(page, "پاسخ دوم").await;
    office.meydan.stop().await;
}

#[tokio::test]
async fn operators_read_who_did_what_and_never_what_was_said() {
    let office = busy().await;
    let ground = &office.ground;

    let stats = found(ground, &["log", "stats", "crm"]).await;
    let facts = stats[0]["events"].as_i64().expect("facts are counted");
    let told = meydan(ground, &["log", "tail", "crm", "--lines", "1000", "--json"]).await;
    let told = told.expect("the log can be read");
    let lines = told.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>();
    let lines = lines.expect("each line is JSON");
    assert_eq!(i64::try_from(lines.len()), Ok(facts));
    let opened = lines.iter().find(|line| line["event_type"] == "ticket.opened");
    let ticket = opened.expect("she opened a ticket")["aggregate_id"].as_str().map(str::to_owned);
    let ticket = ticket.expect("it has an id");
    let history = meydan(ground, &["log", "show", "crm", &ticket]).await.expect("it is there");
    for words in ["ticket.opened", "ticket.reply_written", "ticket.reply_sent"] {
        assert!(history.contains(words), "{words} in {history}");
    }
    assert!(!told.contains("سارا") && !history.contains("سارا"), "what is sealed stays sealed");
    let missing = meydan(ground, &["log", "show", "crm", "1000000"]).await;
    assert!(missing.is_err());

    let streams = found(ground, &["relay", "status"]).await;
    let verdicts = streams.as_array().expect("a list").iter().map(|one| &one["verdict"]);
    assert_eq!(verdicts.collect::<Vec<_>>(), ["agrees"; 3]);
    let readers = found(ground, &["projection", "list", "crm"]).await;
    let named = |one: &Value| one["reader"]["reader"] == "inbox" && one["kind"] == "tables";
    assert!(readers.as_array().expect("a list").iter().any(named), "{readers}");
    assert_eq!(found(ground, &["projection", "parked"]).await, Value::Array(vec![]));
    let told = meydan(ground, &["projection", "retry", "crm", "--reader", "inbix"]).await;
    assert!(told.expect_err("there is none").contains("nothing of that is parked"));
    office.meydan.stop().await;
}

#[tokio::test]
async fn a_conversation_that_cannot_be_digested_is_listed_and_taken_back_when_the_cause_is_mended()
{
    let office = busy().await;
    let ground = &office.ground;
    let page = "/c/tehran/inbox/1001/messages";
    let crm = database(ground, "crm").await;
    let broken = "ALTER TABLE messages ADD CONSTRAINT broken CHECK (incoming) NOT VALID";
    sqlx::raw_sql(broken).execute(&crm).await.expect("the owner of a table may");
    office.answer(1001, "پاسخ دوم").await;
    let parked = async {
        loop {
            let found = found(ground, &["projection", "parked", "crm"]).await;
            if found.as_array().is_some_and(|found| !found.is_empty()) {
                return found;
            }
        }
    };
    let parked = tokio::time::timeout(PATIENCE, parked).await.expect("it is parked");
    assert_eq!(
        (&parked[0]["reader"], &parked[0]["aggregate_type"]),
        (&"inbox".into(), &"ticket".into())
    );
    assert!(parked[0]["reason"].as_str().is_some_and(|why| why.contains("broken")), "{parked}");
    assert!(!office.owner.open(page).await.says("پاسخ دوم"), "it waits");
    let told = meydan(ground, &["verify", "crm"]).await.expect_err("the tables lack it");
    assert!(told.contains("inbox of crm has parked ticket"), "{told}");

    sqlx::raw_sql("ALTER TABLE messages DROP CONSTRAINT broken")
        .execute(&crm)
        .await
        .expect("it may");
    let ticket = parked[0]["aggregate_id"].as_str().expect("it has an id");
    let retry = ["projection", "retry", "crm", "--reader", "inbox", "--aggregate", ticket];
    assert_eq!(found(ground, &retry).await["aggregates"], 1);

    office.owner.until(page, "پاسخ دوم").await;
    assert_eq!(found(ground, &["projection", "parked", "crm"]).await, Value::Array(vec![]));
    found(ground, &["verify", "crm"]).await;
    office.meydan.stop().await;
}

#[tokio::test]
async fn tables_that_lack_what_could_not_be_digested_are_put_in_place_when_that_is_insisted_on_alone()
 {
    let office = busy().await;
    let ground = &office.ground;
    let page = "/c/tehran/inbox/1001/messages";
    let crm = database(ground, "crm").await;
    // As a program does that cannot digest what the one before could.
    let broken = "ALTER TABLE messages ADD CONSTRAINT broken CHECK (incoming) NOT VALID";
    sqlx::raw_sql(broken).execute(&crm).await.expect("the owner of a table may");

    for grown in [vec!["rebuild", "crm"], vec!["rebuild", "crm", "--switch"], vec!["switch", "crm"]]
    {
        let told = meydan(ground, &[&["projection"], grown.as_slice()].concat()).await;
        let told = told.expect_err("a conversation is missing");
        assert!(told.contains("ticket") && told.contains("broken"), "{told}");
        assert!(told.contains("projection switch crm --over-parked"), "{told}");
    }
    assert!(office.owner.open(page).await.says("پاسخ به سارا"), "the old ones serve");

    let over = ["projection", "switch", "crm", "--over-parked"];
    meydan(ground, &over).await.expect("it is insisted on");
    assert!(!office.owner.open(page).await.says("پاسخ به سارا"), "it is missing now");
    meydan(ground, &["projection", "rollback", "crm"]).await.expect("the old ones are kept");
    office.owner.until(page, "پاسخ به سارا").await;
    office.meydan.stop().await;
}

#[tokio::test]
async fn every_reader_is_listed_with_its_log_also_one_that_has_read_nothing_yet() {
    let office = busy().await;
    let ground = &office.ground;
    let absent = sqlx::raw_sql("DELETE FROM es.checkpoints WHERE reader = 'entries_crm'");
    office.meydan.stop().await;
    absent.execute(&database(ground, "audit").await).await.expect("a superuser may");

    let all = found(ground, &["projection", "list"]).await;

    let all = all.as_array().expect("a list");
    let without = all.iter().filter(|one| one["reads"].is_null());
    let without = without.map(|one| &one["reader"]["reader"]).collect::<Vec<_>>();
    assert_eq!(without, ["telegram_intake"], "only what comes from Telegram is in no log");
    let lost = all.iter().find(|one| one["reader"]["reader"] == "entries_crm").expect("it is told");
    let stats = found(ground, &["log", "stats", "crm"]).await;
    assert_eq!(lost["behind"], stats[0]["events"]);
    assert!(lost["reader"]["updated_at"].is_null(), "{lost}");
}

#[tokio::test]
async fn following_a_log_ends_when_nobody_reads_any_more() {
    let office = busy().await;
    let mut tail = office.ground.command(PROGRAM, &["log", "tail", "crm", "--follow"]);
    let mut tail = tail.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
    let mut lines = BufReader::new(tail.stdout.take().expect("it is ours")).lines();
    lines.next_line().await.expect("it is text").expect("there are facts");

    drop(lines);

    let ended =
        tokio::time::timeout(PATIENCE, tail.wait()).await.expect("nothing happens, and it ends");
    assert!(ended.expect("it can be waited for").success());
    office.meydan.stop().await;
}

#[tokio::test]
async fn a_program_that_reads_json_is_told_too_that_nothing_could_be_compared() {
    let telegram = telegram().await;
    let mut ground = Ground::prepare(&telegram.url()).await;
    ground.settings.insert("MEYDAN_NATS_URL", format!("nats://127.0.0.1:{}", ports::free()));

    for arguments in [["verify", "--json"].as_slice(), &["relay", "status", "--json"]] {
        let run = ground.command(PROGRAM, arguments).output().await.expect("it starts");
        let told: Value = serde_json::from_slice(&run.stdout).expect("it is JSON");
        assert!(told.to_string().contains("NATS cannot be reached"), "{told}");
        assert_eq!(run.status.code(), Some(2));
    }
}
