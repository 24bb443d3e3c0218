//! Second factors that an owner demands, through the door: who may nothing without one, and who says so.

use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{
        AuthenticateKeyRequest, CreateApiKeyRequest, DemandFactorRequest, ListFactorsRequest,
        ListMembersRequest, RemoveFactorRequest, Role, api_keys_client::ApiKeysClient,
    },
};
use time::Duration;
use uuid::Uuid;

use crate::{
    harness::{gateway, member},
    team::{Colleague, Team},
};

fn refused<T>(code: &str) -> Result<T, Failure> {
    Err(Failure::Refused(format!("identity.{code}")))
}

impl Team {
    async fn demand(&self, by: &Caller, demanded: bool) -> Result<(), Failure> {
        let message = DemandFactorRequest { demanded };
        let request = self.identity.dial.command(by, Uuid::now_v7(), message);
        self.members().demand_factor(request).await?;
        Ok(())
    }

    /// A key that somebody makes; its secret.
    async fn key_of(&self, by: &Colleague) -> Result<String, Failure> {
        let message = CreateApiKeyRequest {
            name: "report".to_owned(),
            permissions: vec!["crm:ticket.read".to_owned()],
            expires_at: None,
        };
        let request = self.identity.dial.command(&by.caller, Uuid::now_v7(), message);
        let made = ApiKeysClient::new(self.identity.dial.channel()).create_api_key(request).await?;
        Ok(made.into_inner().key)
    }

    async fn opens(&self, key: &str) -> Result<(), Failure> {
        let message = AuthenticateKeyRequest { key: key.to_owned() };
        let request = self.identity.dial.ask(&gateway(), message);
        self.identity.sessions().authenticate_key(request).await?;
        Ok(())
    }

    /// Whether the page of the one key says that its maker lacks what is demanded.
    async fn is_said_to_be_closed(&self) -> bool {
        self.keys().await.remove(0).maker_lacks_factor
    }

    /// Whether somebody needs a second factor, and how much they may.
    async fn stands(&self, session: &str) -> (bool, usize) {
        let place = self.identity.held(session).await.memberships.remove(0);
        (place.needs_factor, place.permissions.len())
    }

    /// Adds a second factor; the session's new token.
    async fn enrol(&self, whom: &Colleague) -> String {
        self.identity.enrol(&whom.session).await.session
    }
}

#[tokio::test]
async fn whoever_lacks_a_demanded_factor_may_nothing_there_until_they_have_one() {
    let team = Team::start().await;
    let (staff, other) =
        (team.join("sara", Role::Staff).await, team.join("omid", Role::Owner).await);
    let key = team.key_of(&other).await.expect("an owner may");
    let owner = &team.owner.caller;
    assert_eq!(team.demand(owner, true).await, refused("factor.none"), "they have none themselves");
    team.enrol(&team.owner).await;
    let before = team.stands(&staff.session).await;
    assert!(team.opens(&key).await.is_ok() && !before.0);
    assert!(!team.is_said_to_be_closed().await);

    assert_eq!(team.demand(owner, true).await, Ok(()));

    assert_eq!(team.stands(&staff.session).await, (true, 0));
    assert_eq!(team.stands(&other.session).await, (true, 0));
    let closed = team.opens(&key).await;
    assert_eq!(closed, refused("factor.needed"), "a key may no more than whoever made it");
    assert_eq!(team.opens(&format!("{key}x")).await, Err(Failure::NotFound), "a stranger's");
    assert!(team.is_said_to_be_closed().await);
    // What an assertion of a moment ago still allows is judged by the log.
    assert_eq!(team.invite(&other, "x", Role::Staff).await, refused("factor.needed"));
    assert_eq!(team.key_of(&other).await, refused("factor.needed"));
    assert_eq!(team.demand(&other.caller, false).await, refused("factor.needed"));

    let session = team.enrol(&staff).await;
    assert_eq!(team.stands(&session).await, before);
    assert_eq!(team.demand(owner, false).await, Ok(()));
    assert!(team.opens(&key).await.is_ok());
    let facts = ("campaign.factor_demanded", "campaign.factor_waived");
    assert_eq!((team.identity.facts(facts.0).await, team.identity.facts(facts.1).await), (1, 1));
}

#[tokio::test]
async fn only_an_owner_who_proved_themselves_a_moment_ago_demands() {
    let team = Team::start().await;
    let manager = team.join("omid", Role::Manager).await;
    team.enrol(&manager).await;
    team.enrol(&team.owner).await;
    let (by, owner) = (&manager.caller, &team.owner.caller);
    assert_eq!(team.demand(by, true).await, refused("member.owners_only"));
    let stranger = member(team.campaign, &["identity:member.manage"]);
    assert_eq!(team.demand(&stranger, true).await, refused("member.owners_only"));

    team.identity.advance(Duration::minutes(6));

    assert_eq!(team.demand(owner, true).await, refused("proof.needed"));
    assert_eq!(team.identity.facts("campaign.factor_demanded").await, 0);
}

#[tokio::test]
async fn where_one_is_demanded_the_last_factor_stays() {
    let team = Team::start().await;
    team.enrol(&team.owner).await;
    let owner = &team.owner.caller;
    team.demand(owner, true).await.expect("an owner may");
    let dial = &team.identity.dial;
    let listed =
        team.identity.accounts().list_factors(dial.ask(owner, ListFactorsRequest {})).await;
    let factor_id = listed.expect("they are theirs").into_inner().factors.remove(0).factor_id;
    let remove = async || -> Result<(), Failure> {
        let message = RemoveFactorRequest { factor_id: factor_id.clone() };
        team.identity.accounts().remove_factor(dial.ask(owner, message)).await?;
        Ok(())
    };

    assert_eq!(remove().await, refused("factor.last"));
    team.demand(owner, false).await.expect("an owner may");
    assert_eq!(remove().await, Ok(()));
}

#[tokio::test]
async fn who_has_a_second_factor_is_told_to_those_who_run_the_team() {
    let team = Team::start().await;
    let staff = team.join("sara", Role::Staff).await;
    team.enrol(&staff).await;
    team.invite(&team.owner, "sara2", Role::Staff).await.expect("an owner may");
    let seen_by = async |reader: &Caller| {
        let request = team.identity.dial.ask(reader, ListMembersRequest::default());
        let team = team.members().list_members(request).await.expect("they may read").into_inner();
        team.members.into_iter().map(|member| member.second_factor).collect::<Vec<_>>()
    };

    assert_eq!(seen_by(&team.owner.caller).await, [false, true, false]);
    assert_eq!(seen_by(&staff.caller).await, [false, false, false]);
}
