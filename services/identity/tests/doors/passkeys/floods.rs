//! Challenges that are asked for without end: they fill nothing, and keep nobody out.

use futures::{StreamExt, stream};
use meydan_rpc::outcome::Failure;
use time::Duration;

use super::{HOME, SARA, over, refused};
use crate::harness::{Identity, PANEL};

/// More than the thousand that the login page keeps at a time.
const FLOOD: u32 = 1_200;

async fn kept(identity: &Identity) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM passkey_challenges");
    count.fetch_one(&identity.database().await).await.expect("it answers")
}

#[tokio::test]
async fn a_network_gets_sixty_challenges_a_minute_and_others_go_on() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let asked = stream::iter(0..200).map(|last| {
        let identity = &identity;
        async move { identity.ask_key_from("", &format!("198.51.100.{last}")).await }
    });
    let asked: Vec<_> = asked.buffer_unordered(50).collect().await;

    assert_eq!(asked.iter().filter(|asked| asked.is_ok()).count(), 60);
    let refusals = asked.into_iter().filter_map(Result::err);
    let too_many = Failure::Refused("identity.passkey.too_many".into());
    assert!(refusals.into_iter().all(|refusal| refusal == too_many));
    assert_eq!(kept(&identity).await, 60, "who is refused leaves nothing");
    identity.log_in_with(&mut sara.key).await.expect("she comes from elsewhere");
    let v6 = |host: u32| format!("2001:db8:7:{host:x}::1");
    for host in 0..60 {
        identity.ask_key_from("", &v6(host)).await.expect("it is within the rate");
    }
    let more = identity.ask_key_from("", &v6(60)).await.map(|_| ());
    assert_eq!(more, refused("identity.passkey.too_many"), "a /48 is one network");

    identity.advance(Duration::minutes(1));
    identity.ask_key_from("", "198.51.100.7").await.expect("a minute has passed");
}

#[tokio::test]
async fn a_flood_from_thousands_of_networks_fills_nothing_and_keeps_nobody_out() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let first = identity.ask_key("").await.expect("anybody may");
    identity.advance(Duration::seconds(1));
    let asked = stream::iter(0..FLOOD).map(|number| {
        let [_, _, third, fourth] = number.to_be_bytes();
        let (identity, address) = (&identity, format!("10.{third}.{fourth}.1"));
        async move { identity.ask_key_from("", &address).await }
    });
    let asked: Vec<_> = asked.buffer_unordered(50).collect().await;
    assert!(asked.iter().all(Result::is_ok), "nobody is refused for what others do");
    // Those who asked at the same moment did not see each other's; the next one lets go of what is too much.
    assert!(kept(&identity).await < 1_050);
    identity.ask_key_from("", "10.250.0.1").await.expect("it is within the rate");
    assert_eq!(kept(&identity).await, 1_000);

    // What was asked long before is pushed out; who asks now comes in, in the middle of it.
    let signed = sara.key.sign(PANEL, &first.options);
    assert_eq!(identity.enter_key("", &first.token, &signed).await.map(|_| ()), over());
    identity.advance(Duration::seconds(1));
    let mine = identity.ask_key("").await.expect("anybody may");
    for number in 0..100 {
        let address = format!("10.200.{number}.1");
        identity.ask_key_from("", &address).await.expect("it is within the rate");
    }
    let signed = sara.key.sign(PANEL, &mine.options);
    identity.enter_key("", &mine.token, &signed).await.expect("she is in");
    assert_eq!(kept(&identity).await, 999);
}

#[tokio::test]
async fn one_login_that_waits_and_one_session_keep_five_challenges() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let waiting = identity.waiting(SARA).await;
    for second in 0..50 {
        identity.ask_key_from(&waiting, HOME).await.expect("the password was right");
        identity.ask_own(&sara.session).await.expect("she has one");
        identity.advance(Duration::milliseconds(second));
    }

    assert_eq!(kept(&identity).await, 10);
    let asked = identity.ask_key(&waiting).await.expect("the password was right");
    let signed = sara.key.sign(PANEL, &asked.options);
    identity.enter_key(&waiting, &asked.token, &signed).await.expect("the newest opens");
}
