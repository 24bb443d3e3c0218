//! The bot of a campaign: its token, which Telegram bot that is, and whether Telegram speaks with it.
//!
//! ```text
//!            token given         getMe, the key       webhook
//!  (absent) ─────────────▶ connecting ──▶ identified ────────▶ live
//!      ▲                    ▲   │  ▲                            │
//!      │        check again │   ▼  │ token given                │ 401
//!      │                    └ failed └────── revoked ◀──────────┘
//!      └──────────── disconnected, from anywhere
//! ```
//!
//! Each token has a webhook of its own, and whoever tells how a token fared names it by that: what is heard
//! of an earlier token changes nothing. An identified bot whose token was replaced or forgotten has to be
//! *left*: its webhook taken away at Telegram, and the bot let go to whoever connects it next.

mod command;
mod decide;
mod event;
#[cfg(test)]
mod tests;

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

pub use self::{command::BotCommand, event::BotEvent};

/// How updates come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Telegram calls.
    Webhook,
    /// The hub asks: there is no address that Telegram could call.
    Polling,
}

/// Why a bot is not live, or not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotProblem {
    /// Telegram does not know the token.
    WrongToken,
    /// Telegram cannot be reached.
    Unreachable,
    /// Telegram does not accept the address of the webhook, or cannot deliver there.
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
    /// The webhook of the present token; empty when there is none.
    hook_id: String,
    /// Which Telegram bot the present token is, once Telegram has told it.
    identity: Option<Identity>,
    mode: Option<Mode>,
    problem: Option<BotProblem>,
    /// Webhooks of identified bots that have to be left.
    to_leave: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    telegram_id: i64,
    username: String,
    name: String,
}

/// Why a bot says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BotRefusal {
    /// The campaign has no bot.
    #[error("the campaign has no bot")]
    Absent,
}

impl Bot {
    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> BotState {
        self.state
    }

    fn moved(&mut self, state: BotState, problem: Option<BotProblem>) {
        self.state = state;
        self.problem = problem;
    }

    /// The present token is no longer the bot's.
    fn drop_token(&mut self) {
        let hook = std::mem::take(&mut self.hook_id);
        if self.identity.take().is_some() {
            self.to_leave.push(hook);
        }
        self.fingerprint.clear();
        self.mode = None;
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
        match event {
            BotEvent::TokenGiven { fingerprint, hook_id, .. } => {
                self.drop_token();
                self.fingerprint = fingerprint;
                self.hook_id = hook_id;
                self.moved(BotState::Connecting, None);
            }
            BotEvent::Identified { telegram_id, username, name, .. } => {
                self.identity = Some(Identity { telegram_id, username, name });
            }
            BotEvent::WentLive { mode, .. } => {
                self.mode = Some(mode);
                self.moved(BotState::Live, None);
            }
            BotEvent::Failed { problem, .. } => self.moved(BotState::Failed, Some(problem)),
            BotEvent::Troubled { problem, .. } => self.problem = Some(problem),
            BotEvent::Recovered { .. } => self.problem = None,
            BotEvent::Revoked { .. } => self.moved(BotState::Revoked, None),
            BotEvent::CheckAsked { .. } => self.moved(BotState::Connecting, None),
            BotEvent::Disconnected { .. } => {
                self.drop_token();
                self.moved(BotState::Absent, None);
            }
            BotEvent::Left { hook_id, .. } => self.to_leave.retain(|left| *left != hook_id),
        }
    }
}
