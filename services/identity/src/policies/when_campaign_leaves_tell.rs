//! When a campaign is to be deleted, or stays after all, everybody in its team is told by mail.

use identity_domain::{CampaignEvent, campaign::GRACE};
use meydan_event_log::{Meta, Outcome, Policy, Recorded};
use time::Duration;

use crate::{app::Identity, letters::Letter};

/// Nobody is told of what is older: whoever reads the log from its beginning finds requests of long ago.
const NEWS: Duration = Duration::days(1);

/// The policy.
#[derive(Debug)]
pub struct WhenCampaignLeavesTell(pub Identity);

impl Policy for WhenCampaignLeavesTell {
    const NAME: &'static str = "when_campaign_leaves_tell";
    const SERVICE: &'static str = crate::NAME;

    async fn react(&self, event: &Recorded, _meta: Meta) -> Outcome {
        if !event.event_type.starts_with("campaign.deletion_") {
            return Outcome::Ignored;
        }
        let (leaves, at) = match event.decode_one() {
            Ok(Some(CampaignEvent::DeletionRequested { at, .. })) => (true, at),
            Ok(Some(CampaignEvent::DeletionWithdrawn { at })) => (false, at),
            Ok(_) => return Outcome::Ignored,
            Err(error) => return Outcome::Park(error.to_string()),
        };
        let told = self.0.tell_team(event.tenant, (event.event_id, at), NEWS, |campaign| {
            let (candidate, slug) = (campaign.candidate_name.clone(), campaign.slug.clone());
            if leaves {
                Letter::DeletionRequested { candidate, slug, days: GRACE.whole_days() }
            } else {
                Letter::DeletionWithdrawn { candidate, slug }
            }
        });
        match told.await {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}
