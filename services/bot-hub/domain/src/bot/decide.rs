//! The decisions of a bot.

use super::{Bot, BotCommand, BotEvent, BotProblem, BotRefusal, BotState, Identity};

impl Bot {
    /// Judges `command` against the present state. An empty list means: already so, or about a token that
    /// is not the present one.
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
            BotCommand::Leave { hook_id, freed, at } => {
                let waits = self.to_leave.contains(&hook_id);
                waits.then_some(BotEvent::Left { hook_id, freed, at }).into_iter().collect()
            }
            BotCommand::Disconnect { .. } if absent => vec![],
            BotCommand::Disconnect { at } => vec![BotEvent::Disconnected { at }],
            BotCommand::CheckAgain { .. } if absent => return Err(BotRefusal::Absent),
            BotCommand::CheckAgain { .. } if self.state == BotState::Connecting => vec![],
            BotCommand::CheckAgain { at } => vec![BotEvent::CheckAsked { at }],
            BotCommand::Identify { .. }
            | BotCommand::GoLive { .. }
            | BotCommand::Fail { .. }
            | BotCommand::NoteHealth { .. }
            | BotCommand::Revoke { .. } => self.hear(command).into_iter().collect(),
        })
    }

    /// What news of a token means, which may be a token of before.
    fn hear(&self, news: BotCommand) -> Option<BotEvent> {
        let is_present = |hook_id: &str| hook_id == self.hook_id;
        match news {
            BotCommand::Identify { hook_id, bot_id, telegram_id, username, name, at }
                if is_present(&hook_id) =>
            {
                let known = self.identity.as_ref();
                let told = Identity { telegram_id, username: username.clone(), name: name.clone() };
                let event = BotEvent::Identified { bot_id, telegram_id, username, name, at };
                (known != Some(&told)).then_some(event)
            }
            BotCommand::GoLive { hook_id, mode, at }
                if is_present(&hook_id) && self.identity.is_some() =>
            {
                let already = self.state == BotState::Live && self.mode == Some(mode);
                (!already).then_some(BotEvent::WentLive { mode, at })
            }
            BotCommand::Fail { hook_id, problem, at } if is_present(&hook_id) => {
                let already = self.state == BotState::Failed && self.problem == Some(problem);
                (!already).then_some(BotEvent::Failed { problem, at })
            }
            BotCommand::NoteHealth { hook_id, problem, at }
                if is_present(&hook_id) && self.state == BotState::Live =>
            {
                let event = match problem {
                    Some(problem) => BotEvent::Troubled { problem, at },
                    None => BotEvent::Recovered { at },
                };
                (problem != self.problem).then_some(event)
            }
            BotCommand::Revoke { hook_id, at } if is_present(&hook_id) => {
                (self.state != BotState::Revoked).then_some(BotEvent::Revoked { at })
            }
            _ => None,
        }
    }
}

impl BotProblem {
    /// Whether it goes away by itself, so that it is worth trying again unasked.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Unreachable)
    }
}
