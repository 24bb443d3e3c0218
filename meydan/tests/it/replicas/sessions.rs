//! What gives a session its token, and does so once: a proof, a new factor, a login that waited, another role.

use meydan_rpc::{
    caller::Caller,
    pb::identity::{
        ChangeRoleRequest, RemoveFactorRequest, RenewRecoveryCodesRequest, Role,
        accounts_client::AccountsClient,
    },
};
use meydan_testkit::{authenticator, passkey::Authenticator};
use time::Duration;
use uuid::Uuid;

use super::{
    RATES, SARA,
    gateways::{Browser, Form, Gateways, given, statuses},
    rounds,
};
use crate::revocation::{House, SITE};

/// What somebody is proved with.
#[derive(Debug, Clone, Copy)]
enum Proof {
    Code,
    RecoveryCode,
    Passkey,
}

impl Proof {
    const ALL: [Self; 3] = [Self::Code, Self::RecoveryCode, Self::Passkey];
}

/// Sara's session, and all that proves her.
struct Sara {
    session: String,
    secret: String,
    codes: Vec<String>,
    key: Authenticator,
}

impl Sara {
    async fn enrolled(house: &House) -> Self {
        let holder = house.holder(&house.log_in().await).await;
        let (secret, confirmed) = house.add_authenticator(&holder).await;
        let (key, session) = house.add_passkey(&holder).await;
        Self { session, secret, codes: confirmed.recovery_codes, key }
    }

    fn code(&self, house: &House) -> String {
        authenticator::code(&self.secret, house.time())
    }

    /// A recovery code that leaves another one: whoever has none works with nothing.
    async fn recovery_code(&mut self, house: &House) -> String {
        if self.codes.len() < 2 {
            let holder = house.holder(&self.session).await;
            let request = house.identity.ask(&holder, RenewRecoveryCodesRequest {});
            let renewed = accounts(house).renew_recovery_codes(request).await;
            self.codes = renewed.expect("she came in a moment ago").into_inner().recovery_codes;
        }
        self.codes.pop().expect("there are codes")
    }

    /// The form with which she signs what a browser is asked at a path.
    async fn signed(&mut self, gateways: &Gateways<'_>, browser: &Browser, path: &str) -> Form {
        let (token, options) = gateways.ask(browser, &format!("{path}/ask")).await;
        let credential = self.key.sign(SITE, &options);
        (path.to_owned(), vec![("token", token), ("credential", credential)])
    }

    /// The form that proves her once more.
    async fn proof(&mut self, gateways: &Gateways<'_>, by: Proof) -> Form {
        let secret = match by {
            Proof::Code => self.code(gateways.house),
            Proof::RecoveryCode => self.recovery_code(gateways.house).await,
            Proof::Passkey => {
                let browser = Browser::of(&self.session);
                return self.signed(gateways, &browser, "/account/prove/passkey").await;
            }
        };
        ("/account/prove".to_owned(), vec![("secret", secret)])
    }
}

fn accounts(house: &House) -> AccountsClient<tonic::transport::Channel> {
    AccountsClient::new(house.identity.channel())
}

/// Sends a form to all gateways at once, each of which believes the session; the token that the session is given, which
/// is one. The same form leads to no other one.
async fn once(gateways: &Gateways<'_>, session: &str, form: &Form, what: &str) -> String {
    let browser = Browser::of(session);
    let believed = gateways.open(&browser, "/account").await;
    assert_eq!(statuses(&believed), [200; 3], "{what}: all believe the session");

    let mut tokens = given(gateways.send(&browser, |_| form.clone()).await);

    assert_eq!(tokens.len(), 1, "{what}");
    let token = tokens.pop().expect("there is one");
    let again = gateways.send(&Browser::of(&token), |_| form.clone()).await;
    assert!(given(again).is_empty(), "{what}: it is used up");
    token
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_of_whoever_is_in_counts_once_however_many_gateways_it_is_shown_to_at_once() {
    let house = House::with(RATES).await;
    house.team().await;
    let gateways = Gateways::of(&house);
    let mut sara = Sara::enrolled(&house).await;
    for round in 0..rounds() {
        for by in Proof::ALL {
            house.later(Duration::minutes(1));
            house.forget_guesses().await;
            let form = sara.proof(&gateways, by).await;
            let what = format!("round {round}, {by:?}");
            sara.session = once(&gateways, &sara.session, &form, &what).await;
        }
    }
}

/// Begins to add an authenticator or a passkey; its id, and the form that shows that it works.
async fn begin(house: &House, holder: &Caller, passkey: bool) -> (String, Form) {
    if passkey {
        let (id, _, credential) = house.begin_passkey(holder).await;
        let fields = vec![("token", id.clone()), ("credential", credential)];
        return (id, ("/account/factors/passkey".to_owned(), fields));
    }
    let (id, secret) = house.begin_authenticator(holder).await;
    let path = format!("/account/factors/{id}/confirm");
    (id, (path, vec![("code", authenticator::code(&secret, house.time()))]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_factor_is_added_once_however_many_gateways_it_is_shown_to_at_once() {
    let house = House::with(RATES).await;
    house.team().await;
    let gateways = Gateways::of(&house);
    let mut session = house.log_in().await;
    for round in 0..rounds() {
        for passkey in [false, true] {
            house.later(Duration::minutes(1));
            let holder = house.holder(&session).await;
            let (factor_id, form) = begin(&house, &holder, passkey).await;
            let what = format!("round {round}, a passkey: {passkey}");
            session = once(&gateways, &session, &form, &what).await;

            let request = house.identity.ask(&holder, RemoveFactorRequest { factor_id });
            accounts(&house).remove_factor(request).await.expect("it is there, and works");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_waits_is_completed_by_one_of_the_factors_that_are_shown_to_it_at_once() {
    let house = House::with(RATES).await;
    house.team().await;
    let gateways = Gateways::of(&house);
    let mut sara = Sara::enrolled(&house).await;
    for round in 0..rounds() {
        house.later(Duration::minutes(2));
        house.forget_guesses().await;
        let browser = Browser::waiting(&house.wait(SARA).await);
        let typed = |code| ("/login/factor".to_owned(), vec![("code", code)]);
        let forms = [
            typed(sara.code(&house)),
            typed(sara.recovery_code(&house).await),
            sara.signed(&gateways, &browser, "/login/factor/passkey").await,
        ];
        // Which gateway is shown which of them is another in each round.
        let shown = |number: usize| forms[(number + round) % forms.len()].clone();

        let mut tokens = given(gateways.send(&browser, shown).await);

        assert_eq!(tokens.len(), 1, "round {round}");
        sara.session = tokens.pop().expect("there is one");
        let again = gateways.send(&browser, shown).await;
        assert!(given(again).is_empty(), "round {round}: it waits no more");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_role_brings_a_session_one_token_however_many_gateways_make_a_page_at_once() {
    let house = House::with(RATES).await;
    let team = house.team().await;
    let gateways = Gateways::of(&house);
    let mut session = house.log_in().await;
    for round in 0..rounds() {
        let role = if round % 2 == 0 { Role::Support } else { Role::Staff };
        let message = ChangeRoleRequest { member_id: team.member_id.clone(), role: role.into() };
        let owner = house.owner(&team).await;
        let request = house.identity.command(&owner, Uuid::now_v7(), message);
        house.members().change_role(request).await.expect("an owner may");
        // What gateways believed of the session before is too old.
        house.later(Duration::minutes(1));
        let before = Browser::of(&session);

        let mut tokens = given(gateways.open(&before, "/account").await);

        assert_eq!(tokens.len(), 1, "round {round}");
        session = tokens.pop().expect("there is one");
        let over = gateways.open(&before, "/account").await;
        assert_eq!(statuses(&over), [303; 3], "round {round}: the one before opens nothing");
        let goes_on = gateways.open(&Browser::of(&session), "/account").await;
        assert_eq!(statuses(&goes_on), [200; 3], "round {round}");
        assert!(given(goes_on).is_empty(), "round {round}: there is no other one");
    }
}
