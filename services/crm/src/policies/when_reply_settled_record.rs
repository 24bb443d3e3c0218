//! When the bot hub knows what became of an answer, the ticket records it, and the citizen's record too when
//! they turn out to have blocked the bot.

use crm_domain::ticket::DeliveryFailure;
use meydan_event_log::{Event, ExecuteError, Meta, Outcome, Policy, Recorded, Target};
use serde::Deserialize;
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

use crate::app::{AppError, Crm, Settled};

/// The facts of the bot hub that matter here, in our own words. Others are read past.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Fact {
    #[serde(rename = "dialogue.reply_sent")]
    Sent(Answer),
    #[serde(rename = "dialogue.reply_failed")]
    Failed {
        #[serde(flatten)]
        answer: Answer,
        failure: DeliveryFailure,
    },
    #[serde(rename = "dialogue.reply_in_doubt")]
    InDoubt(Answer),
    #[serde(other)]
    Other,
}

impl Event for Fact {
    fn knows(&self, version: i16) -> bool {
        version == 1 || matches!(self, Self::Other)
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    ticket_id: Uuid,
    message_id: Uuid,
    #[serde(with = "rfc3339")]
    at: OffsetDateTime,
}

/// The policy.
#[derive(Debug)]
pub struct WhenReplySettledRecord {
    crm: Crm,
}

impl WhenReplySettledRecord {
    /// Records in `crm`.
    #[must_use]
    pub const fn new(crm: Crm) -> Self {
        Self { crm }
    }
}

impl Policy for WhenReplySettledRecord {
    const NAME: &'static str = "when_reply_settled_record";
    const SERVICE: &'static str = crate::NAME;

    async fn react(&self, event: &Recorded, meta: Meta) -> Outcome {
        if event.aggregate_type != "dialogue" {
            return Outcome::Ignored;
        }
        let (answer, settled) = match event.decode_one::<Fact>() {
            Ok(Some(Fact::Sent(answer))) => (answer, Settled::Sent),
            Ok(Some(Fact::Failed { answer, failure })) => (answer, Settled::Failed(failure)),
            Ok(Some(Fact::InDoubt(answer))) => (answer, Settled::InDoubt),
            Ok(Some(Fact::Other) | None) => return Outcome::Ignored,
            Err(error) => return Outcome::Park(error.to_string()),
        };
        let target = Target { tenant: event.tenant, id: answer.ticket_id };
        if settled == Settled::Failed(DeliveryFailure::Blocked) {
            // A dialogue has the name of its citizen.
            let blocked =
                Meta { command_id: Uuid::new_v5(&meta.command_id, b"blocked"), ..meta.clone() };
            let (tenant, citizen) = (event.tenant, event.aggregate_id);
            match self.crm.set_blocked(tenant, citizen, true, answer.at, &blocked).await {
                Ok(_) => {}
                Err(error) => match after(&error) {
                    // The answer's fate is told all the same.
                    Outcome::Ignored | Outcome::Done | Outcome::Park(_) => {}
                    again @ Outcome::Retry(_) => return again,
                },
            }
        }
        match self.crm.settle(target, answer.message_id, settled, answer.at, &meta).await {
            Ok(_) => Outcome::Done,
            Err(error) => after(&error),
        }
    }
}

fn after<R: std::error::Error + 'static>(error: &AppError<R>) -> Outcome {
    match error {
        AppError::Log(ExecuteError::Conflict | ExecuteError::Unavailable(_)) => {
            Outcome::Retry(error.to_string())
        }
        AppError::Log(
            ExecuteError::Refused(_)
            | ExecuteError::KeyTaken
            | ExecuteError::CommandIdTaken(_)
            | ExecuteError::TooLarge
            | ExecuteError::Damaged(_),
        )
        | AppError::NotFound
        | AppError::Keys(_) => Outcome::Park(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use meydan_event_log::golden;

    use super::Fact;

    /// When bots begin to record another shape, this fails until it is understood here.
    #[test]
    fn every_shape_that_a_bot_or_dialogue_was_recorded_in_is_understood() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bot-hub/domain/tests/golden");
        let heard = golden::heard::<Fact>(&golden).expect("each line is understood");
        let ours = heard.iter().filter(|fact| !matches!(fact, Fact::Other)).count();
        assert!(ours > 6, "{ours}");
    }
}
