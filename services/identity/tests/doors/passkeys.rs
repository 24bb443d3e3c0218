//! Passkeys through the door. The authenticator is webauthn-authenticator-rs's, in software.

mod attacks;
mod floods;
mod kinds;

use futures::future::join_all;
use identity::relying_party::RelyingParty;
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{
        AskPasskeyRequest, AskProofRequest, BeginPasskeyRequest, BeginPasskeyResponse,
        ConfirmPasskeyRequest, ConfirmPasskeyResponse, EnterWithPasskeyRequest, Factor,
        GetWaitingRequest, ListFactorsRequest, ListHistoryRequest, LogInResponse, PasskeyChallenge,
        ProveWithPasskeyRequest, RemoveFactorRequest, RenewRecoveryCodesRequest,
        passkey_logins_client::PasskeyLoginsClient, passkeys_client::PasskeysClient,
    },
};
use meydan_testkit::passkey::Authenticator;
use time::Duration;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::harness::{Identity, PANEL, PASSWORD, from, gateway};

const SARA: &str = "tehran@meydan.example";
const HOME: &str = "192.0.2.1";

fn refused<T>(code: &str) -> Result<T, Failure> {
    Err(Failure::Refused(code.into()))
}

fn wrong<T>() -> Result<T, Failure> {
    refused("identity.passkey.wrong")
}

fn over<T>() -> Result<T, Failure> {
    refused("identity.passkey.over")
}

/// Somebody with a passkey.
pub(crate) struct Holder {
    pub(crate) session: String,
    pub(crate) key: Authenticator,
    codes: Vec<String>,
}

impl Identity {
    fn passkeys(&self) -> PasskeysClient<Channel> {
        PasskeysClient::new(self.dial.channel())
    }

    fn passkey_logins(&self) -> PasskeyLoginsClient<Channel> {
        PasskeyLoginsClient::new(self.dial.channel())
    }

    /// The owner of a campaign, who has just come in.
    async fn owner_of(&self, campaign: &str) -> String {
        let (_, link) = self.campaign(campaign, Uuid::now_v7()).await.expect("it is free");
        self.accept(&link, "").await.expect("the link is good")
    }

    async fn begin_key(&self, session: &str) -> Result<BeginPasskeyResponse, Failure> {
        let holder = self.holder(session).await;
        let message = BeginPasskeyRequest { name: "تلفن".to_owned() };
        Ok(self.passkeys().begin_passkey(self.dial.ask(&holder, message)).await?.into_inner())
    }

    async fn confirm_key(
        &self,
        holder: &Caller,
        factor: &str,
        credential: &str,
    ) -> Result<ConfirmPasskeyResponse, Failure> {
        let (factor_id, credential) = (factor.to_owned(), credential.to_owned());
        let message = ConfirmPasskeyRequest { factor_id, credential };
        Ok(self.passkeys().confirm_passkey(self.dial.ask(holder, message)).await?.into_inner())
    }

    /// Adds a passkey to whoever holds a session.
    pub(crate) async fn enrol_key(&self, session: &str) -> Holder {
        let begun = self.begin_key(session).await.expect("they may");
        let mut key = Authenticator::new();
        let shown = key.create(PANEL, &begun.options);
        let holder = self.holder(session).await;
        let confirmed = self.confirm_key(&holder, &begun.factor_id, &shown).await;
        let confirmed = confirmed.expect("it is right");
        Holder { session: confirmed.session_token, key, codes: confirmed.recovery_codes }
    }

    async fn sara_with_key(&self) -> Holder {
        self.enrol_key(&self.owner_of("tehran").await).await
    }

    /// A challenge of the login page, or of a login that waits.
    async fn ask_key(&self, waiting: &str) -> Result<PasskeyChallenge, Failure> {
        self.ask_key_from(waiting, HOME).await
    }

    async fn ask_key_from(
        &self,
        waiting: &str,
        address: &str,
    ) -> Result<PasskeyChallenge, Failure> {
        let (challenge_token, address) = (waiting.to_owned(), address.to_owned());
        let message = AskPasskeyRequest { challenge_token, address };
        let request = self.dial.ask(&gateway(), message);
        Ok(self.passkey_logins().ask_passkey(request).await?.into_inner())
    }

    async fn enter_key(
        &self,
        waiting: &str,
        token: &str,
        credential: &str,
    ) -> Result<LogInResponse, Failure> {
        let message = EnterWithPasskeyRequest {
            token: token.to_owned(),
            credential: credential.to_owned(),
            challenge_token: waiting.to_owned(),
            guest: Some(from(HOME, "")),
            trusted: !waiting.is_empty(),
        };
        let request = self.dial.ask(&gateway(), message);
        Ok(self.passkey_logins().enter_with_passkey(request).await?.into_inner())
    }

    /// Comes in with a passkey alone.
    pub(crate) async fn log_in_with(
        &self,
        key: &mut Authenticator,
    ) -> Result<LogInResponse, Failure> {
        let asked = self.ask_key("").await?;
        self.enter_key("", &asked.token, &key.sign(PANEL, &asked.options)).await
    }

    /// A login that waits for its second factor.
    async fn waiting(&self, email: &str) -> String {
        let answer = self.enter(email, PASSWORD, from(HOME, "")).await;
        let answer = answer.expect("the password is right");
        assert_eq!(answer.session_token, "", "a password alone opens nothing");
        answer.challenge_token
    }

    async fn ask_own(&self, session: &str) -> Result<PasskeyChallenge, Failure> {
        let request = self.dial.ask(&self.holder(session).await, AskProofRequest {});
        Ok(self.passkeys().ask_proof(request).await?.into_inner())
    }

    async fn prove_own(
        &self,
        session: &str,
        token: &str,
        credential: &str,
    ) -> Result<String, Failure> {
        self.prove_as(&self.holder(session).await, token, credential).await
    }

    async fn prove_as(
        &self,
        holder: &Caller,
        token: &str,
        credential: &str,
    ) -> Result<String, Failure> {
        let (token, credential) = (token.to_owned(), credential.to_owned());
        let message = ProveWithPasskeyRequest { token, credential };
        let proved = self.passkeys().prove_with_passkey(self.dial.ask(holder, message)).await?;
        Ok(proved.into_inner().session_token)
    }

    async fn factors_of(&self, session: &str) -> (Vec<Factor>, i64) {
        let request = self.dial.ask(&self.holder(session).await, ListFactorsRequest {});
        let listed = self.accounts().list_factors(request).await.expect("they are theirs");
        let listed = listed.into_inner();
        (listed.factors, listed.recovery_codes)
    }
}

#[tokio::test]
async fn the_first_passkey_brings_recovery_codes_and_ends_sessions_without_a_second_factor() {
    let identity = Identity::start().await;
    let session = identity.owner_of("tehran").await;
    let elsewhere = identity.log_in(SARA, PASSWORD, "198.51.100.1").await.expect("it is right");

    let sara = identity.enrol_key(&session).await;

    assert_eq!(sara.codes.len(), 10);
    assert!(!identity.is_known(&elsewhere).await, "it had no second factor");
    assert!(!identity.is_known(&session).await, "the session has a new token");
    let (factors, codes) = identity.factors_of(&sara.session).await;
    assert_eq!((factors.len(), codes), (1, 10));
    assert!(factors[0].passkey);
    assert_eq!(factors[0].name, "تلفن");
    assert_eq!(identity.facts("account.factor_added").await, 1);
    let second = identity.enrol_key(&sara.session).await;
    assert!(second.codes.is_empty(), "there are codes already");
}

#[tokio::test]
async fn what_an_authenticator_is_asked_for_finds_its_holder_and_verifies_them() {
    let identity = Identity::start().await;
    let session = identity.owner_of("tehran").await;

    let begun = identity.begin_key(&session).await.expect("she may");

    for wanted in [
        r#""residentKey":"required""#,
        r#""requireResidentKey":true"#,
        r#""userVerification":"required""#,
        r#""id":"meydan.example""#,
        r#""attestation":"none""#,
    ] {
        assert!(begun.options.contains(wanted), "{wanted} in {}", begun.options);
    }
    let asked = identity.ask_key("").await.expect("anybody may");
    assert!(asked.options.contains(r#""allowCredentials":[]"#), "{}", asked.options);
    assert!(asked.options.contains(r#""userVerification":"required""#), "{}", asked.options);
}

#[tokio::test]
async fn a_passkey_completes_a_login_and_says_so_to_the_log() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let waiting = identity.waiting(SARA).await;
    let request = GetWaitingRequest { challenge_token: waiting.clone() };
    let request = identity.dial.ask(&gateway(), request);
    let ways = identity.passkey_logins().get_waiting(request).await.expect("it waits");
    assert_eq!((ways.get_ref().code, ways.get_ref().passkey), (false, true));

    let asked = identity.ask_key(&waiting).await.expect("she has one");
    let signed = sara.key.sign(PANEL, &asked.options);
    let entered = identity.enter_key(&waiting, &asked.token, &signed).await;

    let session = entered.expect("it is right").session_token;
    let holder = identity.holder(&session).await;
    let request = identity.dial.ask(&holder, ListHistoryRequest::default());
    let history = identity.accounts().list_history(request).await.expect("it is hers");
    let last = &history.into_inner().entries[0];
    assert_eq!((last.kind.as_str(), last.proof.as_str()), ("account.logged_in", "passkey"));
    assert_eq!((last.address.as_str(), last.user_agent.as_str()), (HOME, "test"));
    let late = identity.enter_key(&waiting, &asked.token, &signed).await;
    assert_eq!(late.map(|_| ()), refused("identity.challenge.over"), "the login went on");
}

#[tokio::test]
async fn an_admin_comes_in_with_a_passkey_alone() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let session = identity.accept(&link, "a@meydan.example").await.expect("the link is good");
    assert!(identity.held(&session).await.needs_factor);
    let mut admin = identity.enrol_key(&session).await;

    let entered = identity.log_in_with(&mut admin.key).await.expect("it is theirs");

    let held = identity.held(&entered.session_token).await;
    assert!(held.is_admin && !held.needs_factor);
    let (factors, _) = identity.factors_of(&entered.session_token).await;
    let factor_id = factors[0].factor_id.clone();
    let holder = identity.holder(&entered.session_token).await;
    let remove = identity.dial.ask(&holder, RemoveFactorRequest { factor_id });
    let last = identity.accounts().remove_factor(remove).await.map_err(Failure::from);
    assert_eq!(last.map(|_| ()), refused("identity.factor.last"));
}

#[tokio::test]
async fn a_passkey_proves_once_more_who_somebody_is() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    identity.advance(Duration::minutes(6));
    let holder = identity.holder(&sara.session).await;
    let renew = || identity.dial.ask(&holder, RenewRecoveryCodesRequest {});
    let stale = identity.accounts().renew_recovery_codes(renew()).await.map_err(Failure::from);
    assert_eq!(stale.map(|_| ()), refused("identity.proof.needed"));

    let asked = identity.ask_own(&sara.session).await.expect("she has one");
    let signed = sara.key.sign(PANEL, &asked.options);
    let renewed = identity.prove_own(&sara.session, &asked.token, &signed).await;

    let renewed = renewed.expect("it is right");
    assert!(!identity.is_known(&sara.session).await, "the old token is gone");
    assert!(identity.is_known(&renewed).await);
    assert!(identity.accounts().renew_recovery_codes(renew()).await.is_ok());
    let again = identity.prove_own(&renewed, &asked.token, &signed).await;
    assert_eq!(again, over());
}

#[tokio::test]
async fn an_enrolment_is_answered_once_by_whoever_began_it_and_soon() {
    let identity = Identity::start().await;
    let session = identity.owner_of("tehran").await;
    let holder = identity.holder(&session).await;
    let mut key = Authenticator::new();

    let begun = identity.begin_key(&session).await.expect("she came in a moment ago");
    let elsewhere = key.create("https://evil.meydan.example", &begun.options);
    let tried = identity.confirm_key(&holder, &begun.factor_id, &elsewhere).await;
    assert_eq!(tried.map(|_| ()), wrong());
    let right = key.create(PANEL, &begun.options);
    let again = identity.confirm_key(&holder, &begun.factor_id, &right).await;
    assert_eq!(again.map(|_| ()), Err(Failure::NotFound), "it was answered");

    let begun = identity.begin_key(&session).await.expect("she came in a moment ago");
    let right = key.create(PANEL, &begun.options);
    let stranger = identity.owner_of("isfahan").await;
    let stranger = identity.holder(&stranger).await;
    let foreign = identity.confirm_key(&stranger, &begun.factor_id, &right).await;
    assert_eq!(foreign.map(|_| ()), Err(Failure::NotFound));
    let tries = (0..20).map(|_| identity.confirm_key(&holder, &begun.factor_id, &right));
    let confirmed = join_all(tries).await.into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(confirmed.len(), 1);

    identity.advance(Duration::minutes(6));
    let session = &confirmed[0].session_token;
    let stale = identity.begin_key(session).await;
    assert_eq!(stale.map(|_| ()), refused("identity.proof.needed"));
}

#[tokio::test]
async fn an_account_has_at_most_ten_factors_of_all_kinds() {
    let identity = Identity::start().await;
    let mut session = identity.owner_of("tehran").await;
    session = identity.enrol(&session).await.session;
    for _ in 0..9 {
        session = identity.enrol_key(&session).await.session;
    }

    let more = identity.begin_key(&session).await;
    assert_eq!(more.map(|_| ()), refused("identity.factor.too_many"));
}

#[test]
fn there_are_no_passkeys_where_the_host_is_a_number() {
    let at = |origin: &str| RelyingParty::at(&origin.parse().expect("an address")).is_some();

    assert!(at("http://localhost:8080"));
    assert!(at("https://meydan.example"));
    assert!(!at("http://127.0.0.1:8080"));
    assert!(!at("https://[2001:db8::1]"));
}

#[tokio::test]
async fn a_browser_that_is_theirs_alone_rests_for_days_after_a_passkey_as_after_a_code() {
    let identity = Identity::start().await;
    let mut sara = identity.sara_with_key().await;
    let alone = identity.log_in_with(&mut sara.key).await.expect("it is hers").session_token;
    let waiting = identity.waiting(SARA).await;
    let asked = identity.ask_key(&waiting).await.expect("she has one");
    let signed = sara.key.sign(PANEL, &asked.options);
    let second = identity.enter_key(&waiting, &asked.token, &signed).await;
    let second = second.expect("it is hers").session_token;

    identity.advance(Duration::hours(3));

    assert!(!identity.is_known(&alone).await, "nobody said whose browser it is");
    assert!(identity.is_known(&second).await);
}
