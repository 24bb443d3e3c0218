//! Counters that gateways share, on a real NATS.

use std::sync::Arc;

use gateway::limits::{Asker, RateClass, shared::Shared};
use meydan_event_log::prepare_database;
use meydan_keyring::{KeyFile, Keyring};
use meydan_testkit::servers::{Nats, folder, postgres, prefix};
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

#[tokio::test]
async fn what_one_gateway_counts_another_one_adds_to_and_each_minute_and_asker_has_its_own() {
    let (nats, prefix, secrets) = (Nats::start().await, prefix(), folder());
    let keys = format!("{prefix}keys");
    let keys = prepare_database(postgres(), &keys, &[&meydan_keyring::MIGRATOR]).await;
    let keys = PgPoolOptions::new().max_connections(4).connect(&keys.expect("keys")).await;
    let platform = KeyFile::open(&secrets.path().join("platform.key")).expect("a key");
    let keyring = Keyring::new(keys.expect("it answers"), Arc::new(platform));
    let gateways = [
        Shared::new(nats.connect().await, keyring.clone()),
        Shared::new(nats.connect().await, keyring),
    ];
    let who = |number| Asker::Session(Uuid::from_u128(number));
    let before = gateways[0].add(RateClass::Login, who(1), 7).await;
    assert_eq!(before, None, "there is no stream yet, and nobody waits for one");
    for gateway in &gateways {
        gateway.prepare().await;
    }

    let mut totals = vec![];
    for round in 0..6 {
        totals.push(gateways[round % 2].add(RateClass::Login, who(1), 7).await);
    }

    assert_eq!(totals, [1, 2, 3, 4, 5, 6].map(Some));
    assert_eq!(gateways[1].add(RateClass::Login, who(1), 8).await, Some(1));
    assert_eq!(gateways[1].add(RateClass::Login, who(2), 7).await, Some(1));
    assert_eq!(gateways[1].add(RateClass::Api, who(1), 7).await, Some(1));
}
