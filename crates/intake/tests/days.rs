//! Updates in the intake are read for two days, and by nobody after that.

use std::sync::Arc;

use async_nats::jetstream::{self, consumer::pull};
use futures::StreamExt;
use meydan_event_log::prepare_database;
use meydan_intake::{Content, Hook, Intake, read};
use meydan_keyring::{KeyFile, Keyring};
use meydan_testkit::servers::{Nats, folder, postgres, prefix};
use sqlx::postgres::PgPoolOptions;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const HOOK: Hook = Hook { bot_id: Uuid::from_u128(1), campaign: Uuid::from_u128(2) };
const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

#[tokio::test]
async fn the_key_of_a_day_is_destroyed_when_two_days_are_past_even_after_a_long_pause() {
    let (nats, secrets) = (Nats::start().await, folder());
    let migrators = [&meydan_keyring::MIGRATOR];
    let url = prepare_database(postgres(), &format!("{}keys", prefix()), &migrators).await;
    let pool = PgPoolOptions::new().connect(&url.expect("it can be made")).await;
    let key = KeyFile::open(&secrets.path().join("platform.key")).expect("a key");
    let keyring = Keyring::new(pool.expect("it answers"), Arc::new(key));
    let intake = Intake::new(jetstream::new(nats.connect().await), keyring);
    let stream = intake.stream().await.expect("it is made");
    let days = [NOON, NOON + Duration::days(1)];
    for (number, day) in days.iter().enumerate() {
        let update = format!("{{\"update_id\":{number}}}");
        intake.accept(HOOK, update.as_bytes(), *day).await.expect("it is taken");
    }
    let consumer = stream.create_consumer(pull::OrderedConfig::default()).await.expect("made");
    let taken = consumer.messages().await.expect("they come").take(2).collect::<Vec<_>>().await;
    let opened = async |number: usize| {
        let message = taken[number].as_ref().expect("it came");
        let Content::Update(update) = read(message).expect("it is ours").content else {
            panic!("it is not too large")
        };
        intake.open(HOOK, &update).await.expect("keys answer")
    };

    intake.destroy_old_keys(None, NOON + Duration::days(2)).await.expect("keys answer");
    assert_eq!(opened(0).await.as_deref(), Some("{\"update_id\":0}"));
    intake.destroy_old_keys(None, NOON + Duration::days(3)).await.expect("keys answer");
    assert_eq!(opened(0).await, None);
    assert_eq!(opened(1).await.as_deref(), Some("{\"update_id\":1}"));
    intake.destroy_old_keys(None, NOON + Duration::days(40)).await.expect("keys answer");
    assert_eq!(opened(1).await, None);
}
