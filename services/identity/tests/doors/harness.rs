//! Identity as tests meet it: started on a real PostgreSQL and NATS, called through gRPC.

use std::sync::{Arc, Mutex};

use identity::{
    NAME, RunError, Setup,
    letters::{Mail, Post, Sink, Sms},
    migrate,
    password::Parameters,
    run,
};
use meydan_cities::Cities;
use meydan_event_log::{Clock, prepare_database};
use meydan_keyring::{KeyFile, Keyring};
use meydan_rpc::{
    caller::{Assertions, Caller, Who},
    client::Dial,
    outcome::Failure,
    pb::identity::{
        AcceptInvitationRequest, AuthenticateRequest, AuthenticateResponse, CreateCampaignRequest,
        GetInvitationRequest, GetInvitationResponse, Guest, InviteFirstAdminRequest,
        InviteMemberRequest, JoinRequest, ListMembersRequest, LogInRequest, LogInResponse, Member,
        ProveFactorRequest, Role, accounts_client::AccountsClient,
        campaigns_client::CampaignsClient, members_client::MembersClient,
        sessions_client::SessionsClient,
    },
    server::listen,
};
use meydan_testkit::servers::{Nats, copies, folder, postgres, prefix};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Channel;
use uuid::Uuid;

pub(crate) const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
pub(crate) const PASSWORD: &str = "a rather long pass phrase 7";

/// A small file of cities, of addresses in 203.0.113.0/24 and 198.51.100.0/24.
fn cities() -> Cities {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/cities/tests/cities.mmdb");
    Cities::open(file.as_ref()).expect("it is a database of cities")
}

/// Logins that an account takes a minute: as many as tests try at a time.
const LOGINS: i32 = 100_000;

/// How people reach the panel.
pub(crate) const PANEL: &str = "https://meydan.example";
const SINK: &str = "letters.txt";

pub(crate) struct Identity {
    pub(crate) dial: Dial,
    now: Arc<Mutex<OffsetDateTime>>,
    database_url: String,
    _nats: Nats,
    secrets: TempDir,
    running: Mutex<Option<JoinHandle<Result<(), RunError>>>>,
    stop: CancellationToken,
    _guard: DropGuard,
}

impl Identity {
    /// Starts it on a machine without a mail server.
    pub(crate) async fn start() -> Self {
        let files = folder();
        let sink = Sink::new(&files.path().join(SINK));
        Self::start_with((Mail::Sink(sink.clone()), Sms::Sink(sink)), files).await
    }

    /// Starts it where letters leave like this.
    pub(crate) async fn start_with((mail, sms): (Mail, Sms), secrets: TempDir) -> Self {
        let (nats, prefix) = (Nats::start().await, prefix());
        copies(&prefix, &[NAME, "keys"], async |prefix| {
            migrate(postgres(), prefix).await.expect("it migrates");
            let keys = format!("{prefix}keys");
            let keys = prepare_database(postgres(), &keys, &[&meydan_keyring::MIGRATOR]).await;
            keys.expect("it migrates");
        })
        .await;
        let database_url = migrate(postgres(), &prefix).await.expect("it migrates");
        let keys = format!("{prefix}keys");
        let keys = prepare_database(postgres(), &keys, &[&meydan_keyring::MIGRATOR]).await;
        let keys = PgPoolOptions::new().max_connections(4).connect(&keys.expect("keys")).await;
        let platform = KeyFile::open(&secrets.path().join("platform.key"));
        let keyring = Keyring::new(keys.expect("it answers"), Arc::new(platform.expect("a key")));
        let listener = listen("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
        let address = listener.local_addr().expect("it has an address");
        let assertions = Assertions::generate();
        let now = Arc::new(Mutex::new(NOON));
        let told = now.clone();
        let setup = Setup {
            listener,
            database_url: database_url.clone(),
            connections: 8,
            nats: nats.connect().await,
            keyring,
            assertions: assertions.clone(),
            clock: Clock::new(move || *told.lock().expect("no test panics here")),
            post: Post { panel: PANEL.to_owned(), mail, sms, cities: cities() },
            passkeys: Some(PANEL.parse().expect("an address")),
            passwords: Parameters::default(),
            login_limit: LOGINS,
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(setup, stop.clone()));
        let dial = Dial::new(NAME, address, assertions);
        Self {
            dial,
            now,
            database_url,
            running: Mutex::new(Some(running)),
            _nats: nats,
            secrets,
            stop: stop.clone(),
            _guard: stop.drop_guard(),
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.now.lock().expect("no test panics here") += by;
    }

    pub(crate) fn sessions(&self) -> SessionsClient<Channel> {
        SessionsClient::new(self.dial.channel())
    }

    pub(crate) async fn first_link(&self) -> Result<String, Failure> {
        let caller = Caller::service("meydan", None);
        let request = self.dial.command(&caller, Uuid::now_v7(), InviteFirstAdminRequest {});
        Ok(self.sessions().invite_first_admin(request).await?.into_inner().token)
    }

    /// The file of letters, on a machine without a mail server.
    pub(crate) fn sink(&self) -> std::path::PathBuf {
        self.secrets.path().join(SINK)
    }

    /// Waits for a letter of the ledger: its tries, why it failed, and whether what it said is wiped.
    pub(crate) async fn letter(&self, condition: &str) -> (i32, Option<String>, bool) {
        let database = self.database().await;
        let look = "SELECT tries, failure, content_sealed IS NULL FROM letters WHERE";
        let look = format!("{look} {condition}");
        let found = async {
            let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
            loop {
                looks.tick().await;
                let row = sqlx::query_as(sqlx::AssertSqlSafe(look.clone()))
                    .fetch_optional(&database)
                    .await;
                if let Some(row) = row.expect("it answers") {
                    return row;
                }
            }
        };
        let limit = std::time::Duration::from_secs(20);
        if let Ok(found) = tokio::time::timeout(limit, found).await {
            return found;
        }
        let all = "SELECT coalesce(string_agg(kind || ' ' || state, ', '), 'none') FROM letters";
        let all: String = sqlx::query_scalar(all).fetch_one(&database).await.expect("it answers");
        panic!("no letter with {condition}, but these: {all}")
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Its database, beside it.
    pub(crate) async fn database(&self) -> PgPool {
        PgPoolOptions::new().connect(&self.database_url).await.expect("it answers")
    }

    /// Ends the service in order: what it was about to do is done then.
    pub(crate) async fn end(&self) {
        self.stop.cancel();
        let running = self.running.lock().expect("no test panics here").take();
        let ended = running.expect("it is ended once").await.expect("it does not panic");
        ended.expect("it ends in order");
    }

    /// How many facts of a kind there are.
    pub(crate) async fn facts(&self, kind: &str) -> i64 {
        let pool = self.database().await;
        let count = sqlx::query_scalar("SELECT count(*) FROM es.events WHERE event_type = $1");
        count.bind(kind).fetch_one(&pool).await.expect("it answers")
    }

    /// Uses a one-time link; the session's token.
    pub(crate) async fn accept(&self, token: &str, email: &str) -> Result<String, Failure> {
        self.accept_as(token, email, PASSWORD).await
    }

    /// Uses a one-time link with a password; the session's token.
    pub(crate) async fn accept_with(&self, token: &str, password: &str) -> Result<String, Failure> {
        self.accept_as(token, "", password).await
    }

    pub(crate) async fn accept_as(
        &self,
        token: &str,
        email: &str,
        password: &str,
    ) -> Result<String, Failure> {
        let message = AcceptInvitationRequest {
            token: token.to_owned(),
            email: email.to_owned(),
            display_name: "Sara".to_owned(),
            password: password.to_owned(),
            guest: Some(from("192.0.2.1", "")),
        };
        let request = self.dial.ask(&gateway(), message);
        Ok(self.sessions().accept_invitation(request).await?.into_inner().session_token)
    }

    /// What a one-time link says of itself.
    pub(crate) async fn opened(&self, token: &str) -> Result<GetInvitationResponse, Failure> {
        let request = self.dial.ask(&gateway(), GetInvitationRequest { token: token.to_owned() });
        Ok(self.sessions().get_invitation(request).await?.into_inner())
    }

    pub(crate) async fn held(&self, session: &str) -> AuthenticateResponse {
        let message = AuthenticateRequest { session_token: session.to_owned() };
        let held = self.sessions().authenticate(self.dial.ask(&gateway(), message)).await;
        held.expect("the session goes on").into_inner()
    }

    /// Asks somebody to join; the secret part of their link.
    pub(crate) async fn invite(&self, campaign: Uuid, email: &str, name: &str) -> String {
        let message = InviteMemberRequest {
            email: email.to_owned(),
            display_name: name.to_owned(),
            role: Role::Staff.into(),
        };
        let inviter = Caller::service("demo", Some(campaign));
        let request = self.dial.command(&inviter, Uuid::now_v7(), message);
        let invited = MembersClient::new(self.dial.channel()).invite_member(request).await;
        invited.expect("they may invite").into_inner().invitation_token
    }

    pub(crate) async fn team(&self, campaign: Uuid) -> Vec<Member> {
        let reader = member(campaign, &["identity:member.read"]);
        let request = self.dial.ask(&reader, ListMembersRequest::default());
        let team = MembersClient::new(self.dial.channel()).list_members(request).await;
        team.expect("they may read").into_inner().members
    }

    /// Uses a one-time link as somebody who is logged in.
    pub(crate) async fn join(&self, session: &str, token: &str) -> Result<(), Failure> {
        let caller = self.holder(session).await;
        self.join_with(&caller, token, "").await
    }

    /// The same for a caller who shows a password with it.
    pub(crate) async fn join_with(
        &self,
        caller: &Caller,
        token: &str,
        password: &str,
    ) -> Result<(), Failure> {
        let message = JoinRequest { token: token.to_owned(), password: password.to_owned() };
        self.accounts().join(self.dial.ask(caller, message)).await?;
        Ok(())
    }

    /// Logs in from an address, with a browser that nobody knows; the session's token.
    pub(crate) async fn log_in(
        &self,
        email: &str,
        password: &str,
        address: &str,
    ) -> Result<String, Failure> {
        Ok(self.enter(email, password, from(address, "")).await?.session_token)
    }

    pub(crate) async fn enter(
        &self,
        email: &str,
        password: &str,
        guest: Guest,
    ) -> Result<LogInResponse, Failure> {
        let (email, password) = (email.to_owned(), password.to_owned());
        let request = self
            .dial
            .ask(&gateway(), LogInRequest { email, password, guest: Some(guest), trusted: false });
        Ok(self.sessions().log_in(request).await?.into_inner())
    }

    /// Answers a challenge.
    pub(crate) async fn prove(
        &self,
        challenge: &str,
        code: &str,
        guest: Guest,
    ) -> Result<LogInResponse, Failure> {
        let (challenge_token, code) = (challenge.to_owned(), code.to_owned());
        let message =
            ProveFactorRequest { challenge_token, code, trusted: false, guest: Some(guest) };
        let request = self.dial.ask(&gateway(), message);
        Ok(self.sessions().prove_factor(request).await?.into_inner())
    }

    /// The holder of a session, as the gateway asserts them.
    pub(crate) async fn holder(&self, session: &str) -> Caller {
        let held = self.held(session).await;
        let who = Who::Account {
            id: held.account_id.parse().expect("an id"),
            session: held.session_id.parse().expect("an id"),
            admin: held.is_admin,
        };
        Caller {
            who,
            campaign: None,
            permissions: vec![],
            address: Some("192.0.2.1".to_owned()),
            fresh_until: Some(i64::MAX),
        }
    }

    pub(crate) fn accounts(&self) -> AccountsClient<Channel> {
        AccountsClient::new(self.dial.channel())
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        *self.now.lock().expect("no test panics here")
    }

    pub(crate) async fn is_known(&self, session: &str) -> bool {
        let message = AuthenticateRequest { session_token: session.to_owned() };
        self.sessions().authenticate(self.dial.ask(&gateway(), message)).await.is_ok()
    }

    /// Creates a campaign; its id, and its owner's link.
    pub(crate) async fn campaign(
        &self,
        slug: &str,
        command: Uuid,
    ) -> Result<(Uuid, String), Failure> {
        self.campaign_of((slug, "نرگس"), command).await
    }

    /// Creates a campaign of somebody; its id, and its owner's link.
    pub(crate) async fn campaign_of(
        &self,
        (slug, candidate): (&str, &str),
        command: Uuid,
    ) -> Result<(Uuid, String), Failure> {
        let message = CreateCampaignRequest {
            slug: slug.to_owned(),
            candidate_name: candidate.to_owned(),
            office: "شورا".to_owned(),
            constituency: "تهران".to_owned(),
            locale: "fa".to_owned(),
            home_region: "IR-23".to_owned(),
            owner_name: "Owner".to_owned(),
            owner_email: format!("{slug}@meydan.example"),
        };
        let request = self.dial.command(&Caller::service("demo", None), command, message);
        let mut campaigns = CampaignsClient::new(self.dial.channel());
        let created = campaigns.create_campaign(request).await?.into_inner();
        Ok((created.campaign_id.parse().expect("an id"), created.invitation_token))
    }
}

/// Somebody at an address, with the cookie of a browser.
pub(crate) fn from(address: &str, device: &str) -> Guest {
    Guest {
        address: address.to_owned(),
        user_agent: "test".to_owned(),
        device_token: device.to_owned(),
        ..Guest::default()
    }
}

pub(crate) fn gateway() -> Caller {
    Caller::service("gateway", None)
}

/// Whom the gateway calls an admin and identity does not know: they may look, and change nothing.
pub(crate) fn admin() -> Caller {
    Caller {
        who: Who::Account { id: Uuid::from_u128(1), session: Uuid::from_u128(2), admin: true },
        campaign: None,
        permissions: vec![],
        address: None,
        fresh_until: Some(i64::MAX),
    }
}

pub(crate) fn member(campaign: Uuid, permissions: &[&str]) -> Caller {
    Caller {
        who: Who::Account { id: Uuid::from_u128(3), session: Uuid::from_u128(4), admin: false },
        campaign: Some(campaign),
        permissions: permissions.iter().map(ToString::to_string).collect(),
        address: None,
        fresh_until: Some(i64::MAX),
    }
}
