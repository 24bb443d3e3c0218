//! The policy under load: adds some of the numbers to another counter, too.

use meydan_event_log::{EventLog, ExecuteError, Meta, Outcome, Policy, Recorded, Target};
use uuid::Uuid;

use crate::counter::{Add, Counted, Counter, TENANT};

/// Adds what is to be mirrored to the mirror of its counter.
#[derive(Debug)]
pub(crate) struct WhenAddedMirror(pub(crate) EventLog);

/// The counter that mirrors `id`.
pub(crate) fn mirror_of(id: Uuid) -> Target {
    Target { tenant: TENANT, id: Uuid::new_v5(&id, b"mirror") }
}

impl Policy for WhenAddedMirror {
    const NAME: &'static str = "when_added_mirror";
    const SERVICE: &'static str = "faults";

    async fn react(&self, event: &Recorded, meta: Meta) -> Outcome {
        let Ok(Some(Counted::Added { by, mirrored, .. })) = event.decode_one() else {
            return Outcome::Park("it is none of ours".to_owned());
        };
        if !mirrored {
            return Outcome::Ignored;
        }
        let add = Add::only(vec![by]);
        match self.0.execute::<Counter>(mirror_of(event.aggregate_id), add, &meta).await {
            Ok(_) => Outcome::Done,
            Err(ExecuteError::Refused(_) | ExecuteError::Damaged(_)) => {
                Outcome::Park("it must never be refused".to_owned())
            }
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}
