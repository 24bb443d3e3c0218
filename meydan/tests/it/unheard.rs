//! What is taken back while the broker is away: pages and open streams find out by themselves, in five seconds.

use std::time::Duration;

use meydan_rpc::{
    caller::{Caller, Who},
    pb::identity::{
        AuthenticateRequest, ChangeAccountRequest, ChangePasswordRequest, EndSessionsRequest,
        LogInRequest, accounts_client::AccountsClient, oversight_client::OversightClient,
    },
};
use uuid::Uuid;

use crate::revocation::{House, PASSWORD, get};

/// What the clock moves by before a stream has to look, and after that: five seconds in all.
const BELIEVED: Duration = Duration::from_secs(4);
const LEFT: Duration = Duration::from_secs(1);
/// How long the look may take by the real clock, on a slow disk as well. That it begins soon enough is held where the
/// gateway says how often it looks. Whatever else would end a stream comes later: what was said is forgotten after five
/// seconds, and beats are a quarter of a minute apart.
const LOOKED: Duration = Duration::from_secs(4);

/// Somebody in a browser, with a page that lies open.
pub(crate) struct Open {
    pub(crate) session: String,
    pub(crate) holder: Caller,
    pub(crate) stream: reqwest::Response,
}

impl House {
    /// Somebody logs in, and opens a page; every gateway believes their session.
    pub(crate) async fn open_page(&self, email: &str) -> Open {
        let message = LogInRequest {
            email: email.to_owned(),
            password: PASSWORD.to_owned(),
            ..LogInRequest::default()
        };
        let request = self.identity.ask(&Caller::service("gateway", None), message);
        let entered = self.sessions().log_in(request).await.expect("it is right").into_inner();
        let (session, held) =
            (entered.session_token.clone(), self.held(&entered.session_token).await);
        let who = Who::Account {
            id: held.account_id.parse().expect("an id"),
            session: held.session_id.parse().expect("an id"),
            admin: false,
        };
        let mut stream = get(self.gateways[0], "/c/tehran/live", &session).await;
        stream.chunk().await.expect("it is read").expect("it begins");
        assert_eq!(self.answers(&session).await, [200; 3], "all believe it now");
        let holder = Caller {
            who,
            campaign: None,
            permissions: vec![],
            address: None,
            fresh_until: Some(i64::MAX),
        };
        Open { session, holder, stream }
    }

    /// Makes sure that somebody whose session has ended is out within five seconds, and not only with the next beat.
    async fn assert_out(&self, mut open: Open, what: &str) {
        let gateway = Caller::service("gateway", None);
        let message = AuthenticateRequest { session_token: open.session.clone() };
        let ended = self.sessions().authenticate(self.identity.ask(&gateway, message)).await;
        assert!(ended.is_err(), "identity itself lets nobody in: {what}");
        *self.now.lock().expect("no test panics here") += BELIEVED;
        let ending = async { while let Ok(Some(_)) = open.stream.chunk().await {} };
        let ended = tokio::time::timeout(LOOKED, ending).await;
        assert!(ended.is_ok(), "five seconds later the stream goes on: {what}");
        *self.now.lock().expect("no test panics here") += LEFT;
        assert_eq!(self.answers(&open.session).await, [303; 3], "{what}");
    }
}

#[tokio::test]
async fn without_the_broker_a_page_that_lies_open_ends_in_five_seconds_whatever_ended_its_session()
{
    let mut house = House::open().await;
    let team = house.team().await;
    let (admin, _) = house.staff().await;
    let (lost, other, hers) = (
        house.open_page("sara@meydan.example").await,
        house.open_page("sara@meydan.example").await,
        house.open_page("sara@meydan.example").await,
    );
    let owner = house.open_page("owner@meydan.example").await;
    house.nats.kill().await;
    let mut accounts = AccountsClient::new(house.identity.channel());

    let Who::Account { session, .. } = lost.holder.who else { panic!("a person holds it") };
    let message = EndSessionsRequest { session_id: session.to_string() };
    let ended = accounts.end_sessions(house.identity.ask(&hers.holder, message)).await;
    ended.expect("it is a device of hers");
    house.assert_out(lost, "the device was ended").await;

    let (current_password, new_password) =
        (PASSWORD.to_owned(), "another long pass phrase 8".to_owned());
    let message = ChangePasswordRequest { current_password, new_password };
    let changed = accounts.change_password(house.identity.ask(&hers.holder, message)).await;
    changed.expect("it is her password");
    house.assert_out(other, "the password was changed").await;
    assert_eq!(house.answers(&hers.session).await, [200; 3], "whoever changed it goes on");

    house.set_active(&team, false).await;
    house.assert_out(hers, "its holder was deactivated").await;

    let Who::Account { id, .. } = owner.holder.who else { panic!("a person holds it") };
    let message = ChangeAccountRequest { account_id: id.to_string() };
    let request = house.identity.command(&admin, Uuid::now_v7(), message);
    let mut oversight = OversightClient::new(house.identity.channel());
    oversight.suspend_account(request).await.expect("an admin may");
    house.assert_out(owner, "the account was suspended").await;
}
