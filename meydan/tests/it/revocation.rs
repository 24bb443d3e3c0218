//! What is taken from a member is taken everywhere: three gateways before one identity, told through the broker,
//! or finding out by themselves when it is away.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use gateway::{Patience, limits::Rates};
use identity::letters::{Mail, Post, Sink, Sms};
use meydan_cities::Cities;
use meydan_event_log::{Clock, prepare_database};
use meydan_intake::Intake;
use meydan_keyring::{KeyFile, Keyring};
use meydan_rpc::{
    caller::{Assertions, Caller, Who},
    client::Dial,
    outcome::Failure,
    pb::identity::{
        AcceptInvitationRequest, AuthenticateRequest, AuthenticateResponse, ChangeMemberRequest,
        CreateCampaignRequest, Guest, InviteMemberRequest, ListMembersRequest, LogInRequest, Role,
        campaigns_client::CampaignsClient, members_client::MembersClient,
        sessions_client::SessionsClient,
    },
};
use meydan_testkit::servers::{Nats, folder, postgres, prefix};
use sqlx::postgres::PgPoolOptions;
use time::{OffsetDateTime, macros::datetime};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

pub(crate) const PASSWORD: &str = "a rather long pass phrase 7";
/// The name of the file in which letters end.
pub(crate) const LETTERS: &str = "letters";
/// For which site there are passkeys.
pub(crate) const SITE: &str = "https://meydan.example";
/// How often the first test takes a place away.
const ROUNDS: usize = 10;
/// How often clients may ask, where that is not what is tested.
const RATES: Rates = Rates { panel: 10_000, login: 100, live: 10_000 };

/// Identity, crm and three gateways, with a clock that the test moves.
pub(crate) struct House {
    pub(crate) gateways: [SocketAddr; 3],
    pub(crate) identity: Dial,
    pub(crate) now: Arc<Mutex<OffsetDateTime>>,
    pub(crate) nats: Nats,
    /// Where letters are, among other things.
    pub(crate) folder: tempfile::TempDir,
    /// Identity's tables.
    pub(crate) database_url: String,
    _tasks: JoinSet<()>,
    _guard: DropGuard,
}

async fn listener() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free")
}

/// Keys of a test's own.
async fn keyring(prefix: &str, secrets: &tempfile::TempDir) -> Keyring {
    let keys = format!("{prefix}keys");
    let keys = prepare_database(postgres(), &keys, &[&meydan_keyring::MIGRATOR]).await;
    let keys = PgPoolOptions::new().max_connections(4).connect(&keys.expect("keys")).await;
    let platform = KeyFile::open(&secrets.path().join("platform.key"));
    Keyring::new(keys.expect("it answers"), Arc::new(platform.expect("a key")))
}

/// Letters that nobody sends.
fn post(folder: &tempfile::TempDir) -> Post {
    let sink = Sink::new(&folder.path().join(LETTERS));
    Post {
        panel: "http://127.0.0.1".to_owned(),
        mail: Mail::Sink(sink.clone()),
        sms: Sms::Sink(sink),
        cities: Cities::default(),
    }
}

/// A gateway to be run, which reaches identity and crm; whatever else there is is `away`.
async fn gateway_setup(
    (nats, keyring): (async_nats::Client, Keyring),
    (identity, crm, away): (Dial, Dial, Dial),
    (clock, rates): (Clock, Rates),
) -> gateway::Setup {
    gateway::Setup {
        listener: listener().await,
        identity,
        crm,
        bot_hub: away.clone(),
        audit: away,
        intake: Intake::new(async_nats::jetstream::new(nats.clone()), keyring),
        nats,
        clock,
        rates,
        connections: 100,
        patience: Patience::default(),
        trusted_proxies: vec![],
        admin_networks: vec![],
        cities: Cities::default(),
        public_url: None,
        passkeys: None,
        secure: false,
        demo: false,
    }
}

/// Crm, to be run at a door.
async fn crm_setup(
    (listener, prefix): (TcpListener, &str),
    (nats, keyring, assertions): (async_nats::Client, Keyring, Assertions),
    clock: Clock,
) -> crm::Setup {
    let database_url = crm::migrate(postgres(), prefix).await.expect("it migrates");
    crm::Setup { listener, database_url, connections: 4, nats, keyring, assertions, clock }
}

fn address(door: &TcpListener) -> SocketAddr {
    door.local_addr().expect("it has an address")
}

/// A clock that a test moves.
fn moved(now: Arc<Mutex<OffsetDateTime>>) -> Clock {
    Clock::new(move || *now.lock().expect("no test panics here"))
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::start(RATES, |_| {}).await
    }

    /// The same, with gateways that are set up otherwise.
    pub(crate) async fn open_with(change: impl Fn(&mut gateway::Setup)) -> Self {
        Self::start(RATES, change).await
    }

    /// The same, where clients may ask so often.
    pub(crate) async fn with(rates: Rates) -> Self {
        Self::start(rates, |_| {}).await
    }

    async fn start(rates: Rates, change: impl Fn(&mut gateway::Setup)) -> Self {
        let (nats, prefix, secrets) = (Nats::start().await, prefix(), folder());
        crate::office::databases(&prefix).await;
        let now = Arc::new(Mutex::new(datetime!(2026-11-21 12:00 UTC)));
        let (clock, stop) = (moved(now.clone()), CancellationToken::new());
        let (assertions, keyring) = (Assertions::generate(), keyring(&prefix, &secrets).await);
        let doors = (listener().await, listener().await);
        let dial = |audience, at| Dial::new(audience, at, assertions.of(gateway::NAME));
        let (identity_at, crm_at) = (address(&doors.0), address(&doors.1));
        let mut tasks = JoinSet::new();
        let database_url = identity::migrate(postgres(), &prefix).await.expect("it migrates");
        let identity = identity::Setup {
            listener: doors.0,
            database_url: database_url.clone(),
            connections: 4,
            nats: nats.connect().await,
            keyring: keyring.clone(),
            assertions: assertions.of(identity::NAME),
            clock: clock.clone(),
            post: post(&secrets),
            passkeys: Some(SITE.parse().expect("an address")),
            passwords: identity::password::Parameters::default(),
            login_limit: i32::try_from(rates.login).expect("it fits"),
        };
        let crm = crm_setup(
            (doors.1, &prefix),
            (nats.connect().await, keyring.clone(), assertions.clone()),
            clock.clone(),
        );
        let crm = crm.await;
        let (one, two) = (stop.clone(), stop.clone());
        tasks.spawn(async move { identity::run(identity, one).await.expect("identity runs") });
        tasks.spawn(async move { crm::run(crm, two).await.expect("crm runs") });
        let mut gateways = vec![];
        for _ in 0..3 {
            let setup = gateway_setup(
                (nats.connect().await, keyring.clone()),
                (
                    dial(identity::NAME, identity_at),
                    dial(crm::NAME, crm_at),
                    dial(bot_hub::NAME, SocketAddr::from(([127, 0, 0, 1], 9))),
                ),
                (clock.clone(), rates),
            );
            let mut setup = setup.await;
            change(&mut setup);
            gateways.push(address(&setup.listener));
            tasks.spawn(gateway::run(setup, stop.clone()));
        }
        Self {
            gateways: [gateways[0], gateways[1], gateways[2]],
            identity: Dial::new(identity::NAME, identity_at, assertions.clone()),
            now,
            nats,
            folder: secrets,
            database_url,
            _tasks: tasks,
            _guard: stop.drop_guard(),
        }
    }

    pub(crate) fn sessions(&self) -> SessionsClient<tonic::transport::Channel> {
        SessionsClient::new(self.identity.channel())
    }

    pub(crate) fn members(&self) -> MembersClient<tonic::transport::Channel> {
        MembersClient::new(self.identity.channel())
    }

    pub(crate) async fn accept(&self, token: String) -> String {
        let message = AcceptInvitationRequest {
            token,
            password: PASSWORD.to_owned(),
            ..AcceptInvitationRequest::default()
        };
        let request = self.identity.ask(&Caller::service("gateway", None), message);
        let accepted = self.sessions().accept_invitation(request).await;
        accepted.expect("the link is good").into_inner().session_token
    }

    pub(crate) async fn held(&self, session: &str) -> AuthenticateResponse {
        let message = AuthenticateRequest { session_token: session.to_owned() };
        let request = self.identity.ask(&Caller::service("gateway", None), message);
        self.sessions().authenticate(request).await.expect("it goes on").into_inner()
    }

    /// A campaign with its owner and a member of its team.
    pub(crate) async fn team(&self) -> Team {
        let message = CreateCampaignRequest {
            slug: "tehran".to_owned(),
            candidate_name: "نرگس".to_owned(),
            office: "شورا".to_owned(),
            constituency: "تهران".to_owned(),
            locale: "fa".to_owned(),
            home_region: "IR-23".to_owned(),
            owner_name: "Owner".to_owned(),
            owner_email: "owner@meydan.example".to_owned(),
        };
        let demo = Caller::service("demo", None);
        let mut campaigns = CampaignsClient::new(self.identity.channel());
        let request = self.identity.command(&demo, Uuid::now_v7(), message);
        let created = campaigns.create_campaign(request).await.expect("it is free").into_inner();
        let campaign = created.campaign_id.parse().expect("an id");
        let session = self.accept(created.invitation_token).await;
        let held = self.held(&session).await;
        let who = Who::Account {
            id: held.account_id.parse().expect("an id"),
            session: held.session_id.parse().expect("an id"),
            admin: false,
        };
        let permissions = held.memberships[0].permissions.clone();
        let owner = Caller {
            who,
            campaign: Some(campaign),
            permissions,
            address: None,
            fresh_until: Some(i64::MAX),
        };
        let message = InviteMemberRequest {
            email: "sara@meydan.example".to_owned(),
            display_name: "Sara".to_owned(),
            role: Role::Staff.into(),
        };
        let request = self.identity.command(&owner, Uuid::now_v7(), message);
        let link = self.members().invite_member(request).await.expect("an owner may").into_inner();
        self.accept(link.invitation_token).await;
        let request = self.identity.ask(&owner, ListMembersRequest::default());
        let members =
            self.members().list_members(request).await.expect("an owner may").into_inner();
        let sara = members.members.into_iter().find(|member| member.role() == Role::Staff);
        Team { owner, member_id: sara.expect("she is in the team").member_id }
    }

    /// Logs in with a browser and from an address; by what the browser is known then.
    pub(crate) async fn enter(
        &self,
        email: &str,
        device: &str,
        address: &str,
    ) -> Result<String, String> {
        self.enter_with((email, PASSWORD), device, address).await
    }

    /// The same with a password; the code of the refusal.
    pub(crate) async fn enter_with(
        &self,
        (email, password): (&str, &str),
        device: &str,
        address: &str,
    ) -> Result<String, String> {
        let guest = Guest {
            address: address.to_owned(),
            device_token: device.to_owned(),
            ..Guest::default()
        };
        let (email, password) = (email.to_owned(), password.to_owned());
        let message = LogInRequest { email, password, guest: Some(guest), trusted: false };
        let request = self.identity.ask(&Caller::service("gateway", None), message);
        match self.sessions().log_in(request).await.map_err(Failure::from) {
            Ok(answer) => Ok(answer.into_inner().device_token),
            Err(Failure::Refused(code)) => Err(code),
            Err(failure) => panic!("{failure:?}"),
        }
    }

    pub(crate) async fn log_in(&self) -> String {
        let message = LogInRequest {
            email: "sara@meydan.example".to_owned(),
            password: PASSWORD.to_owned(),
            ..LogInRequest::default()
        };
        let request = self.identity.ask(&Caller::service("gateway", None), message);
        self.sessions().log_in(request).await.expect("it is right").into_inner().session_token
    }

    pub(crate) async fn set_active(&self, team: &Team, active: bool) {
        let message = ChangeMemberRequest { member_id: team.member_id.clone() };
        let request = self.identity.command(&team.owner, Uuid::now_v7(), message);
        let mut members = self.members();
        let done = if active {
            members.reactivate(request).await
        } else {
            members.deactivate(request).await
        };
        done.expect("an owner may");
    }

    /// How each gateway answers whoever holds `session`.
    pub(crate) async fn answers(&self, session: &str) -> [u16; 3] {
        let mut answers = [0; 3];
        for (answer, gateway) in answers.iter_mut().zip(self.gateways) {
            *answer = get(gateway, "/c/tehran/team/permissions", session).await.status().as_u16();
        }
        answers
    }
}

pub(crate) struct Team {
    pub(crate) owner: Caller,
    pub(crate) member_id: String,
}

pub(crate) async fn get(gateway: SocketAddr, path: &str, session: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client can be made");
    let request = client.get(format!("http://{gateway}{path}"));
    let sent = request.header("Cookie", format!("meydan={session}")).send().await;
    sent.expect("it is answered")
}

#[tokio::test]
async fn whoever_is_deactivated_is_out_of_every_gateway_within_a_second() {
    let house = House::open().await;
    let team = house.team().await;
    let mut took = vec![];

    for _ in 0..ROUNDS {
        let session = house.log_in().await;
        assert_eq!(house.answers(&session).await, [200; 3], "all believe the session now");
        let mut streams = vec![];
        for gateway in house.gateways {
            let mut stream = get(gateway, "/c/tehran/live", &session).await;
            stream.chunk().await.expect("it is read").expect("it begins");
            streams.push(stream);
        }

        let began = Instant::now();
        house.set_active(&team, false).await;
        for stream in &mut streams {
            while let Ok(Some(_)) = stream.chunk().await {}
        }
        took.push(began.elapsed());

        assert_eq!(house.answers(&session).await, [303; 3], "all lead to the login");
        house.set_active(&team, true).await;
    }

    let longest = took.iter().max().expect("there were rounds");
    assert!(*longest < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn without_the_broker_a_session_is_believed_for_five_seconds_and_no_longer() {
    let mut house = House::open().await;
    let team = house.team().await;
    let session = house.log_in().await;
    assert_eq!(house.answers(&session).await, [200; 3], "all believe the session now");
    house.nats.kill().await;

    house.set_active(&team, false).await;
    let advance = |by| *house.now.lock().expect("no test panics here") += by;
    let almost = gateway::app::SESSIONS.checked_sub(Duration::from_millis(1));
    advance(almost.expect("it is longer"));
    assert_eq!(house.answers(&session).await, [200; 3], "nobody told them");
    advance(Duration::from_millis(1));
    assert_eq!(house.answers(&session).await, [303; 3]);
}
