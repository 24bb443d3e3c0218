//! A campaign's bot: its token, and whether Telegram speaks with it.
//!
//! ```text
//!            token given            getMe, webhook
//!  (absent) ─────────────▶ connecting ───────────▶ live
//!      ▲                    ▲   │  ▲                 │
//!      │        check again │   ▼  │ token given     │ 401
//!      │                    └ failed └── revoked ◀───┘
//!      └──────────── disconnected, from anywhere
//! ```

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

/// How updates come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Telegram calls.
    Webhook,
    /// The hub asks: there is no address that Telegram could call.
    Polling,
}

/// Why a bot is not live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotProblem {
    /// Telegram does not know the token.
    WrongToken,
    /// Telegram cannot be reached.
    Unreachable,
    /// Telegram does not accept the address of the webhook.
    WebhookRefused,
    /// Another campaign has this bot, or another program asks for its updates.
    UsedElsewhere,
}

/// Where a bot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotState {
    /// There is none.
    #[default]
    Absent,
    /// Its token is being tried.
    Connecting,
    /// Citizens can write.
    Live,
    /// The token was refused after it had worked.
    Revoked,
    /// It could not be connected.
    Failed,
}

impl BotState {
    /// Name under which it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Revoked => "revoked",
            Self::Failed => "failed",
        }
    }
}

/// A bot, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bot {
    state: BotState,
    fingerprint: String,
}

impl Bot {
    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> BotState {
        self.state
    }
}

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
    /// Telegram accepted token and webhook.
    GoLive {
        /// Handle without the @.
        username: String,
        /// What it is called.
        name: String,
        /// How updates come.
        mode: Mode,
        /// When.
        at: OffsetDateTime,
    },
    /// It could not be connected.
    Fail {
        /// Why.
        problem: BotProblem,
        /// When.
        at: OffsetDateTime,
    },
    /// Telegram refuses a token that had worked.
    Revoke {
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
}

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
    /// Citizens can write.
    #[serde(rename = "bot.went_live")]
    WentLive {
        /// Handle without the @.
        username: String,
        /// What it is called.
        name: String,
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
}

impl Event for BotEvent {}

impl DomainEvent for BotEvent {
    fn event_type(&self) -> String {
        match self {
            Self::TokenGiven { .. } => "bot.token_given",
            Self::WentLive { .. } => "bot.went_live",
            Self::Failed { .. } => "bot.failed",
            Self::Revoked { .. } => "bot.revoked",
            Self::CheckAsked { .. } => "bot.check_asked",
            Self::Disconnected { .. } => "bot.disconnected",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why a bot says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BotRefusal {
    /// The campaign has no bot.
    #[error("the campaign has no bot")]
    Absent,
}

impl Bot {
    /// Judges `command` against the present state. An empty list means: already so.
    ///
    /// # Errors
    ///
    /// The rule that the command would break.
    pub fn decide(&self, command: BotCommand) -> Result<Vec<BotEvent>, BotRefusal> {
        let absent = self.state == BotState::Absent;
        Ok(match command {
            BotCommand::GiveToken { fingerprint, .. }
                if fingerprint == self.fingerprint
                    && matches!(self.state, BotState::Connecting | BotState::Live) =>
            {
                vec![]
            }
            BotCommand::GiveToken { token, fingerprint, hook_id, secret, secret_sha256, at } => {
                vec![BotEvent::TokenGiven {
                    token,
                    fingerprint,
                    hook_id,
                    secret,
                    secret_sha256,
                    at,
                }]
            }
            BotCommand::Disconnect { .. } if absent => vec![],
            BotCommand::GoLive { .. }
            | BotCommand::Fail { .. }
            | BotCommand::Revoke { .. }
            | BotCommand::CheckAgain { .. }
                if absent =>
            {
                return Err(BotRefusal::Absent);
            }
            BotCommand::GoLive { .. } if self.state == BotState::Live => vec![],
            BotCommand::GoLive { username, name, mode, at } => {
                vec![BotEvent::WentLive { username, name, mode, at }]
            }
            BotCommand::Fail { problem, at } => vec![BotEvent::Failed { problem, at }],
            BotCommand::Revoke { .. } if self.state == BotState::Revoked => vec![],
            BotCommand::Revoke { at } => vec![BotEvent::Revoked { at }],
            BotCommand::CheckAgain { .. } if self.state == BotState::Connecting => vec![],
            BotCommand::CheckAgain { at } => vec![BotEvent::CheckAsked { at }],
            BotCommand::Disconnect { at } => vec![BotEvent::Disconnected { at }],
        })
    }
}

impl Aggregate for Bot {
    const TYPE: &'static str = "bot";

    type Command = BotCommand;
    type Event = BotEvent;
    type Error = BotRefusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: BotCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), BotRefusal> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: BotEvent) {
        self.state = match event {
            BotEvent::TokenGiven { fingerprint, .. } => {
                self.fingerprint = fingerprint;
                BotState::Connecting
            }
            BotEvent::CheckAsked { .. } => BotState::Connecting,
            BotEvent::WentLive { .. } => BotState::Live,
            BotEvent::Failed { .. } => BotState::Failed,
            BotEvent::Revoked { .. } => BotState::Revoked,
            BotEvent::Disconnected { .. } => {
                self.fingerprint.clear();
                BotState::Absent
            }
        };
    }
}
