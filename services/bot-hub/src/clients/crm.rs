//! The inbox: whom the hub tells what citizens do.

use meydan_event_log::{Meta, Outcome};
use meydan_rpc::{
    caller::Caller,
    client::Dial,
    outcome::Failure,
    pb::crm::{
        EditMessageRequest, ReceiveMessageRequest, RecordReachabilityRequest,
        intake_client::IntakeClient,
    },
};
use uuid::Uuid;

/// Something to tell.
#[derive(Debug)]
pub enum Report {
    /// A citizen wrote.
    Message(ReceiveMessageRequest),
    /// A citizen changed a message.
    Edit(EditMessageRequest),
    /// A citizen came, left, or came back.
    Reachability(RecordReachabilityRequest),
}

/// Calls crm.
#[derive(Debug, Clone)]
pub struct Crm {
    dial: Dial,
}

impl Crm {
    /// Calls through `dial`.
    #[must_use]
    pub const fn new(dial: Dial) -> Self {
        Self { dial }
    }

    /// Tells of something that happened in a campaign, once under the id of `meta`.
    pub async fn tell(&self, campaign: Uuid, meta: &Meta, report: Report) -> Outcome {
        let caller = Caller::service(crate::NAME, Some(campaign));
        let mut crm = IntakeClient::new(self.dial.channel());
        let told = match report {
            Report::Message(message) => {
                let request = self.dial.answer(&caller, meta, message);
                crm.receive_message(request).await.map(|_| ())
            }
            Report::Edit(message) => {
                let request = self.dial.answer(&caller, meta, message);
                crm.edit_message(request).await.map(|_| ())
            }
            Report::Reachability(change) => {
                let request = self.dial.answer(&caller, meta, change);
                crm.record_reachability(request).await.map(|_| ())
            }
        };
        outcome(told.map_err(Failure::from))
    }
}

fn outcome(told: Result<(), Failure>) -> Outcome {
    match told {
        // An edit of a message from before the campaign had an inbox has nothing to change.
        Ok(()) | Err(Failure::NotFound) => Outcome::Done,
        // They were erased on the way, or their campaign: there is nothing left to tell.
        Err(Failure::Refused(code)) if code == "crm.citizen.erased" => Outcome::Done,
        Err(failure @ (Failure::Conflict | Failure::Unavailable)) => {
            Outcome::Retry(format!("{failure:?}"))
        }
        Err(failure) => Outcome::Park(format!("{failure:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Outcome, outcome};

    #[test]
    fn of_whoever_was_erased_on_the_way_nothing_is_told_and_nothing_waits() {
        let erased = Failure::Refused("crm.citizen.erased".to_owned());
        let broken = Failure::Broken;

        assert_eq!(outcome(Err(erased)), Outcome::Done);
        assert!(matches!(outcome(Err(broken)), Outcome::Park(_)));
    }
}
