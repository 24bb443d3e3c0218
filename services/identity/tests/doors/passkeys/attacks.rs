//! What must not open anything: used, late, foreign, copied, unknown and guessed passkeys.

use futures::future::join_all;
use meydan_rpc::pb::identity::{ListHistoryRequest, RemoveFactorRequest};
use time::Duration;

use super::{HOME, SARA, over, wrong};
use crate::harness::{Identity, PANEL, PASSWORD, from};

#[tokio::test]
async fn of_a_hundred_answers_to_one_challenge_at_once_one_succeeds() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let asked = identity.ask_key("").await.expect("anybody may");
    let signed = sara.key.sign(PANEL, &asked.options);

    let tries = (0..100).map(|_| identity.enter_key("", &asked.token, &signed));
    let tries = join_all(tries).await;

    assert_eq!(tries.iter().filter(|tried| tried.is_ok()).count(), 1);
    assert_eq!(identity.enter_key("", &asked.token, &signed).await.map(|_| ()), over());
    identity.end().await;
    assert_eq!(identity.facts("account.log_in_failed").await, 0, "no other was judged");
}

#[tokio::test]
async fn a_challenge_is_over_after_five_minutes_and_after_a_wrong_answer() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let late = identity.ask_key("").await.expect("anybody may");
    let signed = sara.key.sign(PANEL, &late.options);
    identity.advance(Duration::minutes(5));
    assert_eq!(identity.enter_key("", &late.token, &signed).await.map(|_| ()), over());

    let tried = identity.ask_key("").await.expect("anybody may");
    let other = identity.ask_key("").await.expect("anybody may");
    let signed = sara.key.sign(PANEL, &tried.options);
    // An answer to another challenge is none to this one.
    assert_eq!(identity.enter_key("", &other.token, &signed).await.map(|_| ()), wrong());
    let signed = sara.key.sign(PANEL, &other.options);
    assert_eq!(identity.enter_key("", &other.token, &signed).await.map(|_| ()), over());
    identity.end().await;
    assert_eq!(identity.facts("account.log_in_failed").await, 1, "what was over was not judged");
}

#[tokio::test]
async fn another_accounts_passkeys_and_challenges_open_nothing() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let mut ali = identity.enrol_key(&identity.owner_of("isfahan").await).await;

    // His passkey after her password.
    let waiting = identity.waiting(SARA).await;
    let asked = identity.ask_key(&waiting).await.expect("she has one");
    let his = ali.key.sign_any(PANEL, &asked.options);
    assert_eq!(identity.enter_key(&waiting, &asked.token, &his).await.map(|_| ()), wrong());
    // Her passkey under his name.
    let asked = identity.ask_key("").await.expect("anybody may");
    let hers = sara.key.sign(PANEL, &asked.options).replace(sara.key.holder(), ali.key.holder());
    assert_eq!(identity.enter_key("", &asked.token, &hers).await.map(|_| ()), wrong());
    // A challenge of his session, of his login and of the login page, in her session.
    let of_session = identity.ask_own(&ali.session).await.expect("he has one");
    let waits = identity.waiting("isfahan@meydan.example").await;
    let of_login = identity.ask_key(&waits).await.expect("he has one");
    let of_page = identity.ask_key("").await.expect("anybody may");
    for asked in [&of_session, &of_login, &of_page] {
        let signed = sara.key.sign_any(PANEL, &asked.options);
        assert_eq!(identity.prove_own(&sara.session, &asked.token, &signed).await, over());
    }
    // They are still his.
    let signed = ali.key.sign(PANEL, &of_session.options);
    assert!(identity.prove_own(&ali.session, &of_session.token, &signed).await.is_ok());
}

#[tokio::test]
async fn another_site_and_a_holder_who_was_not_verified_are_refused() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;

    // The authenticator takes a subdomain for the same party; the panel does not.
    for elsewhere in ["https://evil.meydan.example", "https://meydan.example:8443"] {
        let asked = identity.ask_key("").await.expect("anybody may");
        let signed = sara.key.sign(elsewhere, &asked.options);
        let tried = identity.enter_key("", &asked.token, &signed).await;
        assert_eq!(tried.map(|_| ()), wrong(), "{elsewhere}");
    }
    let asked = identity.ask_key("").await.expect("anybody may");
    let options = asked.options.replace("required", "discouraged");
    let signed = sara.key.sign(PANEL, &options);
    assert_eq!(identity.enter_key("", &asked.token, &signed).await.map(|_| ()), wrong());
    // Without saying whose it is.
    let asked = identity.ask_key("").await.expect("anybody may");
    let signed = sara.key.sign_any(PANEL, &asked.options).replace(sara.key.holder(), "");
    assert_eq!(identity.enter_key("", &asked.token, &signed).await.map(|_| ()), wrong());

    assert!(identity.log_in_with(&mut sara.key).await.is_ok(), "the passkey itself is good");
}

#[tokio::test]
async fn a_copy_whose_count_went_back_is_refused_on_record_and_told_to_the_holder() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let mut copy = sara.key.copy();
    for _ in 0..2 {
        identity.log_in_with(&mut sara.key).await.expect("it is hers");
    }

    assert_eq!(identity.log_in_with(&mut copy).await.map(|_| ()), wrong());

    assert_eq!(identity.facts("account.passkey_doubted").await, 1);
    identity.letter("kind = 'passkey-doubted'").await;
    let entered = identity.log_in_with(&mut sara.key).await.expect("hers is ahead");
    let holder = identity.holder(&entered.session_token).await;
    let request = identity.dial.ask(&holder, ListHistoryRequest::default());
    let history = identity.accounts().list_history(request).await.expect("it is hers");
    let history = history.into_inner().entries;
    let doubted = history.iter().find(|entry| entry.kind == "account.passkey_doubted");
    let doubted = doubted.expect("she sees it");
    assert_eq!((doubted.proof.as_str(), doubted.address.as_str()), ("passkey", HOME));
}

#[tokio::test]
async fn unknown_removed_and_malformed_passkeys_are_answered_like_wrong_ones() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let session = identity.log_in_with(&mut sara.key).await.expect("it is hers").session_token;
    let (factors, _) = identity.factors_of(&session).await;
    let factor_id = factors[0].factor_id.clone();
    let holder = identity.holder(&session).await;
    let remove = identity.dial.ask(&holder, RemoveFactorRequest { factor_id });
    identity.accounts().remove_factor(remove).await.expect("she came in a moment ago");

    assert_eq!(identity.log_in_with(&mut sara.key).await.map(|_| ()), wrong(), "removed");
    assert_eq!(identity.facts("account.factor_removed").await, 1);
    for malformed in ["", "{}", "null", &"[".repeat(100_000)] {
        let asked = identity.ask_key("").await.expect("anybody may");
        let tried = identity.enter_key("", &asked.token, malformed).await;
        assert_eq!(tried.map(|_| ()), wrong());
    }
    assert_eq!(identity.enter_key("", "made up", "{}").await.map(|_| ()), over());
    let entered = identity.log_in(SARA, PASSWORD, HOME).await;
    assert!(entered.is_ok(), "without a factor, the password is enough again: {entered:?}");
}

#[tokio::test]
async fn the_gate_counts_passkeys_and_closes_them() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    for _ in 0..20 {
        let (tried, other) = (identity.ask_key("").await, identity.ask_key("").await);
        let signed = sara.key.sign(PANEL, &other.expect("anybody may").options);
        let tried = tried.expect("anybody may");
        assert_eq!(identity.enter_key("", &tried.token, &signed).await.map(|_| ()), wrong());
    }

    assert_eq!(identity.log_in_with(&mut sara.key).await.map(|_| ()), wrong(), "for a day");
    let waiting = identity.waiting(SARA).await;
    let recovered = identity.prove(&waiting, &sara.codes[0], from(HOME, "")).await;
    assert!(recovered.is_ok(), "other ways are counted apart");
    identity.advance(Duration::days(1));
    assert!(identity.log_in_with(&mut sara.key).await.is_ok(), "a day is over");
    identity.end().await;
    assert_eq!(identity.facts("account.log_in_failed").await, 20, "the last was not judged");
    assert_eq!(identity.facts("account.locked").await, 1, "she is told");
}
