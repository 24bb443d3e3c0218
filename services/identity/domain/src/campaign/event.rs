//! What happens to a campaign.

use cqrs_es::DomainEvent;
use meydan_event_log::Event;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

use super::{CampaignProfile, CampaignStatus};

/// A fact about a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum CampaignEvent {
    /// It began.
    #[serde(rename = "campaign.created")]
    Created {
        /// Its name in addresses.
        slug: String,
        /// Who stands for what.
        profile: CampaignProfile,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// What it says was corrected.
    #[serde(rename = "campaign.edited")]
    Edited {
        /// Who stands for what.
        profile: CampaignProfile,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It was suspended, archived or resumed.
    #[serde(rename = "campaign.status_changed")]
    StatusChanged {
        /// Where it was.
        from: CampaignStatus,
        /// Where it is.
        to: CampaignStatus,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Its owner demands a second factor of everybody who works in it.
    #[serde(rename = "campaign.factor_demanded")]
    FactorDemanded {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Its owner demands none any more.
    #[serde(rename = "campaign.factor_waived")]
    FactorWaived {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It is to be deleted.
    #[serde(rename = "campaign.deletion_requested")]
    DeletionRequested {
        /// When that happens, unless it is withdrawn.
        #[serde(with = "rfc3339")]
        due_at: OffsetDateTime,
        /// When it was asked for.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It stays after all.
    #[serde(rename = "campaign.deletion_withdrawn")]
    DeletionWithdrawn {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It is gone. Its keys are destroyed from here on.
    #[serde(rename = "campaign.deleted")]
    Deleted {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for CampaignEvent {}

impl DomainEvent for CampaignEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Created { .. } => "campaign.created",
            Self::Edited { .. } => "campaign.edited",
            Self::StatusChanged { .. } => "campaign.status_changed",
            Self::FactorDemanded { .. } => "campaign.factor_demanded",
            Self::FactorWaived { .. } => "campaign.factor_waived",
            Self::DeletionRequested { .. } => "campaign.deletion_requested",
            Self::DeletionWithdrawn { .. } => "campaign.deletion_withdrawn",
            Self::Deleted { .. } => "campaign.deleted",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
