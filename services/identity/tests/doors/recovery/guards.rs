//! What ends a link, what a recovery makes of known browsers, and that nobody keeps anybody else from a link.

use meydan_rpc::{
    outcome::Failure,
    pb::identity::{
        AskEmailRequest, ChangePasswordRequest, ProveEmailRequest, contacts_client::ContactsClient,
        prove_email_request::Proof,
    },
};
use time::Duration;
use uuid::Uuid;

use super::{NEW, link, opened, with_owner};
use crate::harness::{Identity, PANEL, PASSWORD, from};

const OWNER: &str = "tehran@meydan.example";

/// Guessers use up what browsers have that the account does not know.
async fn close_to_strangers(identity: &Identity, email: &str) {
    for network in 0..10 {
        for _ in 0..5 {
            let address = format!("198.51.{}.7", 100 + network);
            assert!(identity.log_in(email, "wrong", &address).await.is_err());
        }
    }
    let stranger = identity.log_in(email, PASSWORD, "203.0.113.9").await;
    assert!(stranger.is_err(), "fifty guesses a day, and no more");
}

async fn change_password(identity: &Identity, session: &str) {
    let message = ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: NEW.to_owned(),
    };
    let request = identity.dial.ask(&identity.holder(session).await, message);
    identity.accounts().change_password(request).await.expect("the password is right");
}

#[tokio::test]
async fn a_link_ends_when_the_password_is_changed() {
    let (mails, identity, session) = with_owner().await;
    identity.ask_recovery(OWNER, "192.0.2.1").await.expect("anybody may ask");
    let token = link(&mails).await;
    assert!(opened(&identity, &token).await.is_ok());

    change_password(&identity, &session).await;

    assert_eq!(opened(&identity, &token).await, Err(Failure::NotFound));
    assert_eq!(identity.finish_recovery(&token, NEW).await, Err(Failure::NotFound));
}

#[tokio::test]
async fn a_link_that_went_to_the_address_before_ends_with_it() {
    let (mails, identity, session) = with_owner().await;
    identity.ask_recovery(OWNER, "192.0.2.1").await.expect("anybody may ask");
    let token = link(&mails).await;
    let caller = identity.holder(&session).await;
    let mut contacts = ContactsClient::new(identity.dial.channel());
    let message = AskEmailRequest {
        email: "new@meydan.example".to_owned(),
        current_password: PASSWORD.to_owned(),
        locale: "fa".to_owned(),
    };
    contacts.ask_email(identity.dial.ask(&caller, message)).await.expect("the password is right");
    let proof = mails.next().await.expect("a mail comes").token(&format!("{PANEL}/account/email/"));
    assert!(opened(&identity, &token).await.is_ok(), "asking changes nothing");

    let message = ProveEmailRequest { proof: Some(Proof::Token(proof)) };
    contacts.prove_email(identity.dial.ask(&caller, message)).await.expect("it is theirs");

    assert_eq!(opened(&identity, &token).await, Err(Failure::NotFound));
    assert_eq!(identity.finish_recovery(&token, NEW).await, Err(Failure::NotFound));
}

#[tokio::test]
async fn after_a_recovery_no_browser_is_known_but_the_one_that_showed_the_link() {
    let (mails, identity, _) = with_owner().await;
    let before = identity.enter(OWNER, PASSWORD, from("192.0.2.1", "")).await;
    let before = before.expect("the password is right").device_token;
    close_to_strangers(&identity, OWNER).await;
    identity.ask_recovery(OWNER, "192.0.2.1").await.expect("anybody may ask");
    let token = loop {
        let mail = mails.next().await.expect("a mail comes");
        if mail.text.contains("/recover/") {
            break mail.token(&format!("{PANEL}/recover/"));
        }
    };

    let device = identity.finish_recovery(&token, NEW).await.expect("the link is good");

    let stolen = identity.enter(OWNER, NEW, from("192.0.2.1", &before)).await;
    assert!(stolen.is_err(), "what was known before is a stranger among guessers");
    let holder = identity.enter(OWNER, NEW, from("192.0.2.1", &device)).await;
    assert!(holder.is_ok(), "whoever guesses does not keep her out: {holder:?}");
    let other = identity.enter(OWNER, "wrong", from("192.0.2.1", &device)).await;
    assert!(other.is_err(), "it opens nothing by itself");
}

#[tokio::test]
async fn a_change_of_password_forgets_browsers_elsewhere_and_not_the_one_that_made_it() {
    let (_mails, identity, _) = with_owner().await;
    let here = identity.enter(OWNER, PASSWORD, from("192.0.2.1", "")).await.expect("right");
    let there = identity.enter(OWNER, PASSWORD, from("192.0.2.2", "")).await.expect("right");

    change_password(&identity, &here.session_token).await;

    close_to_strangers(&identity, OWNER).await;
    let elsewhere = identity.enter(OWNER, NEW, from("192.0.2.2", &there.device_token)).await;
    assert!(elsewhere.is_err(), "it is a stranger");
    let here = identity.enter(OWNER, NEW, from("192.0.2.1", &here.device_token)).await;
    assert!(here.is_ok(), "{here:?}");
}

#[tokio::test]
async fn a_browser_is_known_for_a_year_after_the_last_login_from_it() {
    let (_mails, identity, _) = with_owner().await;
    let known = identity.enter(OWNER, PASSWORD, from("192.0.2.1", "")).await.expect("right");
    let known = known.device_token;

    identity.advance(Duration::days(365) - Duration::SECOND);
    close_to_strangers(&identity, OWNER).await;
    assert!(identity.enter(OWNER, PASSWORD, from("192.0.2.1", &known)).await.is_ok());

    identity.advance(Duration::days(365));
    close_to_strangers(&identity, OWNER).await;
    assert!(identity.enter(OWNER, PASSWORD, from("192.0.2.1", &known)).await.is_err());
}

#[tokio::test]
async fn a_browser_that_one_account_knows_is_a_stranger_to_another() {
    let (_mails, identity, _) = with_owner().await;
    let known = identity.enter(OWNER, PASSWORD, from("192.0.2.1", "")).await.expect("right");
    let link = identity.first_link().await.expect("there is no admin yet");
    identity.accept(&link, "sara@meydan.example").await.expect("the link is good");
    close_to_strangers(&identity, "sara@meydan.example").await;

    let guest = from("192.0.2.1", &known.device_token);
    assert!(identity.enter("sara@meydan.example", PASSWORD, guest.clone()).await.is_err());
    assert!(identity.enter(OWNER, PASSWORD, guest).await.is_ok());
}

/// Neighbours use up what a network may ask for in an hour.
async fn neighbours_ask(identity: &Identity) {
    for who in ["a", "b", "c"] {
        let asked = identity.ask_recovery(&format!("{who}@meydan.example"), "192.0.2.1").await;
        assert_eq!(asked, Ok(()));
    }
}

#[tokio::test]
async fn whose_neighbours_ask_too_often_gets_a_link_a_day_and_any_on_a_browser_that_is_known() {
    let (mails, identity, _) = with_owner().await;
    let known = identity.enter(OWNER, PASSWORD, from("192.0.2.1", "")).await;
    let known = known.expect("the password is right").device_token;
    mails.next().await.expect("a mail tells of the new browser");

    neighbours_ask(&identity).await;
    assert_eq!(identity.ask_recovery(OWNER, "192.0.2.77").await, Ok(()));
    link(&mails).await;
    assert_eq!(
        identity.ask_recovery(OWNER, "192.0.2.77").await,
        Ok(()),
        "the same answer, no letter"
    );

    identity.advance(Duration::minutes(61));
    neighbours_ask(&identity).await;
    assert_eq!(
        identity.ask_recovery(OWNER, "192.0.2.77").await,
        Ok(()),
        "the same answer, no letter"
    );
    assert_eq!(identity.ask_recovery_as(OWNER, ("192.0.2.77", &known)).await, Ok(()));
    let there = link(&mails).await;
    assert!(opened(&identity, &there).await.is_ok(), "it took nothing from this one");

    identity.advance(Duration::days(1));
    neighbours_ask(&identity).await;
    assert_eq!(identity.ask_recovery(OWNER, "192.0.2.77").await, Ok(()));
    link(&mails).await;
    identity.end().await;
    assert_eq!(mails.waiting().await, 0, "each of the three letters came");
}

#[tokio::test]
async fn whoever_asks_for_somebodys_address_all_the_time_leaves_them_a_good_link_at_all_times() {
    let (mails, identity, _) = with_owner().await;
    let mut good = String::new();
    for minute in 0..180 {
        let address = format!("198.51.{}.1", minute % 90);
        assert_eq!(identity.ask_recovery(OWNER, &address).await, Ok(()));
        if minute % 60 == 0 {
            good = link(&mails).await;
        }
        assert!(opened(&identity, &good).await.is_ok(), "in minute {minute}");
        identity.advance(Duration::minutes(1));
    }
    identity.end().await;
    assert_eq!(mails.waiting().await, 0, "one letter an hour");
}

#[tokio::test]
async fn an_account_that_cannot_be_read_holds_up_nobody_elses_link() {
    let (mails, identity, _) = with_owner().await;
    let damaged = "UPDATE accounts SET profile_sealed = 'no seal' WHERE account_id = $1";
    identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let own = mails.next().await.expect("a mail comes").token(&format!("{PANEL}/welcome/"));
    let other = identity.accept(&own, "").await.expect("the link is good");
    let other: Uuid = identity.held(&other).await.account_id.parse().expect("an id");
    let database = identity.database().await;
    let broken = sqlx::query(damaged).bind(other).execute(&database).await.expect("it answers");
    assert_eq!(broken.rows_affected(), 1);

    identity.ask_recovery("isfahan@meydan.example", "192.0.2.1").await.expect("anybody may ask");
    identity.ask_recovery(OWNER, "192.0.2.1").await.expect("anybody may ask");

    let token = link(&mails).await;
    assert_eq!(opened(&identity, &token).await, Ok(OWNER.to_owned()));
}

#[tokio::test]
async fn however_many_requests_cannot_be_answered_the_next_one_is() {
    let (mails, identity, _) = with_owner().await;
    identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let own = mails.next().await.expect("a mail comes").token(&format!("{PANEL}/welcome/"));
    let other = identity.accept(&own, "").await.expect("the link is good");
    let other: Uuid = identity.held(&other).await.account_id.parse().expect("an id");
    let database = identity.database().await;
    let damaged = "UPDATE accounts SET profile_sealed = 'no seal' WHERE account_id = $1";
    let broken = sqlx::query(damaged).bind(other).execute(&database).await.expect("it answers");
    assert_eq!(broken.rows_affected(), 1);
    let asked = "INSERT INTO recovery_requests (account_id, locale, at)
                 SELECT $1, 'fa', $2 FROM generate_series(1, 150)";
    let asked = sqlx::query(asked).bind(other).bind(identity.now()).execute(&database).await;
    assert_eq!(asked.expect("it answers").rows_affected(), 150);

    identity.ask_recovery(OWNER, "192.0.2.1").await.expect("anybody may ask");

    let token = link(&mails).await;
    assert_eq!(opened(&identity, &token).await, Ok(OWNER.to_owned()));
}
