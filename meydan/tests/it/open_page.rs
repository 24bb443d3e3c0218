//! A page that lies open: it keeps its parts fresh within the limits, misses nothing, and ends with its session.

use meydan_testkit::process::Person;

use crate::office::{Office, Reach, TOKEN, telegram};

const SARA: i64 = 4_200_000_000_000_001;

/// What a stream says, until it says `words`; all of it, when it ends before.
async fn heard(live: &mut reqwest::Response, words: &str) -> String {
    let mut said = String::new();
    while !said.contains(words)
        && let Some(piece) = live.chunk().await.expect("it goes on or ends in order")
    {
        said.push_str(&String::from_utf8_lossy(&piece));
    }
    said
}

#[tokio::test]
async fn a_lively_page_uses_up_nothing_of_what_its_visitor_may_ask() {
    let telegram = telegram().await;
    let mut office = Office::open(&telegram.url(), Reach::Webhook).await;
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    office.owner.until("/c/tehran/inbox", "سلام").await;
    // From here on with the limits that an operator has who sets none.
    office.ground.settings.remove("MEYDAN_RATE_LIMIT");
    let office = office.restart().await;

    // A minute of four changes a second, of which each renews both parts.
    for _ in 0..240 {
        for part in ["/c/tehran/inbox/1001/messages", "/c/tehran/inbox/list"] {
            assert_eq!(office.owner.open(part).await.status, 200, "{part}");
        }
    }

    assert_eq!(office.owner.open("/c/tehran/inbox").await.status, 200);
    assert_eq!(office.owner.listen("/c/tehran/live", None).await.status(), 200);
}

#[tokio::test]
async fn parts_of_a_page_whose_session_ended_are_refused_and_not_led_to_the_login() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let stranger = Person::visiting(&office.meydan.url);

    for part in ["live", "figures", "inbox/list", "inbox/1001/messages"] {
        let answer = stranger.listen(&format!("/c/tehran/{part}"), None).await;
        assert_eq!(answer.status(), 401, "{part} leads to {}", answer.url());
    }
    let bot = stranger.listen("/admin/campaigns/tehran/bot", None).await;
    assert_eq!(bot.status(), 401);
    let page = stranger.open("/c/tehran/inbox").await;
    assert!(page.url.contains("/login?next="), "a page itself leads there: {}", page.url);
}

#[tokio::test]
async fn what_happens_between_a_page_and_its_stream_is_told_at_once() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    telegram.say(TOKEN, SARA, "یک").expect("she writes");
    office.owner.until("/c/tehran/inbox", "یک").await;
    for path in ["/c/tehran", "/c/tehran/inbox", "/c/tehran/inbox/1001"] {
        let page = office.owner.open(path).await;
        let words = format!("پس از {path}");
        telegram.say(TOKEN, SARA, &words).expect("she writes before the stream is open");
        office.owner.until("/c/tehran/inbox/1001/messages", &words).await;

        let stream = page.html.split("hx-sse:connect=\"").nth(1).expect("the page has a stream");
        let stream = stream.split('"').next().expect("its address ends").replace("&amp;", "&");
        let mut live = office.owner.listen(&stream, None).await;
        let first = live.chunk().await.expect("it is open").expect("it says");
        let first = String::from_utf8_lossy(&first).into_owned();

        assert!(first.contains("event: ticket"), "{path}: {first}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_session_however_much_is_going_on() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    let mut live = office.owner.listen("/c/tehran/live", None).await;
    live.chunk().await.expect("it is open").expect("it says where it begins");
    let page = office.owner.open("/c/tehran").await;
    office.owner.send(&page, "/logout", &[]).await;

    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    while !heard(&mut live, "event: ticket").await.is_empty() {
        telegram.say(TOKEN, SARA, "و باز هم").expect("she writes on");
    }

    let stranger = office.owner.listen("/c/tehran/live", None).await;
    assert_eq!(stranger.status(), 401);
}

#[tokio::test]
async fn a_session_may_have_twenty_streams_open_and_a_closed_one_makes_room() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let stream = office.owner.listen("/c/tehran/live", None).await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }

    let refused = office.owner.listen("/c/tehran/live", None).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "60");

    drop(streams);
    let room = async { while office.owner.listen("/c/tehran/live", None).await.status() != 200 {} };
    let patience = std::time::Duration::from_secs(30);
    tokio::time::timeout(patience, room).await.expect("there is room again");
}
