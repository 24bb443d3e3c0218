//! When a campaign is deleted, it is erased as people are: the campaign is the subject that all others belong
//! to, every context forgets it, and its keys are destroyed.

use identity_domain::CampaignEvent;
use meydan_erasure::{Subject, SubjectCommand};
use meydan_event_log::{EventLog, Meta, Outcome, Policy, Recorded, Target};

/// The policy.
#[derive(Debug)]
pub struct WhenCampaignDeletedErase(pub EventLog);

impl Policy for WhenCampaignDeletedErase {
    const NAME: &'static str = "when_campaign_deleted_erase";
    const SERVICE: &'static str = crate::NAME;

    async fn react(&self, event: &Recorded, meta: Meta) -> Outcome {
        if event.event_type != "campaign.deleted" {
            return Outcome::Ignored;
        }
        let at = match event.decode_one() {
            Ok(Some(CampaignEvent::Deleted { at })) => at,
            Ok(_) => return Outcome::Ignored,
            Err(error) => return Outcome::Park(error.to_string()),
        };
        let campaign = Target { tenant: event.tenant, id: event.aggregate_id };
        let erased = self.0.execute::<Subject>(campaign, SubjectCommand::Erase { at }, &meta);
        match erased.await {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}
