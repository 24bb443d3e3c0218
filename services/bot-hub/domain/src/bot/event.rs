//! Facts about a bot. Variants are added, never edited; golden files pin their stored shape.

use cqrs_es::DomainEvent;
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

use super::{BotProblem, Mode};

/// A fact about a bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum BotEvent {
    /// A token is to be tried.
    #[serde(rename = "bot.token_given")]
    TokenGiven {
        /// From BotFather.
        token: Sealed<String>,
        /// Keyed hash of it.
        fingerprint: String,
        /// Random part of the webhook's path.
        hook_id: String,
        /// What Telegram shows to prove itself.
        secret: Sealed<String>,
        /// SHA-256 of that, hexadecimal.
        secret_sha256: String,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Telegram has told which bot the token is, and no other campaign has that bot.
    #[serde(rename = "bot.identified")]
    Identified {
        /// Name of that bot in this campaign: each Telegram bot numbers updates and messages for itself.
        bot_id: Uuid,
        /// Telegram's number of the bot.
        telegram_id: i64,
        /// Handle without the @.
        username: String,
        /// What it is called.
        name: String,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Citizens can write.
    #[serde(rename = "bot.went_live")]
    WentLive {
        /// How updates come.
        mode: Mode,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It could not be connected.
    #[serde(rename = "bot.failed")]
    Failed {
        /// Why.
        problem: BotProblem,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It is live, but something is wrong.
    #[serde(rename = "bot.troubled")]
    Troubled {
        /// What.
        problem: BotProblem,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// What was wrong is well again.
    #[serde(rename = "bot.recovered")]
    Recovered {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Telegram refuses a token that had worked.
    #[serde(rename = "bot.revoked")]
    Revoked {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The same token is to be tried again.
    #[serde(rename = "bot.check_asked")]
    CheckAsked {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It was forgotten.
    #[serde(rename = "bot.disconnected")]
    Disconnected {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// A bot that was replaced or forgotten has no webhook of ours any more, and is free for others.
    #[serde(rename = "bot.left")]
    Left {
        /// Of which token.
        hook_id: String,
        /// Telegram's number of the bot, when the campaign let go of that, too. Facts of before 2026-11-22 do not say
        /// it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        freed: Option<i64>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for BotEvent {}

impl DomainEvent for BotEvent {
    fn event_type(&self) -> String {
        match self {
            Self::TokenGiven { .. } => "bot.token_given",
            Self::Identified { .. } => "bot.identified",
            Self::WentLive { .. } => "bot.went_live",
            Self::Failed { .. } => "bot.failed",
            Self::Troubled { .. } => "bot.troubled",
            Self::Recovered { .. } => "bot.recovered",
            Self::Revoked { .. } => "bot.revoked",
            Self::CheckAsked { .. } => "bot.check_asked",
            Self::Disconnected { .. } => "bot.disconnected",
            Self::Left { .. } => "bot.left",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
