//! Updates come in: each counts once, none is lost, and none is in the way of others.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use meydan_intake::Hook;
use meydan_keyring::Sealed;
use meydan_rpc::pb::crm::Delivery;
use meydan_testkit::telegram::TelegramSimulator;
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

use crate::{
    bots::{SECOND, two_bots},
    hub::{Hub, campaign, until},
    office::{TOKEN, telegram},
};

const SARA: i64 = 4_200_000_000_000_001;

#[tokio::test]
async fn after_a_campaign_changes_its_bot_messages_with_the_old_numbers_arrive() {
    let telegram = two_bots().await;
    let hub = Hub::open(&telegram).await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;
    let first = telegram.say(TOKEN, SARA, "یک").expect("she writes");
    hub.until_says(campaign(1), 1001, "یک").await;

    hub.connect(campaign(1), SECOND, "second_bot").await;
    // The new bot begins to count anew, and its updates may have any number.
    let message = json!({
        "message_id": first.message_id, "date": 1_790_000_000, "text": "دو",
        "from": { "id": SARA, "is_bot": false, "first_name": "Citizen" },
        "chat": { "id": SARA, "type": "private", "first_name": "Citizen" },
    });
    let update = json!({ "update_id": first.update_id, "message": message });
    telegram.update(SECOND, update).expect("she writes to the new bot");

    hub.until_says(campaign(1), 1001, "دو").await;
    telegram.edit(SECOND, SARA, first.message_id, "سه").expect("she corrects it");
    let edited = hub.until_says(campaign(1), 1001, "سه").await;
    assert_eq!(edited.earlier, ["دو"], "the message of the new bot is changed, not the old one");
    hub.until_says(campaign(1), 1001, "یک").await;
}

#[tokio::test]
async fn a_shared_number_and_the_source_of_a_link_stay_with_the_citizen() {
    let telegram = telegram().await;
    let hub = Hub::open(&telegram).await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;
    let command = json!([{ "offset": 0, "length": 6, "type": "bot_command" }]);
    let start = json!({ "text": "/start poster-12", "entities": command });
    telegram.send(TOKEN, SARA, &start).expect("she comes through a link");
    let number = json!({ "phone_number": "989121234567", "first_name": "سارا", "user_id": SARA });
    telegram.send(TOKEN, SARA, &json!({ "contact": number })).expect("she shares her number");
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    let again = json!({ "text": "/start", "entities": command });
    telegram.send(TOKEN, SARA, &again).expect("she presses start again");
    telegram.say(TOKEN, SARA, "هستید؟").expect("she writes");

    hub.until_says(campaign(1), 1001, "هستید؟").await;
    let ticket = hub.ticket(campaign(1), 1001).await.expect("it is there");
    let person = ticket.citizen.and_then(|citizen| citizen.person).expect("she is known");
    assert_eq!((person.phone.as_str(), person.source.as_str()), ("989121234567", "poster-12"));
    assert_eq!(person.first_name, format!("Citizen {SARA}"));
}

/// Connections that are cut before the inbox hears of the request.
static CUTS: AtomicU32 = AtomicU32::new(0);

/// A way to the inbox that breaks in the middle of the first requests.
fn breaking(inbox: SocketAddr) -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.set_nonblocking(true).expect("it can be told so");
    let address = listener.local_addr().expect("it has an address");
    let listener = TcpListener::from_std(listener).expect("tokio takes it");
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            if CUTS.fetch_add(1, Ordering::SeqCst) < 3 {
                // More than greetings: the request is on its way.
                let mut heard = 0;
                let mut piece = [0; 1024];
                while heard < 300 {
                    heard += connection.read(&mut piece).await.unwrap_or(300);
                }
                continue;
            }
            tokio::spawn(async move {
                let mut inbox = TcpStream::connect(inbox).await.expect("the inbox is there");
                let _ = tokio::io::copy_bidirectional(&mut connection, &mut inbox).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_broken_connection_to_the_inbox_loses_nobodys_message() {
    let telegram = telegram().await;
    let mut hub = Hub::prepare(&telegram.url()).await;
    hub.crm_door = Some(breaking);
    hub.start().await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;

    telegram.say(TOKEN, SARA, "سلام").expect("she writes");

    hub.until_says(campaign(1), 1001, "سلام").await;
    assert!(CUTS.load(Ordering::SeqCst) > 3, "the connection did break");
}

async fn aside(hub: &Hub) -> Vec<String> {
    let kinds = sqlx::query_scalar("SELECT kind FROM aside ORDER BY kind");
    kinds.fetch_all(&hub.database).await.expect("the table is there")
}

async fn until_aside(hub: &Hub, kinds: &[&str]) {
    until(&format!("{kinds:?} are kept aside"), || async {
        (aside(hub).await == kinds).then_some(())
    })
    .await;
}

fn hook(number: u128) -> Hook {
    Hook { bot_id: Uuid::from_u128(number), campaign: campaign(number) }
}

#[tokio::test]
async fn an_update_that_does_not_open_is_kept_aside_and_the_others_pass() {
    let telegram = telegram().await;
    let hub = Hub::open(&telegram).await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;
    let intake = hub.intake().await;
    let stream = intake.stream().await.expect("there is one");
    intake.accept(hook(9), b"not JSON", hub.now()).await.expect("it is taken");
    until_aside(&hub, &["malformed"]).await;
    // The same ciphertext under another bot's name does not open.
    let taken = stream.get_raw_message(1).await.expect("it lies there");
    let [own, others] = [9, 8].map(|number| Uuid::from_u128(number).to_string());
    let moved = String::from_utf8_lossy(&taken.payload).replace(&own, &others);
    let client = hub.nats().await;
    client.publish("tg.in.updates", moved.into()).await.expect("it goes");
    client.publish("tg.in.updates", "what is this?".into()).await.expect("it goes");
    client.flush().await.expect("it went");

    telegram.say(TOKEN, SARA, "سلام").expect("she writes");

    hub.until_says(campaign(1), 1001, "سلام").await;
    until_aside(&hub, &["foreign", "malformed", "malformed"]).await;
}

#[tokio::test]
async fn what_cannot_be_used_is_kept_also_after_the_stream_was_lost() {
    let telegram = telegram().await;
    let mut hub = Hub::open(&telegram).await;
    let intake = hub.intake().await;
    until("the stream is there", || async { intake.stream().await.ok() }).await;
    intake.accept(hook(9), b"not JSON", hub.now()).await.expect("it is taken");
    until_aside(&hub, &["malformed"]).await;
    hub.stop().await;
    let jetstream = async_nats::jetstream::new(hub.nats().await);
    jetstream.delete_stream(meydan_intake::STREAM).await.expect("it is lost");
    // The new one has come as far as the old one before the hub sees it.
    intake.stream().await.expect("it is made again");
    intake.accept(hook(9), b"not JSON either", hub.now()).await.expect("it is taken");

    hub.start().await;

    until_aside(&hub, &["malformed", "malformed"]).await;
}

#[tokio::test]
async fn an_update_too_large_for_the_streams_is_kept_aside_and_answers_still_go_out() {
    let telegram = telegram().await;
    let hub = Hub::open(&telegram).await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;

    telegram.say(TOKEN, SARA, &"آ".repeat(350_000)).expect("she sends a book");
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");

    hub.until_says(campaign(1), 1001, "سلام").await;
    hub.answer(campaign(1), 1001, "علیک سلام").await;
    telegram.wait_sent(SARA, 1).await.expect("the answer arrives");
    hub.until_ticket(campaign(1), 1001, |ticket| {
        ticket.messages.iter().any(|message| message.delivery() == Delivery::Sent)
    })
    .await;
    until_aside(&hub, &["oversized"]).await;
}

/// The largest update that is taken, in bytes, reaches the inbox through every stream.
#[tokio::test]
async fn the_largest_update_that_is_taken_reaches_the_inbox() {
    let telegram: TelegramSimulator = telegram().await;
    let hub = Hub::open(&telegram).await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;
    // Quotes grow when they are written as JSON, twice.
    let text = "\"".repeat((meydan_intake::LARGEST - 1_000) / 2);

    telegram.say(TOKEN, SARA, &text).expect("she writes");
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");

    hub.until_says(campaign(1), 1001, &text).await;
    hub.until_says(campaign(1), 1001, "سلام").await;
    hub.answer(campaign(1), 1001, "علیک سلام").await;
    telegram.wait_sent(SARA, 1).await.expect("the answer arrives");
    assert_eq!(aside(&hub).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_key_of_a_day_is_destroyed_when_the_day_is_over() {
    let telegram = telegram().await;
    let hub = Hub::open(&telegram).await;
    let intake = hub.intake().await;
    let stream = until("the stream is there", || async { intake.stream().await.ok() }).await;
    intake.accept(hook(9), b"not JSON", hub.now()).await.expect("it is taken");
    until_aside(&hub, &["malformed"]).await;
    let raw = stream.get_raw_message(1).await.expect("it lies there");
    let message = serde_json::from_slice::<Value>(&raw.payload).expect("it is an array");
    let sealed: Sealed<String> =
        message[0]["update"].as_str().and_then(|update| update.parse().ok()).expect("it is sealed");
    let open = || async { intake.open(hook(9), &sealed).await.expect("the keys are there") };
    assert!(open().await.is_some(), "it opens on its day");

    // The hub was away for weeks: days long past are over too.
    hub.advance(Duration::from_hours(40 * 24));

    until("the key is gone", || async { open().await.is_none().then_some(()) }).await;
    intake.accept(hook(9), b"not JSON", hub.now()).await.expect("today's key is there");
}
