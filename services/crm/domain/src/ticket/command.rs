//! What may be asked of a ticket. Time and ids arrive in the command, so a decision can be replayed anywhere.

use meydan_keyring::Sealed;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{DeliveryFailure, TicketStatus};
use crate::body::{Body, Kind};

/// A citizen's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Name of the message, which follows from the citizen, the bot and the number.
    pub message_id: Uuid,
    /// Who wrote it.
    pub citizen_id: Uuid,
    /// Through which bot.
    pub bot_id: Uuid,
    /// Its number in the chat with the bot.
    pub channel_message_id: i64,
    /// What it holds.
    pub body: Sealed<Body>,
    /// Its kind, which is no secret.
    pub kind: Kind,
    /// Its first words.
    pub subject: Sealed<String>,
    /// Which album it is a part of.
    pub album: Option<String>,
    /// When it was written.
    pub at: OffsetDateTime,
}

/// An answer of the campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Name of the message.
    pub message_id: Uuid,
    /// What it says.
    pub body: Sealed<Body>,
    /// Account that wrote it.
    pub author: Uuid,
    /// What the author is called, sealed under the author's key.
    pub author_name: Sealed<String>,
    /// Whether the citizen has blocked the bot.
    pub blocked: bool,
    /// When it was written.
    pub at: OffsetDateTime,
}

/// What may be asked of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketCommand {
    /// The citizen wrote.
    Receive(Incoming),
    /// The citizen changed a message.
    Edit {
        /// Which.
        message_id: Uuid,
        /// What it holds now.
        body: Sealed<Body>,
        /// When it was changed.
        at: OffsetDateTime,
    },
    /// A member answers.
    Reply(Answer),
    /// A member moves it.
    ChangeStatus {
        /// Where to.
        to: TicketStatus,
        /// When.
        at: OffsetDateTime,
    },
    /// The bot hub delivered an answer.
    RecordSent {
        /// Which.
        message_id: Uuid,
        /// When.
        at: OffsetDateTime,
    },
    /// The bot hub could not deliver an answer.
    RecordFailed {
        /// Which.
        message_id: Uuid,
        /// Why.
        failure: DeliveryFailure,
        /// When.
        at: OffsetDateTime,
    },
    /// The bot hub does not know whether an answer arrived.
    RecordInDoubt {
        /// Which.
        message_id: Uuid,
        /// When.
        at: OffsetDateTime,
    },
}
