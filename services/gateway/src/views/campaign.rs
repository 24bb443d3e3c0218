//! Campaigns and members, as the panel shows them.

use meydan_rpc::pb::identity as pb;
use meydan_web::{
    Locale,
    pages::{
        bot::BotState,
        campaigns::{CampaignRow, CampaignStatus},
        team::{Member, Role},
    },
};

use super::instant;

/// A campaign, with how its bot stands.
#[must_use]
pub fn row(campaign: &pb::Campaign, bot: Option<BotState>) -> CampaignRow {
    let status = match campaign.status() {
        pb::CampaignStatus::Unspecified | pb::CampaignStatus::Draft => CampaignStatus::Draft,
        pb::CampaignStatus::Active => CampaignStatus::Active,
        pb::CampaignStatus::Suspended => CampaignStatus::Suspended,
        pb::CampaignStatus::Archived => CampaignStatus::Archived,
    };
    CampaignRow {
        slug: campaign.slug.clone(),
        candidate_name: campaign.candidate_name.clone(),
        office: campaign.office.clone(),
        constituency: campaign.constituency.clone(),
        locale: Locale::from_code(&campaign.locale).unwrap_or_default(),
        status,
        bot,
        created_at: instant(campaign.created_at),
    }
}

/// A status on the wire.
#[must_use]
pub const fn status(status: CampaignStatus) -> pb::CampaignStatus {
    match status {
        CampaignStatus::Draft => pb::CampaignStatus::Draft,
        CampaignStatus::Active => pb::CampaignStatus::Active,
        CampaignStatus::Suspended => pb::CampaignStatus::Suspended,
        CampaignStatus::Archived => pb::CampaignStatus::Archived,
    }
}

/// A member of the team.
#[must_use]
pub fn member(member: pb::Member) -> Member {
    let role = match member.role() {
        pb::Role::Owner => Role::Owner,
        pb::Role::Staff | pb::Role::Unspecified => Role::Staff,
    };
    let joined_at = if member.invited { None } else { Some(instant(member.joined_at)) };
    Member { name: member.display_name, email: member.email, role, joined_at }
}
