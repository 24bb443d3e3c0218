//! People of these tests, who come as far as they have to without a page.

use meydan_rpc::{
    caller::{Caller, Who},
    pb::identity::{
        BeginFactorRequest, BeginPasskeyRequest, ConfirmFactorRequest, ConfirmFactorResponse,
        ConfirmPasskeyRequest, InviteMemberRequest, LogInRequest, Role,
        accounts_client::AccountsClient, passkeys_client::PasskeysClient,
    },
};
use meydan_testkit::{authenticator, passkey::Authenticator};
use uuid::Uuid;

use crate::revocation::{House, PASSWORD, SITE, Team};

pub(super) fn gateway() -> Caller {
    Caller::service("gateway", None)
}

impl House {
    /// Somebody who holds a session, as a gateway asserts them a moment after they proved themselves.
    pub(super) async fn holder(&self, session: &str) -> Caller {
        let held = self.held(session).await;
        let who = Who::Account {
            id: held.account_id.parse().expect("an id"),
            session: held.session_id.parse().expect("an id"),
            admin: held.is_admin,
        };
        Caller { who, fresh_until: Some(i64::MAX), ..gateway() }
    }

    /// The owner of a team, who has just come in: a session that nobody uses ends while the clock is moved.
    pub(super) async fn owner(&self, team: &Team) -> Caller {
        let message = LogInRequest {
            email: "owner@meydan.example".to_owned(),
            password: PASSWORD.to_owned(),
            ..LogInRequest::default()
        };
        let entered = self.sessions().log_in(self.identity.ask(&gateway(), message)).await;
        let session = entered.expect("it is right").into_inner().session_token;
        let Team { owner: Caller { campaign, permissions, .. }, .. } = team;
        let (campaign, permissions) = (*campaign, permissions.clone());
        Caller { campaign, permissions, ..self.holder(&session).await }
    }

    /// Gives the password of somebody who has a second factor; by what the login that waits is known.
    pub(super) async fn wait(&self, email: &str) -> String {
        let (email, password) = (email.to_owned(), PASSWORD.to_owned());
        let message = LogInRequest { email, password, ..LogInRequest::default() };
        let waits = self.sessions().log_in(self.identity.ask(&gateway(), message)).await;
        waits.expect("it is right").into_inner().challenge_token
    }

    /// Begins to add an authenticator; its id, and its secret.
    pub(super) async fn begin_authenticator(&self, holder: &Caller) -> (String, String) {
        let begin = BeginFactorRequest { name: "phone".to_owned() };
        let mut accounts = AccountsClient::new(self.identity.channel());
        let begun = accounts.begin_factor(self.identity.ask(holder, begin)).await;
        let begun = begun.expect("they came in a moment ago").into_inner();
        (begun.factor_id, begun.secret)
    }

    /// Adds an authenticator; its secret, and what came with it.
    pub(super) async fn add_authenticator(
        &self,
        holder: &Caller,
    ) -> (String, ConfirmFactorResponse) {
        let (factor_id, secret) = self.begin_authenticator(holder).await;
        let code = authenticator::code(&secret, self.time());
        let confirm = ConfirmFactorRequest { factor_id, code };
        let mut accounts = AccountsClient::new(self.identity.channel());
        let confirmed = accounts.confirm_factor(self.identity.ask(holder, confirm)).await;
        (secret, confirmed.expect("the code is right").into_inner())
    }

    /// Begins to add a passkey; its id, the key, and what its browser answers.
    pub(super) async fn begin_passkey(&self, holder: &Caller) -> (String, Authenticator, String) {
        let begin = BeginPasskeyRequest { name: "phone".to_owned() };
        let mut passkeys = PasskeysClient::new(self.identity.channel());
        let begun = passkeys.begin_passkey(self.identity.ask(holder, begin)).await;
        let begun = begun.expect("they came in a moment ago").into_inner();
        let mut key = Authenticator::new();
        let credential = key.create(SITE, &begun.options);
        (begun.factor_id, key, credential)
    }

    /// Adds a passkey; the token that the session has from then on.
    pub(super) async fn add_passkey(&self, holder: &Caller) -> (Authenticator, String) {
        let (factor_id, key, credential) = self.begin_passkey(holder).await;
        let confirm = ConfirmPasskeyRequest { factor_id, credential };
        let mut passkeys = PasskeysClient::new(self.identity.channel());
        let confirmed = passkeys.confirm_passkey(self.identity.ask(holder, confirm)).await;
        (key, confirmed.expect("it is right").into_inner().session_token)
    }

    /// Somebody is invited into the team, by a service, which need not wait for the answer as people do; the secret
    /// part of the link.
    pub(super) async fn invite(&self, team: &Team, email: &str) -> String {
        let message = InviteMemberRequest {
            email: email.to_owned(),
            display_name: "Omid".to_owned(),
            role: Role::Staff.into(),
        };
        let demo = Caller::service("demo", team.owner.campaign);
        let request = self.identity.command(&demo, Uuid::now_v7(), message);
        let invited = self.members().invite_member(request).await.expect("the demo may");
        invited.into_inner().invitation_token
    }
}
