//! Invitations through the door: nobody joins but by a link of their own, and no link opens another's account.

mod seats;

use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{InviteMemberRequest, Role, members_client::MembersClient},
};
use time::Duration;
use uuid::Uuid;

use crate::{
    harness::{Identity, PASSWORD},
    team::{Colleague, Team},
};

/// Asks somebody to join; refused, or done.
async fn ask(identity: &Identity, campaign: Uuid, email: &str) -> Result<(), Failure> {
    ask_by(identity, (campaign, Uuid::now_v7()), email).await.map(|_| ())
}

/// The same with a command of an id; the link.
async fn ask_by(
    identity: &Identity,
    (campaign, command): (Uuid, Uuid),
    email: &str,
) -> Result<String, Failure> {
    let message = InviteMemberRequest {
        email: email.to_owned(),
        display_name: "Sara".to_owned(),
        role: Role::Staff.into(),
    };
    let inviter = Caller::service("demo", Some(campaign));
    let request = identity.dial.command(&inviter, command, message);
    let asked = MembersClient::new(identity.dial.channel()).invite_member(request).await?;
    Ok(asked.into_inner().invitation_token)
}

/// Has two take keys in the same instant: the second has looked who holds them, and the first has not taken them yet.
async fn in_one_instant<A, B>(
    identity: &Identity,
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    let database = identity.database().await;
    let mut held = database.begin().await.expect("it answers");
    let lock = "LOCK TABLE es.unique_keys IN SHARE MODE";
    sqlx::query(lock).execute(&mut *held).await.expect("nobody writes for long");
    let waited = async |by: i64| {
        let look = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(10));
        loop {
            looks.tick().await;
            let waiting = sqlx::query_scalar(look).fetch_one(&database).await;
            let waiting: i64 = waiting.expect("it answers");
            if waiting >= by {
                return;
            }
        }
    };
    let second = async {
        waited(1).await;
        second.await
    };
    let release = async {
        waited(2).await;
        held.rollback().await.expect("it answers");
    };
    let all = async { tokio::join!(first, second, release) };
    let limit = std::time::Duration::from_secs(20);
    let (first, second, ()) = tokio::time::timeout(limit, all).await.expect("they get there");
    (first, second)
}

/// A link opens nothing of an account that has begun.
fn begun<T>() -> Result<T, Failure> {
    Err(Failure::Refused("identity.invitation.begun".into()))
}

#[tokio::test]
async fn whoever_claimed_an_address_first_gets_nothing_of_what_it_is_invited_to_later() {
    let identity = Identity::start().await;
    let (theirs, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    // An owner invites the address of somebody who is about to own a campaign, and uses the link themselves.
    let link = identity.invite(theirs, "isfahan@meydan.example", "Claimed").await;
    let claimed = identity.accept(&link, "").await.expect("the link is good");

    let (_, owners) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");

    assert!(!owners.is_empty(), "joining takes a link, whoever it is");
    let places = identity.held(&claimed).await.memberships;
    assert_eq!(places.iter().map(|place| place.slug.as_str()).collect::<Vec<_>>(), ["tehran"]);
    // Whoever has the owner's link, but not the password, does not get into the account either.
    let guessed = identity.accept_with(&owners, "another long pass phrase 8").await;
    assert_eq!(guessed, begun());
}

#[tokio::test]
async fn a_link_left_over_from_another_campaign_does_not_take_an_account_over() {
    let identity = Identity::start().await;
    let (_, own) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let left_over = identity.invite(isfahan, "tehran@meydan.example", "T").await;

    assert!(!identity.opened(&left_over).await.expect("it is good").begun);
    let session = identity.accept(&own, "").await.expect("the account begins");

    // The link is good for its holder alone, with a session.
    assert!(identity.opened(&left_over).await.expect("it is good").begun);
    for password in ["another long pass phrase 8", PASSWORD] {
        assert_eq!(identity.accept_with(&left_over, password).await, begun());
    }
    assert_eq!(identity.held(&session).await.memberships.len(), 1);
    identity.join(&session, &left_over).await.expect("it is theirs");
    assert_eq!(identity.held(&session).await.memberships.len(), 2);
}

#[tokio::test]
async fn somebody_logged_in_accepts_their_own_link_and_nobody_elses() {
    let identity = Identity::start().await;
    let (_, tehran) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (shiraz, other) = identity.campaign("shiraz", Uuid::now_v7()).await.expect("it is free");
    let holder = identity.accept(&tehran, "").await.expect("the link is good");
    let stranger = identity.accept(&other, "").await.expect("the link is good");
    let link = identity.invite(shiraz, "Tehran@meydan.example", "T").await;

    assert_eq!(identity.join(&stranger, &link).await, Err(Failure::NotFound));
    assert_eq!(identity.join(&holder, &link).await, Ok(()));
    assert_eq!(identity.join(&holder, &link).await, Err(Failure::NotFound), "once");

    let places = identity.held(&holder).await.memberships;
    assert_eq!(places.len(), 2);
    assert_eq!(identity.held(&stranger).await.memberships.len(), 1);
}

#[tokio::test]
async fn before_somebody_accepts_the_team_and_the_link_show_only_what_the_inviter_gave() {
    let identity = Identity::start().await;
    let (_, own) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let session = identity.accept(&own, "").await.expect("the account begins");

    let known = identity.invite(isfahan, "TEHRAN@meydan.example", "Guessed").await;
    let unknown = identity.invite(isfahan, "nobody@meydan.example", "Guessed").await;

    let shown = identity.team(isfahan).await;
    let shown = shown.iter().filter(|member| !member.email.starts_with("isfahan"));
    let shown: Vec<_> = shown
        .map(|m| (m.email.as_str(), m.display_name.as_str(), m.account_id.as_str(), m.invited))
        .collect();
    let guessed = |email| (email, "Guessed", "", true);
    assert_eq!(shown, ["TEHRAN@meydan.example", "nobody@meydan.example"].map(guessed));
    assert_eq!(known.len(), unknown.len());
    let opened = identity.opened(&known).await.expect("it is good");
    assert_eq!(opened.display_name, "Guessed");
    assert_eq!(opened.email, "TEHRAN@meydan.example");

    // With their consent the team sees who they are.
    identity.join(&session, &known).await.expect("it is theirs");
    let joined = identity.team(isfahan).await;
    let joined = joined.iter().find(|member| member.email == "tehran@meydan.example");
    assert_eq!(joined.expect("they are in").display_name, "Owner");
}

#[tokio::test]
async fn a_campaign_writes_five_letters_a_day_to_an_address_and_another_campaign_its_own() {
    let identity = Identity::start().await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    for _ in 0..5 {
        ask(&identity, tehran, "sara@meydan.example").await.expect("it is within the day's");
    }
    let before = identity.facts("member.invited").await;

    let refused = ask(&identity, tehran, "Sara@meydan.example").await;

    assert_eq!(refused, Err(Failure::Refused("identity.member.invited_too_often".into())));
    assert_eq!(identity.facts("member.invited").await, before, "nothing was done for it");
    assert_eq!(ask(&identity, isfahan, "sara@meydan.example").await, Ok(()), "nobody learns of it");
    assert_eq!(ask(&identity, tehran, "reza@meydan.example").await, Ok(()));
    identity.advance(Duration::hours(24));
    assert_eq!(ask(&identity, tehran, "sara@meydan.example").await, Ok(()));
}

#[tokio::test]
async fn the_command_that_began_an_account_begins_nobody_elses_in_another_campaign() {
    let identity = Identity::start().await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let command = Uuid::now_v7();
    let link = ask_by(&identity, (tehran, command), "sara@meydan.example").await;
    let link = link.expect("it is free");

    // Whoever reads a record of theirs, or guesses, knows the id of the command.
    let other = ask_by(&identity, (isfahan, command), "mallory@meydan.example").await;

    assert_eq!(other, Err(Failure::Refused("command_id_taken".into())));
    assert!(!identity.opened(&link).await.expect("it is good").begun);
    assert!(ask(&identity, isfahan, "mallory@meydan.example").await.is_ok(), "by one of their own");
    assert_eq!(identity.facts("account.registered").await, 4, "with the two owners");
}

#[tokio::test]
async fn of_two_who_ask_for_an_unknown_address_in_the_same_instant_both_have_asked() {
    let identity = Identity::start().await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let (admin, _) = identity.staff().await;
    let before = identity.facts("account.registered").await;
    let ask_first = |email| ask_by(&identity, (tehran, Uuid::now_v7()), email);

    let sara = "sara@meydan.example";
    let other = ask_by(&identity, (isfahan, Uuid::now_v7()), sara);
    let campaigns = Box::pin(in_one_instant(&identity, ask_first(sara), other)).await;
    let omid = "omid@meydan.example";
    let staff = identity.ask_admin(&admin, omid);
    let staff = Box::pin(in_one_instant(&identity, ask_first(omid), staff)).await;
    let owns = async { identity.campaign("shiraz", Uuid::now_v7()).await.map(|(_, link)| link) };
    let owner = Box::pin(in_one_instant(&identity, ask_first("shiraz@meydan.example"), owns)).await;

    for (first, second) in [campaigns, staff, owner] {
        for link in [first, second] {
            let link = link.expect("an address that others ask for as well is asked");
            assert!(!identity.opened(&link).await.expect("it is good").begun);
        }
    }
    let begun = identity.facts("account.registered").await - before;
    assert_eq!(begun, 3, "each of them has one account");
}

#[tokio::test]
async fn a_link_from_before_does_not_lead_to_what_the_person_is_asked_to_be_now() {
    let team = Team::start().await;
    let manager = team.join("omid", Role::Manager).await;
    let before = team.invite(&manager, "sara", Role::Staff).await.expect("a manager may");
    let now = team.invite(&team.owner, "sara", Role::Owner).await.expect("an owner may");

    assert_eq!(team.identity.opened(&before).await, Err(Failure::NotFound));
    assert_eq!(team.identity.accept(&before, "").await, Err(Failure::NotFound));
    let session = team.identity.accept(&now, "").await.expect("the link is good");
    let sara = Colleague::of(&team.identity, session, team.campaign).await;
    assert_eq!(team.seen(sara.account).await.expect("she joined").role(), Role::Owner);
}

#[tokio::test]
async fn whoever_is_asked_to_own_a_campaign_is_asked_to_be_something_else_by_owners_alone() {
    let team = Team::start().await;
    let manager = team.join("omid", Role::Manager).await;
    let link = team.invite(&team.owner, "sara", Role::Owner).await.expect("an owner may");

    let turned = team.invite(&manager, "sara", Role::Staff).await;
    assert_eq!(turned, Err(Failure::Refused("identity.member.owners_only".into())));
    assert!(team.identity.opened(&link).await.is_ok(), "the link stays good");
    let open = team.identity.team(team.campaign).await;
    let open = open.into_iter().find(|member| member.invited).expect("she is asked");
    assert_eq!(open.role(), Role::Owner);

    assert!(team.invite(&team.owner, "sara", Role::Staff).await.is_ok());
}

#[tokio::test]
async fn a_link_that_has_been_over_for_a_month_is_let_go_of() {
    let identity = Identity::start().await;
    let (tehran, used) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    identity.accept(&used, "").await.expect("the link is good");
    identity.invite(tehran, "sara@meydan.example", "Sara").await;
    identity.advance(Duration::hours(72) + Duration::days(30));
    identity.invite(tehran, "omid@meydan.example", "Omid").await;

    // The worker sweeps when it is woken, and once more when it ends.
    assert!(identity.log_in("last@meydan.example", "wrong", "192.0.2.1").await.is_err());
    identity.end().await;

    let kept = sqlx::query_scalar("SELECT count(*) FROM invitations");
    let kept: i64 = kept.fetch_one(&identity.database().await).await.expect("it answers");
    assert_eq!(kept, 2, "Omid's: the one in the letter, and the one that was shown");
}
