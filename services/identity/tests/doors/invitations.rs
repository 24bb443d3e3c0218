//! Invitations through the door: nobody joins but by a link of their own, and no link opens another's account.

use meydan_rpc::outcome::Failure;
use uuid::Uuid;

use crate::harness::{Identity, PASSWORD};

fn failed<T>() -> Result<T, Failure> {
    Err(Failure::Refused("identity.login.failed".into()))
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
    assert_eq!(guessed, failed());
}

#[tokio::test]
async fn a_link_left_over_from_another_campaign_does_not_take_an_account_over() {
    let identity = Identity::start().await;
    let (_, own) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    let left_over = identity.invite(isfahan, "tehran@meydan.example", "T").await;

    assert!(!identity.opened(&left_over).await.expect("it is good").begun);
    let session = identity.accept(&own, "").await.expect("the account begins");

    // The link is good for its holder alone, who proves it.
    assert!(identity.opened(&left_over).await.expect("it is good").begun);
    let guessed = identity.accept_with(&left_over, "another long pass phrase 8").await;
    assert_eq!(guessed, failed());
    assert_eq!(identity.held(&session).await.memberships.len(), 1);
    assert!(identity.accept_with(&left_over, PASSWORD).await.is_ok());
    assert_eq!(identity.held(&session).await.memberships.len(), 2);
    assert_eq!(identity.accept_with(&left_over, PASSWORD).await, Err(Failure::NotFound), "once");
}

#[tokio::test]
async fn guesses_at_a_links_password_count_with_those_at_the_login() {
    let identity = Identity::start().await;
    let (_, own) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let (isfahan, _) = identity.campaign("isfahan", Uuid::now_v7()).await.expect("it is free");
    identity.accept(&own, "").await.expect("the account begins");
    let link = identity.invite(isfahan, "tehran@meydan.example", "T").await;

    for _ in 0..3 {
        assert_eq!(identity.accept_with(&link, "another long pass phrase 8").await, failed());
    }
    for _ in 0..2 {
        let wrong = identity.log_in("tehran@meydan.example", "wrong", "192.0.2.1").await;
        assert_eq!(wrong, failed());
    }

    assert_eq!(identity.accept_with(&link, PASSWORD).await, failed(), "it is closed by now");
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
    identity.accept(&own, "").await.expect("the account begins");

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
    identity.accept_with(&known, PASSWORD).await.expect("it is their password");
    let joined = identity.team(isfahan).await;
    let joined = joined.iter().find(|member| member.email == "tehran@meydan.example");
    assert_eq!(joined.expect("they are in").display_name, "Owner");
}
