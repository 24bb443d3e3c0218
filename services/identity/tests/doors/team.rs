//! Teams through the door: who changes whose place, what that takes away at once, and that an owner stays.

use meydan_rpc::{
    caller::{Caller, Who},
    outcome::Failure,
    pb::identity::{
        ChangeMemberRequest, ChangePermissionsRequest, ChangeRoleRequest, InviteMemberRequest,
        LeaveRequest, Member, Role, members_client::MembersClient,
    },
};
use time::{Duration, OffsetDateTime};
use tonic::transport::Channel;
use uuid::Uuid;

use crate::harness::{Identity, member};

/// Somebody at work in a campaign.
pub(crate) struct Colleague {
    pub(crate) caller: Caller,
    pub(crate) session: String,
    pub(crate) account: Uuid,
}

impl Colleague {
    /// Whoever holds `session`, in `campaign`.
    pub(crate) async fn of(identity: &Identity, session: String, campaign: Uuid) -> Self {
        let held = identity.held(&session).await;
        let place = held.memberships.iter().find(|place| place.campaign_id == campaign.to_string());
        let account = held.account_id.parse().expect("an id");
        let who = Who::Account {
            id: account,
            session: held.session_id.parse().expect("an id"),
            admin: held.is_admin,
        };
        let permissions = place.map(|place| place.permissions.clone()).unwrap_or_default();
        let caller = Caller {
            who,
            campaign: Some(campaign),
            permissions,
            address: None,
            fresh_until: Some(i64::MAX),
        };
        Self { caller, session, account }
    }
}

/// A campaign at work.
pub(crate) struct Team {
    pub(crate) identity: Identity,
    pub(crate) campaign: Uuid,
    pub(crate) owner: Colleague,
}

fn refused<T>(code: &str) -> Result<T, Failure> {
    Err(Failure::Refused(format!("identity.member.{code}")))
}

impl Team {
    pub(crate) async fn start() -> Self {
        let identity = Identity::start().await;
        let (campaign, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("free");
        let session = identity.accept(&link, "").await.expect("the link is good");
        let owner = Colleague::of(&identity, session, campaign).await;
        Self { identity, campaign, owner }
    }

    pub(crate) fn members(&self) -> MembersClient<Channel> {
        MembersClient::new(self.identity.dial.channel())
    }

    /// The owner asks somebody to join as `role`, who does.
    pub(crate) async fn join(&self, name: &str, role: Role) -> Colleague {
        let link = self.invite(&self.owner, name, role).await.expect("an owner may");
        let session = self.identity.accept(&link, "").await.expect("the link is good");
        Colleague::of(&self.identity, session, self.campaign).await
    }

    pub(crate) async fn invite(
        &self,
        by: &Colleague,
        name: &str,
        role: Role,
    ) -> Result<String, Failure> {
        let message = InviteMemberRequest {
            email: format!("{name}@meydan.example"),
            display_name: name.to_owned(),
            role: role.into(),
        };
        let request = self.identity.dial.command(&by.caller, Uuid::now_v7(), message);
        Ok(self.members().invite_member(request).await?.into_inner().invitation_token)
    }

    /// The member as the team sees them.
    pub(crate) async fn seen(&self, account: Uuid) -> Option<Member> {
        let team = self.identity.team(self.campaign).await;
        team.into_iter().find(|member| member.account_id == account.to_string())
    }

    pub(crate) async fn id(&self, account: Uuid) -> String {
        self.seen(account).await.expect("they are in the team").member_id
    }

    pub(crate) async fn change_role(
        &self,
        by: &Caller,
        whom: &str,
        role: Role,
    ) -> Result<(), Failure> {
        let message = ChangeRoleRequest { member_id: whom.to_owned(), role: role.into() };
        let request = self.identity.dial.command(by, Uuid::now_v7(), message);
        self.members().change_role(request).await?;
        Ok(())
    }

    pub(crate) async fn except(
        &self,
        by: &Caller,
        whom: &str,
        (granted, denied): (&[&str], &[&str]),
    ) -> Result<(), Failure> {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let message = ChangePermissionsRequest {
            member_id: whom.to_owned(),
            granted: list(granted),
            denied: list(denied),
        };
        let request = self.identity.dial.command(by, Uuid::now_v7(), message);
        self.members().change_permissions(request).await?;
        Ok(())
    }

    pub(crate) async fn deactivate(&self, by: &Caller, whom: &str) -> Result<(), Failure> {
        let message = ChangeMemberRequest { member_id: whom.to_owned() };
        let request = self.identity.dial.command(by, Uuid::now_v7(), message);
        self.members().deactivate(request).await?;
        Ok(())
    }

    pub(crate) async fn remove(&self, by: &Caller, whom: &str) -> Result<(), Failure> {
        let message = ChangeMemberRequest { member_id: whom.to_owned() };
        let request = self.identity.dial.command(by, Uuid::now_v7(), message);
        self.members().remove(request).await?;
        Ok(())
    }

    async fn reactivate(&self, by: &Caller, whom: &str) -> Result<(), Failure> {
        let message = ChangeMemberRequest { member_id: whom.to_owned() };
        let request = self.identity.dial.command(by, Uuid::now_v7(), message);
        self.members().reactivate(request).await?;
        Ok(())
    }

    pub(crate) async fn leave(&self, who: &Caller) -> Result<(), Failure> {
        let request = self.identity.dial.command(who, Uuid::now_v7(), LeaveRequest {});
        self.members().leave(request).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_owners_who_demote_each_other_at_the_same_moment_one_stays() {
    let team = Team::start().await;
    let other = team.join("omid", Role::Owner).await;
    let (one, two) = (team.id(team.owner.account).await, team.id(other.account).await);

    for round in 0..20 {
        let (first, second) = tokio::join!(
            team.change_role(&team.owner.caller, &two, Role::Staff),
            team.change_role(&other.caller, &one, Role::Staff),
        );

        assert!(first.is_ok() != second.is_ok(), "round {round}: {first:?} and {second:?}");
        let (winner, loser) = if first.is_ok() { (&team.owner, &two) } else { (&other, &one) };
        let back = team.change_role(&winner.caller, loser, Role::Owner).await;
        assert_eq!(back, Ok(()), "round {round}: the one who stayed owns the campaign");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_owners_who_deactivate_or_remove_each_other_at_the_same_moment_one_stays() {
    let team = Team::start().await;
    let other = team.join("omid", Role::Owner).await;
    let (one, two) = (team.id(team.owner.account).await, team.id(other.account).await);

    for round in 0..10 {
        let (first, second) = tokio::join!(
            team.deactivate(&team.owner.caller, &two),
            team.deactivate(&other.caller, &one),
        );

        assert!(first.is_ok() != second.is_ok(), "round {round}: {first:?} and {second:?}");
        let (winner, loser) = if first.is_ok() { (&team.owner, &two) } else { (&other, &one) };
        let back = team.reactivate(&winner.caller, loser).await;
        assert_eq!(back, Ok(()), "round {round}: the one who stayed owns the campaign");
    }
    let (first, second) =
        tokio::join!(team.remove(&team.owner.caller, &two), team.remove(&other.caller, &one),);
    assert!(first.is_ok() != second.is_ok(), "{first:?} and {second:?}");
    let owners = team.identity.team(team.campaign).await;
    assert_eq!(owners.iter().filter(|owner| owner.role() == Role::Owner).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_all_owners_go_at_the_same_moment_the_last_one_stays() {
    let team = Team::start().await;
    let others = [team.join("a", Role::Owner).await, team.join("b", Role::Owner).await];
    let all = others.iter().chain([&team.owner]);

    let left = futures::future::join_all(all.map(|owner| team.leave(&owner.caller))).await;

    assert_eq!(left.iter().filter(|left| left.is_ok()).count(), 2, "{left:?}");
    assert!(left.contains(&refused("last_owner")), "{left:?}");
    let owners = team.identity.team(team.campaign).await;
    assert_eq!(owners.iter().filter(|owner| owner.role() == Role::Owner).count(), 1);
}

#[tokio::test]
async fn the_only_owner_is_neither_deactivated_nor_lets_go() {
    let team = Team::start().await;
    let asked = team.invite(&team.owner, "sara", Role::Owner).await;
    assert!(asked.is_ok(), "whoever was only asked is no owner yet");
    let manager = team.join("omid", Role::Manager).await;
    let owner = team.id(team.owner.account).await;

    assert_eq!(team.leave(&team.owner.caller).await, refused("last_owner"));
    assert_eq!(team.deactivate(&team.owner.caller, &owner).await, refused("oneself"));
    assert_eq!(team.deactivate(&manager.caller, &owner).await, refused("owners_only"));
    assert_eq!(team.leave(&manager.caller).await, Ok(()));
    assert_eq!(team.leave(&manager.caller).await, Err(Failure::NotFound));
    assert!(team.seen(manager.account).await.is_none());
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_hold_nor_changes_their_own_place() {
    let team = Team::start().await;
    let manager = team.join("omid", Role::Manager).await;
    let staff = team.join("sara", Role::Staff).await;
    let (own, theirs) = (team.id(manager.account).await, team.id(staff.account).await);

    let by = &manager.caller;
    assert_eq!(team.change_role(by, &own, Role::Owner).await, refused("oneself"));
    assert_eq!(
        team.except(by, &own, (&["identity:api_key.manage"], &[])).await,
        refused("oneself")
    );
    assert_eq!(team.change_role(by, &theirs, Role::Owner).await, refused("owners_only"));
    let keys: (&[&str], &[&str]) = (&["identity:api_key.manage"], &[]);
    assert_eq!(team.except(by, &theirs, keys).await, refused("not_held"));
    assert_eq!(team.invite(&manager, "x", Role::Owner).await, refused("owners_only"));
    let exceptions: (&[&str], &[&str]) = (&["bot:bot.connect"], &["crm:ticket.move"]);
    assert_eq!(team.except(by, &theirs, exceptions).await, Ok(()));
    let place = team.identity.held(&staff.session).await.memberships.remove(0);
    assert!(place.permissions.contains(&"bot:bot.connect".to_owned()));
    assert!(!place.permissions.contains(&"crm:ticket.move".to_owned()));
    let unknown = team.except(by, &theirs, (&["crm:everything"], &[])).await;
    assert!(matches!(unknown, Err(Failure::Malformed(_))), "{unknown:?}");
}

#[tokio::test]
async fn a_place_counts_as_it_is_now_and_not_as_the_caller_was_told() {
    let team = Team::start().await;
    let manager = team.join("omid", Role::Manager).await;
    let staff = team.join("sara", Role::Staff).await;
    let (theirs, staffs) = (team.id(manager.account).await, team.id(staff.account).await);
    assert_eq!(team.deactivate(&team.owner.caller, &theirs).await, Ok(()));

    // The caller's assertion still says that they may.
    assert_eq!(team.deactivate(&manager.caller, &staffs).await, refused("not_held"));
    assert_eq!(team.invite(&manager, "x", Role::Support).await, refused("not_held"));
    let stranger = member(team.campaign, &["identity:member.manage", "identity:member.invite"]);
    assert_eq!(team.deactivate(&stranger, &staffs).await, refused("not_held"));
}

#[tokio::test]
async fn whoever_is_deactivated_has_no_session_left_unless_they_work_elsewhere() {
    let team = Team::start().await;
    let staff = team.join("sara", Role::Staff).await;
    let both = team.join("omid", Role::Staff).await;
    let (isfahan, _) = team.identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let link = team.identity.invite(isfahan, "omid@meydan.example", "Omid").await;
    team.identity.join(&both.session, &link).await.expect("the link is theirs");

    for account in [staff.account, both.account] {
        let whom = team.id(account).await;
        assert_eq!(team.deactivate(&team.owner.caller, &whom).await, Ok(()));
    }

    assert!(!team.identity.is_known(&staff.session).await);
    let left = team.identity.held(&both.session).await.memberships;
    assert_eq!(left.iter().map(|place| place.slug.as_str()).collect::<Vec<_>>(), ["isfahan"]);
    assert!(team.seen(staff.account).await.expect("they are shown").deactivated);

    let whom = team.id(both.account).await;
    assert_eq!(team.reactivate(&team.owner.caller, &whom).await, Ok(()));
    assert_eq!(team.identity.held(&both.session).await.memberships.len(), 2);
}

#[tokio::test]
async fn whoever_is_deactivated_finds_in_their_history_that_the_session_ended() {
    let team = Team::start().await;
    let staff = team.join("sara", Role::Staff).await;
    let whom = team.id(staff.account).await;

    assert_eq!(team.deactivate(&team.owner.caller, &whom).await, Ok(()));

    assert_eq!(team.identity.facts("account.logged_out").await, 1);
}

#[tokio::test]
async fn until_somebody_joins_the_team_sees_how_long_their_link_works() {
    let team = Team::start().await;
    let asked_at = team.identity.now();
    team.invite(&team.owner, "sara", Role::Staff).await.expect("an owner may");
    let open = async || {
        let members = team.identity.team(team.campaign).await;
        members.into_iter().find(|member| member.invited).expect("the invitation is open")
    };
    let ends = |member: &Member| member.link_ends_at.map(|at| at.seconds);
    let after = |from: OffsetDateTime| Some((from + Duration::hours(72)).unix_timestamp());
    assert_eq!(ends(&open().await), after(asked_at));

    team.identity.advance(Duration::hours(80));
    assert_eq!(ends(&open().await), after(asked_at), "also once it is over");
    let message = ChangeMemberRequest { member_id: open().await.member_id };
    let request = team.identity.dial.command(&team.owner.caller, Uuid::now_v7(), message);
    let link = team.members().renew_invitation(request).await.expect("an owner may").into_inner();
    assert_eq!(ends(&open().await), after(team.identity.now()));

    let session = team.identity.accept(&link.invitation_token, "").await.expect("it is good");
    let joined = Colleague::of(&team.identity, session, team.campaign).await;
    assert_eq!(ends(&team.seen(joined.account).await.expect("they are in the team")), None);
}

#[tokio::test]
async fn a_link_that_was_renewed_or_withdrawn_leads_nowhere() {
    let team = Team::start().await;
    let first = team.invite(&team.owner, "sara", Role::Staff).await.expect("an owner may");
    let open = team.identity.team(team.campaign).await;
    let open = open.into_iter().find(|member| member.invited).expect("the invitation is open");
    let message = || ChangeMemberRequest { member_id: open.member_id.clone() };
    let by = &team.owner.caller;

    let request = team.identity.dial.command(by, Uuid::now_v7(), message());
    let second = team.members().renew_invitation(request).await.expect("an owner may");
    let second = second.into_inner().invitation_token;
    assert_eq!(team.identity.opened(&first).await, Err(Failure::NotFound));
    assert!(team.identity.opened(&second).await.is_ok());

    let request = team.identity.dial.command(by, Uuid::now_v7(), message());
    team.members().withdraw_invitation(request).await.expect("an owner may");
    assert_eq!(team.identity.accept(&second, "").await, Err(Failure::NotFound));
    assert!(team.identity.team(team.campaign).await.iter().all(|member| !member.invited));
}
