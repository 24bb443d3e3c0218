//! `Campaigns`: the registry of tenants.

use identity_domain::{CampaignProfile, CampaignStatus, Profile};
use meydan_rpc::{
    form::{Form, timestamp},
    guard::caller,
    outcome::not_found,
    pb::identity::{self as pb, campaigns_server::Campaigns, get_campaign_request::Which},
};
use tonic::{Request, Response, Status};

use super::{
    accounts::{holder, holder_unless_service},
    failure::status,
    id, meta,
};
use crate::{
    app::{Identity, NewCampaign},
    projections::campaigns::CampaignRow,
    tokens::Token,
};

#[derive(Debug)]
pub(super) struct CampaignsApi(pub(super) Identity);

#[tonic::async_trait]
impl Campaigns for CampaignsApi {
    async fn create_campaign(
        &self,
        request: Request<pb::CreateCampaignRequest>,
    ) -> Result<Response<pb::CreateCampaignResponse>, Status> {
        let (by, meta) = (holder_unless_service(&request)?, meta(&request, &caller(&request)?)?);
        let wire = request.into_inner();
        let new = NewCampaign {
            slug: wire.slug,
            profile: CampaignProfile {
                candidate_name: wire.candidate_name,
                office: wire.office,
                constituency: wire.constituency,
                locale: wire.locale,
                home_region: wire.home_region,
            },
            owner: Profile { email: wire.owner_email, display_name: wire.owner_name },
        };
        let (campaign, token, position) =
            self.0.create_campaign(by, &new, &meta).await.map_err(status)?;
        Ok(Response::new(pb::CreateCampaignResponse {
            campaign_id: campaign.to_string(),
            invitation_token: token.map(Token::into_text).unwrap_or_default(),
            position,
            mailed: self.0.mails_links(),
        }))
    }

    async fn edit_campaign(
        &self,
        request: Request<pb::EditCampaignRequest>,
    ) -> Result<Response<pb::EditCampaignResponse>, Status> {
        let (by, meta) = (holder(&request)?, meta(&request, &caller(&request)?)?);
        let wire = request.into_inner();
        let campaign = id("campaign_id", &wire.campaign_id)?;
        let profile = CampaignProfile {
            candidate_name: wire.candidate_name,
            office: wire.office,
            constituency: wire.constituency,
            locale: wire.locale,
            home_region: wire.home_region,
        };
        let done = self.0.edit_campaign(by, campaign, &profile, &meta).await.map_err(status)?;
        Ok(Response::new(pb::EditCampaignResponse { position: done.position }))
    }

    async fn change_campaign_status(
        &self,
        request: Request<pb::ChangeCampaignStatusRequest>,
    ) -> Result<Response<pb::ChangeCampaignStatusResponse>, Status> {
        let (by, meta) = (holder(&request)?, meta(&request, &caller(&request)?)?);
        let wire = request.into_inner();
        let to = match pb::CampaignStatus::try_from(wire.status).unwrap_or_default() {
            // It is deleted in another way, which takes its time.
            pb::CampaignStatus::Unspecified | pb::CampaignStatus::Deleted => {
                let mut form = Form::default();
                form.reject("status", "must be a status");
                return Err(form.finish().expect_err("a field was rejected"));
            }
            pb::CampaignStatus::Draft => CampaignStatus::Draft,
            pb::CampaignStatus::Active => CampaignStatus::Active,
            pb::CampaignStatus::Suspended => CampaignStatus::Suspended,
            pb::CampaignStatus::Archived => CampaignStatus::Archived,
        };
        let campaign = id("campaign_id", &wire.campaign_id)?;
        let done = self.0.change_campaign_status(by, campaign, to, &meta).await.map_err(status)?;
        Ok(Response::new(pb::ChangeCampaignStatusResponse { position: done.position }))
    }

    async fn request_deletion(
        &self,
        request: Request<pb::DeletionRequest>,
    ) -> Result<Response<pb::DeletionResponse>, Status> {
        let (by, meta) = (holder(&request)?, meta(&request, &caller(&request)?)?);
        let campaign = id("campaign_id", &request.get_ref().campaign_id)?;
        let done = self.0.request_deletion(by, campaign, &meta).await.map_err(status)?;
        Ok(Response::new(pb::DeletionResponse { position: done.position }))
    }

    async fn withdraw_deletion(
        &self,
        request: Request<pb::DeletionRequest>,
    ) -> Result<Response<pb::DeletionResponse>, Status> {
        let (by, meta) = (holder(&request)?, meta(&request, &caller(&request)?)?);
        let campaign = id("campaign_id", &request.get_ref().campaign_id)?;
        let done = self.0.withdraw_deletion(by, campaign, &meta).await.map_err(status)?;
        Ok(Response::new(pb::DeletionResponse { position: done.position }))
    }

    async fn list_campaigns(
        &self,
        request: Request<pb::ListCampaignsRequest>,
    ) -> Result<Response<pb::ListCampaignsResponse>, Status> {
        let rows = self.0.campaigns(request.get_ref().min_position).await.map_err(status)?;
        let campaigns = rows.into_iter().map(campaign_out).collect();
        Ok(Response::new(pb::ListCampaignsResponse { campaigns }))
    }

    async fn get_campaign(
        &self,
        request: Request<pb::GetCampaignRequest>,
    ) -> Result<Response<pb::Campaign>, Status> {
        let caller = caller(&request)?;
        let wire = request.into_inner();
        let (wanted, slug) = match wire.which {
            Some(Which::CampaignId(text)) => (Some(id("campaign_id", &text)?), None),
            Some(Which::Slug(slug)) => (None, Some(slug)),
            None => return Err(not_found("identity.not_found")),
        };
        let row = self.0.campaign(wanted, slug.as_deref(), wire.min_position).await;
        let row = row.map_err(status)?;
        if !caller.is_admin() && caller.campaign != Some(row.campaign_id) {
            return Err(not_found("identity.not_found"));
        }
        let asked = if caller.is_admin() {
            self.0.invited_owners(row.campaign_id).await.map_err(status)?
        } else {
            vec![]
        };
        let invited_owner_ids = asked.iter().map(ToString::to_string).collect();
        Ok(Response::new(pb::Campaign { invited_owner_ids, ..campaign_out(row) }))
    }
}

const fn status_of(status: CampaignStatus) -> pb::CampaignStatus {
    match status {
        CampaignStatus::Draft => pb::CampaignStatus::Draft,
        CampaignStatus::Active => pb::CampaignStatus::Active,
        CampaignStatus::Suspended => pb::CampaignStatus::Suspended,
        CampaignStatus::Archived => pb::CampaignStatus::Archived,
        CampaignStatus::Deleted => pb::CampaignStatus::Deleted,
    }
}

pub(super) fn status_out(name: &str) -> pb::CampaignStatus {
    CampaignStatus::named(name).map_or(pb::CampaignStatus::Unspecified, status_of)
}

fn campaign_out(row: CampaignRow) -> pb::Campaign {
    // What is to be deleted is moved nowhere else.
    let status = CampaignStatus::named(&row.status).filter(|_| row.deletion_due_at.is_none());
    let moves = status.map_or(&[][..], CampaignStatus::moves);
    pb::Campaign {
        campaign_id: row.campaign_id.to_string(),
        status: status_out(&row.status).into(),
        slug: row.slug,
        candidate_name: row.candidate_name,
        office: row.office,
        constituency: row.constituency,
        locale: row.locale,
        home_region: row.home_region,
        created_at: Some(timestamp(row.created_at)),
        deletion_due_at: row.deletion_due_at.map(timestamp),
        moves: moves.iter().map(|status| status_of(*status).into()).collect(),
        may_be_deleted: status.is_some_and(CampaignStatus::may_be_deleted),
        invited_owner_ids: vec![],
    }
}
