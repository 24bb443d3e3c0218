//! A look that would show nothing does not begin, says why, and is not on record.

use meydan_rpc::pb::identity::{
    CampaignStatus, ChangeCampaignStatusRequest, DemandFactorRequest, Role,
    campaigns_client::CampaignsClient,
};
use uuid::Uuid;

use super::{Scene, WHY};
use crate::{oversight::refused, team::Colleague};

impl Scene {
    async fn refuses(&self, account: Uuid, why: &str) {
        assert_eq!(self.look(account, WHY).await, refused(&format!("impersonation.{why}")));
        assert_eq!(self.looks_as().await, None, "{why}");
        for kind in ["account.impersonated", "member.impersonated"] {
            assert_eq!(self.identity().facts(kind).await, 0, "{why}: {kind}");
        }
        let database = self.identity().database().await;
        let query = "SELECT count(*) FROM letters WHERE kind = 'impersonation'";
        let letters: i64 =
            sqlx::query_scalar(query).fetch_one(&database).await.expect("it answers");
        assert_eq!(letters, 0, "{why}");
    }
}

#[tokio::test]
async fn nobody_looks_as_a_member_who_lacks_the_second_factor_that_is_demanded() {
    let scene = Scene::set().await;
    let owner = scene.identity().enrol(&scene.team.owner.session).await;
    let owner = Colleague::of(scene.identity(), owner.session, scene.team.campaign).await;
    let message = DemandFactorRequest { demanded: true };
    let request = scene.identity().dial.command(&owner.caller, Uuid::now_v7(), message);
    scene.team.members().demand_factor(request).await.expect("an owner may");

    scene.refuses(scene.sara.account, "factor").await;

    scene.identity().enrol(&scene.sara.session).await;
    assert_eq!(scene.look(scene.sara.account, WHY).await.as_deref(), Ok("tehran"));
}

#[tokio::test]
async fn nobody_looks_where_the_member_is_out_or_the_campaign_stands_still() {
    let scene = Scene::set().await;
    let omid = scene.team.join("omid", Role::Staff).await;
    let member_id = scene.team.id(omid.account).await;
    let owner = &scene.team.owner.caller;
    scene.team.deactivate(owner, &member_id).await.expect("an owner may");
    scene.refuses(omid.account, "no_place").await;

    let message = ChangeCampaignStatusRequest {
        campaign_id: scene.team.campaign.to_string(),
        status: CampaignStatus::Suspended.into(),
    };
    let request = scene.identity().dial.command(&scene.admin, Uuid::now_v7(), message);
    let mut campaigns = CampaignsClient::new(scene.identity().dial.channel());
    campaigns.change_campaign_status(request).await.expect("an admin may");
    scene.refuses(scene.sara.account, "stopped").await;
}
