//! Guessing: what it costs whom. Strangers are closed out, and the holder never is.

use futures::future::join_all;
use meydan_rpc::{
    outcome::Failure,
    pb::identity::{
        AskEmailRequest, LogInRequest, ProveAgainRequest, contacts_client::ContactsClient,
    },
};
use time::Duration;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{Identity, PASSWORD, from, gateway};

const SARA: &str = "sara@meydan.example";

fn failed<T>() -> Result<T, Failure> {
    Err(Failure::Refused("identity.login.failed".into()))
}

/// Sara, and the cookie of her browser.
async fn sara(identity: &Identity) -> String {
    let link = identity.first_link().await.expect("there is no admin yet");
    identity.accept(&link, SARA).await.expect("the link is good");
    let known = identity.enter(SARA, PASSWORD, from("198.51.100.1", "")).await;
    known.expect("the password is right").device_token
}

#[tokio::test]
async fn a_browser_that_logged_in_before_is_not_locked_out_by_strangers() {
    let identity = Identity::start().await;
    let device = sara(&identity).await;

    // Strangers behind her own address, and a botnet.
    for network in 0..30 {
        for _ in 0..6 {
            let address = format!("198.51.{}.7", 100 + network);
            assert_eq!(identity.log_in(SARA, "wrong", &address).await, failed());
        }
    }

    let stranger = identity.log_in(SARA, PASSWORD, "203.0.113.9").await;
    assert_eq!(stranger, failed(), "fifty guesses a day, and no more");
    let owner = identity.enter(SARA, PASSWORD, from("198.51.100.1", &device)).await;
    assert!(owner.is_ok(), "her browser is known");
    identity.end().await;
    assert_eq!(identity.facts("account.log_in_failed").await, 50, "no other was judged");
    assert_eq!(identity.facts("account.locked").await, 10, "she is told, of the last as well");
}

#[tokio::test]
async fn a_stolen_browser_is_closed_like_any_other_and_made_up_cookies_are_strangers() {
    let identity = Identity::start().await;
    let device = sara(&identity).await;
    for _ in 0..5 {
        let wrong = identity.enter(SARA, "wrong", from("192.0.2.1", &device)).await;
        assert_eq!(wrong.map(|_| ()), failed());
    }
    let closed = identity.enter(SARA, PASSWORD, from("192.0.2.1", &device)).await;
    assert_eq!(closed.map(|_| ()), failed());

    for made_up in 0..5 {
        let cookie = format!("made up {made_up}");
        let wrong = identity.enter(SARA, "wrong", from("192.0.2.1", &cookie)).await;
        assert_eq!(wrong.map(|_| ()), failed());
    }
    assert_eq!(identity.log_in(SARA, PASSWORD, "192.0.2.1").await, failed(), "the network is");
}

/// Wrong passwords for Sara, so many from an address.
async fn fail(identity: &Identity, times: usize, address: &str) {
    for _ in 0..times {
        assert_eq!(identity.log_in(SARA, "wrong", address).await, failed());
    }
}

/// One wrong password at each of so many accounts, from one address.
async fn fail_at(identity: &Identity, accounts: usize, named: &str) {
    for number in 0..accounts {
        let address = format!("{named}{number}@meydan.example");
        assert_eq!(identity.log_in(&address, "wrong", "192.0.2.1").await, failed());
    }
}

/// Whether a wrong password from a network is turned away, because too many wait to be judged.
async fn is_turned_away(identity: &Identity, network: &str) -> bool {
    let (email, password) = (SARA.to_owned(), "wrong".to_owned());
    let guest = Some(from(network, ""));
    let message = LogInRequest { email, password, guest, trusted: false };
    let answer = identity.sessions().log_in(identity.dial.ask(&gateway(), message)).await;
    answer.expect_err("it is wrong").code() == Code::Unavailable
}

#[tokio::test]
async fn whoever_is_closed_out_and_turned_away_takes_back_no_tries_of_other_strangers() {
    let identity = Identity::start().await;
    sara(&identity).await;
    for _ in 0..5 {
        assert_eq!(identity.log_in(SARA, "wrong", "192.0.2.1").await, failed());
    }

    let mut turned_away = 0;
    while turned_away == 0 {
        let rush = (0..500).map(|_| is_turned_away(&identity, "192.0.2.1"));
        turned_away = join_all(rush).await.into_iter().filter(|turned| *turned).count();
    }

    for network in 0..9 {
        for _ in 0..5 {
            let address = format!("198.51.{}.7", 100 + network);
            assert_eq!(identity.log_in(SARA, "wrong", &address).await, failed());
        }
    }
    let stranger = identity.log_in(SARA, PASSWORD, "203.0.113.9").await;
    assert_eq!(stranger, failed(), "fifty guesses a day, those of the closed network with them");
}

#[tokio::test]
async fn nothing_that_somebody_who_is_in_does_forgives_those_who_guess() {
    let identity = Identity::start().await;
    let device = sara(&identity).await;
    let known = from("198.51.100.1", &device);
    let session = identity.enter(SARA, PASSWORD, known).await.expect("it is hers").session_token;
    for _ in 0..4 {
        assert_eq!(identity.log_in(SARA, "wrong", "192.0.2.1").await, failed());
    }

    // She goes on working, proves herself once more, and comes in again by the browser that is hers.
    let holder = identity.holder(&session).await;
    let message = ProveAgainRequest { secret: PASSWORD.to_owned() };
    let proved = identity.accounts().prove_again(identity.dial.ask(&holder, message)).await;
    let session = proved.expect("the password is right").into_inner().session_token;
    assert!(identity.is_known(&session).await);
    let again = identity.enter(SARA, PASSWORD, from("198.51.100.1", &device)).await;
    assert!(again.is_ok(), "{again:?}");

    assert_eq!(identity.log_in(SARA, "wrong", "192.0.2.1").await, failed(), "the fifth");
    assert_eq!(identity.log_in(SARA, PASSWORD, "192.0.2.1").await, failed(), "the five count");
}

#[tokio::test]
async fn five_wrong_passwords_close_within_a_quarter_of_an_hour_and_not_beyond_it() {
    let identity = Identity::start().await;
    sara(&identity).await;

    fail(&identity, 4, "192.0.2.1").await;
    identity.advance(Duration::minutes(15));
    fail(&identity, 4, "192.0.2.1").await;
    let right = identity.log_in(SARA, PASSWORD, "192.0.2.1").await;
    assert!(right.is_ok(), "four in each quarter: {right:?}");

    fail(&identity, 4, "192.0.2.1").await;
    identity.advance(Duration::minutes(15) - Duration::SECOND);
    fail(&identity, 1, "192.0.2.1").await;
    assert_eq!(identity.log_in(SARA, PASSWORD, "192.0.2.1").await, failed(), "five in one");
}

#[tokio::test]
async fn the_fiftieth_wrong_password_of_strangers_closes_for_a_day_and_one_less_closes_nothing() {
    let identity = Identity::start().await;
    sara(&identity).await;
    for network in 0..9 {
        fail(&identity, 5, &format!("198.51.{}.7", 100 + network)).await;
    }
    fail(&identity, 4, "198.51.109.7").await;
    let stranger = identity.log_in(SARA, PASSWORD, "203.0.113.9").await;
    assert!(stranger.is_ok(), "forty-nine are wrong: {stranger:?}");
    fail(&identity, 1, "198.51.109.7").await;

    identity.advance(Duration::DAY - Duration::SECOND);
    let early = identity.log_in(SARA, PASSWORD, "203.0.113.9").await;
    assert_eq!(early, failed(), "the day is not over");
    identity.advance(Duration::SECOND);
    assert!(identity.log_in(SARA, PASSWORD, "203.0.113.9").await.is_ok());
}

#[tokio::test]
async fn it_closes_for_longer_each_time_up_to_a_day() {
    let identity = Identity::start().await;
    sara(&identity).await;
    for minutes in [15, 30, 60, 120, 240, 480, 960, 1440, 1440] {
        for _ in 0..5 {
            assert_eq!(identity.log_in(SARA, "wrong", "192.0.2.1").await, failed());
        }
        identity.advance(Duration::minutes(minutes) - Duration::seconds(1));
        let early = identity.log_in(SARA, PASSWORD, "192.0.2.1").await;
        assert_eq!(early, failed(), "{minutes} minutes are not over");
        identity.advance(Duration::seconds(1));
    }
    assert!(identity.log_in(SARA, PASSWORD, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn an_address_that_fails_at_many_accounts_is_closed_to_all_for_a_day() {
    let identity = Identity::start().await;
    let device = sara(&identity).await;
    fail_at(&identity, 16, "guess").await;

    assert_eq!(identity.log_in(SARA, PASSWORD, "192.0.2.1").await, failed());
    assert!(identity.log_in(SARA, PASSWORD, "192.0.2.99").await.is_ok(), "its neighbour");
    let known = identity.enter(SARA, PASSWORD, from("192.0.2.1", &device)).await;
    assert!(known.is_ok(), "her own browser at that address");
    assert_eq!(identity.facts("network.closed").await, 1, "admins see it once");
    identity.advance(Duration::hours(24));
    assert!(identity.log_in(SARA, PASSWORD, "192.0.2.1").await.is_ok(), "a day is over");
}

#[tokio::test]
async fn fifteen_accounts_of_an_office_may_mistype_within_three_hours() {
    let identity = Identity::start().await;
    sara(&identity).await;
    fail_at(&identity, 15, "colleague").await;

    assert!(identity.log_in(SARA, PASSWORD, "192.0.2.1").await.is_ok());
    identity.advance(Duration::hours(3));
    fail_at(&identity, 15, "visitor").await;
    let later = identity.log_in(SARA, PASSWORD, "192.0.2.1").await;
    assert!(later.is_ok(), "the others failed three hours ago: {later:?}");
    identity.advance(Duration::hours(3) - Duration::SECOND);
    fail_at(&identity, 1, "guest").await;
    let closed = identity.log_in(SARA, PASSWORD, "192.0.2.1").await;
    assert_eq!(closed, failed(), "sixteen within three hours");
}

#[tokio::test]
async fn whoever_mistypes_and_then_logs_in_has_failed_at_nothing() {
    let identity = Identity::start().await;
    sara(&identity).await;
    assert_eq!(identity.log_in(SARA, "wrong", "192.0.2.1").await, failed());
    assert!(identity.log_in(SARA, PASSWORD, "192.0.2.1").await.is_ok());
    fail_at(&identity, 15, "colleague").await;

    assert!(identity.log_in(SARA, PASSWORD, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn what_no_longer_counts_is_let_go_of() {
    let identity = Identity::start().await;
    sara(&identity).await;
    fail_at(&identity, 3, "made-up").await;
    identity.advance(Duration::hours(49));

    // The worker sweeps when it is woken, and once more when it ends.
    assert_eq!(identity.log_in("last@meydan.example", "wrong", "192.0.2.1").await, failed());
    identity.end().await;

    let left = "SELECT (SELECT count(*) FROM login_tries) + (SELECT count(*) FROM login_targets)";
    let left: i64 =
        sqlx::query_scalar(left).fetch_one(&identity.database().await).await.expect("it answers");
    assert_eq!(left, 3, "those of the last try: its pair, the strangers', and what it failed at");
}

/// Leaves a code, a link to a new password and an authenticator that nobody answers; the account.
async fn leave_unanswered(identity: &Identity, slug: &str) -> Uuid {
    let (_, link) = identity.campaign(slug, Uuid::now_v7()).await.expect("it is free");
    let session = identity.accept(&link, "").await.expect("the link is good");
    let account = identity.held(&session).await.account_id;
    identity.begin(&session).await.expect("they may");
    let (email, current_password) = (String::new(), String::new());
    let message = AskEmailRequest { email, current_password, locale: "en".to_owned() };
    let request = identity.dial.ask(&identity.holder(&session).await, message);
    let asked = ContactsClient::new(identity.dial.channel()).ask_email(request).await;
    asked.expect("their own address asks for nothing");
    let address = format!("{slug}@meydan.example");
    identity.ask_recovery(&address, "198.51.100.1").await.expect("anybody may ask");
    identity.letter(&format!("kind = 'recovery' AND account_id = '{account}'")).await;
    account.parse().expect("an id")
}

#[tokio::test]
async fn what_waited_for_an_answer_is_let_go_of_when_its_time_is_over_and_not_before() {
    let identity = Identity::start().await;
    let waiting = async || -> Vec<Uuid> {
        let whose = "SELECT account_id FROM proofs UNION ALL SELECT account_id FROM recoveries
                     UNION ALL SELECT account_id FROM factors WHERE confirmed_at IS NULL";
        let whose = sqlx::query_scalar(whose).fetch_all(&identity.database().await).await;
        whose.expect("it answers")
    };
    let tehran = leave_unanswered(&identity, "tehran").await;
    assert_eq!(waiting().await, [tehran; 3]);
    identity.advance(Duration::hours(1));
    let isfahan = leave_unanswered(&identity, "isfahan").await;

    // The worker sweeps when it is woken, and once more when it ends.
    assert_eq!(identity.log_in("last@meydan.example", "wrong", "192.0.2.1").await, failed());
    identity.end().await;

    assert_eq!(waiting().await, [isfahan; 3]);
}
