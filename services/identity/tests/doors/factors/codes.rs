//! After the last recovery code nothing opens before there are new ones.

use meydan_rpc::{
    outcome::Failure,
    pb::identity::{RenewRecoveryCodesRequest, Role},
};
use time::Duration;

use super::{Sara, refused};
use crate::{
    harness::{Identity, from},
    team::{Colleague, Team},
};

impl Identity {
    /// Uses all codes but the last one up, each as a proof; the session's token.
    async fn use_up(&self, holder: &Sara) -> String {
        let mut session = holder.session.clone();
        for code in &holder.codes[1..] {
            session = self.prove_again(&session, code).await.expect("the code is right");
        }
        session
    }

    async fn renew(&self, session: &str) -> Result<Vec<String>, Failure> {
        let request = self.dial.ask(&self.holder(session).await, RenewRecoveryCodesRequest {});
        Ok(self.accounts().renew_recovery_codes(request).await?.into_inner().recovery_codes)
    }

    /// Whether somebody needs codes, and how much they may.
    async fn needs(&self, session: &str) -> (bool, usize) {
        let held = self.held(session).await;
        (held.needs_codes, held.memberships.iter().map(|place| place.permissions.len()).sum())
    }
}

#[tokio::test]
async fn who_comes_in_with_the_last_code_may_nothing_before_there_are_new_ones() {
    let identity = Identity::start().await;
    let sara = identity.sara().await;
    let present = identity.use_up(&sara).await;
    let before = identity.needs(&present).await;
    assert!(!before.0 && before.1 > 0, "one is left");

    let waiting = identity.challenge().await;
    let last = identity.prove(&waiting, &sara.codes[0], from("192.0.2.1", "")).await;
    let last = last.expect("the code is right").session_token;

    assert_eq!(identity.needs(&last).await, (true, 0));
    assert_eq!(identity.needs(&present).await, (true, 0), "whichever session of hers it is");
    let codes = identity.renew(&last).await.expect("she has just come in");
    assert_eq!(codes.len(), 10);
    assert_eq!(identity.needs(&last).await, before);
    assert_eq!(identity.needs(&present).await, before);
}

#[tokio::test]
async fn an_assertion_of_a_moment_ago_changes_no_team_without_codes() {
    let team = Team::start().await;
    let owner = team.identity.enrol(&team.owner.session).await;
    let session = team.identity.use_up(&owner).await;
    let session = team.identity.prove_again(&session, &owner.codes[0]).await.expect("it is right");
    let stale = Colleague { session, ..team.owner };
    let team = Team { owner: stale, ..team };

    let invited = team.invite(&team.owner, "x", Role::Staff).await;
    assert_eq!(invited.map(|_| ()), refused("identity.codes.needed"));

    team.identity.renew(&team.owner.session).await.expect("it is a fresh proof");
    team.invite(&team.owner, "x", Role::Staff).await.expect("there are codes again");
}

#[tokio::test]
async fn who_has_lost_everything_else_has_half_an_hour_to_make_new_codes_and_no_longer() {
    for (minutes, made) in [(29, true), (31, false)] {
        let identity = Identity::start().await;
        let sara = identity.sara().await;
        let session = identity.use_up(&sara).await;
        identity.advance(Duration::minutes(6));
        let stale = identity.renew(&session).await.map(|_| ());
        assert_eq!(stale, refused("identity.proof.needed"), "one is left to prove oneself with");
        let session = identity.prove_again(&session, &sara.codes[0]).await.expect("it is right");

        identity.advance(Duration::minutes(minutes));

        assert_eq!(identity.renew(&session).await.is_ok(), made, "after {minutes} minutes");
    }
}
