//! A restored database gets its unique keys back with its facts, and none of a person who was erased.

use std::collections::BTreeSet;

use meydan_testkit::process::Ground;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    damage::published,
    erase::{database, who_opened},
    office::Office,
    operate::{busy, meydan},
};

const CONTEXTS: [&str; 3] = ["identity", "crm", "bot_hub"];

/// A key: its tenant, scope and value, and the type and the id of its holder.
type Held = (Uuid, String, Vec<u8>, String, Uuid);

async fn held(database: &PgPool) -> BTreeSet<Held> {
    let all = "SELECT tenant_id, scope, key, aggregate_type, aggregate_id FROM es.unique_keys";
    sqlx::query_as(all).fetch_all(database).await.expect("it answers").into_iter().collect()
}

/// Takes everything out of the log of a context, as a backup from before the first fact would; and has its stream
/// give it back.
async fn comes_back(ground: &Ground, context: &str) {
    let database = database(ground, context).await;
    let before = held(&database).await;
    assert!(before.len() > 1, "{context} has keys");
    let nothing =
        "SET session_replication_role = replica; DELETE FROM es.events; DELETE FROM es.commands;
                   DELETE FROM es.unique_keys; SET session_replication_role = origin";
    sqlx::raw_sql(nothing).execute(&database).await.expect("the owner may");

    let told = meydan(ground, &["relay", "repair", context]).await.expect("the stream has it");

    assert!(!told.starts_with(&format!("facts given back to {context}: 0")), "{told}");
    assert_eq!(held(&database).await, before, "{context}");
}

fn of_telegram(keys: &BTreeSet<Held>) -> usize {
    keys.iter().filter(|(_, scope, ..)| scope == "telegram.user").count()
}

#[tokio::test]
async fn every_unique_key_comes_back_with_the_fact_that_took_it() {
    let Office { ground, meydan: program, .. } = busy().await;
    let hub = database(&ground, "bot_hub").await;
    assert_eq!(of_telegram(&held(&hub).await), 1);
    published(&ground).await;
    program.kill().await;
    for context in CONTEXTS {
        comes_back(&ground, context).await;
    }
}

#[tokio::test]
async fn the_key_of_an_erased_person_does_not_come_back() {
    let Office { ground, meydan: program, .. } = busy().await;
    let (campaign, sara) = who_opened(&ground, 1001).await;
    let (campaign, sara) = (campaign.to_string(), sara.to_string());
    let erase = ["erase", "--campaign", &campaign, "--subject", &sara, "--yes", "--json"];
    meydan(&ground, &erase).await.expect("she is erased");
    published(&ground).await;
    program.kill().await;
    comes_back(&ground, "bot_hub").await;
    assert_eq!(of_telegram(&held(&database(&ground, "bot_hub").await).await), 0);
}
