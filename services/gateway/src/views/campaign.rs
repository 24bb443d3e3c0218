//! Campaigns and members, as the panel shows them.

use meydan_rpc::pb::identity as pb;
use meydan_web::{
    Locale,
    pages::{
        bot::BotState,
        campaigns::{CampaignRow, CampaignStatus},
        team::{Holder, Member, Permission, Role, Standing},
    },
};
use prost_types::Timestamp;
use time::OffsetDateTime;

use super::instant;

/// A campaign, with how its bot stands.
#[must_use]
pub fn row(campaign: &pb::Campaign, bot: Option<BotState>) -> CampaignRow {
    CampaignRow {
        slug: campaign.slug.clone(),
        candidate_name: campaign.candidate_name.clone(),
        office: campaign.office.clone(),
        constituency: campaign.constituency.clone(),
        home_region: campaign.home_region.clone(),
        locale: Locale::from_code(&campaign.locale).unwrap_or_default(),
        status: status_in(campaign.status()),
        bot,
        created_at: instant(campaign.created_at),
        moves: campaign.moves().map(status_in).collect(),
        may_be_deleted: campaign.may_be_deleted,
        deletion_due_at: campaign.deletion_due_at.and_then(meydan_rpc::form::instant),
    }
}

/// A status of the wire.
#[must_use]
pub const fn status_in(status: pb::CampaignStatus) -> CampaignStatus {
    match status {
        pb::CampaignStatus::Unspecified | pb::CampaignStatus::Draft => CampaignStatus::Draft,
        pb::CampaignStatus::Active => CampaignStatus::Active,
        pb::CampaignStatus::Suspended => CampaignStatus::Suspended,
        pb::CampaignStatus::Archived => CampaignStatus::Archived,
        pb::CampaignStatus::Deleted => CampaignStatus::Deleted,
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
        CampaignStatus::Deleted => pb::CampaignStatus::Deleted,
    }
}

/// A role on the wire.
#[must_use]
pub const fn role_out(role: Role) -> pb::Role {
    match role {
        Role::Owner => pb::Role::Owner,
        Role::Manager => pb::Role::Manager,
        Role::Staff => pb::Role::Staff,
        Role::SocialMedia => pb::Role::SocialMedia,
        Role::Content => pb::Role::Content,
        Role::Support => pb::Role::Support,
    }
}

/// A role of the wire; `None` for none.
#[must_use]
pub const fn role_in(role: pb::Role) -> Option<Role> {
    Some(match role {
        pb::Role::Owner => Role::Owner,
        pb::Role::Manager => Role::Manager,
        pb::Role::Staff => Role::Staff,
        pb::Role::SocialMedia => Role::SocialMedia,
        pb::Role::Content => Role::Content,
        pb::Role::Support => Role::Support,
        pb::Role::Unspecified => return None,
    })
}

/// How a member stands now, who was invited with a link or may be deactivated.
pub(super) fn standing(
    (invited, deactivated): (bool, bool),
    link_ends_at: Option<Timestamp>,
    now: OffsetDateTime,
) -> Standing {
    let link = link_ends_at.and_then(meydan_rpc::form::instant);
    match (invited, deactivated) {
        (true, _) if link.is_none_or(|ends_at| ends_at <= now) => Standing::Expired,
        (true, _) => Standing::Invited,
        (false, true) => Standing::Deactivated,
        (false, false) => Standing::Active,
    }
}

/// A member of the team; `told` says whether the viewer is told who has a second factor.
#[must_use]
pub fn member(member: pb::Member, oneself: bool, told: bool, now: OffsetDateTime) -> Member {
    Member {
        second_factor: (told && !member.invited).then_some(member.second_factor),
        role: role_in(member.role()).unwrap_or_default(),
        standing: standing((member.invited, member.deactivated), member.link_ends_at, now),
        link_ends_at: member.link_ends_at.and_then(meydan_rpc::form::instant),
        excepted: !member.granted.is_empty() || !member.denied.is_empty(),
        oneself: oneself && !member.invited,
        joined_at: if member.invited { None } else { Some(instant(member.joined_at)) },
        last_seen_on: member.last_seen_on.and_then(meydan_rpc::form::instant),
        id: member.member_id,
        name: member.display_name,
        email: member.email,
    }
}

/// A member, and what of the catalogue they may beyond their role, or not of it.
#[must_use]
pub fn holder(member: pb::Member, catalogue: &[pb::Permission], now: OffsetDateTime) -> Holder {
    let texts = |names: &[String]| {
        let named = catalogue.iter().filter(|permission| names.contains(&permission.name));
        named.map(|permission| permission.text.clone()).collect()
    };
    Holder {
        role: role_in(member.role()).unwrap_or_default(),
        standing: standing((member.invited, member.deactivated), member.link_ends_at, now),
        granted: texts(&member.granted),
        denied: texts(&member.denied),
        id: member.member_id,
        name: member.display_name,
    }
}

/// A permission of the catalogue.
#[must_use]
pub fn permission(permission: pb::Permission) -> Permission {
    Permission {
        roles: permission.roles().filter_map(role_in).collect(),
        name: permission.name,
        text: permission.text,
    }
}
