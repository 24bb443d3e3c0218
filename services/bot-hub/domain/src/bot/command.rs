//! What may be asked of a bot. Whoever tells how a token fared names its webhook.

use meydan_keyring::Sealed;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{BotProblem, Mode};

/// What may be asked of a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BotCommand {
    /// Try a token.
    GiveToken {
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
        at: OffsetDateTime,
    },
    /// Telegram has told which bot the token is.
    Identify {
        /// Of which token.
        hook_id: String,
        /// Name of that bot in this campaign.
        bot_id: Uuid,
        /// Telegram's number of the bot.
        telegram_id: i64,
        /// Handle without the @.
        username: String,
        /// What it is called.
        name: String,
        /// When.
        at: OffsetDateTime,
    },
    /// Telegram accepted the webhook, or waits to be asked.
    GoLive {
        /// Of which token.
        hook_id: String,
        /// How updates come.
        mode: Mode,
        /// When.
        at: OffsetDateTime,
    },
    /// It could not be connected.
    Fail {
        /// Of which token.
        hook_id: String,
        /// Why.
        problem: BotProblem,
        /// When.
        at: OffsetDateTime,
    },
    /// How the bot was found while it is live.
    NoteHealth {
        /// Of which token.
        hook_id: String,
        /// What is wrong; nothing when all is well.
        problem: Option<BotProblem>,
        /// When.
        at: OffsetDateTime,
    },
    /// Telegram refuses a token that had worked.
    Revoke {
        /// Which token.
        hook_id: String,
        /// When.
        at: OffsetDateTime,
    },
    /// Try the same token again.
    CheckAgain {
        /// When.
        at: OffsetDateTime,
    },
    /// Forget it.
    Disconnect {
        /// When.
        at: OffsetDateTime,
    },
    /// A bot that was replaced or forgotten has no webhook of ours any more.
    Leave {
        /// Of which token.
        hook_id: String,
        /// Telegram's number of the bot, when the campaign let go of that, too.
        freed: Option<i64>,
        /// When.
        at: OffsetDateTime,
    },
}
