//! Answers go out: in order, once, at Telegram's pace, and one campaign never waits for another.

use meydan_rpc::pb::crm::{Delivery, GetTicketResponse};
use meydan_testkit::telegram::{Fault, TelegramSimulator};
use sqlx::Connection;

use crate::{
    bots::{SECOND, two_bots},
    hub::{Hub, campaign, find, until},
    office::{TOKEN, telegram},
};

const SARA: i64 = 4_200_000_000_000_001;
/// More than are on their way at a time.
const CROWD: i64 = 36;

fn is(ticket: &GetTicketResponse, words: &str, delivery: Delivery) -> bool {
    find(ticket, words).is_some_and(|message| message.delivery() == delivery)
}

/// Two campaigns: a crowd waits for the first one's answers, which meet this fault, and one citizen for the
/// second one's. Returns when that one has it.
async fn crowd_and_one(telegram: &TelegramSimulator, fault: Fault) -> Hub {
    let hub = Hub::open(telegram).await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;
    hub.connect(campaign(2), SECOND, "second_bot").await;
    for citizen in 1..=CROWD {
        telegram.say(TOKEN, citizen, "سلام").expect("they write");
    }
    telegram.say(SECOND, SARA, "سلام").expect("she writes");
    hub.until_says(campaign(1), 1000 + CROWD, "سلام").await;
    hub.until_says(campaign(2), 1001, "سلام").await;
    telegram.inject(fault.always().for_bot(TOKEN).for_method("sendMessage"));
    for number in 1001..=1000 + CROWD {
        hub.answer(campaign(1), number, "علیک سلام").await;
    }
    hub.answer(campaign(2), 1001, "درود").await;
    telegram.wait_sent(SARA, 1).await.expect("the other campaign's answer arrives");
    hub
}

#[tokio::test]
async fn a_bot_that_telegram_is_slow_with_holds_up_no_other_campaign() {
    let telegram = two_bots().await;
    crowd_and_one(&telegram, Fault::Slow { seconds: 3_600 }).await;
}

#[tokio::test]
async fn a_bot_that_telegram_makes_wait_holds_up_no_other_campaign() {
    let telegram = two_bots().await;
    let mut hub = crowd_and_one(&telegram, Fault::TooManyRequests { retry_after: 3_600 }).await;
    let tried = telegram.calls().into_iter().filter(|call| call.method == "sendMessage");
    let tried = tried.filter(|call| call.token == TOKEN).count();
    assert!(tried <= 8, "who has to wait does not go on asking: {tried} times");
    // Nothing that only waits is in doubt after a stop.
    hub.stop().await;
    telegram.clear_faults();
    hub.start().await;
    hub.advance(std::time::Duration::from_secs(3_600));
    for number in 1001..=1000 + CROWD {
        hub.until_ticket(campaign(1), number, |ticket| is(ticket, "علیک سلام", Delivery::Sent))
            .await;
    }
}

/// When the statements began that wait for a lock on the ledger.
async fn waiting(hub: &Hub) -> Option<time::OffsetDateTime> {
    sqlx::query_scalar(
        "SELECT min(query_start) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%outbound%'",
    )
    .fetch_one(&hub.database)
    .await
    .expect("PostgreSQL answers")
}

#[tokio::test]
async fn an_answer_on_its_way_in_a_crash_is_in_doubt_even_if_the_ledger_is_away_at_first() {
    let telegram = telegram().await;
    let mut hub = Hub::open(&telegram).await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    hub.until_says(campaign(1), 1001, "سلام").await;
    telegram.inject(Fault::Slow { seconds: 3_600 }.times(1).for_method("sendMessage"));
    hub.answer(campaign(1), 1001, "یک").await;
    telegram.wait_held(1).await.expect("it is on its way");
    hub.kill().await;

    let options = hub.database.connect_options();
    let mut owner = sqlx::PgConnection::connect_with(&options).await.expect("it opens");
    let lock = "BEGIN; LOCK TABLE outbound IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut owner).await.expect("nobody else has it");
    hub.start().await;
    let first = until("the hub looks at the ledger", || waiting(&hub)).await;
    until("it has given up and looks again", || async {
        waiting(&hub).await.filter(|began| *began > first)
    })
    .await;
    sqlx::raw_sql("COMMIT").execute(&mut owner).await.expect("it is let go");

    hub.until_ticket(campaign(1), 1001, |ticket| is(ticket, "یک", Delivery::InDoubt)).await;
    hub.answer(campaign(1), 1001, "دو").await;
    hub.until_ticket(campaign(1), 1001, |ticket| is(ticket, "دو", Delivery::Sent)).await;
}

fn refusing(description: &str) -> Fault {
    Fault::Refused { status: 403, description: format!("Forbidden: {description}") }
}

#[tokio::test]
async fn the_inbox_knows_that_a_citizen_blocked_the_bot_and_which_refusals_are_no_block() {
    let telegram = telegram().await;
    let hub = Hub::open(&telegram).await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    hub.until_says(campaign(1), 1001, "سلام").await;
    let failures = [
        ("user is deactivated", "chat_not_found"),
        ("bot can't initiate conversation with a user", "chat_not_found"),
        ("bots can't send messages to bots", "rejected"),
        ("bot was blocked by the user", "blocked"),
    ];
    for (said, failure) in failures {
        telegram.inject(refusing(said).times(1).for_method("sendMessage"));
        hub.answer(campaign(1), 1001, said).await;
        let ticket =
            hub.until_ticket(campaign(1), 1001, |ticket| is(ticket, said, Delivery::Failed)).await;
        assert_eq!(find(&ticket, said).map(|message| message.failure.as_str()), Some(failure));
        let blocked = ticket.citizen.is_some_and(|citizen| citizen.blocked);
        assert!(failure == "blocked" || !blocked, "{said} is no block");
    }

    let knows = |blocked: bool| {
        move |ticket: &GetTicketResponse| {
            ticket.citizen.as_ref().is_some_and(|citizen| citizen.blocked == blocked)
        }
    };
    hub.until_ticket(campaign(1), 1001, knows(true)).await;
    let refused = hub.try_answer(campaign(1), 1001, "هستید؟").await;
    assert!(refused.is_err(), "nobody writes to somebody who has blocked the bot");
    // Who writes has not blocked the bot any more.
    telegram.say(TOKEN, SARA, "هستم").expect("she writes");
    hub.until_ticket(campaign(1), 1001, knows(false)).await;
    hub.answer(campaign(1), 1001, "خوش آمدید").await;
    hub.until_ticket(campaign(1), 1001, |ticket| is(ticket, "خوش آمدید", Delivery::Sent)).await;
}
