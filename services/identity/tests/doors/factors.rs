//! Second factors through the door. The codes are oathtool's.

mod codes;
mod guesses;
mod scanned;

use futures::future::join_all;
use meydan_rpc::{
    outcome::Failure,
    pb::identity::{
        BeginFactorRequest, BeginFactorResponse, ChangePasswordRequest, ConfirmFactorRequest,
        EndSessionsRequest, ListFactorsRequest, ListHistoryRequest, ListSessionsRequest,
        ProveAgainRequest, RemoveFactorRequest, RenewRecoveryCodesRequest,
    },
};
use meydan_testkit::authenticator;
use time::Duration;
use uuid::Uuid;

use crate::harness::{Identity, PASSWORD, from};

const SARA: &str = "tehran@meydan.example";

/// Somebody with an authenticator.
pub(crate) struct Sara {
    pub(crate) session: String,
    pub(crate) secret: String,
    pub(crate) codes: Vec<String>,
}

fn refused<T>(code: &str) -> Result<T, Failure> {
    Err(Failure::Refused(code.into()))
}

impl Identity {
    /// An owner who has logged in.
    async fn owner(&self) -> String {
        let (_, link) = self.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
        self.accept(&link, "").await.expect("the link is good")
    }

    pub(crate) async fn begin(&self, session: &str) -> Result<BeginFactorResponse, Failure> {
        let holder = self.holder(session).await;
        let message = BeginFactorRequest { name: "تلفن".to_owned() };
        Ok(self.accounts().begin_factor(self.dial.ask(&holder, message)).await?.into_inner())
    }

    /// Adds an authenticator to an account.
    pub(crate) async fn enrol(&self, session: &str) -> Sara {
        let begun = self.begin(session).await.expect("they may");
        let holder = self.holder(session).await;
        let code = authenticator::code(&begun.secret, self.now());
        let message = ConfirmFactorRequest { factor_id: begun.factor_id, code };
        let confirmed = self.accounts().confirm_factor(self.dial.ask(&holder, message)).await;
        let confirmed = confirmed.expect("the code is right").into_inner();
        // Its code is used up; the next step brings another one.
        self.advance(Duration::seconds(30));
        Sara {
            session: confirmed.session_token,
            secret: begun.secret,
            codes: confirmed.recovery_codes,
        }
    }

    async fn sara(&self) -> Sara {
        self.enrol(&self.owner().await).await
    }

    async fn challenge(&self) -> String {
        let answer = self.enter(SARA, PASSWORD, from("192.0.2.1", "")).await;
        let answer = answer.expect("the password is right");
        assert_eq!(answer.session_token, "", "a password alone opens nothing");
        answer.challenge_token
    }

    async fn challenges(&self, number: usize) -> Vec<String> {
        let mut challenges = Vec::new();
        for _ in 0..number {
            challenges.push(self.challenge().await);
        }
        challenges
    }

    pub(crate) fn code(&self, sara: &Sara) -> String {
        authenticator::code(&sara.secret, self.now())
    }

    pub(crate) async fn prove_again(&self, session: &str, secret: &str) -> Result<String, Failure> {
        let holder = self.holder(session).await;
        let message = ProveAgainRequest { secret: secret.to_owned() };
        let proved = self.accounts().prove_again(self.dial.ask(&holder, message)).await?;
        Ok(proved.into_inner().session_token)
    }
}

#[tokio::test]
async fn a_code_of_the_authenticator_completes_a_login_and_says_so_to_the_log() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;

    let challenge = identity.challenge().await;
    let proved = identity.prove(&challenge, &identity.code(&sara), from("192.0.2.1", "")).await;

    let session = proved.expect("the code is right").session_token;
    assert!(identity.is_known(&session).await);
    let holder = identity.holder(&session).await;
    let request = identity.dial.ask(&holder, ListHistoryRequest::default());
    let history = identity.accounts().list_history(request).await.expect("it is hers");
    let history = history.into_inner().entries;
    let last = &history[0];
    assert_eq!((last.kind.as_str(), last.proof.as_str()), ("account.logged_in", "totp"));
    assert_eq!((last.address.as_str(), last.user_agent.as_str()), ("192.0.2.1", "test"));
}

#[tokio::test]
async fn of_many_uses_of_one_code_at_once_one_succeeds() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    for _ in 0..5 {
        // As many challenges, so that the code alone decides; few enough tries for the gate.
        let challenges = identity.challenges(20).await;
        let code = identity.code(&sara);
        let tries = challenges
            .iter()
            .map(|challenge| identity.prove(challenge, &code, from("192.0.2.1", "")));
        let entered = join_all(tries).await.into_iter().flatten().count();
        assert_eq!(entered, 1);
        identity.advance(Duration::days(2));
    }
}

#[tokio::test]
async fn a_code_is_never_good_again_nor_is_an_older_one_after_it() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    let older = identity.code(&sara);
    identity.advance(Duration::seconds(30));
    let code = identity.code(&sara);
    let challenge = identity.challenge().await;
    identity.prove(&challenge, &code, from("192.0.2.1", "")).await.expect("the code is right");

    let challenge = identity.challenge().await;
    for used in [code, older] {
        let again = identity.prove(&challenge, &used, from("192.0.2.1", "")).await;
        assert_eq!(again.map(|_| ()), refused("identity.code.wrong"));
    }
}

#[tokio::test]
async fn five_wrong_codes_end_the_login_and_a_right_password_forgives_none_of_them() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    let challenge = identity.challenge().await;

    for _ in 0..5 {
        let wrong = identity.prove(&challenge, "000000", from("192.0.2.1", "")).await;
        assert_eq!(wrong.map(|_| ()), refused("identity.code.wrong"));
    }
    let over = identity.prove(&challenge, &identity.code(&sara), from("192.0.2.1", "")).await;
    assert_eq!(over.map(|_| ()), refused("identity.challenge.over"));

    // Twenty a day, however often the password is given in between.
    for _ in 0..3 {
        let challenge = identity.challenge().await;
        for _ in 0..5 {
            let wrong = identity.prove(&challenge, "000000", from("192.0.2.1", "")).await;
            assert_eq!(wrong.map(|_| ()), refused("identity.code.wrong"));
        }
    }
    let challenge = identity.challenge().await;
    let right = identity.prove(&challenge, &identity.code(&sara), from("192.0.2.1", "")).await;
    assert_eq!(right.map(|_| ()), refused("identity.code.wrong"), "codes are closed");
    identity.end().await;
    assert_eq!(identity.facts("account.log_in_failed").await, 20);
    assert_eq!(identity.facts("account.factor_locked").await, 1, "she is told");
}

#[tokio::test]
async fn a_login_waits_five_minutes_for_its_code() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    let challenge = identity.challenge().await;

    identity.advance(Duration::minutes(5));

    let late = identity.prove(&challenge, &identity.code(&sara), from("192.0.2.1", "")).await;
    assert_eq!(late.map(|_| ()), refused("identity.challenge.over"));
}

#[tokio::test]
async fn a_recovery_code_opens_once_however_many_use_it_at_once() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    assert_eq!(sara.codes.len(), 10);
    let challenges = identity.challenges(20).await;

    let tries = challenges
        .iter()
        .map(|challenge| identity.prove(challenge, &sara.codes[0], from("192.0.2.1", "")));
    let entered = join_all(tries).await.into_iter().filter_map(Result::ok).collect::<Vec<_>>();

    assert_eq!(entered.len(), 1);
    let holder = identity.holder(&entered[0].session_token).await;
    let request = identity.dial.ask(&holder, ListFactorsRequest {});
    let left = identity.accounts().list_factors(request).await.expect("they are hers");
    assert_eq!(left.into_inner().recovery_codes, 9);
}

#[tokio::test]
async fn what_is_dangerous_asks_for_a_proof_of_the_last_five_minutes_and_gives_a_new_token() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    identity.advance(Duration::minutes(6));
    let holder = identity.holder(&sara.session).await;
    let renew = || identity.dial.ask(&holder, RenewRecoveryCodesRequest {});

    let stale = identity.accounts().renew_recovery_codes(renew()).await.map_err(Failure::from);
    assert_eq!(stale.map(|_| ()), refused("identity.proof.needed"));
    let password = identity.prove_again(&sara.session, PASSWORD).await;
    assert_eq!(password, refused("identity.proof.wrong"), "there is a second factor: it counts");
    let code = identity.code(&sara);
    let renewed = identity.prove_again(&sara.session, &code).await.expect("the code is right");

    assert!(!identity.is_known(&sara.session).await, "the old token is gone");
    assert!(identity.is_known(&renewed).await);
    let codes = identity.accounts().renew_recovery_codes(renew()).await.expect("it is fresh");
    let codes = codes.into_inner().recovery_codes;
    assert_eq!(codes.len(), 10);
    let challenge = identity.challenge().await;
    let old = identity.prove(&challenge, &sara.codes[1], from("192.0.2.1", "")).await;
    assert_eq!(old.map(|_| ()), refused("identity.code.wrong"), "new codes replace the old");
}

#[tokio::test]
async fn an_admin_keeps_the_last_authenticator_and_works_with_nothing_without_one() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let session = identity.accept(&link, "a@meydan.example").await.expect("the link is good");
    assert!(identity.held(&session).await.needs_factor);

    let begun = identity.begin(&session).await.expect("they may");
    let admin = identity.holder(&session).await;
    let code = authenticator::code(&begun.secret, identity.now());
    let message = ConfirmFactorRequest { factor_id: begun.factor_id.clone(), code };
    let confirmed = identity.accounts().confirm_factor(identity.dial.ask(&admin, message)).await;
    let session = confirmed.expect("the code is right").into_inner().session_token;

    assert!(!identity.held(&session).await.needs_factor);
    let remove = RemoveFactorRequest { factor_id: begun.factor_id };
    let last = identity.accounts().remove_factor(identity.dial.ask(&admin, remove)).await;
    assert_eq!(last.map(|_| ()).map_err(Failure::from), refused("identity.factor.last"));
}

#[tokio::test]
async fn another_accounts_authenticators_and_sessions_are_not_found() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    let begun = identity.begin(&sara.session).await.expect("she proved herself a moment ago");
    let (_, link) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let stranger = identity.accept(&link, "").await.expect("the link is good");
    let hers = identity.held(&sara.session).await.session_id;
    let stranger = identity.holder(&stranger).await;

    let code = authenticator::code(&begun.secret, identity.now());
    let confirm = ConfirmFactorRequest { factor_id: begun.factor_id.clone(), code };
    let confirmed = identity.accounts().confirm_factor(identity.dial.ask(&stranger, confirm)).await;
    assert_eq!(confirmed.map(|_| ()).map_err(Failure::from), Err(Failure::NotFound));
    let remove = RemoveFactorRequest { factor_id: begun.factor_id };
    let removed = identity.accounts().remove_factor(identity.dial.ask(&stranger, remove)).await;
    assert_eq!(removed.map(|_| ()).map_err(Failure::from), Err(Failure::NotFound));
    let end = EndSessionsRequest { session_id: hers };
    let ended = identity.accounts().end_sessions(identity.dial.ask(&stranger, end)).await;
    assert_eq!(ended.map(|_| ()).map_err(Failure::from), Err(Failure::NotFound));
    assert!(identity.is_known(&sara.session).await);
}

#[tokio::test]
async fn the_first_authenticator_ends_other_sessions_and_one_may_be_ended_alone() {
    let identity = Identity::start().await;
    let session = identity.owner().await;
    let elsewhere = identity.log_in(SARA, PASSWORD, "198.51.100.1").await.expect("it is right");
    let sara = identity.enrol(&session).await;
    assert!(!identity.is_known(&elsewhere).await, "it had no second factor");

    let challenge = identity.challenge().await;
    let other = identity.prove(&challenge, &identity.code(&sara), from("192.0.2.1", "")).await;
    let other = other.expect("the code is right").session_token;
    let holder = identity.holder(&sara.session).await;
    let request = identity.dial.ask(&holder, ListSessionsRequest {});
    let open = identity.accounts().list_sessions(request).await.expect("they are hers");
    let open = open.into_inner().sessions;
    assert_eq!(open.len(), 2);
    let absent = open.iter().find(|session| !session.present).expect("one of them is elsewhere");
    let end = EndSessionsRequest { session_id: absent.session_id.clone() };
    identity.accounts().end_sessions(identity.dial.ask(&holder, end)).await.expect("it is hers");

    assert!(!identity.is_known(&other).await);
    assert!(identity.is_known(&sara.session).await);
}

#[tokio::test]
async fn a_right_password_forgives_no_wrong_code_of_somebody_who_is_in() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    let holder = identity.holder(&sara.session).await;
    let passwords = [PASSWORD, "another long pass phrase 8"];
    for round in 0..4 {
        for _ in 0..5 {
            let wrong = identity.prove_again(&sara.session, "000000").await;
            assert_eq!(wrong, refused("identity.proof.wrong"));
        }
        let [old, new] = [round, round + 1].map(|turn| passwords[turn % 2].to_owned());
        let change = ChangePasswordRequest { current_password: old, new_password: new };
        let changed = identity.accounts().change_password(identity.dial.ask(&holder, change)).await;
        changed.expect("the password is right, and she logged in a moment ago");
    }

    let right = identity.prove_again(&sara.session, &identity.code(&sara)).await;
    assert_eq!(right, refused("identity.proof.wrong"), "twenty a day, whatever else is right");
}

#[tokio::test]
async fn a_session_that_lies_open_adds_no_authenticator() {
    let identity = Identity::start().await;
    let session = identity.owner().await;
    let begun = identity.begin(&session).await.expect("she came in a moment ago");
    identity.advance(Duration::minutes(6));

    assert_eq!(identity.begin(&session).await.map(|_| ()), refused("identity.proof.needed"));
    let holder = identity.holder(&session).await;
    let code = authenticator::code(&begun.secret, identity.now());
    let message = ConfirmFactorRequest { factor_id: begun.factor_id, code };
    let confirmed = identity.accounts().confirm_factor(identity.dial.ask(&holder, message)).await;
    let confirmed = confirmed.map(|_| ()).map_err(Failure::from);
    assert_eq!(confirmed, refused("identity.proof.needed"));
}

#[tokio::test]
async fn a_session_that_was_ended_confirms_nothing_and_ends_nobody_elses() {
    let identity = Identity::start().await;
    let thief = identity.owner().await;
    let begun = identity.begin(&thief).await.expect("it is fresh");
    let caller = identity.holder(&thief).await;
    let sara = identity.log_in(SARA, PASSWORD, "198.51.100.1").await.expect("it is right");
    let holder = identity.holder(&sara).await;
    let end = identity.dial.ask(&holder, EndSessionsRequest::default());
    identity.accounts().end_sessions(end).await.expect("all but her own");

    // A gateway may believe in it for some seconds more.
    let code = authenticator::code(&begun.secret, identity.now());
    let message = ConfirmFactorRequest { factor_id: begun.factor_id, code };
    let confirmed = identity.accounts().confirm_factor(identity.dial.ask(&caller, message)).await;
    assert_eq!(confirmed.map(|_| ()).map_err(Failure::from), Err(Failure::NotFound));
    let end = identity.dial.ask(&caller, EndSessionsRequest::default());
    let ended = identity.accounts().end_sessions(end).await.map(|_| ()).map_err(Failure::from);

    assert_eq!(ended, Err(Failure::NotFound));
    assert!(identity.is_known(&sara).await);
    assert!(identity.enter(SARA, PASSWORD, from("198.51.100.1", "")).await.is_ok());
}

#[tokio::test]
async fn a_new_password_ends_waiting_logins_and_what_other_browsers_are_known_by() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    let challenge = identity.challenge().await;
    let holder = identity.holder(&sara.session).await;
    let new = "another long pass phrase 8".to_owned();
    let change = ChangePasswordRequest { current_password: PASSWORD.to_owned(), new_password: new };
    let changed = identity.accounts().change_password(identity.dial.ask(&holder, change)).await;
    changed.expect("she proved herself a moment ago");

    let late = identity.prove(&challenge, &identity.code(&sara), from("192.0.2.1", "")).await;
    assert_eq!(late.map(|_| ()), refused("identity.challenge.over"));
    let devices: i64 = sqlx::query_scalar("SELECT count(*) FROM devices")
        .fetch_one(&identity.database().await)
        .await
        .expect("it answers");
    assert_eq!(devices, 1, "the one that changed it");
}

#[tokio::test]
async fn recovery_codes_work_when_codes_are_closed() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    for _ in 0..4 {
        let challenge = identity.challenge().await;
        for _ in 0..5 {
            let wrong = identity.prove(&challenge, "000000", from("192.0.2.1", "")).await;
            assert_eq!(wrong.map(|_| ()), refused("identity.code.wrong"));
        }
    }

    let challenge = identity.challenge().await;
    let recovered = identity.prove(&challenge, &sara.codes[0], from("192.0.2.1", "")).await;
    assert!(recovered.is_ok(), "{recovered:?}");
}
