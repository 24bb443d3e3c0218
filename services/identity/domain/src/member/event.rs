//! What happens to a member.

use std::collections::BTreeSet;

use cqrs_es::DomainEvent;
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

use crate::{account::Profile, permissions::Role};

/// A fact about a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum MemberEvent {
    /// They were asked to join.
    #[serde(rename = "member.invited")]
    Invited {
        /// Whom.
        account_id: Uuid,
        /// As what.
        role: Role,
        /// Name and address as the inviter gave them. Facts of before have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<Sealed<Profile>>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Their one-time link was replaced by a new one.
    #[serde(rename = "member.invitation_renewed")]
    InvitationRenewed {
        /// Whose.
        account_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// They are not asked any more.
    #[serde(rename = "member.invitation_withdrawn")]
    InvitationWithdrawn {
        /// Whom.
        account_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// They accepted.
    #[serde(rename = "member.joined")]
    Joined {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// They have another place in the team, and no permissions but its own.
    #[serde(rename = "member.role_changed")]
    RoleChanged {
        /// Who.
        account_id: Uuid,
        /// What they were.
        from: Role,
        /// What they are.
        to: Role,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Single permissions were granted or denied: these are all of them.
    #[serde(rename = "member.permissions_changed")]
    PermissionsChanged {
        /// Who.
        account_id: Uuid,
        /// Beyond those of the role.
        granted: BTreeSet<String>,
        /// Of those of the role.
        denied: BTreeSet<String>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// They may do nothing, until they are reactivated.
    #[serde(rename = "member.deactivated")]
    Deactivated {
        /// Who.
        account_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// They may work again.
    #[serde(rename = "member.reactivated")]
    Reactivated {
        /// Who.
        account_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An admin of the platform looked at the campaign as this member.
    #[serde(rename = "member.impersonated")]
    Impersonated {
        /// As whom.
        account_id: Uuid,
        /// When that ends by itself.
        #[serde(with = "rfc3339")]
        until: OffsetDateTime,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An admin who looks as this member opened a page of the campaign.
    #[serde(rename = "member.looked_at")]
    LookedAt {
        /// As whom.
        account_id: Uuid,
        /// Which, by the parts of its address that are no names.
        page: String,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// They are in the team no more.
    #[serde(rename = "member.removed")]
    Removed {
        /// Who.
        account_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl MemberEvent {
    /// Whom it is about, where it says so. The account of `member.joined` follows from the invitation.
    #[must_use]
    pub const fn account_id(&self) -> Option<Uuid> {
        match self {
            Self::Invited { account_id, .. }
            | Self::InvitationRenewed { account_id, .. }
            | Self::InvitationWithdrawn { account_id, .. }
            | Self::RoleChanged { account_id, .. }
            | Self::PermissionsChanged { account_id, .. }
            | Self::Deactivated { account_id, .. }
            | Self::Reactivated { account_id, .. }
            | Self::Impersonated { account_id, .. }
            | Self::LookedAt { account_id, .. }
            | Self::Removed { account_id, .. } => Some(*account_id),
            Self::Joined { .. } => None,
        }
    }
}

impl Event for MemberEvent {}

impl DomainEvent for MemberEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Invited { .. } => "member.invited",
            Self::InvitationRenewed { .. } => "member.invitation_renewed",
            Self::InvitationWithdrawn { .. } => "member.invitation_withdrawn",
            Self::Joined { .. } => "member.joined",
            Self::RoleChanged { .. } => "member.role_changed",
            Self::PermissionsChanged { .. } => "member.permissions_changed",
            Self::Deactivated { .. } => "member.deactivated",
            Self::Reactivated { .. } => "member.reactivated",
            Self::Impersonated { .. } => "member.impersonated",
            Self::LookedAt { .. } => "member.looked_at",
            Self::Removed { .. } => "member.removed",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
