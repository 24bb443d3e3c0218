//! Updates in the intake: together when they come together, and readable for two days.

use std::sync::Arc;

use async_nats::jetstream::{self, consumer::pull};
use futures::StreamExt;
use meydan_event_log::prepare_database;
use meydan_intake::{Content, Hook, Intake, LARGEST_MESSAGE, read};
use meydan_keyring::{KeyFile, Keyring};
use meydan_testkit::servers::{Nats, folder, postgres, prefix};
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const HOOK: Hook = Hook { bot_id: Uuid::from_u128(1), campaign: Uuid::from_u128(2) };
const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

async fn intake(nats: &Nats, secrets: &TempDir) -> Intake {
    let migrators = [&meydan_keyring::MIGRATOR];
    let url = prepare_database(postgres(), &format!("{}keys", prefix()), &migrators).await;
    let pool = PgPoolOptions::new().connect(&url.expect("it can be made")).await;
    let key = KeyFile::open(&secrets.path().join("platform.key")).expect("a key");
    let keyring = Keyring::new(pool.expect("it answers"), Arc::new(key));
    Intake::new(jetstream::new(nats.connect().await), keyring)
}

#[tokio::test]
async fn the_key_of_a_day_is_destroyed_when_two_days_are_past_even_after_a_long_pause() {
    let (nats, secrets) = (Nats::start().await, folder());
    let intake = intake(&nats, &secrets).await;
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
        let held = read(message).pop().expect("there is one").expect("it is ours");
        let Content::Update(update) = held.content else { panic!("it is not too large") };
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

/// Brings updates at once, and reads what is in the stream then: all texts in their order, and the number of
/// messages.
async fn brought(updates: &[String]) -> (Vec<String>, u64) {
    let (nats, secrets) = (Nats::start().await, folder());
    let intake = intake(&nats, &secrets).await;
    let stream = intake.stream().await.expect("it is made");
    // The first one makes the key of the day, for which the others would wait in turn.
    let (first, others) = updates.split_first().expect("there are some");
    intake.accept(HOOK, first.as_bytes(), NOON).await.expect("it is taken");
    let accepted = others.iter().map(|update| intake.accept(HOOK, update.as_bytes(), NOON));
    for taken in futures::future::join_all(accepted).await {
        taken.expect("it is taken");
    }
    let messages = stream.get_info().await.expect("it answers").state.messages;
    let consumer = stream.create_consumer(pull::OrderedConfig::default()).await.expect("made");
    let mut coming = consumer.messages().await.expect("they come");
    let mut texts = Vec::new();
    for _ in 0..messages {
        let message = coming.next().await.expect("there is one more").expect("it comes");
        assert!(message.payload.len() <= LARGEST_MESSAGE);
        for taken in read(&message) {
            let Content::Update(update) = taken.expect("it is ours").content else {
                panic!("it is not too large")
            };
            texts.extend(intake.open(HOOK, &update).await.expect("keys answer"));
        }
    }
    (texts, messages)
}

#[tokio::test]
async fn updates_that_come_together_share_a_message_in_the_order_in_which_they_came() {
    let updates =
        (100..150).map(|number| format!("{{\"update_id\":{number}}}")).collect::<Vec<_>>();

    let (texts, messages) = brought(&updates).await;

    assert!(messages < 10, "{messages} messages");
    assert_eq!(texts, updates);
}

#[tokio::test]
async fn no_message_is_larger_than_the_broker_takes() {
    let large = (0..6).map(|number| format!("{number}{}", "x".repeat(250_000))).collect::<Vec<_>>();

    let (texts, messages) = brought(&large).await;

    assert!(texts == large, "each is there once");
    assert!(messages >= 3, "{messages} messages");
}
