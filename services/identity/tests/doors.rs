//! Identity through its own door: gRPC, on a real PostgreSQL and NATS, with a clock that the test moves.

use std::sync::{Arc, Mutex};

use identity::{NAME, Setup, migrate, run};
use meydan_event_log::{Clock, prepare_database};
use meydan_keyring::{KeyFile, Keyring};
use meydan_rpc::{
    caller::{Assertions, Caller, Who},
    client::Dial,
    outcome::Failure,
    pb::identity::{
        AcceptInvitationRequest, AuthenticateRequest, CreateCampaignRequest, GetCampaignRequest,
        InviteFirstAdminRequest, InviteMemberRequest, ListMembersRequest, LogInRequest, Role,
        campaigns_client::CampaignsClient, get_campaign_request::Which,
        members_client::MembersClient, sessions_client::SessionsClient,
    },
    server::listen,
};
use meydan_testkit::servers::{Nats, folder, postgres, prefix};
use sqlx::postgres::PgPoolOptions;
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, transport::Channel};
use uuid::Uuid;

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const PASSWORD: &str = "a rather long pass phrase 7";

struct Identity {
    dial: Dial,
    now: Arc<Mutex<OffsetDateTime>>,
    database_url: String,
    _nats: Nats,
    _secrets: tempfile::TempDir,
    _stop: DropGuard,
}

impl Identity {
    async fn start() -> Self {
        let (nats, prefix, secrets) = (Nats::start().await, prefix(), folder());
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
            connections: 4,
            nats: nats.connect().await,
            keyring,
            assertions: assertions.clone(),
            clock: Clock::new(move || *told.lock().expect("no test panics here")),
        };
        let stop = CancellationToken::new();
        tokio::spawn(run(setup, stop.clone()));
        let dial = Dial::new("test", NAME, address, assertions);
        Self { dial, now, database_url, _nats: nats, _secrets: secrets, _stop: stop.drop_guard() }
    }

    fn advance(&self, by: Duration) {
        *self.now.lock().expect("no test panics here") += by;
    }

    fn sessions(&self) -> SessionsClient<Channel> {
        SessionsClient::new(self.dial.channel())
    }

    async fn first_link(&self) -> Result<String, Failure> {
        let caller = Caller::service("meydan", None);
        let request = self.dial.command(&caller, Uuid::now_v7(), InviteFirstAdminRequest {});
        Ok(self.sessions().invite_first_admin(request).await?.into_inner().token)
    }

    /// How many facts of a kind there are.
    async fn facts(&self, kind: &str) -> i64 {
        let pool = PgPoolOptions::new().connect(&self.database_url).await.expect("it answers");
        let count = sqlx::query_scalar("SELECT count(*) FROM es.events WHERE event_type = $1");
        count.bind(kind).fetch_one(&pool).await.expect("it answers")
    }

    /// Uses a one-time link; the session's token.
    async fn accept(&self, token: &str, email: &str) -> Result<String, Failure> {
        let message = AcceptInvitationRequest {
            token: token.to_owned(),
            email: email.to_owned(),
            display_name: "Sara".to_owned(),
            password: PASSWORD.to_owned(),
            address: "192.0.2.1".to_owned(),
            user_agent: "test".to_owned(),
        };
        let request = self.dial.ask(&gateway(), message);
        Ok(self.sessions().accept_invitation(request).await?.into_inner().session_token)
    }

    async fn log_in(&self, email: &str, password: &str, address: &str) -> Result<String, Failure> {
        let message = LogInRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            address: address.to_owned(),
            user_agent: "test".to_owned(),
        };
        let request = self.dial.ask(&gateway(), message);
        Ok(self.sessions().log_in(request).await?.into_inner().session_token)
    }

    async fn is_known(&self, session: &str) -> bool {
        let message = AuthenticateRequest { session_token: session.to_owned() };
        self.sessions().authenticate(self.dial.ask(&gateway(), message)).await.is_ok()
    }

    /// Creates a campaign; its id, and its owner's link.
    async fn campaign(&self, slug: &str, command: Uuid) -> Result<(Uuid, String), Failure> {
        let message = CreateCampaignRequest {
            slug: slug.to_owned(),
            candidate_name: "نرگس".to_owned(),
            office: "شورا".to_owned(),
            constituency: "تهران".to_owned(),
            locale: "fa".to_owned(),
            owner_name: "Owner".to_owned(),
            owner_email: format!("{slug}@meydan.example"),
        };
        let request = self.dial.command(&admin(), command, message);
        let mut campaigns = CampaignsClient::new(self.dial.channel());
        let created = campaigns.create_campaign(request).await?.into_inner();
        Ok((created.campaign_id.parse().expect("an id"), created.invitation_token))
    }
}

fn gateway() -> Caller {
    Caller::service("gateway", None)
}

fn admin() -> Caller {
    Caller {
        who: Who::Account { id: Uuid::from_u128(1), session: Uuid::from_u128(2), admin: true },
        campaign: None,
        permissions: vec![],
        address: None,
    }
}

fn member(campaign: Uuid, permissions: &[&str]) -> Caller {
    Caller {
        who: Who::Account { id: Uuid::from_u128(3), session: Uuid::from_u128(4), admin: false },
        campaign: Some(campaign),
        permissions: permissions.iter().map(ToString::to_string).collect(),
        address: None,
    }
}

#[tokio::test]
async fn a_one_time_link_makes_one_admin_however_many_use_it_at_once() {
    let identity = Arc::new(Identity::start().await);
    let link = identity.first_link().await.expect("there is no admin yet");

    let tries = (0..20).map(|n| {
        let (identity, link) = (identity.clone(), link.clone());
        tokio::spawn(async move { identity.accept(&link, &format!("a{n}@meydan.example")).await })
    });
    let mut entered = 0;
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.expect("no task breaks") {
            Ok(session) => {
                entered += 1;
                assert!(identity.is_known(&session).await);
            }
            Err(failure) => assert_eq!(failure, Failure::NotFound),
        }
    }

    assert_eq!(entered, 1);
    assert_eq!(identity.first_link().await, Err(Failure::Refused("identity.admin.exists".into())));
}

#[tokio::test]
async fn a_newer_first_link_replaces_the_older_and_three_days_end_it() {
    let identity = Identity::start().await;
    let older = identity.first_link().await.expect("there is no admin yet");
    let newer = identity.first_link().await.expect("there is no admin yet");

    assert_eq!(identity.accept(&older, "a@meydan.example").await, Err(Failure::NotFound));
    identity.advance(Duration::hours(73));
    assert_eq!(identity.accept(&newer, "a@meydan.example").await, Err(Failure::NotFound));
}

#[tokio::test]
async fn unknown_wrong_and_closed_are_answered_alike_and_others_are_not_shut_out() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    identity.accept(&link, "Sara@Meydan.example").await.expect("the link is good");
    let failed = || Err(Failure::Refused("identity.login.failed".into()));

    assert_eq!(identity.log_in("nobody@meydan.example", "x", "192.0.2.9").await, failed());
    for _ in 0..5 {
        let wrong = identity.log_in("sara@meydan.example", "wrong", "192.0.2.9").await;
        assert_eq!(wrong, failed());
    }
    // The right password no longer helps from that network, and helps from hers.
    assert_eq!(identity.log_in("sara@meydan.example", PASSWORD, "192.0.2.77").await, failed());
    assert!(identity.log_in("sara@meydan.example", PASSWORD, "198.51.100.1").await.is_ok());
    identity.advance(Duration::minutes(16));
    assert!(identity.log_in("sara@meydan.example", PASSWORD, "192.0.2.9").await.is_ok());
}

#[tokio::test]
async fn guesses_at_the_same_time_count_like_guesses_in_turn() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    identity.accept(&link, "sara@meydan.example").await.expect("the link is good");

    let guess = |_| identity.log_in("sara@meydan.example", "wrong", "192.0.2.9");
    let guesses = futures::future::join_all((0..30).map(guess)).await;

    assert!(guesses.iter().all(Result::is_err));
    assert_eq!(identity.facts("account.log_in_failed").await, 5, "the others were not judged");
    let right = identity.log_in("sara@meydan.example", PASSWORD, "192.0.2.9").await;
    assert_eq!(right, Err(Failure::Refused("identity.login.failed".into())));
}

#[tokio::test]
async fn a_session_ends_when_it_rests_too_long_or_lasts_too_long() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let session = identity.accept(&link, "sara@meydan.example").await.expect("the link is good");

    identity.advance(Duration::minutes(29));
    assert!(identity.is_known(&session).await);
    identity.advance(Duration::minutes(31));
    assert!(!identity.is_known(&session).await, "it rested for more than half an hour");

    let session = identity.log_in("sara@meydan.example", PASSWORD, "192.0.2.1").await;
    let session = session.expect("the password is right");
    for _ in 0..25 {
        identity.advance(Duration::minutes(28));
        identity.is_known(&session).await;
    }
    identity.advance(Duration::minutes(25));
    assert!(!identity.is_known(&session).await, "it lasted for more than twelve hours");
}

#[tokio::test]
async fn bad_fields_are_named_all_at_once_and_nothing_is_used_up() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let message = AcceptInvitationRequest {
        token: link.clone(),
        email: "no address".to_owned(),
        password: "short".to_owned(),
        ..AcceptInvitationRequest::default()
    };

    let mut sessions = identity.sessions();
    let refused = sessions.accept_invitation(identity.dial.ask(&gateway(), message));

    let Err(Failure::Malformed(fields)) = refused.await.map_err(Failure::from) else {
        panic!("three fields are wrong");
    };
    let names = fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["email", "display_name", "password"]);
    assert!(identity.accept(&link, "sara@meydan.example").await.is_ok());
}

#[tokio::test]
async fn a_campaign_is_created_once_and_its_name_belongs_to_it() {
    let identity = Identity::start().await;
    let command = Uuid::now_v7();

    let (first, link) = identity.campaign("tehran", command).await.expect("the name is free");
    let (again, _) = identity.campaign("tehran", command).await.expect("it is known");
    let taken = identity.campaign("tehran", Uuid::now_v7()).await;

    assert_eq!(first, again);
    assert_eq!(taken, Err(Failure::Refused("identity.key_taken".into())));
    assert!(identity.accept(&link, "").await.is_ok(), "the owner comes in");
}

#[tokio::test]
async fn another_campaign_is_not_found_and_its_team_not_seen() {
    let identity = Identity::start().await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let stranger = member(isfahan, &["crm:ticket.read", "identity:member.read"]);
    let mut campaigns = CampaignsClient::new(identity.dial.channel());

    let which = Some(Which::CampaignId(tehran.to_string()));
    let message = GetCampaignRequest { which, min_position: 0 };
    let seen = campaigns.get_campaign(identity.dial.ask(&stranger, message)).await;
    assert_eq!(seen.map_err(Failure::from).err(), Some(Failure::NotFound));

    let mut members = MembersClient::new(identity.dial.channel());
    let message = ListMembersRequest::default();
    let team = members.list_members(identity.dial.ask(&stranger, message)).await;
    let team = team.expect("their own team").into_inner().members;
    assert!(team.iter().all(|member| member.email.starts_with("isfahan")), "{}", team.len());

    let message = InviteMemberRequest {
        email: "x@meydan.example".to_owned(),
        display_name: "X".to_owned(),
        role: Role::Staff.into(),
    };
    let request = identity.dial.command(&stranger, Uuid::now_v7(), message);
    let refused = members.invite_member(request).await.map_err(Failure::from);
    assert_eq!(refused.err(), Some(Failure::Denied), "they lack the permission");
}

#[tokio::test]
async fn a_link_left_over_from_another_campaign_does_not_take_an_account_over() {
    let identity = Identity::start().await;
    let (_, own) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let inviter = member(isfahan, &["identity:member.invite"]);
    let invite = || InviteMemberRequest {
        email: "tehran@meydan.example".to_owned(),
        display_name: "T".to_owned(),
        role: Role::Staff.into(),
    };
    let mut members = MembersClient::new(identity.dial.channel());
    let request = identity.dial.command(&inviter, Uuid::now_v7(), invite());
    let invited = members.invite_member(request).await.expect("they have no password yet");
    let left_over = invited.into_inner().invitation_token;

    assert!(identity.accept(&own, "").await.is_ok(), "the account begins");
    assert_eq!(identity.accept(&left_over, "").await, Err(Failure::NotFound));

    // Asked once more they join, with the password that is theirs alone.
    let request = identity.dial.command(&inviter, Uuid::now_v7(), invite());
    let invited = members.invite_member(request).await.expect("they are known");
    assert_eq!(invited.into_inner().invitation_token, "");
}

#[tokio::test]
async fn a_call_without_an_assertion_or_with_anothers_is_refused() {
    let identity = Identity::start().await;
    let bare = tonic::Request::new(InviteFirstAdminRequest {});
    let refused = identity.sessions().invite_first_admin(bare).await.expect_err("nobody calls");
    assert_eq!(refused.code(), Code::Unauthenticated);

    let forger = Assertions::generate();
    let mut request = tonic::Request::new(InviteFirstAdminRequest {});
    let caller = Caller::service("meydan", None);
    let forged = forger.sign("meydan", NAME, &caller, OffsetDateTime::now_utc());
    request.metadata_mut().insert("caller", forged.parse().expect("ASCII"));
    let refused = identity.sessions().invite_first_admin(request).await.expect_err("forged");
    assert_eq!(refused.code(), Code::Unauthenticated);

    let wrong = Caller::service("crm", None);
    let request = identity.dial.ask(&wrong, InviteFirstAdminRequest {});
    let refused = identity.sessions().invite_first_admin(request).await.expect_err("not theirs");
    assert_eq!(refused.code(), Code::PermissionDenied);
}
