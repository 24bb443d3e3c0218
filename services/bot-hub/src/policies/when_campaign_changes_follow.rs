//! When identity says that a campaign begins, stops, resumes or is to be deleted, its bot follows.

use meydan_event_log::{Event, Meta, Outcome, Policy, Recorded};
use serde::Deserialize;
use sqlx::PgPool;

use crate::campaigns::{Heard, note};

/// The facts of identity that matter here, in our own words. Others are read past.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Fact {
    #[serde(rename = "campaign.created")]
    Created { profile: Profile },
    #[serde(rename = "campaign.edited")]
    Edited { profile: Profile },
    #[serde(rename = "campaign.status_changed")]
    StatusChanged { to: String },
    #[serde(rename = "campaign.deletion_requested")]
    DeletionRequested,
    #[serde(rename = "campaign.deletion_withdrawn")]
    DeletionWithdrawn,
    #[serde(rename = "campaign.deleted")]
    Deleted,
    #[serde(other)]
    Other,
}

/// What a campaign says of itself.
#[derive(Debug, Deserialize)]
struct Profile {
    locale: String,
}

impl Event for Fact {
    fn knows(&self, version: i16) -> bool {
        version == 1 || matches!(self, Self::Other)
    }
}

impl Fact {
    fn heard(&self) -> Option<Heard<'_>> {
        Some(match self {
            Self::Created { profile } | Self::Edited { profile } => Heard::Speaks(&profile.locale),
            Self::StatusChanged { to } => Heard::Stands(to),
            Self::DeletionRequested => Heard::Leaves(true),
            Self::DeletionWithdrawn => Heard::Leaves(false),
            Self::Deleted => Heard::Stands("deleted"),
            Self::Other => return None,
        })
    }
}

/// The policy.
#[derive(Debug)]
pub struct WhenCampaignChangesFollow(pub PgPool);

impl Policy for WhenCampaignChangesFollow {
    const NAME: &'static str = "when_campaign_changes_follow";
    const SERVICE: &'static str = crate::NAME;

    async fn react(&self, event: &Recorded, _meta: Meta) -> Outcome {
        if event.aggregate_type != "campaign" {
            return Outcome::Ignored;
        }
        let fact = match event.decode_one::<Fact>() {
            Ok(Some(fact)) => fact,
            Ok(None) => return Outcome::Ignored,
            Err(error) => return Outcome::Park(error.to_string()),
        };
        let Some(heard) = fact.heard() else { return Outcome::Ignored };
        match note(&self.0, event.tenant, heard).await {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use meydan_event_log::golden;

    use super::Fact;

    /// When campaigns begin to record another shape, this fails until it is understood here.
    #[test]
    fn every_shape_that_a_campaign_was_recorded_in_is_understood() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../identity/domain/tests/golden");
        let heard = golden::heard::<Fact>(&golden).expect("each line is understood");
        let ours = heard.iter().filter(|fact| fact.heard().is_some()).count();
        assert!(ours >= 6, "{ours}");
    }
}
