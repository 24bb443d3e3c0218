//! Links that are good once: by which accounts begin, by which admins are made, and by which passwords are chosen anew.

use meydan_rpc::{
    caller::{Caller, Who},
    pb::identity::{
        AcceptInvitationRequest, BeginFactorRequest, ConfirmFactorRequest, InviteAdminRequest,
        InviteFirstAdminRequest, InviteMemberRequest, LogInRequest, ProveFactorRequest, Role,
        accounts_client::AccountsClient, oversight_client::OversightClient,
    },
};
use meydan_testkit::{authenticator, process::Page};
use time::Duration;
use uuid::Uuid;

use super::{RATES, SARA, count, open_all, rounds, send_all};
use crate::revocation::{House, PASSWORD};

const ADMIN: &str = "admin@meydan.example";
/// Of rounds that need a platform each, one for so many of the others.
const FOUNDINGS: usize = 20;

fn gateway() -> Caller {
    Caller::service("gateway", None)
}

impl House {
    /// The link of the first admin.
    async fn first_link(&self) -> String {
        let caller = Caller::service("meydan", None);
        let request = self.identity.command(&caller, Uuid::now_v7(), InviteFirstAdminRequest {});
        let link = self.sessions().invite_first_admin(request).await;
        link.expect("there is no admin yet").into_inner().token
    }

    /// Somebody who holds a session, as a gateway asserts them a moment after they proved themselves.
    async fn holder(&self, session: &str) -> Caller {
        let held = self.held(session).await;
        let who = Who::Account {
            id: held.account_id.parse().expect("an id"),
            session: held.session_id.parse().expect("an id"),
            admin: held.is_admin,
        };
        Caller { who, fresh_until: Some(i64::MAX), ..gateway() }
    }

    /// The first admin, and the secret of their authenticator.
    async fn admins_secret(&self) -> String {
        let message = AcceptInvitationRequest {
            token: self.first_link().await,
            email: ADMIN.to_owned(),
            display_name: "Admin".to_owned(),
            password: PASSWORD.to_owned(),
            ..AcceptInvitationRequest::default()
        };
        let accepted =
            self.sessions().accept_invitation(self.identity.ask(&gateway(), message)).await;
        let session = accepted.expect("the link is good").into_inner().session_token;
        let admin = self.holder(&session).await;
        let mut accounts = AccountsClient::new(self.identity.channel());
        let begin = BeginFactorRequest { name: "phone".to_owned() };
        let begun = accounts.begin_factor(self.identity.ask(&admin, begin)).await;
        let begun = begun.expect("they may").into_inner();
        let code = authenticator::code(&begun.secret, self.time());
        let confirm = ConfirmFactorRequest { factor_id: begun.factor_id, code };
        let confirmed = accounts.confirm_factor(self.identity.ask(&admin, confirm)).await;
        confirmed.expect("the code is right");
        begun.secret
    }

    /// The admin, who has just come in.
    async fn admin(&self, secret: &str) -> Caller {
        let (email, password) = (ADMIN.to_owned(), PASSWORD.to_owned());
        let message = LogInRequest { email, password, ..LogInRequest::default() };
        let waits = self.sessions().log_in(self.identity.ask(&gateway(), message)).await;
        let message = ProveFactorRequest {
            challenge_token: waits.expect("it is right").into_inner().challenge_token,
            code: authenticator::code(secret, self.time()),
            ..ProveFactorRequest::default()
        };
        let entered = self.sessions().prove_factor(self.identity.ask(&gateway(), message)).await;
        self.holder(&entered.expect("it is right").into_inner().session_token).await
    }
}

/// What somebody types who begins.
fn beginning(email: &str) -> Vec<(&'static str, String)> {
    let password = "quite another pass phrase 7".to_owned();
    vec![
        ("email", email.to_owned()),
        ("display_name", "Omid".to_owned()),
        ("password", password.clone()),
        ("password_again", password),
    ]
}

/// Uses a link of `/welcome` at all gateways at once, then once more; how many came in.
async fn begin(house: &House, token: &str) -> usize {
    let path = format!("/welcome/{token}");
    let open = open_all(house, &path).await;
    let came_in = |page: &Page| page.status == 200 && !page.url.contains("/welcome/");
    let who = |number| beginning(&format!("omid{number}@meydan.example"));
    let entered = count(&send_all(&open, &path, who).await, came_in);
    let late = open_all(house, &path).await;
    assert!(late.iter().all(|(_, page)| page.status == 404), "it is used up");
    assert_eq!(count(&send_all(&open, &path, who).await, came_in), 0, "the forms are still open");
    entered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_begins_one_account_however_many_gateways_it_is_shown_to_at_once() {
    let house = House::with(RATES).await;
    let team = house.team().await;
    for round in 0..rounds() {
        // A campaign invites two hundred a day.
        house.later(Duration::minutes(10));
        let message = InviteMemberRequest {
            email: format!("omid.of.{round}@meydan.example"),
            display_name: "Omid".to_owned(),
            role: Role::Staff.into(),
        };
        let request = house.identity.command(&team.owner, Uuid::now_v7(), message);
        let invited = house.members().invite_member(request).await.expect("an owner may");
        let entered = begin(&house, &invited.into_inner().invitation_token).await;
        assert_eq!(entered, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_makes_one_admin_however_many_gateways_it_is_shown_to_at_once() {
    let house = House::with(RATES).await;
    let secret = house.admins_secret().await;
    for round in 0..rounds() {
        house.later(Duration::minutes(10));
        let admin = house.admin(&secret).await;
        let email = format!("omid.of.{round}@meydan.example");
        let message = InviteAdminRequest { email, display_name: "Omid".to_owned() };
        let request = house.identity.command(&admin, Uuid::now_v7(), message);
        let mut oversight = OversightClient::new(house.identity.channel());
        let asked = oversight.invite_admin(request).await.expect("an admin may");
        let entered = begin(&house, &asked.into_inner().invitation_token).await;
        assert_eq!(entered, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_admin_is_one_however_many_gateways_the_link_is_shown_to_at_once() {
    for round in 0..rounds().div_ceil(FOUNDINGS) {
        let house = House::with(RATES).await;
        let link = house.first_link().await;
        assert_eq!(begin(&house, &link).await, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_sets_one_password_however_many_gateways_its_link_is_shown_to_at_once() {
    let house = House::with(RATES).await;
    house.team().await;
    for round in 0..rounds() {
        // A letter an hour.
        house.later(Duration::hours(2));
        let read = house.letters();
        let visitor = &house.browsers()[0];
        let form = visitor.open("/recover").await;
        visitor.send(&form, "/recover", &[("email", SARA)]).await;
        let letter = house.letters_after(read, "/recover/").await;
        let token = letter.split_whitespace().next().expect("the link has a token");
        let path = format!("/recover/{token}");
        let open = open_all(&house, &path).await;
        let chosen = |number| {
            let password = format!("quite another pass phrase {round}.{number}");
            vec![("new_password", password.clone()), ("new_password_again", password)]
        };
        let done = |page: &Page| page.url.contains("/login?notice=");

        let set = send_all(&open, &path, chosen).await;

        assert_eq!(count(&set, done), 1, "round {round}");
        assert_eq!(count(&send_all(&open, &path, chosen).await, done), 0, "it is used up");
        let first = set.iter().position(done).expect("one did");
        for (number, expected) in (0..3).map(|number| (number, number == first)) {
            let password = format!("quite another pass phrase {round}.{number}");
            let entered = house.enter_with((SARA, &password), "", "192.0.2.1").await;
            assert_eq!(entered.is_ok(), expected, "round {round}: the password of {number}");
        }
    }
}
