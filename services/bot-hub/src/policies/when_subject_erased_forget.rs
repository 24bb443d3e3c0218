//! When identity says that a person is erased, the hub forgets them, and says so in the ledger of erasures.

use meydan_erasure::Forgetting;
use meydan_event_log::{Meta, Outcome, Policy, Recorded};

/// The policy.
#[derive(Debug)]
pub struct WhenSubjectErasedForget(pub Forgetting);

impl Policy for WhenSubjectErasedForget {
    const NAME: &'static str = "when_subject_erased_forget";
    const SERVICE: &'static str = crate::NAME;

    async fn react(&self, event: &Recorded, meta: Meta) -> Outcome {
        self.0.react(event, &meta).await
    }
}
