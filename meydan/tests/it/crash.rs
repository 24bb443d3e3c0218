//! Killed at any moment: nothing acknowledged is lost, nothing is shown or sent twice.

use crate::office::{Office, Reach, TOKEN, telegram};

const SARA: i64 = 4_200_000_000_000_001;

#[tokio::test]
async fn ten_kills_between_webhook_and_reply_lose_and_repeat_nothing() {
    let telegram = telegram().await;
    let mut office = Office::open(&telegram.url(), Reach::Webhook).await;

    // Each round writes, answers, and is killed a little later on the way than the round before.
    for round in 0..10_u32 {
        telegram.say(TOKEN, SARA, &format!("پیام-{round}-")).expect("she writes");
        if round > 0 {
            office.answer(1001, &format!("پاسخ-{round}-")).await;
        }
        for _ in 0..round {
            office.owner.open("/healthz").await;
        }
        office = office.restart().await;
        let path = "/c/tehran/inbox/1001/messages";
        office.owner.until(path, &format!("پیام-{round}-")).await;
    }

    let page = office.owner.open("/c/tehran/inbox/1001/messages").await;
    for round in 0..10 {
        let said = page.html.matches(&format!("پیام-{round}-")).count();
        assert_eq!(said, 1, "message {round} is shown {said} times");
    }
    for round in 1..10 {
        let text = format!("پاسخ-{round}-");
        assert_eq!(page.html.matches(&text).count(), 1, "answer {round} is kept once");
        let sent = telegram.sent(SARA).iter().filter(|sent| sent.text == text).count();
        assert!(sent <= 1, "answer {round} was sent {sent} times");
    }
    office.owner.until("/c/tehran/inbox/1001/messages", "delivery").await;
    settled(&office).await;
    let page = office.owner.open("/c/tehran/inbox/1001/messages").await;
    let sent = page.html.matches("class=\"delivery is-sent\"").count();
    let doubt = page.html.matches("class=\"delivery is-doubt\"").count();
    assert_eq!(
        sent + doubt,
        9,
        "each answer was sent, or is said to be in doubt: {sent} and {doubt}"
    );
    let arrived = telegram.sent(SARA).len();
    assert!(
        sent <= arrived && arrived <= sent + doubt,
        "{arrived} arrived, {sent} sent, {doubt} in doubt"
    );
}

/// Waits until no answer is on its way any more.
async fn settled(office: &Office) {
    let looking = async {
        while office.owner.open("/c/tehran/inbox/1001/messages").await.says("class=\"delivery\"") {}
    };
    let patience = std::time::Duration::from_secs(30);
    tokio::time::timeout(patience, looking).await.expect("every answer is settled");
}
