//! The language and the time zone of an account: whoever logs in anywhere reads in the one and by the other.

use meydan_testkit::process::Person;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::office::{Office, PASSWORD, Reach, telegram};

/// The first moment of a page: for programs, and as people read it.
fn moment(html: &str) -> (OffsetDateTime, String) {
    let told = html.split("<time datetime=\"").nth(1).expect("a moment is told");
    let (machine, rest) = told.split_once('"').expect("the attribute ends");
    let words = rest.split('>').nth(1).and_then(|rest| rest.split('<').next());
    let machine = OffsetDateTime::parse(machine, &Rfc3339).expect("it is RFC 3339");
    (machine, words.expect("the element ends").to_owned())
}

#[tokio::test]
async fn what_an_account_chose_holds_in_every_browser_and_a_browser_may_speak_another_language() {
    let office = Office::open(&telegram().await.url(), Reach::Polling).await;
    let account = office.owner.open("/account").await;
    assert!(account.says("value=\"Asia/Tehran\" selected"), "{}", account.html);
    assert!(account.says("<option value=\"\" selected"), "no language is chosen yet");

    let chosen = [("locale", "en"), ("time_zone", "Asia/Tokyo")];
    let saved = office.owner.send(&account, "/account/preferences", &chosen).await;

    assert!(saved.url.contains("/account?notice=saved"), "{}", saved.url);
    assert!(saved.says("value=\"Asia/Tokyo\" selected"), "{}", saved.html);
    assert!(saved.says("<html lang=\"en\""), "{}", saved.html);
    let elsewhere = Person::visiting(&office.meydan.url);
    let login = elsewhere.open("/login").await;
    assert!(login.says("<html lang=\"fa\""), "nobody is known yet");
    let who = [("email", "tehran@meydan.example"), ("password", PASSWORD)];
    elsewhere.send(&login, "/login", &who).await;
    let history = elsewhere.open("/account/history").await;
    assert!(history.says("<html lang=\"en\""), "{}", history.html);
    let (at, words) = moment(history.html.split("<main").nth(1).expect("the page has a middle"));
    let clock = (at + Duration::hours(9)).time();
    let clock = format!("{:02}:{:02}", clock.hour(), clock.minute());
    assert!(words.contains(&clock), "{words} is {clock} in Tokyo");
    let preferences = [("locale", "fa"), ("return_to", "/account")];
    let here = elsewhere.send(&history, "/preferences", &preferences).await;
    assert!(here.says("<html lang=\"fa\""), "a browser goes before the account: {}", here.html);
    assert!(here.says("value=\"en\" lang=\"en\" selected"), "whose language stays");
}

#[tokio::test]
async fn a_time_zone_that_nobody_knows_is_refused_beside_its_field() {
    let office = Office::open(&telegram().await.url(), Reach::Polling).await;
    let account = office.owner.open("/account").await;

    let chosen = [("locale", "en"), ("time_zone", "Mars/Olympus")];
    let refused = office.owner.send(&account, "/account/preferences", &chosen).await;

    assert_eq!(refused.status, 422);
    assert!(refused.says("field-problem"), "{}", refused.html);
    assert!(refused.says("<html lang=\"fa\""), "nothing was chosen");
}
