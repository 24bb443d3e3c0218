//! The panel of a campaign's bot: its token, its state, and what is wrong in words.

use askama::Template;

use crate::{form::Problem, shell::Shell};

/// How a campaign's bot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BotState {
    /// Being checked with Telegram.
    Connecting,
    /// Receiving and sending.
    Live,
    /// Stopped for a while.
    Paused,
    /// Its token no longer holds.
    Revoked,
    /// Could not be connected.
    Failed,
}

impl BotState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Connecting, Self::Live, Self::Paused, Self::Revoked, Self::Failed];

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Connecting => "bot-connecting",
            Self::Live => "bot-live",
            Self::Paused => "bot-paused",
            Self::Revoked => "bot-revoked",
            Self::Failed => "bot-failed",
        }
    }

    pub(crate) const fn explanation(self) -> &'static str {
        match self {
            Self::Connecting => "bot-connecting-text",
            Self::Live => "bot-live-text",
            Self::Paused => "bot-paused-text",
            Self::Revoked => "bot-revoked-text",
            Self::Failed => "bot-failed-text",
        }
    }

    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::Connecting => "tone-wait",
            Self::Live => "tone-good",
            Self::Paused => "tone-plain",
            Self::Revoked | Self::Failed => "tone-bad",
        }
    }

    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::Connecting => "loader-2",
            Self::Live => "circle-check",
            Self::Paused => "player-pause",
            Self::Revoked => "key-off",
            Self::Failed => "alert-triangle",
        }
    }
}

/// Why a bot is not live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BotProblem {
    /// Telegram does not know the token.
    WrongToken,
    /// Telegram does not answer.
    Unreachable,
    /// The token was revoked after it had worked.
    TokenRevoked,
    /// Telegram does not accept our public address.
    WebhookRefused,
    /// Another program reads this bot's updates.
    UsedElsewhere,
}

impl BotProblem {
    /// Every problem.
    pub const ALL: [Self; 5] = [
        Self::WrongToken,
        Self::Unreachable,
        Self::TokenRevoked,
        Self::WebhookRefused,
        Self::UsedElsewhere,
    ];

    /// The stable name that the bot hub gives.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::WrongToken => "wrong_token",
            Self::Unreachable => "unreachable",
            Self::TokenRevoked => "token_revoked",
            Self::WebhookRefused => "webhook_refused",
            Self::UsedElsewhere => "used_elsewhere",
        }
    }

    /// The problem of a stable name, or `None` when there is no such problem.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|problem| problem.code() == code)
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::WrongToken => "bot-wrong-token",
            Self::Unreachable => "bot-unreachable",
            Self::TokenRevoked => "bot-token-revoked",
            Self::WebhookRefused => "bot-webhook-refused",
            Self::UsedElsewhere => "bot-used-elsewhere",
        }
    }
}

/// How Telegram updates reach us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BotMode {
    /// Telegram calls us.
    Webhook,
    /// We ask Telegram.
    Polling,
}

impl BotMode {
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Webhook => "bot-mode-webhook",
            Self::Polling => "bot-mode-polling",
        }
    }
}

/// A bot that has been given a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    /// How it is.
    pub state: BotState,
    /// Why it is not live.
    pub problem: Option<BotProblem>,
    /// Without the `@`; empty until Telegram has told it.
    pub username: String,
    /// The name that citizens see.
    pub name: String,
    /// How updates come; `None` until it is decided.
    pub mode: Option<BotMode>,
}

/// The bot panel of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotPanel {
    /// The campaign.
    pub slug: String,
    /// The bot; `None` when there is none.
    pub bot: Option<Bot>,
    /// What is wrong with the token that was pasted.
    pub token_problem: Option<Problem>,
    /// For idempotency: sent back as `command_id`.
    pub command_id: String,
}

impl BotPanel {
    /// Whether the browser should ask again every two seconds.
    #[must_use]
    pub fn is_connecting(&self) -> bool {
        self.bot.as_ref().is_some_and(|bot| bot.state == BotState::Connecting)
    }

    /// How many fields of the form are wrong.
    pub(crate) fn problems(&self) -> u64 {
        u64::from(self.token_problem.is_some())
    }

    /// Whether a token should be asked for.
    #[must_use]
    pub fn wants_token(&self) -> bool {
        self.bot.as_ref().is_none_or(|bot| {
            bot.state == BotState::Revoked
                || matches!(bot.problem, Some(BotProblem::WrongToken | BotProblem::TokenRevoked))
        })
    }
}

/// `GET /admin/campaigns/{slug}/bot`: the panel alone.
#[derive(Debug, Clone, Template)]
#[template(path = "fragments/bot.html")]
pub struct BotFragment {
    /// What pages share.
    pub shell: Shell,
    /// The panel.
    pub panel: BotPanel,
}

super::renders!(BotFragment);
