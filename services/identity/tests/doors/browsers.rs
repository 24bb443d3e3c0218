//! Browsers: which of them one trusts, which session they hold, and with which token.

use meydan_rpc::{
    form::timestamp,
    outcome::Failure,
    pb::identity::{
        AskPasskeyRequest, ChangeRoleRequest, ConfirmFactorRequest, EnterWithPasskeyRequest, Guest,
        ListSessionsRequest, LogInRequest, LogInResponse, ProveFactorRequest, RenewTokenRequest,
        Role, Session, StopTrustingRequest, passkey_logins_client::PasskeyLoginsClient,
    },
};
use meydan_testkit::authenticator;
use time::Duration;
use uuid::Uuid;

use crate::{
    harness::{Identity, PANEL, PASSWORD, from, gateway},
    team::Team,
};

const SARA: &str = "tehran@meydan.example";

/// The owner of a campaign, who has come by their link.
async fn owner(identity: &Identity) -> String {
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    identity.accept(&link, "").await.expect("the link is good")
}

impl Identity {
    /// Gives the password in a browser, of which somebody says whether it is theirs alone.
    async fn give_password(&self, trusted: bool, guest: Guest) -> LogInResponse {
        let (email, password) = (SARA.to_owned(), PASSWORD.to_owned());
        let message = LogInRequest { email, password, guest: Some(guest), trusted };
        let answer = self.sessions().log_in(self.dial.ask(&gateway(), message)).await;
        answer.expect("the password is right").into_inner()
    }

    /// Shows a code after a password of which it was said that the browser is trusted.
    async fn give_code(&self, code: &str, trusted: bool) -> String {
        let challenge_token = self.give_password(true, at_home("")).await.challenge_token;
        let (code, guest) = (code.to_owned(), Some(at_home("")));
        let message = ProveFactorRequest { challenge_token, code, trusted, guest };
        let proved = self.sessions().prove_factor(self.dial.ask(&gateway(), message)).await;
        proved.expect("the code is right").into_inner().session_token
    }

    async fn devices(&self, session: &str) -> Vec<Session> {
        let request = self.dial.ask(&self.holder(session).await, ListSessionsRequest {});
        self.accounts().list_sessions(request).await.expect("they are theirs").into_inner().sessions
    }

    async fn stop_trusting(&self, by: &str, session_id: String) -> Result<(), Failure> {
        let message = StopTrustingRequest { session_id };
        let request = self.dial.ask(&self.holder(by).await, message);
        self.accounts().stop_trusting(request).await?;
        Ok(())
    }

    async fn renew_token(&self, token: &str) -> Result<String, Failure> {
        let message = RenewTokenRequest { session_token: token.to_owned() };
        let renewed = self.sessions().renew_token(self.dial.ask(&gateway(), message)).await?;
        Ok(renewed.into_inner().session_token)
    }
}

fn at_home(session: &str) -> Guest {
    Guest { session_token: session.to_owned(), ..from("192.0.2.1", "") }
}

#[tokio::test]
async fn a_members_session_rests_for_two_hours_and_not_for_a_second_more() {
    let identity = Identity::start().await;
    let session = owner(&identity).await;

    identity.advance(Duration::hours(2) - Duration::SECOND);
    assert!(identity.is_known(&session).await);
    identity.advance(Duration::hours(2) + Duration::SECOND);
    assert!(!identity.is_known(&session).await);
}

#[tokio::test]
async fn on_a_trusted_browser_a_session_does_not_end_by_resting_and_lasts_for_fourteen_days() {
    let identity = Identity::start().await;
    owner(&identity).await;
    let trusted = identity.give_password(true, at_home("")).await.session_token;
    let other = identity.give_password(false, at_home("")).await.session_token;

    identity.advance(Duration::hours(3));
    assert!(!identity.is_known(&other).await, "it rested for more than two hours");
    identity.advance(Duration::days(14) - Duration::hours(4));
    assert!(identity.is_known(&trusted).await, "it rests for as long as it likes");
    identity.advance(Duration::hours(2));
    assert!(!identity.is_known(&trusted).await, "and no session lasts for longer");
}

#[tokio::test]
async fn a_trusted_browser_keeps_the_token_that_comes_with_a_factor_for_as_long_as_the_one_before()
{
    let identity = Identity::start().await;
    owner(&identity).await;
    let ends_at = Some(timestamp(identity.now() + Duration::days(14)));
    assert_eq!(identity.give_password(false, at_home("")).await.keep_until, None);
    let entered = identity.give_password(true, at_home("")).await;
    assert_eq!(entered.keep_until, ends_at);

    let begun = identity.begin(&entered.session_token).await.expect("they may");
    let holder = identity.holder(&entered.session_token).await;
    let code = authenticator::code(&begun.secret, identity.now());
    let message = ConfirmFactorRequest { factor_id: begun.factor_id, code };
    let confirmed = identity.accounts().confirm_factor(identity.dial.ask(&holder, message)).await;

    let confirmed = confirmed.expect("the code is right").into_inner();
    assert_eq!(confirmed.keep_until, ends_at);
}

#[tokio::test]
async fn a_browser_is_trusted_with_whatever_opens_the_session_and_not_by_a_password_before_a_code()
{
    let identity = Identity::start().await;
    let sara = identity.enrol(&owner(&identity).await).await;
    let mut key = identity.enrol_key(&sara.session).await;
    let after = |code: &str| (code.to_owned(), true);
    identity.advance(Duration::minutes(2));
    let totp = authenticator::code(&sara.secret, identity.now());
    let mut sessions = vec![];
    for (code, trusted) in [after(&totp), after(&sara.codes[0]), (sara.codes[1].clone(), false)] {
        sessions.push(identity.give_code(&code, trusted).await);
    }
    let mut keys = PasskeyLoginsClient::new(identity.dial.channel());
    let asked = identity.dial.ask(&gateway(), AskPasskeyRequest::default());
    let asked = keys.ask_passkey(asked).await;
    let asked = asked.expect("there are passkeys here").into_inner();
    let message = EnterWithPasskeyRequest {
        token: asked.token,
        credential: key.key.sign(PANEL, &asked.options),
        challenge_token: String::new(),
        guest: Some(at_home("")),
        trusted: true,
    };
    let alone = keys.enter_with_passkey(identity.dial.ask(&gateway(), message)).await;
    sessions.push(alone.expect("it is right").into_inner().session_token);

    identity.advance(Duration::hours(3));

    let mut known = vec![];
    for session in &sessions {
        known.push(identity.is_known(session).await);
    }
    assert_eq!(known, [true, true, false, true], "code, recovery code, unsaid, passkey alone");
}

#[tokio::test]
async fn no_browser_is_an_admins_own() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    identity.accept(&link, SARA).await.expect("the link is good");
    let entered = identity.give_password(true, at_home("")).await;
    assert_eq!(entered.keep_until, None, "its token goes when the browser is closed");
    let session = entered.session_token;

    assert!(identity.devices(&session).await.iter().all(|device| !device.trusted));
    identity.advance(Duration::minutes(31));
    assert!(!identity.is_known(&session).await);
}

#[tokio::test]
async fn whoever_trusts_a_browser_no_longer_says_so_from_any_other_and_only_of_their_own() {
    let identity = Identity::start().await;
    owner(&identity).await;
    let lost = identity.give_password(true, at_home("")).await.session_token;
    let (_, link) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let stranger = identity.accept(&link, "").await.expect("the link is good");
    let listed = identity.devices(&lost).await;
    let lost_id = listed.iter().find(|device| device.present).expect("it is this one");
    assert!(lost_id.trusted && listed.iter().filter(|device| device.trusted).count() == 1);
    let lost_id = lost_id.session_id.clone();

    let foreign = identity.stop_trusting(&stranger, lost_id.clone()).await;
    assert_eq!(foreign, Err(Failure::NotFound));
    identity.advance(Duration::hours(1));
    let other = identity.give_password(false, at_home("")).await.session_token;
    identity.stop_trusting(&other, lost_id).await.expect("it is theirs");
    assert!(identity.devices(&other).await.iter().all(|device| !device.trusted));

    identity.advance(Duration::minutes(61));
    assert_eq!(identity.devices(&other).await.len(), 1, "what has rested too long is not there");
    assert!(!identity.is_known(&lost).await, "it rested for more than two hours");
}

#[tokio::test]
async fn a_login_ends_the_session_that_the_browser_had_once_it_succeeds() {
    let identity = Identity::start().await;
    let first = owner(&identity).await;
    let wrong = identity.enter(SARA, "not the password", at_home(&first)).await;
    assert!(wrong.is_err() && identity.is_known(&first).await, "nobody was let in");

    let second = identity.give_password(false, at_home(&first)).await.session_token;
    assert!(!identity.is_known(&first).await, "its token opens nothing");
    assert!(identity.is_known(&second).await);
    assert_eq!(identity.devices(&second).await.len(), 1);

    let (_, link) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let other = identity.accept(&link, "").await.expect("the link is good");
    let third = identity.give_password(false, at_home(&other)).await.session_token;
    assert!(!identity.is_known(&other).await, "whosever it was");
    assert!(identity.is_known(&second).await && identity.is_known(&third).await);
    identity.end().await;
    assert_eq!(identity.facts("account.logged_out").await, 2, "both ends are on record");
}

#[tokio::test]
async fn after_a_change_of_role_a_token_is_exchanged_once_and_the_one_before_opens_nothing() {
    let team = Team::start().await;
    let sara = team.join("sara", Role::Staff).await;
    let identity = &team.identity;
    assert!(!identity.held(&sara.session).await.renew);
    assert_eq!(identity.renew_token(&sara.session).await, Ok(String::new()), "nothing to renew");

    let message =
        ChangeRoleRequest { member_id: team.id(sara.account).await, role: Role::Manager.into() };
    let request = identity.dial.command(&team.owner.caller, Uuid::now_v7(), message);
    team.members().change_role(request).await.expect("an owner may");

    assert!(identity.held(&sara.session).await.renew);
    let (one, other) =
        tokio::join!(identity.renew_token(&sara.session), identity.renew_token(&sara.session));
    let given: Vec<String> =
        [one, other].into_iter().flatten().filter(|token| !token.is_empty()).collect();
    assert_eq!(given.len(), 1, "one of two gets it");
    assert!(!identity.is_known(&sara.session).await);
    assert!(!identity.held(&given[0]).await.renew);
    assert_eq!(identity.renew_token(&sara.session).await, Err(Failure::NotFound));
    assert!(!identity.held(&team.owner.session).await.renew, "others go on with theirs");
}

#[tokio::test]
async fn a_login_with_a_new_browser_is_told_with_its_city_where_that_is_known() {
    let identity = Identity::start().await;
    owner(&identity).await;

    for (address, kind) in [("203.0.113.7", "new-device-at"), ("10.0.0.1", "new-device")] {
        identity.enter(SARA, PASSWORD, from(address, "")).await.expect("the password is right");
        identity.letter(&format!("kind = '{kind}' AND state = 'sent'")).await;
    }

    let letters = std::fs::read_to_string(identity.sink()).expect("letters were written");
    let letters = letters.replace(['\u{2068}', '\u{2069}'], "");
    assert!(letters.contains("دستگاه این‌جاست: تهران، ایران"), "{letters}");
}
