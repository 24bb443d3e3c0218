//! Links that are good once: by which accounts begin, by which admins are made, and by which passwords are chosen anew.

use meydan_rpc::{
    caller::Caller,
    pb::identity::{
        AcceptInvitationRequest, ChangeMemberRequest, InviteAdminRequest, InviteFirstAdminRequest,
        ProveFactorRequest, oversight_client::OversightClient,
    },
};
use meydan_testkit::{authenticator, process::Page};
use sqlx::{Connection, PgConnection};
use time::Duration;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{
    RATES, SARA, count,
    gateways::{Answer, Browser, Gateways, statuses},
    open_all,
    people::gateway,
    rounds, send_all,
};
use crate::revocation::{House, PASSWORD};

const ADMIN: &str = "admin@meydan.example";

impl House {
    /// The link of the first admin.
    async fn first_link(&self) -> Result<String, Status> {
        let caller = Caller::service("meydan", None);
        let request = self.identity.command(&caller, Uuid::now_v7(), InviteFirstAdminRequest {});
        Ok(self.sessions().invite_first_admin(request).await?.into_inner().token)
    }

    /// Has the platform look as it did before its admin began, who is the only one: so that each round needs none of
    /// its own.
    async fn forget_the_admin(&self) {
        let mut tables = PgConnection::connect(&self.database_url).await.expect("they are there");
        let forgotten = sqlx::query("UPDATE accounts SET admin = false WHERE admin");
        let forgotten = forgotten.execute(&mut tables).await.expect("their owner may");
        assert_eq!(forgotten.rows_affected(), 1, "there is one admin");
    }

    /// The first admin, and the secret of their authenticator.
    async fn admins_secret(&self) -> String {
        let message = AcceptInvitationRequest {
            token: self.first_link().await.expect("there is no admin yet"),
            email: ADMIN.to_owned(),
            display_name: "Admin".to_owned(),
            password: PASSWORD.to_owned(),
            ..AcceptInvitationRequest::default()
        };
        let accepted =
            self.sessions().accept_invitation(self.identity.ask(&gateway(), message)).await;
        let session = accepted.expect("the link is good").into_inner().session_token;
        self.add_authenticator(&self.holder(&session).await).await.0
    }

    /// The admin, who has just come in.
    async fn admin(&self, secret: &str) -> Caller {
        let message = ProveFactorRequest {
            challenge_token: self.wait(ADMIN).await,
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
async fn begin(house: &House, token: &str, round: usize) -> usize {
    let path = format!("/welcome/{token}");
    let open = open_all(house, &path).await;
    let came_in = |page: &Page| page.status == 200 && !page.url.contains("/welcome/");
    let who = |number| beginning(&format!("omid{number}.{round}@meydan.example"));
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
        let link = house.invite(&team, &format!("omid.of.{round}@meydan.example")).await;
        assert_eq!(begin(&house, &link, round).await, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_an_account_joins_once_however_many_gateways_the_link_is_shown_to_at_once() {
    let house = House::with(RATES).await;
    let (team, gateways) = (house.team().await, Gateways::of(&house));
    let joined = |answer: &&Answer| answer.status == 303 && answer.location == "/";
    for round in 0..rounds() {
        // A campaign writes five times a day to an address.
        house.later(Duration::hours(6));
        let message = ChangeMemberRequest { member_id: team.member_id.clone() };
        let owner = house.owner(&team).await;
        let request = house.identity.command(&owner, Uuid::now_v7(), message);
        house.members().remove(request).await.expect("an owner may");
        let path = format!("/welcome/{}", house.invite(&team, SARA).await);
        let sara = Browser::of(&house.log_in().await);

        let shown = gateways.send(&sara, |_| (path.clone(), vec![])).await;

        assert_eq!(shown.iter().filter(joined).count(), 1, "round {round}");
        let again = gateways.send(&sara, |_| (path.clone(), vec![])).await;
        assert_eq!(statuses(&again), [404; 3], "round {round}: it is used up");
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
        let entered = begin(&house, &asked.into_inner().invitation_token, round).await;
        assert_eq!(entered, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_admin_is_one_however_many_gateways_the_link_is_shown_to_at_once() {
    let house = House::with(RATES).await;
    for round in 0..rounds() {
        let link = house.first_link().await.expect("there is no admin");
        assert_eq!(begin(&house, &link, round).await, 1, "round {round}");
        let another = house.first_link().await.expect_err("there is one");
        assert_eq!(another.code(), Code::FailedPrecondition, "round {round}");
        house.forget_the_admin().await;
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
