//! Keys of programs whose maker is not who they were: they open nothing at once, stay so, and it is on record.

use std::time::Duration as Real;

use identity_domain::RevokedBecause;
use meydan_erasure::{Subject, SubjectCommand};
use meydan_event_log::{Actor, EventLog, Meta, PLATFORM, Target};
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{
        ApiKey, AuthenticateKeyRequest, ChangeMemberRequest, CreateApiKeyRequest,
        ListApiKeysRequest, Role, api_keys_client::ApiKeysClient,
    },
};
use time::Duration;
use uuid::Uuid;

use crate::{
    harness::{Identity, gateway},
    team::{Colleague, Team},
};

const KEYS: &str = "identity:api_key.manage";

impl Team {
    /// A key of somebody's.
    pub(crate) async fn key(&self, maker: &Colleague) -> String {
        let made = make(&self.identity, (&maker.session, self.campaign), Uuid::now_v7()).await;
        made.expect("they may")
    }

    /// What a key may do now; nothing of one that opens nothing.
    pub(crate) async fn allowed(&self, key: &str) -> Option<Vec<String>> {
        let message = AuthenticateKeyRequest { key: key.to_owned() };
        let request = self.identity.dial.ask(&gateway(), message);
        let opened = self.identity.sessions().authenticate_key(request).await;
        match opened.map_err(Failure::from) {
            Ok(opened) => Some(opened.into_inner().permissions),
            Err(failure) => {
                assert_eq!(failure, Failure::NotFound);
                None
            }
        }
    }

    /// The keys as the owner sees them.
    pub(crate) async fn keys(&self) -> Vec<ApiKey> {
        let request = self.identity.dial.ask(&self.owner.caller, ListApiKeysRequest::default());
        let keys = ApiKeysClient::new(self.identity.dial.channel()).list_api_keys(request).await;
        keys.expect("an owner may").into_inner().keys
    }

    /// Waits until the one key of the campaign is revoked; why it is.
    pub(crate) async fn revoked(&self) -> String {
        let looking = async {
            loop {
                let keys = self.keys().await;
                if keys.iter().all(|key| key.revoked_at.is_some()) {
                    return keys[0].revoked_because.clone();
                }
            }
        };
        if let Ok(found) = tokio::time::timeout(Real::from_secs(30), looking).await {
            return found;
        }
        let read = "SELECT string_agg(reader || ' ' || position, ', ') FROM es.checkpoints";
        let read: String = sqlx::query_scalar(read)
            .fetch_one(&self.identity.database().await)
            .await
            .expect("it answers");
        panic!("it is not revoked by readers at {read}")
    }

    /// Somebody who may make keys and does not own the campaign.
    pub(crate) async fn keeper(&self) -> Colleague {
        let keeper = self.join("omid", Role::Manager).await;
        let whom = self.id(keeper.account).await;
        let given = self.except(&self.owner.caller, &whom, (&[KEYS], &[])).await;
        given.expect("an owner may");
        keeper
    }
}

/// Makes a key with a command of an id.
pub(crate) async fn make(
    identity: &Identity,
    (session, campaign): (&str, Uuid),
    command: Uuid,
) -> Result<String, Failure> {
    let maker = Colleague::of(identity, session.to_owned(), campaign).await;
    make_as(identity, &maker.caller, command).await
}

/// The same of whoever calls.
pub(crate) async fn make_as(
    identity: &Identity,
    maker: &Caller,
    command: Uuid,
) -> Result<String, Failure> {
    let message = CreateApiKeyRequest {
        name: "report".to_owned(),
        permissions: vec!["crm:ticket.read".to_owned()],
        expires_at: None,
    };
    let request = identity.dial.command(maker, command, message);
    let made = ApiKeysClient::new(identity.dial.channel()).create_api_key(request).await?;
    Ok(made.into_inner().key)
}

#[tokio::test]
async fn the_command_that_made_a_key_makes_another_one_in_another_campaign() {
    let team = Team::start().await;
    let (identity, command) = (&team.identity, Uuid::now_v7());
    let theirs = make(identity, (&team.owner.session, team.campaign), command).await;
    let theirs = theirs.expect("an owner may");
    let (isfahan, link) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let stranger = identity.accept(&link, "").await.expect("the link is good");

    // Whoever reads a record of theirs, or guesses, knows the id of the command.
    let other = make(identity, (&stranger, isfahan), command).await;

    let opens = async |key: String| {
        let request = identity.dial.ask(&gateway(), AuthenticateKeyRequest { key });
        let opened = identity.sessions().authenticate_key(request).await;
        opened.expect("it is good").into_inner().campaign_id
    };
    assert_eq!(opens(theirs).await, team.campaign.to_string(), "it is what it was");
    assert_eq!(opens(other.expect("an owner may")).await, isfahan.to_string());
    assert_eq!(identity.facts("api_key.created").await, 2);
}

#[tokio::test]
async fn a_key_gets_another_secret_for_its_maker_alone_and_only_before_it_is_used() {
    let team = Team::start().await;
    let (identity, command) = (&team.identity, Uuid::now_v7());
    let keeper = team.keeper().await;
    let owner = (team.owner.session.as_str(), team.campaign);
    let lost = make(identity, owner, command).await.expect("an owner may");
    let is_made = || Err(Failure::Refused("identity.api_key.made".to_owned()));

    let others = make(identity, (&keeper.session, team.campaign), command).await;
    assert_eq!(others, is_made(), "it may what the owner may");
    let key = make(identity, owner, command).await.expect("the first one was lost on the way");
    assert_eq!(team.allowed(&lost).await, None, "one secret opens it");
    assert!(team.allowed(&key).await.is_some());

    assert_eq!(make(identity, owner, command).await, is_made(), "somebody works with it");
    assert!(team.allowed(&key).await.is_some());
    assert_eq!(identity.facts("api_key.created").await, 1);
}

#[tokio::test]
async fn a_key_of_whoever_leaves_is_revoked_and_does_not_come_back_with_them() {
    let team = Team::start().await;
    let keeper = team.keeper().await;
    let key = team.key(&keeper).await;
    assert!(team.allowed(&key).await.is_some());
    team.identity.advance(Duration::minutes(1));

    team.leave(&keeper.caller).await.expect("they may");

    assert_eq!(team.allowed(&key).await, None, "at once");
    assert_eq!(team.revoked().await, RevokedBecause::MakerLeft.name());
    assert_eq!(team.identity.facts("api_key.revoked").await, 1);
    team.identity.advance(Duration::minutes(1));
    let link = team.identity.invite(team.campaign, "omid@meydan.example", "Omid").await;
    let session =
        team.identity.log_in("omid@meydan.example", crate::harness::PASSWORD, "192.0.2.1");
    let session = session.await.expect("the account is theirs");
    team.identity.join(&session, &link).await.expect("the link is theirs");
    assert_eq!(team.allowed(&key).await, None, "it is revoked, whoever they are now");
}

#[tokio::test]
async fn a_key_of_whoever_is_deactivated_stays_revoked_when_they_work_again() {
    let team = Team::start().await;
    let keeper = team.keeper().await;
    let key = team.key(&keeper).await;
    let whom = team.id(keeper.account).await;

    team.deactivate(&team.owner.caller, &whom).await.expect("an owner may");

    assert_eq!(team.allowed(&key).await, None, "at once");
    assert_eq!(team.revoked().await, RevokedBecause::MakerDeactivated.name());
    let message = ChangeMemberRequest { member_id: whom };
    let request = team.identity.dial.command(&team.owner.caller, Uuid::now_v7(), message);
    team.members().reactivate(request).await.expect("an owner may");
    assert_eq!(team.allowed(&key).await, None);
    assert_eq!(team.identity.facts("api_key.revoked").await, 1);
}

#[tokio::test]
async fn a_key_may_no_more_than_its_maker_and_is_revoked_once_they_may_have_none() {
    let team = Team::start().await;
    let keeper = team.keeper().await;
    let key = team.key(&keeper).await;
    let whom = team.id(keeper.account).await;

    let denied: (&[&str], &[&str]) = (&[KEYS], &["crm:ticket.read"]);
    team.except(&team.owner.caller, &whom, denied).await.expect("an owner may");
    assert_eq!(team.allowed(&key).await, Some(vec![]), "at once");
    let seen = team.keys().await.remove(0);
    assert!(seen.permissions.is_empty() && seen.revoked_at.is_none(), "the page says so");
    team.except(&team.owner.caller, &whom, (&[KEYS], &[])).await.expect("an owner may");
    assert_eq!(team.allowed(&key).await, Some(vec!["crm:ticket.read".to_owned()]));
    assert_eq!(team.identity.facts("api_key.revoked").await, 0, "they may have keys");

    team.change_role(&team.owner.caller, &whom, Role::Staff).await.expect("an owner may");

    assert_eq!(team.revoked().await, RevokedBecause::MakerLostPermission.name());
    assert_eq!(team.allowed(&key).await, None);
}

#[tokio::test]
async fn keys_of_whoever_is_suspended_or_erased_are_revoked_on_record() {
    let suspended = Team::start().await;
    let keeper = suspended.keeper().await;
    let key = suspended.key(&keeper).await;
    let (admin, _) = suspended.identity.staff().await;
    suspended.identity.suspend(&admin, keeper.account, true).await.expect("an admin may");
    assert_eq!(suspended.allowed(&key).await, None, "at once");
    assert_eq!(suspended.revoked().await, RevokedBecause::MakerSuspended.name());
    suspended.identity.suspend(&admin, keeper.account, false).await.expect("an admin may");
    assert_eq!(suspended.allowed(&key).await, None);

    let erased = Team::start().await;
    let keeper = erased.keeper().await;
    let key = erased.key(&keeper).await;
    let log = EventLog::open(identity::NAME, erased.identity.database_url(), 2).await;
    let actor = Actor::Service { name: "meydan".to_owned() };
    let command = SubjectCommand::Erase { at: erased.identity.now() };
    let subject = Target { tenant: PLATFORM, id: keeper.account };
    let log = log.expect("it opens");
    let meta = Meta::new(Uuid::now_v7(), actor);
    log.execute::<Subject>(subject, command, &meta).await.expect("anybody is erased");
    assert_eq!(erased.revoked().await, RevokedBecause::MakerErased.name());
    assert_eq!(erased.allowed(&key).await, None);
    assert_eq!(erased.keys().await[0].name, "", "the name went with the key of the person");
    assert_eq!(erased.identity.facts("api_key.revoked").await, 1);
}

#[tokio::test]
async fn a_key_that_was_revoked_is_shown_for_a_month() {
    let team = Team::start().await;
    let keeper = team.keeper().await;
    team.key(&keeper).await;
    team.leave(&keeper.caller).await.expect("they may");
    team.revoked().await;
    let shown = async || team.keys().await.len();

    team.identity.advance(Duration::days(30) - Duration::SECOND);
    assert_eq!(shown().await, 1);
    team.identity.advance(Duration::SECOND);
    assert_eq!(shown().await, 0);
}

#[tokio::test]
async fn when_a_key_was_last_used_is_shown_and_noted_once_a_minute() {
    let team = Team::start().await;
    let key = team.key(&team.owner).await;
    let last_used = async || team.keys().await.remove(0).last_used_at.map(|at| at.seconds);
    let now = || Some(team.identity.now().unix_timestamp());
    assert_eq!(last_used().await, None, "nobody has used it");

    let first = now();
    for pause in [Duration::ZERO, Duration::seconds(59)] {
        team.identity.advance(pause);
        assert!(team.allowed(&key).await.is_some());
        assert_eq!(last_used().await, first, "after {pause}");
    }
    team.identity.advance(Duration::SECOND);
    assert!(team.allowed(&key).await.is_some());
    assert_eq!(last_used().await, now());
}
