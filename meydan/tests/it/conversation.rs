//! A citizen's message reaches the candidate, and the answer reaches the citizen.

use meydan_testkit::telegram::{Fault, TelegramSimulator};

use crate::office::{Office, Reach, TOKEN, telegram};

const SARA: i64 = 4_200_000_000_000_001;

async fn holds(telegram: TelegramSimulator, reach: Reach) {
    let office = Office::open(&telegram.url(), reach).await;

    telegram.say(TOKEN, SARA, "آسفالت کوچهٔ ما سه ماه است خراب است").expect("she writes");
    office.owner.until("/c/tehran/inbox", "آسفالت کوچهٔ ما").await;
    let conversation = office.owner.open("/c/tehran/inbox/1001").await;
    assert!(conversation.says("سه ماه است خراب است"), "{}", conversation.html);
    for elsewhere in ["/c/tehran", "/c/tehran/team"] {
        let page = office.owner.open(elsewhere).await;
        assert!(page.says("<span data-unread-number>۱</span>"), "{elsewhere} says that one waits");
    }

    let answered = office.answer(1001, "سلام، پیگیری می‌کنیم.").await;
    assert_eq!(answered.status, 200);
    let sent = telegram.wait_sent(SARA, 1).await.expect("the answer arrives");
    assert_eq!(sent[0].text, "سلام، پیگیری می‌کنیم.");
    office.owner.until("/c/tehran/inbox/1001", "delivery is-sent").await;

    let page = office.owner.open("/c/tehran/inbox/1001").await;
    let moved = [("status", "resolved")];
    office.owner.send(&page, "/c/tehran/inbox/1001/status", &moved).await;
    assert!(office.owner.open("/c/tehran/inbox?status=resolved").await.says("آسفالت"));
    assert!(telegram.executed_replies().is_empty(), "nothing is said in answers to Telegram");
    let (status, took) = office.meydan.stop().await;
    assert!(status.success() && took.as_secs() < 10, "{status} after {took:?}");
}

#[tokio::test]
async fn a_conversation_is_held_through_the_webhook() {
    holds(telegram().await, Reach::Webhook).await;
}

#[tokio::test]
async fn a_conversation_is_held_by_asking_for_updates() {
    holds(telegram().await, Reach::Polling).await;
}

#[tokio::test]
async fn an_open_page_is_told_of_a_message_and_one_that_was_away_of_what_it_missed() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    telegram.say(TOKEN, SARA, "یک").expect("she writes");
    office.owner.until("/c/tehran/inbox", "یک").await;
    let mut live = office.owner.listen("/c/tehran/live", None).await;
    let opened = live.chunk().await.expect("it is open").expect("it says where it begins");
    assert!(id_of(&opened).is_some(), "it says where to resume: {opened:?}");

    telegram.say(TOKEN, SARA, "دو").expect("she writes");
    // A citizen met, a ticket opened, its message: the second message is the log's fourth fact.
    let id = loop {
        let told = live.chunk().await.expect("it is open").expect("it goes on");
        if let Some(id @ 4..) = id_of(&told) {
            break id;
        }
    };

    // A page that was away since before that is told at once; one that has heard it is not.
    let mut late = office.owner.listen("/c/tehran/live", Some(id - 1)).await;
    let missed = late.chunk().await.expect("it is open").expect("it says");
    assert!(String::from_utf8_lossy(&missed).contains("event: ticket"), "{missed:?}");
    let mut current = office.owner.listen("/c/tehran/live", Some(id)).await;
    let nothing = current.chunk().await.expect("it is open").expect("it says");
    assert!(!String::from_utf8_lossy(&nothing).contains("event: ticket"), "{nothing:?}");
}

/// The position that a piece of the stream names.
fn id_of(piece: &[u8]) -> Option<i64> {
    let text = String::from_utf8_lossy(piece);
    text.lines().find_map(|line| line.strip_prefix("id: ")).and_then(|id| id.parse().ok())
}

#[tokio::test]
async fn photos_albums_edits_and_blocking_come_through() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    let picture = b"\x89PNG\r\n\x1a\nnot much of a picture";

    let photo = telegram.say_photo(TOKEN, SARA, Some("چالهٔ خیابان"), picture);
    photo.expect("she sends it");
    let page = office.owner.until("/c/tehran/inbox/1001", "چالهٔ خیابان").await;
    let file = page.html.split("/files/").nth(1).and_then(|rest| rest.split('"').next());
    let file = office.owner.open(&format!("/c/tehran/files/{}", file.expect("it is shown"))).await;
    assert!(file.html.ends_with("not much of a picture"), "the picture comes through the bot");
    let kept = office.owner.listen(file.url.as_str(), None).await;
    let said = |name: &str| kept.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(said("cache-control"), Some("no-store, private"), "no browser keeps it");
    assert_eq!(said("x-content-type-options"), Some("nosniff"));
    assert_eq!(said("content-security-policy"), Some("default-src 'none'; sandbox"));
    assert!(said("content-disposition").is_some_and(|how| how.starts_with("inline; filename")));

    let first = telegram.say(TOKEN, SARA, "کوچهٔ پنجم").expect("she writes");
    telegram.edit(TOKEN, SARA, first.message_id, "کوچهٔ ششم").expect("she corrects it");
    office.owner.until("/c/tehran/inbox/1001", "کوچهٔ ششم").await;
    assert!(office.owner.open("/c/tehran/inbox/1001").await.says("کوچهٔ پنجم"), "it is kept");

    for part in ["الف", "ب"] {
        let fields = serde_json::json!({ "text": part, "media_group_id": "album-1" });
        telegram.send(TOKEN, SARA, &fields).expect("she sends it");
    }
    office.owner.until("/c/tehran/inbox/1001", "ب").await;

    telegram.block(TOKEN, SARA).expect("she blocks the bot");
    let path = "/c/tehran/inbox/1001";
    office.owner.until(path, "blocked-note").await;
    let refused = office.owner.open(path).await;
    assert!(!refused.says("name=\"text\""), "nobody is offered to write to her");
}

#[tokio::test]
async fn what_telegram_refuses_is_said_in_words() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    office.owner.until("/c/tehran/inbox", "سلام").await;

    telegram.inject(Fault::TooManyRequests { retry_after: 1 }.times(1).for_method("sendMessage"));
    office.answer(1001, "یک").await;
    assert_eq!(telegram.wait_sent(SARA, 1).await.expect("it waits and tries again").len(), 1);

    telegram.inject(Fault::Blocked.times(1).for_method("sendMessage"));
    office.answer(1001, "دو").await;
    office.owner.until("/c/tehran/inbox/1001", "delivery is-failed").await;
    office.owner.until("/c/tehran/inbox/1001", "blocked-note").await;
    // Who writes has not blocked the bot any more.
    telegram.say(TOKEN, SARA, "هستم").expect("she writes");
    office.owner.until("/c/tehran/inbox/1001", "هستم").await;

    telegram.inject(Fault::AnswerLost.times(1).for_method("sendMessage"));
    office.answer(1001, "سه").await;
    office.owner.until("/c/tehran/inbox/1001", "delivery is-doubt").await;
    assert_eq!(telegram.sent(SARA).len(), 2, "what may have arrived is not sent again");

    telegram.revoke(TOKEN);
    office.answer(1001, "چهار").await;
    office.admin.until("/admin/campaigns/tehran/bot", "tone-bad").await;
}

#[tokio::test]
async fn an_answer_from_the_page_whose_ticket_was_just_moved_is_sent() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    office.owner.until("/c/tehran/inbox", "سلام").await;
    let path = "/c/tehran/inbox/1001";
    let page = office.owner.open(path).await;

    let moved = office.owner.send(&page, &format!("{path}/status"), &[("status", "waiting")]).await;
    assert_eq!(moved.status, 200);
    // The same page, as after the browser's way back.
    let answered =
        office.owner.send(&page, &format!("{path}/reply"), &[("text", "سلام سارا")]).await;
    assert_eq!(answered.status, 200);

    let sent = telegram.wait_sent(SARA, 1).await.expect("the answer arrives");
    assert_eq!(sent[0].text, "سلام سارا");
}
