//! A campaign's bot, as the panel shows it.

use meydan_rpc::pb::bot_hub as pb;
use meydan_web::pages::bot::{Bot, BotMode, BotProblem, BotState};

/// How a bot stands; `None` when there is none.
#[must_use]
pub fn state(bot: &pb::Bot) -> Option<BotState> {
    match bot.state() {
        pb::BotState::Unspecified => None,
        pb::BotState::Connecting => Some(BotState::Connecting),
        pb::BotState::Live => Some(BotState::Live),
        pb::BotState::Paused => Some(BotState::Paused),
        pb::BotState::Revoked => Some(BotState::Revoked),
        pb::BotState::Failed => Some(BotState::Failed),
    }
}

/// A bot.
#[must_use]
pub fn bot(bot: pb::Bot) -> Option<Bot> {
    let mode = match bot.mode() {
        pb::Mode::Unspecified => None,
        pb::Mode::Webhook => Some(BotMode::Webhook),
        pb::Mode::Polling => Some(BotMode::Polling),
    };
    Some(Bot {
        state: state(&bot)?,
        problem: BotProblem::from_code(&bot.problem),
        username: bot.username,
        name: bot.name,
        mode,
    })
}
