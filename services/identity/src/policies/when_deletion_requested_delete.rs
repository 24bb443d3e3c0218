//! When a campaign is to be deleted, identity waits until that falls due, and deletes it then, unless it was
//! kept meanwhile.

use identity_domain::CampaignEvent;
use meydan_event_log::{Meta, Outcome, Policy, Recorded, Timer, set_timer};
use sqlx::PgPool;

use crate::app::{AppError, Identity};

/// The policy.
#[derive(Debug)]
pub struct WhenDeletionRequestedDelete {
    /// Deletes.
    pub identity: Identity,
    /// Where the timers are.
    pub pool: PgPool,
}

impl Policy for WhenDeletionRequestedDelete {
    const NAME: &'static str = "when_deletion_requested_delete";
    const SERVICE: &'static str = crate::NAME;

    async fn react(&self, event: &Recorded, _meta: Meta) -> Outcome {
        if event.event_type != "campaign.deletion_requested" {
            return Outcome::Ignored;
        }
        let due_at = match event.decode_one() {
            Ok(Some(CampaignEvent::DeletionRequested { due_at, .. })) => due_at,
            Ok(_) => return Outcome::Ignored,
            Err(error) => return Outcome::Park(error.to_string()),
        };
        // Named after this request: a later one, after this was withdrawn, rings by itself.
        let (timer_id, aggregate_id) = (event.event_id, event.aggregate_id);
        let timer = Timer { timer_id, tenant: event.tenant, aggregate_id, due_at };
        match set_timer(&self.pool, Self::NAME, &timer).await {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }

    async fn ring(&self, timer: &Timer, meta: Meta) -> Outcome {
        match self.identity.delete_campaign(timer.aggregate_id, &meta).await {
            Ok(()) => Outcome::Done,
            Err(AppError::NotFound | AppError::Refused(..)) => Outcome::Ignored,
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}
