//! Facts about a ticket. Variants are added, never edited; golden files pin their stored shape.

use cqrs_es::DomainEvent;
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

use super::TicketStatus;
use crate::body::{Body, Kind};

/// Why an answer did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryFailure {
    /// The citizen has blocked the bot.
    Blocked,
    /// Telegram does not know the chat any more.
    ChatNotFound,
    /// The bot's token was revoked, or the campaign has no bot.
    BotRevoked,
    /// Telegram refuses the message.
    Rejected,
    /// Telegram could not be reached for a day.
    GaveUp,
}

impl DeliveryFailure {
    /// Name under which it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::ChatNotFound => "chat_not_found",
            Self::BotRevoked => "bot_revoked",
            Self::Rejected => "rejected",
            Self::GaveUp => "gave_up",
        }
    }
}

/// From whom a message came, and through which bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Who wrote.
    pub citizen_id: Uuid,
    /// Through which bot.
    pub bot_id: Uuid,
}

/// A fact about one ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum TicketEvent {
    /// The first message arrived. Its number is its place among the campaign's openings.
    #[serde(rename = "ticket.opened")]
    Opened {
        /// Who wrote.
        citizen_id: Uuid,
        /// First words of the first message.
        subject: Sealed<String>,
        /// Kind of the first message.
        kind: Kind,
        /// When it was written.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The citizen wrote.
    #[serde(rename = "ticket.message_received")]
    MessageReceived {
        /// Name of the message.
        message_id: Uuid,
        /// Its number in the chat.
        channel_message_id: i64,
        /// From whom. Facts of before 2026-11-22 do not say it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        from: Option<Sender>,
        /// What it holds.
        body: Sealed<Body>,
        /// Which album it is a part of.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        album: Option<String>,
        /// When it was written.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The citizen changed a message.
    #[serde(rename = "ticket.message_edited")]
    MessageEdited {
        /// Which.
        message_id: Uuid,
        /// What it holds now.
        body: Sealed<Body>,
        /// When it was changed.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The citizen came back.
    #[serde(rename = "ticket.reopened")]
    Reopened {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// A member moved it, or an answer or a message did.
    #[serde(rename = "ticket.status_changed")]
    StatusChanged {
        /// Where it was.
        from: TicketStatus,
        /// Where it is.
        to: TicketStatus,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// A member answered.
    #[serde(rename = "ticket.reply_written")]
    ReplyWritten {
        /// Name of the message.
        message_id: Uuid,
        /// To whom.
        citizen_id: Uuid,
        /// What it says.
        body: Sealed<Body>,
        /// Account that wrote it.
        author: Uuid,
        /// What the author is called.
        author_name: Sealed<String>,
        /// When it was written.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Telegram accepted an answer.
    #[serde(rename = "ticket.reply_sent")]
    ReplySent {
        /// Which.
        message_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An answer did not arrive, and will not.
    #[serde(rename = "ticket.reply_failed")]
    ReplyFailed {
        /// Which.
        message_id: Uuid,
        /// Why.
        failure: DeliveryFailure,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Nobody knows whether an answer arrived: Telegram's word on it was lost.
    #[serde(rename = "ticket.reply_in_doubt")]
    ReplyInDoubt {
        /// Which.
        message_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for TicketEvent {}

impl DomainEvent for TicketEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Opened { .. } => "ticket.opened",
            Self::MessageReceived { .. } => "ticket.message_received",
            Self::MessageEdited { .. } => "ticket.message_edited",
            Self::Reopened { .. } => "ticket.reopened",
            Self::StatusChanged { .. } => "ticket.status_changed",
            Self::ReplyWritten { .. } => "ticket.reply_written",
            Self::ReplySent { .. } => "ticket.reply_sent",
            Self::ReplyFailed { .. } => "ticket.reply_failed",
            Self::ReplyInDoubt { .. } => "ticket.reply_in_doubt",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
