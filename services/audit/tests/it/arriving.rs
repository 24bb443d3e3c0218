//! Facts become entries, each once.

use std::collections::BTreeSet;

use audit::{
    entry::{Entry, Place},
    follow::LOGS,
    merkle::{Frontier, leaf_hash},
    record::record,
};
use serde_json::json;
use sqlx::PgPool;

use crate::ground::{TEHRAN, bring, fact, facts, owner, pool, url};

async fn count(pool: &PgPool) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM entries");
    count.fetch_one(pool).await.expect("it answers")
}

/// The tree of Tehran as it is kept, and as its rows make it.
async fn trees(pool: &PgPool) -> [Frontier; 2] {
    let kept = sqlx::query_as("SELECT size, frontier FROM trees WHERE tree_id = $1").bind(TEHRAN);
    let (size, frontier): (i64, Vec<u8>) = kept.fetch_one(pool).await.expect("it is there");
    let size = u64::try_from(size).expect("it is positive");
    let rows = "SELECT * FROM entries WHERE tree_id = $1 ORDER BY leaf";
    let rows = sqlx::query_as::<_, audit::entry::Entry>(rows).bind(TEHRAN).fetch_all(pool).await;
    let mut grown = Frontier::default();
    for entry in rows.expect("they are there") {
        grown.push(leaf_hash(entry.leaf().expect("it is an entry").as_bytes()));
    }
    [Frontier::read(size, &frontier).expect("it is one"), grown]
}

#[tokio::test]
async fn facts_that_come_again_are_entries_once_and_the_tree_is_that_of_its_rows() {
    let pool = pool(&url().await).await;
    let all = facts(1..=100);

    record(&pool, "crm", 0, &all[..60]).await.expect("they arrive");
    // Brought again by a reader that did not hear of it, and by one that is further back.
    record(&pool, "crm", 0, &all[..60]).await.expect("nothing happens");
    record(&pool, "crm", 0, &all).await.expect("nothing happens");
    record(&pool, "crm", 60, &all[60..]).await.expect("they arrive");

    assert_eq!(count(&pool).await, 100);
    let [kept, grown] = trees(&pool).await;
    assert_eq!((kept.size(), &kept), (50, &grown));
}

#[test]
fn every_context_that_records_facts_is_followed() {
    let services = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let services = std::fs::read_dir(services).expect("the folder is in the repository").flatten();
    let records = services.filter(|service| service.path().join("domain/tests/golden").exists());
    let contexts = records.map(|service| service.file_name().to_string_lossy().replace('-', "_"));

    let followed = LOGS.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(contexts.collect::<BTreeSet<_>>(), followed);
}

#[tokio::test]
async fn readers_of_three_logs_at_a_time_leave_no_gap() {
    let pool = pool(&url().await).await;
    let all = facts(1..=300);
    let bring_all = |log: &'static str| {
        let (pool, all) = (pool.clone(), all.clone());
        async move {
            for some in all.chunks(7) {
                bring(&pool, log, some).await;
            }
        }
    };

    tokio::join!(bring_all("identity"), bring_all("crm"), bring_all("bot_hub"));

    assert_eq!(count(&pool).await, 900);
    let [kept, grown] = trees(&pool).await;
    assert_eq!((kept.size(), &kept), (450, &grown));
    let gapless = "SELECT max(arrival) = count(*) FROM entries";
    let gapless: bool = sqlx::query_scalar(gapless).fetch_one(&pool).await.expect("it answers");
    assert!(gapless);
}

#[tokio::test]
async fn the_service_can_neither_change_nor_remove_an_entry_nor_the_owner_by_mistake() {
    let url = url().await;
    let pool = pool(&url).await;
    bring(&pool, "crm", &facts(1..=3)).await;
    let owner = PgPool::connect(&url).await.expect("it answers");

    for change in ["UPDATE entries SET action = 'x'", "DELETE FROM entries", "TRUNCATE entries"] {
        assert!(sqlx::raw_sql(change).execute(&pool).await.is_err(), "the service: {change}");
        assert!(sqlx::raw_sql(change).execute(&owner).await.is_err(), "the owner: {change}");
    }
    for change in ["UPDATE checkpoints SET note = 'x'", "DELETE FROM checkpoints"] {
        assert!(sqlx::raw_sql(change).execute(&pool).await.is_err(), "the service: {change}");
    }
}

#[tokio::test]
async fn an_address_is_kept_only_when_it_is_sealed_and_no_word_of_a_person_at_all() {
    let pool = pool(&url().await).await;
    let said = json!({"type": "citizen.met", "person": "s1.00000000000000000000000000000007.AAAA", "fingerprint": "sara"});
    let mut clear = fact(1, TEHRAN, ("citizen.met", said.clone()), owner());
    clear.meta.address = Some("192.0.2.1".to_owned());
    let mut sealed = fact(2, TEHRAN, ("citizen.met", said), owner());
    let address = "s1.00000000000000000000000000000007.AAAA".to_owned();
    sealed.meta.address = Some(address.clone());
    bring(&pool, "crm", &[clear, sealed]).await;

    let kept = "SELECT address_sealed FROM entries ORDER BY arrival";
    let kept: Vec<Option<String>> = sqlx::query_scalar(kept).fetch_all(&pool).await.expect("rows");
    assert_eq!(kept, [None, Some(address)]);
    let rows = "SELECT to_json(entries)::text FROM entries";
    let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&pool).await.expect("rows");
    assert!(!rows.concat().contains("sara") && !rows.concat().contains("192.0.2.1"));
}

#[test]
fn an_entry_from_before_lists_were_told_is_still_that_of_its_fact_and_no_other() {
    let payload = json!({"granted": ["crm:ticket.move"], "denied": [], "role": "staff"});
    let changed = fact(1, TEHRAN, ("member.permissions_changed", payload), owner());
    let entry = Entry::of("identity", &changed, Place { arrival: 1, leaf: 0 });
    assert_eq!(entry.details, r#"{"denied":[],"granted":["crm:ticket.move"],"role":"staff"}"#);
    assert!(entry.is_of("identity", &changed));

    let before = Entry { details: r#"{"role":"staff"}"#.to_owned(), ..entry.clone() };
    assert!(before.is_of("identity", &changed));

    let altered = r#"{"denied":[],"granted":["identity:audit.read"],"role":"staff"}"#.to_owned();
    assert!(!Entry { details: altered, ..entry }.is_of("identity", &changed));
}
