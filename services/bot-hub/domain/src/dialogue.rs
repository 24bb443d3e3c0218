//! A dialogue: what one citizen and the campaign's bot said to each other. Its id is the citizen's.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

use crate::telegram::{Message, Person};

/// Why an answer did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyFailure {
    /// The citizen has blocked the bot.
    Blocked,
    /// Telegram does not know the chat any more.
    ChatNotFound,
    /// The token was revoked, or the campaign has no bot.
    BotRevoked,
    /// Telegram refuses the message.
    Rejected,
    /// Telegram could not be reached for a day.
    GaveUp,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyOutcome {
    /// Telegram accepted it.
    Sent,
    /// It did not arrive.
    Failed(ReplyFailure),
    /// Telegram's word on it was lost.
    InDoubt,
}

/// A dialogue, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dialogue {
    started: bool,
    replies: BTreeMap<Uuid, ReplyOutcome>,
}

/// What a Telegram update did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "did")]
pub enum Did {
    /// They pressed *Start*.
    Start {
        /// What the deep link carried.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        payload: Option<Sealed<String>>,
    },
    /// They wrote.
    Write {
        /// What.
        message: Sealed<Message>,
    },
    /// They changed a message.
    Edit {
        /// As it is now.
        message: Sealed<Message>,
    },
    /// They pressed a button.
    Press {
        /// What it carried.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        data: Option<Sealed<String>>,
    },
    /// They blocked the bot.
    Block,
    /// They let it write again.
    Unblock,
}

/// What may be asked of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogueCommand {
    /// Record what an update did.
    Record {
        /// Through which bot.
        bot_id: Uuid,
        /// Telegram's number of the update.
        update_id: i64,
        /// Telegram's number of the chat.
        chat: Sealed<i64>,
        /// Who.
        person: Sealed<Person>,
        /// What they did.
        did: Did,
        /// When.
        at: OffsetDateTime,
    },
    /// Record what became of an answer.
    SettleReply {
        /// In which ticket.
        ticket_id: Uuid,
        /// Which answer.
        message_id: Uuid,
        /// What became of it.
        outcome: ReplyOutcome,
        /// When.
        at: OffsetDateTime,
    },
}

/// A fact about a dialogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DialogueEvent {
    /// The citizen reached the bot for the first time.
    #[serde(rename = "dialogue.started")]
    Started {
        /// Which bot.
        bot_id: Uuid,
        /// Telegram's number of the chat.
        chat: Sealed<i64>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The citizen did something.
    #[serde(rename = "dialogue.citizen_acted")]
    CitizenActed {
        /// Through which bot.
        bot_id: Uuid,
        /// Telegram's number of the update.
        update_id: i64,
        /// Who, as they are called now.
        person: Sealed<Person>,
        /// What they did.
        #[serde(flatten)]
        did: Did,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Telegram accepted an answer.
    #[serde(rename = "dialogue.reply_sent")]
    ReplySent {
        /// In which ticket.
        ticket_id: Uuid,
        /// Which.
        message_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An answer did not arrive, and will not.
    #[serde(rename = "dialogue.reply_failed")]
    ReplyFailed {
        /// In which ticket.
        ticket_id: Uuid,
        /// Which.
        message_id: Uuid,
        /// Why.
        failure: ReplyFailure,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Nobody knows whether an answer arrived.
    #[serde(rename = "dialogue.reply_in_doubt")]
    ReplyInDoubt {
        /// In which ticket.
        ticket_id: Uuid,
        /// Which.
        message_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for DialogueEvent {}

impl DomainEvent for DialogueEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Started { .. } => "dialogue.started",
            Self::CitizenActed { .. } => "dialogue.citizen_acted",
            Self::ReplySent { .. } => "dialogue.reply_sent",
            Self::ReplyFailed { .. } => "dialogue.reply_failed",
            Self::ReplyInDoubt { .. } => "dialogue.reply_in_doubt",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why a dialogue says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialogueRefusal {
    /// Nobody by this id has reached the bot.
    #[error("the dialogue has not been started")]
    NotStarted,
}

impl Dialogue {
    /// Judges `command` against the present state. An empty list means: already so.
    ///
    /// # Errors
    ///
    /// The rule that the command would break.
    pub fn decide(&self, command: DialogueCommand) -> Result<Vec<DialogueEvent>, DialogueRefusal> {
        match command {
            DialogueCommand::Record { bot_id, update_id, chat, person, did, at } => {
                let mut events = Vec::with_capacity(2);
                if !self.started {
                    events.push(DialogueEvent::Started { bot_id, chat, at });
                }
                events.push(DialogueEvent::CitizenActed { bot_id, update_id, person, did, at });
                Ok(events)
            }
            DialogueCommand::SettleReply { .. } if !self.started => {
                Err(DialogueRefusal::NotStarted)
            }
            DialogueCommand::SettleReply { ticket_id, message_id, outcome, at } => {
                let known = self.replies.get(&message_id).copied();
                if known == Some(outcome) || known == Some(ReplyOutcome::Sent) {
                    return Ok(vec![]);
                }
                Ok(vec![match outcome {
                    ReplyOutcome::Sent => DialogueEvent::ReplySent { ticket_id, message_id, at },
                    ReplyOutcome::Failed(failure) => {
                        DialogueEvent::ReplyFailed { ticket_id, message_id, failure, at }
                    }
                    ReplyOutcome::InDoubt => {
                        DialogueEvent::ReplyInDoubt { ticket_id, message_id, at }
                    }
                }])
            }
        }
    }
}

impl Aggregate for Dialogue {
    const TYPE: &'static str = "dialogue";

    type Command = DialogueCommand;
    type Event = DialogueEvent;
    type Error = DialogueRefusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: DialogueCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), DialogueRefusal> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: DialogueEvent) {
        match event {
            DialogueEvent::Started { .. } => self.started = true,
            DialogueEvent::CitizenActed { .. } => {}
            DialogueEvent::ReplySent { message_id, .. } => {
                self.replies.insert(message_id, ReplyOutcome::Sent);
            }
            DialogueEvent::ReplyFailed { message_id, failure, .. } => {
                self.replies.insert(message_id, ReplyOutcome::Failed(failure));
            }
            DialogueEvent::ReplyInDoubt { message_id, .. } => {
                self.replies.insert(message_id, ReplyOutcome::InDoubt);
            }
        }
    }
}
