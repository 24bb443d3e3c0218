//! A challenge belongs to one login or session and to one answer, whatever kind of factor gives it; so does a proof.

use futures::future::join_all;
use meydan_rpc::{
    outcome::Failure,
    pb::identity::{ProveAgainRequest, RenewRecoveryCodesRequest},
};
use meydan_testkit::{authenticator, passkey::Authenticator};
use time::Duration;

use super::{HOME, Holder, SARA, over, refused, wrong};
use crate::harness::{Identity, PANEL, from};

/// Sara, with a passkey and an authenticator.
struct Both {
    holder: Holder,
    secret: String,
}

impl Identity {
    async fn sara_with_both(&self) -> Both {
        let mut holder = self.sara_with_key().await;
        let added = self.enrol(&holder.session).await;
        holder.session = added.session;
        Both { holder, secret: added.secret }
    }

    /// Makes new recovery codes, which asks for a proof of the session.
    async fn renew_codes(&self, session: &str) -> Result<(), Failure> {
        let request = self.dial.ask(&self.holder(session).await, RenewRecoveryCodesRequest {});
        self.accounts().renew_recovery_codes(request).await?;
        Ok(())
    }

    /// Proves a session once more with a code; its new token.
    async fn prove_with_code(&self, session: &str, code: &str) -> Result<String, Failure> {
        let message = ProveAgainRequest { secret: code.to_owned() };
        let request = self.dial.ask(&self.holder(session).await, message);
        Ok(self.accounts().prove_again(request).await?.into_inner().session_token)
    }
}

#[tokio::test]
async fn what_one_kind_of_factor_has_answered_no_other_kind_answers() {
    let identity = Identity::start().await;
    let Both { holder: mut sara, secret } = identity.sara_with_both().await;

    // A code ends the login for which a passkey was asked as well.
    let waiting = identity.waiting(SARA).await;
    let asked = identity.ask_key(&waiting).await.expect("she has one");
    let code = authenticator::code(&secret, identity.now());
    identity.prove(&waiting, &code, from(HOME, "")).await.expect("the code is right");
    let signed = sara.key.sign(PANEL, &asked.options);
    let late = identity.enter_key(&waiting, &asked.token, &signed).await.map(|_| ());
    assert_eq!(late, refused("identity.challenge.over"), "the login went on");
    // Nor is what was asked for it good without the login, or for another one.
    assert_eq!(identity.enter_key("", &asked.token, &signed).await.map(|_| ()), over());
    let other = identity.waiting(SARA).await;
    assert_eq!(identity.enter_key(&other, &asked.token, &signed).await.map(|_| ()), over());

    // A passkey ends the login for which a code could have been typed.
    let asked = identity.ask_key(&other).await.expect("she has one");
    let signed = sara.key.sign(PANEL, &asked.options);
    identity.enter_key(&other, &asked.token, &signed).await.expect("it is hers");
    let late = identity.prove(&other, &sara.codes[0], from(HOME, "")).await.map(|_| ());
    assert_eq!(late, refused("identity.challenge.over"), "the login went on");

    // A challenge of a passkey is no login that waits, and a login that waits no challenge.
    let page = identity.ask_key("").await.expect("anybody may");
    let mixed = identity.prove(&page.token, &sara.codes[0], from(HOME, "")).await.map(|_| ());
    assert_eq!(mixed, refused("identity.challenge.over"));
    let waiting = identity.waiting(SARA).await;
    let signed = sara.key.sign(PANEL, &page.options);
    assert_eq!(identity.enter_key("", &waiting, &signed).await.map(|_| ()), over());
    let entered = identity.prove(&waiting, &sara.codes[0], from(HOME, "")).await;
    assert!(entered.is_ok(), "nothing of this used the code up: {entered:?}");
}

#[tokio::test]
async fn wrong_codes_and_wrong_passkeys_end_a_login_together() {
    let identity = Identity::start().await;
    let Both { holder: mut sara, secret } = identity.sara_with_both().await;
    let waiting = identity.waiting(SARA).await;
    let page = identity.ask_key("").await.expect("anybody may");

    for _ in 0..2 {
        let tried = identity.prove(&waiting, "000000", from(HOME, "")).await.map(|_| ());
        assert_eq!(tried, refused("identity.code.wrong"));
        let asked = identity.ask_key(&waiting).await.expect("she has one");
        let signed = sara.key.sign(PANEL, &page.options);
        let tried = identity.enter_key(&waiting, &asked.token, &signed).await.map(|_| ());
        assert_eq!(tried, wrong());
    }
    let asked = identity.ask_key(&waiting).await.expect("she has one");
    let fifth = identity.prove(&waiting, "a recovery code of nobody", from(HOME, "")).await;
    assert_eq!(fifth.map(|_| ()), refused("identity.code.wrong"));

    let code = authenticator::code(&secret, identity.now());
    let right = identity.prove(&waiting, &code, from(HOME, "")).await.map(|_| ());
    assert_eq!(right, refused("identity.challenge.over"), "the password has to come first");
    let signed = sara.key.sign(PANEL, &asked.options);
    let right = identity.enter_key(&waiting, &asked.token, &signed).await.map(|_| ());
    assert_eq!(right, refused("identity.challenge.over"), "with a passkey as well");
}

#[tokio::test]
async fn a_proof_is_good_for_the_session_that_earned_it_alone() {
    let identity = Identity::start().await;
    let Both { holder: mut sara, secret } = identity.sara_with_both().await;
    let other = identity.log_in_with(&mut sara.key).await.expect("it is hers").session_token;
    identity.advance(Duration::minutes(6));
    let stale = refused("identity.proof.needed");
    assert_eq!(identity.renew_codes(&sara.session).await, stale);
    assert_eq!(identity.renew_codes(&other).await, stale);

    // A code shown in one session, and a passkey that was asked for there.
    let code = authenticator::code(&secret, identity.now());
    let asked = identity.ask_own(&sara.session).await.expect("she has one");
    let signed = sara.key.sign(PANEL, &asked.options);
    assert_eq!(identity.prove_own(&other, &asked.token, &signed).await, over());
    let proved = identity.prove_with_code(&sara.session, &code).await.expect("it is right");

    assert_eq!(identity.renew_codes(&other).await, stale, "that was another session");
    assert_eq!(identity.renew_codes(&proved).await, Ok(()));
    // Coming in anew proves nothing for a session that was there before either.
    identity.advance(Duration::minutes(6));
    identity.log_in_with(&mut sara.key).await.expect("it is hers");
    assert_eq!(identity.renew_codes(&proved).await, stale);
}

#[tokio::test]
async fn twenty_wrong_passkeys_of_somebody_who_is_in_close_them() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    for _ in 0..20 {
        let asked = identity.ask_own(&sara.session).await.expect("she has one");
        let other = identity.ask_key("").await.expect("anybody may");
        let signed = sara.key.sign(PANEL, &other.options);
        assert_eq!(identity.prove_own(&sara.session, &asked.token, &signed).await, wrong());
    }

    let asked = identity.ask_own(&sara.session).await.expect("she has one");
    let signed = sara.key.sign(PANEL, &asked.options);
    assert_eq!(identity.prove_own(&sara.session, &asked.token, &signed).await, wrong(), "closed");
    assert!(identity.log_in_with(&mut sara.key).await.is_ok(), "logins are counted apart");
}

#[tokio::test]
async fn of_a_hundred_passkeys_of_somebody_who_is_in_one_counts() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let asked = identity.ask_own(&sara.session).await.expect("she has one");
    let signed = sara.key.sign(PANEL, &asked.options);
    let holder = identity.holder(&sara.session).await;

    let tries = (0..100).map(|_| identity.prove_as(&holder, &asked.token, &signed));
    let tries = join_all(tries).await;

    assert_eq!(tries.iter().flatten().count(), 1, "{tries:?}");
    assert_eq!(identity.facts("account.proved_again").await, 1);
    // The same for a login that waits.
    let waiting = identity.waiting(SARA).await;
    let asked = identity.ask_key(&waiting).await.expect("she has one");
    let signed = sara.key.sign(PANEL, &asked.options);
    let before = identity.facts("account.logged_in").await;
    let tries = (0..100).map(|_| identity.enter_key(&waiting, &asked.token, &signed));
    assert_eq!(join_all(tries).await.iter().flatten().count(), 1);
    assert_eq!(identity.facts("account.logged_in").await, before + 1);
}

#[tokio::test]
async fn what_a_session_was_asked_for_is_over_after_five_minutes() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let late = identity.ask_own(&sara.session).await.expect("she has one");
    let begun = identity.begin_key(&sara.session).await.expect("she came in a moment ago");
    identity.advance(Duration::minutes(3));
    let asked = identity.ask_own(&sara.session).await.expect("she has one");
    let signed = sara.key.sign(PANEL, &asked.options);
    let proved = identity.prove_own(&sara.session, &asked.token, &signed).await;
    let session = proved.expect("it is right");
    identity.advance(Duration::minutes(2));

    let signed = sara.key.sign(PANEL, &late.options);
    assert_eq!(identity.prove_own(&session, &late.token, &signed).await, over());
    let mut second = Authenticator::new();
    let shown = second.create(PANEL, &begun.options);
    let holder = identity.holder(&session).await;
    let confirmed = identity.confirm_key(&holder, &begun.factor_id, &shown).await.map(|_| ());
    assert_eq!(confirmed, Err(Failure::NotFound), "the proof is fresh, what was begun is not");
}
