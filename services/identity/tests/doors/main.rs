//! Identity through its own door: gRPC, on a real PostgreSQL and NATS, with a clock that the test moves.

mod acts;
mod admins;
mod api_keys;
mod browsers;
mod contact;
mod credentials;
mod demands;
mod dismissed;
mod factors;
mod fresh;
mod gate;
mod harness;
mod impersonation;
mod invitations;
mod late;
mod leaving;
mod letters;
mod meanwhile;
mod oversight;
mod passkeys;
mod passwords;
mod preferences;
mod record;
mod recovery;
mod team;

use std::sync::Arc;

use identity::NAME;
use meydan_rpc::{
    caller::{Assertions, Caller},
    outcome::Failure,
    pb::identity::{
        AcceptInvitationRequest, AuthenticateSessionRequest, GetCampaignRequest,
        InviteFirstAdminRequest, InviteMemberRequest, ListHistoryRequest, ListMembersRequest,
        LogOutRequest, ProveAgainRequest, Role, campaigns_client::CampaignsClient,
        get_campaign_request::Which, members_client::MembersClient,
    },
};
use time::{Duration, OffsetDateTime};
use tonic::Code;
use uuid::Uuid;

use crate::harness::{Identity, PASSWORD, gateway, member};

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
async fn a_failed_login_is_answered_without_the_log_whether_the_address_is_known_or_not() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    identity.accept(&link, "sara@meydan.example").await.expect("the link is good");
    let failed = || Err(Failure::Refused("identity.login.failed".into()));
    let database = identity.database().await;

    // Nothing can read or write events now: whoever needed them for an answer would get none.
    let mut closed = database.begin().await.expect("it answers");
    let lock = "LOCK TABLE es.events IN ACCESS EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *closed).await.expect("nobody holds it for long");
    for address in ["sara@meydan.example", "nobody@meydan.example"] {
        assert_eq!(identity.log_in(address, "wrong", "192.0.2.9").await, failed(), "{address}");
    }
    let noted = "SELECT nextval('login_failures_failure_id_seq')";
    let noted: i64 = sqlx::query_scalar(noted).fetch_one(&database).await.expect("it answers");
    assert_eq!(noted, 3, "each of the two left one row");
    closed.rollback().await.expect("it answers");

    identity.end().await;
    assert_eq!(identity.facts("account.log_in_failed").await, 1, "hers is on record");
}

#[tokio::test]
async fn guesses_at_the_same_time_count_like_guesses_in_turn() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    identity.accept(&link, "sara@meydan.example").await.expect("the link is good");

    let guess = |_| identity.log_in("sara@meydan.example", "wrong", "192.0.2.9");
    let guesses = futures::future::join_all((0..30).map(guess)).await;

    assert!(guesses.iter().all(Result::is_err));
    let right = identity.log_in("sara@meydan.example", PASSWORD, "192.0.2.9").await;
    assert_eq!(right, Err(Failure::Refused("identity.login.failed".into())));
    identity.end().await;
    assert_eq!(identity.facts("account.log_in_failed").await, 5, "the others were not judged");
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
        assert!(identity.is_known(&session).await, "it is used");
    }
    identity.advance(Duration::minutes(20));
    assert!(identity.is_known(&session).await, "it lasts for twelve hours");
    identity.advance(Duration::SECOND);
    assert!(!identity.is_known(&session).await, "and not for a second more");
}

#[tokio::test]
async fn a_session_that_ended_by_itself_is_on_record_once_also_when_nobody_comes_back() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let left = identity.accept(&link, "sara@meydan.example").await.expect("the link is good");
    let used = identity.log_in("sara@meydan.example", PASSWORD, "192.0.2.1").await;
    let used = used.expect("the password is right");

    identity.advance(Duration::minutes(31));
    for _ in 0..3 {
        assert!(!identity.is_known(&used).await, "it rested for more than half an hour");
    }
    // The next look at what is over finds the other one, which nobody asks for.
    let ended = async {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(50));
        while identity.facts("account.session_expired").await < 2 {
            looks.tick().await;
        }
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), ended).await;
    ended.expect("both are on record in the end");
    assert!(!identity.is_known(&left).await);
    identity.end().await;
    assert_eq!(identity.facts("account.session_expired").await, 2);
}

#[tokio::test]
async fn a_session_is_known_by_its_name_and_account_whatever_its_token_until_it_ends() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let session = identity.accept(&link, "sara@meydan.example").await.expect("the link is good");
    let held = identity.held(&session).await;
    let named = async |account_id: &str| {
        let (account_id, session_id) = (account_id.to_owned(), held.session_id.clone());
        let message = AuthenticateSessionRequest { account_id, session_id };
        let request = identity.dial.ask(&gateway(), message);
        let found = identity.sessions().authenticate_session(request).await;
        found.map(|found| found.into_inner().email).map_err(Failure::from)
    };
    assert_eq!(named(&held.account_id).await.as_deref(), Ok("sara@meydan.example"));
    assert_eq!(named(&Uuid::from_u128(1).to_string()).await, Err(Failure::NotFound));

    let holder = identity.holder(&session).await;
    let message = ProveAgainRequest { secret: PASSWORD.to_owned() };
    let proved = identity.accounts().prove_again(identity.dial.ask(&holder, message)).await;
    let session_token = proved.expect("the password is right").into_inner().session_token;
    assert!(!identity.is_known(&session).await, "it is another one by now");
    assert!(named(&held.account_id).await.is_ok());

    let message = LogOutRequest { session_token };
    let ended = identity.sessions().log_out(identity.dial.ask(&gateway(), message)).await;
    ended.expect("it goes on");
    assert_eq!(named(&held.account_id).await, Err(Failure::NotFound));
}

#[tokio::test]
async fn the_end_of_a_session_says_from_where_that_had_come() {
    let identity = Identity::start().await;
    let link = identity.first_link().await.expect("there is no admin yet");
    let first = identity.accept(&link, "sara@meydan.example").await.expect("the link is good");
    let session_token = identity.log_in("sara@meydan.example", PASSWORD, "198.51.100.7").await;
    let session_token = session_token.expect("the password is right");

    let message = LogOutRequest { session_token };
    let ended = identity.sessions().log_out(identity.dial.ask(&gateway(), message)).await;
    ended.expect("it goes on");

    let holder = identity.holder(&first).await;
    let newest = async || {
        let request = identity.dial.ask(&holder, ListHistoryRequest::default());
        let history = identity.accounts().list_history(request).await.expect("it is hers");
        history.into_inner().entries.remove(0)
    };
    let shown = async {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
        loop {
            looks.tick().await;
            let entry = newest().await;
            if entry.kind == "account.logged_out" {
                return entry;
            }
        }
    };
    let shown = tokio::time::timeout(std::time::Duration::from_secs(20), shown).await;
    let shown = shown.expect("the table shows it in the end");
    assert_eq!((shown.address.as_str(), shown.user_agent.as_str()), ("198.51.100.7", "test"));
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
async fn a_call_without_an_assertion_or_with_anothers_is_refused() {
    let identity = Identity::start().await;
    let bare = tonic::Request::new(InviteFirstAdminRequest {});
    let refused = identity.sessions().invite_first_admin(bare).await.expect_err("nobody calls");
    assert_eq!(refused.code(), Code::Unauthenticated);

    let forger = Assertions::generate();
    let mut request = tonic::Request::new(InviteFirstAdminRequest {});
    let caller = Caller::service("meydan", None);
    let forged = forger.sign(NAME, &caller, OffsetDateTime::now_utc());
    request.metadata_mut().insert("caller", forged.parse().expect("ASCII"));
    let refused = identity.sessions().invite_first_admin(request).await.expect_err("forged");
    assert_eq!(refused.code(), Code::Unauthenticated);

    let wrong = Caller::service("crm", None);
    let request = identity.dial.ask(&wrong, InviteFirstAdminRequest {});
    let refused = identity.sessions().invite_first_admin(request).await.expect_err("not theirs");
    assert_eq!(refused.code(), Code::PermissionDenied);
}
