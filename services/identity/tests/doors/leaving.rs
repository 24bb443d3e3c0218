//! Campaigns through the door of admins: where they may be moved, and how they are deleted.

use std::time::Duration as Real;

use meydan_rpc::{
    outcome::Failure,
    pb::identity::{
        Campaign, CampaignStatus, ChangeCampaignStatusRequest, DeletionRequest, GetCampaignRequest,
        campaigns_client::CampaignsClient, get_campaign_request::Which,
    },
};
use time::Duration;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::harness::{Identity, admin, member};

fn campaigns(identity: &Identity) -> CampaignsClient<Channel> {
    CampaignsClient::new(identity.dial.channel())
}

async fn move_to(identity: &Identity, id: Uuid, to: CampaignStatus) -> Result<(), Failure> {
    let message = ChangeCampaignStatusRequest { campaign_id: id.to_string(), status: to.into() };
    let request = identity.dial.command(&admin(), Uuid::now_v7(), message);
    campaigns(identity).change_campaign_status(request).await?;
    Ok(())
}

async fn request(identity: &Identity, id: Uuid) -> Result<i64, Failure> {
    let message = DeletionRequest { campaign_id: id.to_string() };
    let request = identity.dial.command(&admin(), Uuid::now_v7(), message);
    Ok(campaigns(identity).request_deletion(request).await?.into_inner().position)
}

async fn withdraw(identity: &Identity, id: Uuid) -> Result<i64, Failure> {
    let message = DeletionRequest { campaign_id: id.to_string() };
    let request = identity.dial.command(&admin(), Uuid::now_v7(), message);
    Ok(campaigns(identity).withdraw_deletion(request).await?.into_inner().position)
}

async fn shown(identity: &Identity, id: Uuid, min_position: i64) -> Campaign {
    let which = Some(Which::CampaignId(id.to_string()));
    let request = identity.dial.ask(&admin(), GetCampaignRequest { which, min_position });
    campaigns(identity).get_campaign(request).await.expect("it is there").into_inner()
}

/// Waits until there are so many facts of a kind; each look is a question to the log.
async fn until(identity: &Identity, kind: &str, count: i64) {
    let pool = identity.database().await;
    let looking = async {
        loop {
            let facts = sqlx::query_scalar("SELECT count(*) FROM es.events WHERE event_type = $1");
            let facts: i64 = facts.bind(kind).fetch_one(&pool).await.expect("it answers");
            if facts == count {
                return;
            }
        }
    };
    let found = tokio::time::timeout(Real::from_secs(30), looking).await;
    found.unwrap_or_else(|_| panic!("there are never {count} facts {kind}"));
}

#[tokio::test]
async fn a_campaign_is_deleted_thirty_days_after_that_was_asked_for_and_erased_with_it() {
    let identity = Identity::start().await;
    let (tehran, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let owner = identity.accept(&link, "").await.expect("the link is good");
    let code = |code: &str| Err(Failure::Refused(format!("identity.campaign.{code}")));
    assert_eq!(request(&identity, tehran).await, code("running"));
    move_to(&identity, tehran, CampaignStatus::Archived).await.expect("it may be moved");
    let back = move_to(&identity, tehran, CampaignStatus::Active).await;
    assert_eq!(back, code("move").map(|_: i64| ()), "it is reopened by way of suspension");

    // Asked for, withdrawn, and asked for again ten days later: the first request comes to nothing.
    let asked = request(&identity, tehran).await.expect("it is archived");
    assert!(shown(&identity, tehran, asked).await.deletion_due_at.is_some());
    let suspended = move_to(&identity, tehran, CampaignStatus::Suspended).await;
    assert_eq!(suspended, code("leaving").map(|_: i64| ()));
    let kept = withdraw(&identity, tehran).await.expect("it is not due");
    assert!(shown(&identity, tehran, kept).await.deletion_due_at.is_none());
    identity.advance(Duration::days(10));
    request(&identity, tehran).await.expect("it is archived");
    until(&identity, "campaign.deletion_requested", 2).await;
    identity.advance(Duration::days(30));
    until(&identity, "campaign.deleted", 1).await;
    until(&identity, "subject.erased", 1).await;

    let gone = shown(&identity, tehran, 0).await;
    assert_eq!(gone.status(), CampaignStatus::Deleted);
    assert_eq!((gone.moves.len(), gone.may_be_deleted), (0, false));
    assert!(identity.team(tehran).await.is_empty());
    assert!(!identity.is_known(&owner).await, "their session has long ended");
    assert_eq!(withdraw(&identity, tehran).await, code("leaving"));
    let again = identity.campaign("tehran", Uuid::now_v7()).await;
    assert_eq!(again, Err(Failure::Refused("identity.key_taken".into())), "nobody takes its name");
}

#[tokio::test]
async fn only_admins_delete_campaigns() {
    let identity = Identity::start().await;
    let (tehran, _) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let all = identity_domain::CATALOGUE.iter().map(|permission| permission.name);
    let owner = member(tehran, &all.collect::<Vec<_>>());

    let message = DeletionRequest { campaign_id: tehran.to_string() };
    let request = identity.dial.command(&owner, Uuid::now_v7(), message);
    let refused = campaigns(&identity).request_deletion(request).await.map_err(Failure::from);
    assert_eq!(refused.err(), Some(Failure::Denied));
}
