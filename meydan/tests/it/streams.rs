//! What a broker may do to the streams besides losing a message: be further than the logs, lose all of them, hold what
//! somebody else published, or another fact than the log; and how each is told.

use futures::StreamExt;
use meydan_testkit::{
    ports,
    process::{Meydan, Person},
};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::{
    damage::{PATIENCE, at_rest, end, forget, is_found_out, jetstream, published, tells},
    erase::{database, who_opened},
    office::PROGRAM,
    operate::{found, meydan},
};

#[tokio::test]
async fn beside_newer_streams_nothing_starts_before_the_log_has_what_they_have() {
    let (mut ground, stream) = at_rest().await;
    let last = stream.cached_info().state.last_sequence;
    forget(&ground, &format!("position > {}", last - 2)).await;
    let log = ground.data().join("meydan.log");
    let doors = ["MEYDAN_LISTEN", "MEYDAN_IDENTITY_LISTEN"];
    let doors = doors.map(|door| (door, format!("127.0.0.1:{}", ports::free())));
    ground.settings.extend(doors.clone());

    let mending = async {
        let told = tells(&log, "goes on without them").await;
        for (door, address) in &doors {
            let refused = std::net::TcpStream::connect(address).expect_err(door);
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "{door}");
        }
        assert!(told.contains("crm lacks 2 facts") && told.contains("relay repair crm`"), "{told}");
        let (campaign, citizen) = who_opened(&ground, 1001).await;
        let (campaign, citizen) = (campaign.to_string(), citizen.to_string());
        let erase = ["erase", "--campaign", &campaign, "--subject", &citizen, "--yes"];
        let told = meydan(&ground, &erase).await.expect_err("it would take the place of a fact");
        assert!(told.contains("crm lacks 2 facts"), "{told}");
        meydan(&ground, &["relay", "repair", "crm"]).await.expect("they come back");
    };
    let (platform, ()) = tokio::join!(Meydan::start_logging(PROGRAM, &ground, &log), mending);

    let crm = found(&ground, &["relay", "status", "crm"]).await;
    assert!(crm[0]["recorded"].as_u64() >= Some(last), "{crm}");
    platform.stop().await;
    found(&ground, &["verify"]).await;
}

#[tokio::test]
async fn what_somebody_else_published_is_told_apart_from_facts_and_thrown_away_with_the_stream() {
    let (ground, stream) = at_rest().await;
    let next = stream.cached_info().state.last_sequence + 1;
    let words = format!(
        "holds messages that are no facts, and that Meydan did not publish: 1, the first at {next}"
    );
    let somebody = jetstream(&ground).await;
    let sent = somebody.publish("es.crm.somebody", "hello".into()).await.expect("it is sent");
    sent.await.expect("the stream takes it");

    is_found_out(&ground, &words).await;
    let told = meydan(&ground, &["relay", "status", "crm"]).await.expect_err("it is too much");
    assert!(told.contains("see who else may publish to ES_CRM"), "{told}");
    assert!(told.contains("`meydan relay repair crm --discard-stream`"), "{told}");
    let told = meydan(&ground, &["relay", "repair", "crm"]).await.expect_err("it stays");
    assert!(told.contains("see who else may publish") && !told.contains("restored"), "{told}");

    let log = ground.data().join("meydan.log");
    let mending = async {
        let told = tells(&log, "makes it again from the log").await;
        assert!(told.contains("crm lacks nothing by that"), "{told}");
        let discard = ["relay", "repair", "crm", "--discard-stream"];
        meydan(&ground, &discard).await.expect("the log has every fact");
    };
    let (platform, ()) = tokio::join!(Meydan::start_logging(PROGRAM, &ground, &log), mending);
    found(&ground, &["relay", "status"]).await;
    platform.stop().await;
}

#[tokio::test]
async fn when_the_broker_has_lost_its_store_the_next_start_says_so_once() {
    let (ground, _) = at_rest().await;
    let jetstream = jetstream(&ground).await;
    let mut names = jetstream.stream_names();
    while let Some(name) = names.next().await {
        jetstream.delete_stream(name.expect("it answers")).await.expect("it can be deleted");
    }

    let log = ground.data().join("meydan.log");
    let platform = Meydan::start_logging(PROGRAM, &ground, &log).await;
    published(&ground).await;
    platform.stop().await;

    let told = tells(&log, "the broker has lost its streams").await;
    assert_eq!(told.matches("the broker has lost its streams").count(), 1, "{told}");
    assert!(told.contains("ES_IDENTITY, ES_CRM, ES_BOT_HUB"), "{told}");
    Meydan::start_logging(PROGRAM, &ground, &log).await.stop().await;
    let told = std::fs::read_to_string(&log).expect("it is there");
    assert!(!told.contains("the broker has lost"), "they are there again: {told}");
}

/// What a gauge of the log of crm shows, once it is there.
fn of_crm(metrics: &str, name: &str) -> Option<f64> {
    let line =
        |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains("context=\"crm\"");
    metrics.lines().find(line)?.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn a_relay_that_stands_still_counts_as_behind_also_while_nothing_is_recorded() {
    let (mut ground, stream) = at_rest().await;
    let last = stream.cached_info().state.last_sequence;
    let another = format!(
        "SET session_replication_role = replica;
         UPDATE es.events SET event_id = gen_random_uuid() WHERE position = {last};
         SET session_replication_role = origin"
    );
    let crm = database(&ground, "crm").await;
    sqlx::raw_sql(AssertSqlSafe(another)).execute(&crm).await.expect("the owner may");
    let (code, streams, _) = end(&ground, &["relay", "status", "crm", "--json"]).await;
    let streams: Value = serde_json::from_str(&streams).expect("it is JSON");
    assert_eq!(
        (code, &streams[0]["differs_at"], &streams[0]["behind"]),
        (1, &last.into(), &1.into())
    );
    let address = format!("127.0.0.1:{}", ports::free());
    ground.settings.insert("MEYDAN_METRICS_LISTEN", address.clone());

    let platform = Meydan::start(PROGRAM, &ground).await;

    let metrics = Person::visiting(&format!("http://{address}"));
    let looking = async {
        loop {
            let page = metrics.open("/metrics").await.html;
            if of_crm(&page, "relay_lag_seconds").is_some_and(|lag| lag > 0.0) {
                return page;
            }
        }
    };
    let page = tokio::time::timeout(PATIENCE, looking).await.expect("what stands still is late");
    assert_eq!(of_crm(&page, "relay_halted"), Some(1.0), "{page}");
    platform.stop().await;
}
