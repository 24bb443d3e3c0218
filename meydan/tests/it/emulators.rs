//! The journey against two Bot API servers that others wrote.

use meydan_testkit::telegram::emulators::{LoBotEmulator, TelegramTestApi};

use crate::office::{Office, Reach, TOKEN};

#[tokio::test]
async fn the_conversation_is_held_through_lo_bot_api_emulator() {
    let telegram = LoBotEmulator::start().await.expect("it starts");
    let office = Office::open(&telegram.url(), Reach::Webhook).await;

    telegram.say(TOKEN, 42, "سلام از شهروند").await.expect("a citizen writes");
    telegram.deliver(TOKEN).await.expect("it calls the webhook");
    office.owner.until("/c/tehran/inbox", "سلام از شهروند").await;
    office.answer(1001, "سلام از ستاد").await;

    let sent = telegram.wait_sent(42, 1).await.expect("the answer arrives");
    assert_eq!(sent[0].text(), "سلام از ستاد");
    office.owner.until("/c/tehran/inbox/1001", "delivery is-sent").await;
    assert_eq!(telegram.refused().len(), 0, "nothing was asked that it refuses");
}

#[tokio::test]
async fn the_conversation_is_held_through_telegram_test_api() {
    let telegram = TelegramTestApi::start().await.expect("it starts");
    let office = Office::open(&telegram.url(), Reach::Polling).await;

    telegram.say(TOKEN, 42, "سلام از شهروند").await.expect("a citizen writes");
    office.owner.until("/c/tehran/inbox", "سلام از شهروند").await;
    office.answer(1001, "سلام از ستاد").await;

    let sent = telegram.wait_sent(42, 1).await.expect("the answer arrives");
    assert_eq!(sent[0].text(), "سلام از ستاد");
    office.owner.until("/c/tehran/inbox/1001", "delivery is-sent").await;
}
