//! When a member has answered, the answer is planned in the ledger of what goes out.

use std::sync::Arc;

use meydan_event_log::{Event, Meta, Outcome, Policy, Recorded};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    app::BotHub,
    outbound::{self, Planned},
};

/// The facts of crm that matter here, in our own words. Others are read past.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Fact {
    #[serde(rename = "ticket.reply_written")]
    Written {
        message_id: Uuid,
        citizen_id: Uuid,
        /// Sealed.
        body: String,
    },
    #[serde(other)]
    Other,
}

impl Event for Fact {
    fn knows(&self, version: i16) -> bool {
        version == 1 || matches!(self, Self::Other)
    }
}

/// The policy.
#[derive(Debug)]
pub struct WhenReplyWrittenSend {
    /// Keeps the ledger.
    pub hub: BotHub,
    /// Told that there is something to send.
    pub planned: Arc<tokio::sync::Notify>,
}

impl Policy for WhenReplyWrittenSend {
    const NAME: &'static str = "when_reply_written_send";
    const SERVICE: &'static str = crate::NAME;

    async fn react(&self, event: &Recorded, meta: Meta) -> Outcome {
        if event.event_type != "ticket.reply_written" {
            return Outcome::Ignored;
        }
        let (message_id, citizen_id, body) = match event.decode_one::<Fact>() {
            Ok(Some(Fact::Written { message_id, citizen_id, body })) => {
                (message_id, citizen_id, body)
            }
            Ok(Some(Fact::Other) | None) => return Outcome::Ignored,
            Err(error) => return Outcome::Park(error.to_string()),
        };
        let text = match outbound::text(&self.hub, event.tenant, message_id, &body).await {
            Ok(Some(text)) => text,
            // The citizen was erased meanwhile: there is nobody left to write to.
            Ok(None) => return Outcome::Done,
            Err(error) => return Outcome::Retry(error.to_string()),
        };
        let answer = Planned {
            tenant: event.tenant,
            message_id,
            ticket_id: event.aggregate_id,
            citizen_id,
            body_sealed: body,
            pieces: bot_hub_domain::telegram::split_message(&text).len(),
            traceparent: meydan_telemetry::traceparent(),
            correlation: meta.correlation_id,
            causation: event.event_id,
        };
        match outbound::plan(self.hub.log.pool(), &answer, self.hub.now()).await {
            Ok(()) => {
                self.planned.notify_one();
                Outcome::Done
            }
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use meydan_event_log::golden;

    use super::Fact;

    /// When tickets begin to record another shape, this fails until it is understood here.
    #[test]
    fn every_shape_that_a_ticket_or_citizen_was_recorded_in_is_understood() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crm/domain/tests/golden");
        let heard = golden::heard::<Fact>(&golden).expect("each line is understood");
        let ours = heard.iter().filter(|fact| !matches!(fact, Fact::Other)).count();
        assert!(ours > 0, "{ours}");
    }
}
