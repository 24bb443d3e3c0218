//! Guesses at the second step, and at passwords of whoever is in: where the bounds are, and what opens them again.

use meydan_rpc::{outcome::Failure, pb::identity::ChangePasswordRequest};
use time::Duration;
use uuid::Uuid;

use super::{SARA, Sara, refused};
use crate::{
    harness::{Identity, PASSWORD, from},
    oversight::id,
};

const NEW: &str = "another long pass phrase 8";

impl Identity {
    /// Logs in with a password up to the second step, from an address.
    async fn half_in(&self, password: &str, address: &str) -> String {
        let answer = self.enter(SARA, password, from(address, "")).await;
        answer.expect("the password is right").challenge_token
    }

    /// Shows so many wrong codes, five at a login, each login from a network of its own.
    async fn guess_codes(&self, number: usize, code: &str) {
        let mut challenge = String::new();
        for guess in 0..number {
            let address = format!("198.51.{}.1", guess / 5);
            if guess % 5 == 0 {
                challenge = self.half_in(PASSWORD, &address).await;
            }
            let wrong = self.prove(&challenge, code, from(&address, "")).await;
            assert_eq!(wrong.map(|_| ()), refused("identity.code.wrong"));
        }
    }

    /// Whether a right code completes a login from an address, on a browser.
    async fn opens(&self, sara: &Sara, password: &str, (address, device): (&str, &str)) -> bool {
        self.advance(Duration::seconds(60));
        let answer = self.enter(SARA, password, from(address, device)).await;
        let challenge = answer.expect("the password is right").challenge_token;
        self.prove(&challenge, &self.code(sara), from(address, device)).await.is_ok()
    }

    /// Waits for a letter on a machine without a mail server; the secret part of its link.
    pub(crate) async fn mailed(&self, kind: &str, path: &str) -> String {
        self.letter(&format!("kind = '{kind}' AND state = 'sent'")).await;
        let letters = std::fs::read_to_string(self.sink()).expect("it is there");
        let (_, token) = letters.rsplit_once(path).expect("the link is in it");
        token.split_whitespace().next().expect("the link has a token").to_owned()
    }

    /// Sara, who came by the mailed link: her address is proved, and a recovery leaves her the authenticator.
    async fn proved_sara(&self) -> Sara {
        self.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
        let token = self.mailed("invitation", "/welcome/").await;
        let session = self.accept(&token, "").await.expect("the link is good");
        self.enrol(&session).await
    }

    async fn recover(&self) {
        self.ask_recovery(SARA, "192.0.2.1").await.expect("anybody may");
        let token = self.mailed("recovery", "/recover/").await;
        self.finish_recovery(&token, NEW).await.expect("the link is good");
    }
}

#[tokio::test]
async fn four_wrong_codes_leave_a_login_open_and_five_end_it() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    for (wrong, open) in [(4, true), (5, false)] {
        let challenge = identity.challenge().await;
        for _ in 0..wrong {
            let guess = identity.prove(&challenge, "000000", from("192.0.2.1", "")).await;
            assert_eq!(guess.map(|_| ()), refused("identity.code.wrong"));
        }

        let right = identity.prove(&challenge, &identity.code(&sara), from("192.0.2.1", "")).await;

        assert_eq!(right.is_ok(), open, "after {wrong}");
        identity.advance(Duration::seconds(60));
    }
    assert!(!identity.challenge().await.is_empty(), "the password leads there again");
}

#[tokio::test]
async fn nineteen_wrong_codes_in_a_day_close_nothing() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;

    identity.guess_codes(19, "000000").await;

    assert!(identity.opens(&sara, PASSWORD, ("203.0.113.1", "")).await);
    identity.end().await;
    assert_eq!(identity.facts("account.factor_locked").await, 0);
}

#[tokio::test]
async fn twenty_wrong_codes_close_codes_to_strangers_everywhere_until_the_account_is_recovered() {
    let identity = Identity::start().await;
    let sara = identity.proved_sara().await;
    let challenge = identity.challenge().await;
    let code = identity.code(&sara);
    let known = identity.prove(&challenge, &code, from("192.0.2.1", "")).await;
    let known = known.expect("the code is right").device_token;

    identity.guess_codes(20, "000000").await;

    assert!(!identity.opens(&sara, PASSWORD, ("203.0.113.1", "")).await, "from anywhere");
    assert!(identity.opens(&sara, PASSWORD, ("203.0.113.1", &known)).await, "but on her browser");
    identity.advance(Duration::days(3));
    assert!(!identity.opens(&sara, PASSWORD, ("203.0.113.1", "")).await, "days open nothing");
    identity.recover().await;
    assert!(identity.opens(&sara, NEW, ("203.0.113.1", "")).await);
    identity.end().await;
    assert_eq!(identity.facts("account.factor_locked").await, 1, "on record once");
}

#[tokio::test]
async fn a_new_password_of_whoever_is_in_opens_codes_at_the_login_again() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    identity.guess_codes(20, "000000").await;
    let message = ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: NEW.to_owned(),
    };
    let holder = identity.holder(&sara.session).await;
    let changed = identity.accounts().change_password(identity.dial.ask(&holder, message)).await;
    changed.expect("she came in a moment ago");

    let opens = identity.opens(&sara, NEW, ("203.0.113.1", "")).await;
    assert!(opens, "whoever guessed does not know this one");
}

#[tokio::test]
async fn a_new_password_opens_codes_again_on_the_known_browser_that_it_is_chosen_on() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    let (challenge, code) = (identity.challenge().await, identity.code(&sara));
    let known = identity.prove(&challenge, &code, from("192.0.2.1", "")).await;
    let known = known.expect("the code is right").device_token;
    let half_in = async || {
        let answer = identity.enter(SARA, PASSWORD, from("192.0.2.1", &known)).await;
        answer.expect("the password is right").challenge_token
    };
    for _ in 0..4 {
        let challenge = half_in().await;
        for _ in 0..5 {
            let wrong = identity.prove(&challenge, "000000", from("192.0.2.1", &known)).await;
            assert_eq!(wrong.map(|_| ()), refused("identity.code.wrong"));
        }
    }
    identity.advance(Duration::days(3));
    assert!(!identity.opens(&sara, PASSWORD, ("192.0.2.1", &known)).await, "days open nothing");

    // She comes in there by something else, which is counted apart.
    let challenge = half_in().await;
    let entered = identity.prove(&challenge, &sara.codes[0], from("192.0.2.1", &known)).await;
    let holder = identity.holder(&entered.expect("it is hers").session_token).await;
    let (current_password, new_password) = (PASSWORD.to_owned(), NEW.to_owned());
    let message = ChangePasswordRequest { current_password, new_password };
    let changed = identity.accounts().change_password(identity.dial.ask(&holder, message)).await;
    changed.expect("she came in a moment ago");

    assert!(identity.opens(&sara, NEW, ("192.0.2.1", &known)).await, "it is hers as before");
}

#[tokio::test]
async fn codes_that_a_new_password_leaves_closed_to_a_session_are_shown_so_to_admins() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    let (admin, _) = identity.staff().await;
    let holder = identity.holder(&sara.session).await;
    for _ in 0..20 {
        let wrong = identity.prove_again(&sara.session, "000000").await;
        assert_eq!(wrong, refused("identity.proof.wrong"));
    }
    identity.letter("kind = 'factor-locked' AND state = 'sent'").await;

    let message = ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: NEW.to_owned(),
    };
    let changed = identity.accounts().change_password(identity.dial.ask(&holder, message)).await;
    changed.expect("she came in a moment ago");

    let closed = identity.prove_again(&sara.session, &identity.code(&sara)).await;
    assert_eq!(closed, refused("identity.proof.wrong"), "twenty a day, whoever chooses a password");
    let shown = identity.detail(&admin, id(&holder)).await.account.expect("it is there");
    assert!(shown.factor_locked_at.is_some());
    assert!(identity.opens(&sara, NEW, ("203.0.113.1", "")).await, "logins count by themselves");
}

#[tokio::test]
async fn codes_that_are_closed_to_a_session_are_so_until_the_account_is_recovered() {
    let identity = Identity::start().await;
    let sara = identity.proved_sara().await;
    for _ in 0..20 {
        let wrong = identity.prove_again(&sara.session, "000000").await;
        assert_eq!(wrong, refused("identity.proof.wrong"));
    }
    identity.advance(Duration::minutes(90));
    let closed = identity.prove_again(&sara.session, &identity.code(&sara)).await;
    assert_eq!(closed, refused("identity.proof.wrong"));

    identity.recover().await;

    identity.advance(Duration::seconds(60));
    let challenge = identity.half_in(NEW, "203.0.113.1").await;
    let code = identity.code(&sara);
    let session = identity.prove(&challenge, &code, from("203.0.113.1", "")).await;
    let session = session.expect("the login counts by itself").session_token;
    identity.advance(Duration::seconds(60));
    let proved = identity.prove_again(&session, &identity.code(&sara)).await;
    assert!(proved.is_ok(), "{proved:?}");
}

#[tokio::test]
async fn of_recovery_codes_five_wrong_ones_an_hour_are_taken() {
    const WRONG: &str = "a recovery code of nobody";
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    for (wrong, open) in [(4, true), (5, false)] {
        let mut challenge = identity.challenge().await;
        for _ in 0..wrong {
            let guess = identity.prove(&challenge, WRONG, from("192.0.2.1", "")).await;
            assert_eq!(guess.map(|_| ()), refused("identity.code.wrong"));
        }
        if wrong == 5 {
            challenge = identity.challenge().await;
        }
        let right = identity.prove(&challenge, &sara.codes[wrong], from("192.0.2.1", "")).await;
        assert_eq!(right.is_ok(), open, "after {wrong}");
    }
    assert!(identity.opens(&sara, PASSWORD, ("192.0.2.1", "")).await, "the app is another factor");

    identity.advance(Duration::hours(1));

    let challenge = identity.challenge().await;
    let right = identity.prove(&challenge, &sara.codes[5], from("192.0.2.1", "")).await;
    assert!(right.is_ok(), "an hour is over: {right:?}");
}

#[tokio::test]
async fn five_wrong_passwords_of_whoever_is_in_close_that_session_and_nothing_else() {
    let identity = Identity::start().await;
    let lies_open = identity.owner().await;
    let own = identity.log_in(SARA, PASSWORD, "198.51.100.1").await.expect("it is right");
    let change = async |session: &str, present: &str| {
        let message = ChangePasswordRequest {
            current_password: present.to_owned(),
            new_password: PASSWORD.to_owned(),
        };
        let request = identity.dial.ask(&identity.holder(session).await, message);
        let changed = identity.accounts().change_password(request).await;
        changed.map(|_| ()).map_err(Failure::from)
    };
    for _ in 0..4 {
        assert_eq!(change(&lies_open, "wrong").await, refused("identity.password.wrong"));
    }
    // The fifth comes by another door: all of them are one count.
    let step_up = identity.prove_again(&lies_open, "wrong").await;
    assert_eq!(step_up, refused("identity.proof.wrong"));

    assert_eq!(change(&lies_open, PASSWORD).await, refused("identity.password.wrong"));
    let step_up = identity.prove_again(&lies_open, PASSWORD).await;
    assert_eq!(step_up, refused("identity.proof.wrong"), "nor anywhere else in it");
    assert!(identity.log_in(SARA, PASSWORD, "198.51.100.1").await.is_ok(), "logins are open");
    assert!(identity.prove_again(&own, PASSWORD).await.is_ok(), "and her other session");
    identity.advance(Duration::minutes(15));
    assert!(identity.prove_again(&lies_open, PASSWORD).await.is_ok(), "a quarter is over");
    identity.end().await;
    assert_eq!(identity.facts("account.log_in_failed").await, 5);
    assert_eq!(identity.facts("account.locked").await, 1, "she is told");
}

#[tokio::test]
async fn four_wrong_passwords_of_whoever_is_in_close_nothing() {
    let identity = Identity::start().await;
    let session = identity.owner().await;
    for _ in 0..4 {
        let wrong = identity.prove_again(&session, "wrong").await;
        assert_eq!(wrong, refused("identity.proof.wrong"));
    }

    assert!(identity.prove_again(&session, PASSWORD).await.is_ok());
}
