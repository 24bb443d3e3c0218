//! Seats that people are asked to take: a link leads to what somebody gave who may give it, whoever has the link.

use meydan_rpc::{
    outcome::Failure,
    pb::identity::{ChangeMemberRequest, InviteMemberRequest, Member, Role},
};
use meydan_testkit::post::{Encryption, MailServer};
use uuid::Uuid;

use crate::{
    harness::PANEL,
    letters::with_mail,
    team::{Colleague, Team},
};

/// What an owner may give, and a manager may not.
const KEYS: &str = "identity:api_key.manage";

fn refused<T>(code: &str) -> Result<T, Failure> {
    Err(Failure::Refused(format!("identity.member.{code}")))
}

impl Team {
    /// Whoever is asked, and has not joined.
    pub(crate) async fn asked(&self) -> Member {
        let team = self.identity.team(self.campaign).await;
        team.into_iter().find(|member| member.invited).expect("somebody is asked")
    }

    /// How many links lead people into the team who have not joined.
    pub(crate) async fn open_links(&self) -> i64 {
        let count = "SELECT count(*) FROM invitations i JOIN members m
                     ON m.account_id = i.account_id AND m.campaign_id = i.campaign_id
                     WHERE i.used_at IS NULL AND m.joined_at IS NULL";
        let count = sqlx::query_scalar(count).fetch_one(&self.identity.database().await).await;
        count.expect("it answers")
    }

    /// Makes a new link for somebody who is asked.
    pub(crate) async fn renew(&self, by: &Colleague, whom: &str) -> Result<String, Failure> {
        let message = ChangeMemberRequest { member_id: whom.to_owned() };
        let request = self.identity.dial.command(&by.caller, Uuid::now_v7(), message);
        Ok(self.members().renew_invitation(request).await?.into_inner().invitation_token)
    }

    /// Asks Sara to join as staff, by a command of an id; the link.
    async fn ask_sara(&self, by: &Colleague, command: Uuid) -> Result<String, Failure> {
        let message = InviteMemberRequest {
            email: "sara@meydan.example".to_owned(),
            display_name: "sara".to_owned(),
            role: Role::Staff.into(),
        };
        let request = self.identity.dial.command(&by.caller, command, message);
        Ok(self.members().invite_member(request).await?.into_inner().invitation_token)
    }
}

#[tokio::test]
async fn a_link_that_somebody_was_shown_leads_nowhere_once_an_owner_gives_another_role() {
    let team = Team::start().await;
    let manager = team.join("omid", Role::Manager).await;
    let shown = team.invite(&manager, "sara", Role::Staff).await.expect("a manager may");
    let sara = team.asked().await.member_id;
    let owner = &team.owner.caller;
    assert_eq!(team.change_role(owner, &sara, Role::Staff).await, Ok(()));
    assert!(team.identity.opened(&shown).await.is_ok(), "nothing was changed");

    assert_eq!(team.change_role(owner, &sara, Role::Owner).await, Ok(()));

    assert_eq!(team.identity.opened(&shown).await, Err(Failure::NotFound));
    assert_eq!(team.identity.accept(&shown, "").await, Err(Failure::NotFound));
    assert_eq!(team.asked().await.link_ends_at, None, "the page says that a new one is needed");
    assert_eq!(team.renew(&manager, &sara).await, refused("owners_only"));
    let link = team.renew(&team.owner, &sara).await.expect("an owner may");
    let session = team.identity.accept(&link, "").await.expect("the link is good");
    let sara = Colleague::of(&team.identity, session, team.campaign).await;
    assert_eq!(team.seen(sara.account).await.expect("she joined").role(), Role::Owner);
}

#[tokio::test]
async fn a_link_that_somebody_was_shown_leads_nowhere_once_an_owner_gives_a_permission() {
    let team = Team::start().await;
    let manager = team.join("omid", Role::Manager).await;
    let shown = team.invite(&manager, "sara", Role::Staff).await.expect("a manager may");
    let sara = team.asked().await.member_id;

    assert_eq!(team.except(&team.owner.caller, &sara, (&[KEYS], &[])).await, Ok(()));

    assert_eq!(team.identity.accept(&shown, "").await, Err(Failure::NotFound));
    assert_eq!(team.renew(&manager, &sara).await, refused("not_held"));
    assert_eq!(team.open_links().await, 0);
}

#[tokio::test]
async fn where_mail_reaches_people_another_role_ends_what_was_shown_and_leaves_what_was_mailed() {
    let server = MailServer::start(Encryption::Plain, None).await.expect("aiosmtpd starts");
    let identity = with_mail(&server, "smtp://HERE").await;
    let (campaign, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let mailed =
        async || server.next().await.expect("a mail comes").token(&format!("{PANEL}/welcome/"));
    let session = identity.accept(&mailed().await, "").await.expect("the link is good");
    let owner = Colleague::of(&identity, session, campaign).await;
    let team = Team { identity, campaign, owner };
    team.invite(&team.owner, "sara", Role::Staff).await.expect("an owner may");
    let link = mailed().await;
    // One that was shown before there was a mail server.
    let shown =
        "INSERT INTO invitations (token_sha256, account_id, campaign_id, mailed, expires_at)
                 SELECT sha256('shown'), account_id, campaign_id, false, expires_at
                 FROM invitations WHERE used_at IS NULL";
    let shown = sqlx::query(shown).execute(&team.identity.database().await).await;
    assert_eq!(shown.expect("it answers").rows_affected(), 1);
    assert!(team.identity.opened("shown").await.is_ok());

    let sara = team.asked().await.member_id;
    assert_eq!(team.change_role(&team.owner.caller, &sara, Role::Content).await, Ok(()));

    assert_eq!(team.identity.opened("shown").await, Err(Failure::NotFound));
    let session = team.identity.accept(&link, "").await.expect("it went to her alone");
    let sara = Colleague::of(&team.identity, session, team.campaign).await;
    assert_eq!(team.seen(sara.account).await.expect("she joined").role(), Role::Content);
}

#[tokio::test]
async fn a_command_that_comes_again_makes_no_link_to_what_its_sender_may_not_give() {
    let team = Team::start().await;
    let manager = team.join("omid", Role::Manager).await;
    let command = Uuid::now_v7();
    let first = team.ask_sara(&manager, command).await.expect("a manager may");
    let again = team.ask_sara(&manager, command).await.expect("the answer was lost");
    assert_ne!(first, again);
    assert!(team.identity.opened(&again).await.is_ok(), "nothing was changed");
    let sara = team.asked().await.member_id;
    assert_eq!(team.except(&team.owner.caller, &sara, (&[KEYS], &[])).await, Ok(()));

    assert_eq!(team.ask_sara(&manager, command).await, refused("not_held"));

    assert_eq!(team.open_links().await, 0);
    assert_eq!(team.asked().await.granted, [KEYS], "it is as the owner gave it");
    assert_eq!(team.change_role(&team.owner.caller, &sara, Role::Owner).await, Ok(()));
    assert_eq!(team.ask_sara(&manager, command).await, refused("owners_only"));
    assert_eq!(team.open_links().await, 0);
}

#[tokio::test]
async fn whoever_asks_once_more_gives_the_role_and_nothing_that_others_gave_beside_it() {
    for role in [Role::Staff, Role::Support] {
        let team = Team::start().await;
        let manager = team.join("omid", Role::Manager).await;
        team.invite(&team.owner, "sara", Role::Staff).await.expect("an owner may");
        let sara = team.asked().await.member_id;
        assert_eq!(team.except(&team.owner.caller, &sara, (&[KEYS], &[])).await, Ok(()));

        let link = team.invite(&manager, "sara", role).await.expect("a manager may");

        assert_eq!(team.asked().await.granted, [""; 0], "the team sees what she is asked to be");
        let session = team.identity.accept(&link, "").await.expect("the link is good");
        let sara = Colleague::of(&team.identity, session, team.campaign).await;
        assert!(!sara.caller.permissions.contains(&KEYS.to_owned()), "as {role:?}");
        assert!(sara.caller.permissions.contains(&"crm:ticket.read".to_owned()));
    }
}

#[tokio::test]
async fn whoever_asks_once_more_for_the_same_role_ends_the_links_from_before_and_each_is_on_record()
{
    let team = Team::start().await;
    let manager = team.join("omid", Role::Manager).await;
    let before = team.invite(&team.owner, "sara", Role::Staff).await.expect("an owner may");
    let command = Uuid::now_v7();

    let now = team.ask_sara(&manager, command).await.expect("a manager may");

    assert_eq!(team.identity.opened(&before).await, Err(Failure::NotFound));
    assert_eq!(team.identity.facts("member.invitation_renewed").await, 1);
    let again = team.ask_sara(&manager, command).await.expect("the answer was lost");
    assert_eq!(team.identity.facts("member.invitation_renewed").await, 2, "a link of its own");
    for link in [now, again] {
        assert!(team.identity.opened(&link).await.is_ok());
    }
}
