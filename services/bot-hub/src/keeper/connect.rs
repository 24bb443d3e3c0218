//! Trying a token, and leaving bots that were replaced or forgotten.

use std::time::Duration;

use bot_hub_domain::BotProblem;
use meydan_event_log::ExecuteError;
use meydan_telegram::{ApiFailure, Identity};
use uuid::Uuid;

use super::{Keeper, desk::Next};
use crate::{
    app::AppError,
    projections::bots::{self, BotRow, LeftRow},
};

/// How long to wait until the table shows what was just recorded.
const PATIENCE: Duration = Duration::from_secs(2);

impl Keeper {
    /// Tries a bot's token, and records how it went. The bot's webhook is touched only after the campaign
    /// has taken the bot: a token may be a copy of another campaign's.
    pub(super) async fn connect(&self, bot: &BotRow) -> Next {
        let Some((token, secret)) = self.secrets(bot).await else { return Next::Failed };
        let identity = match self.telegram.get_me(&token).await {
            Ok(identity) => identity,
            Err(failure) => return self.not_connected(bot, &failure).await,
        };
        if let Some(next) = self.take_bot(bot, &identity).await {
            return next;
        }
        let heard = match self.hook_url(bot) {
            Some(url) => self.telegram.set_webhook(&token, url, &secret).await,
            None => self.telegram.delete_webhook(&token).await,
        };
        if let Err(failure) = heard {
            return self.not_connected(bot, &failure).await;
        }
        self.recorded(bot, self.hub.go_live(bot.tenant_id, &bot.hook_id, self.mode()).await).await
    }

    /// Takes the bot for the campaign; what follows when it may not go on.
    async fn take_bot(&self, bot: &BotRow, identity: &Identity) -> Option<Next> {
        let campaign = bot.tenant_id;
        let taken = match self.hub.identify(campaign, &bot.hook_id, identity).await {
            Ok(taken) => taken,
            Err(AppError::Log(ExecuteError::KeyTaken)) => {
                let failed = self.hub.fail(campaign, &bot.hook_id, BotProblem::UsedElsewhere).await;
                return Some(self.recorded(bot, failed).await);
            }
            Err(error) => {
                tracing::warn!(%campaign, %error, "a bot was not identified");
                return Some(Next::Failed);
            }
        };
        // Telegram may call as soon as it knows the webhook: the table has to know the bot by then. It also
        // tells whether the campaign has got another token meanwhile.
        self.hub.tables.wait_for(taken.position, PATIENCE).await;
        match bots::of_campaign(self.hub.log.pool(), campaign).await {
            Ok(Some(now)) if now.hook_id == bot.hook_id && now.bot_id.is_some() => None,
            Ok(Some(now)) if now.hook_id == bot.hook_id => Some(Next::Failed),
            Ok(_) => Some(Next::Settled),
            Err(error) => {
                tracing::warn!(%campaign, %error, "a bot was not identified");
                Some(Next::Failed)
            }
        }
    }

    /// What follows when Telegram does not connect a bot.
    pub(super) async fn not_connected(&self, bot: &BotRow, failure: &ApiFailure) -> Next {
        let problem = match failure {
            ApiFailure::RetryAfter(pause) => return Next::After(*pause),
            ApiFailure::Unauthorized => BotProblem::WrongToken,
            ApiFailure::Conflict => BotProblem::UsedElsewhere,
            ApiFailure::Rejected | ApiFailure::Blocked | ApiFailure::ChatNotFound => {
                BotProblem::WebhookRefused
            }
            ApiFailure::Unreachable | ApiFailure::AnswerLost => BotProblem::Unreachable,
        };
        let failed = self.hub.fail(bot.tenant_id, &bot.hook_id, problem).await;
        let next = self.recorded(bot, failed).await;
        if problem.is_passing() { Next::Failed } else { next }
    }

    /// Waits until the table shows what was recorded, so that it is not done again.
    pub(super) async fn recorded<E: std::error::Error>(
        &self,
        bot: &BotRow,
        recorded: Result<meydan_event_log::Committed, E>,
    ) -> Next {
        match recorded {
            Ok(committed) => {
                self.hub.tables.wait_for(committed.position, PATIENCE).await;
                Next::Settled
            }
            Err(error) => {
                let campaign = bot.tenant_id;
                tracing::warn!(%campaign, %error, "the state of a bot was not recorded");
                Next::Failed
            }
        }
    }

    /// Takes away the webhooks of bots that were replaced or forgotten, and lets the bots go. Whether all
    /// are left.
    pub(super) async fn leave_all(&self, left: &[LeftRow], present: Option<Uuid>) -> bool {
        let mut all = true;
        for bot in left {
            all &= self.leave(bot, present).await;
        }
        all
    }

    async fn leave(&self, bot: &LeftRow, present: Option<Uuid>) -> bool {
        // The campaign has given the same bot another token: that webhook is the present one's.
        let free = present != Some(bot.bot_id);
        let Ok(token) = self.hub.left_token(bot).await else { return false };
        if let (true, Some(token)) = (free, token) {
            // Whatever else Telegram says, it says always: the token is not valid any more.
            if let Err(
                ApiFailure::RetryAfter(_) | ApiFailure::Unreachable | ApiFailure::AnswerLost,
            ) = self.telegram.delete_webhook(&token).await
            {
                return false;
            }
        }
        match self.hub.leave(bot, free).await {
            Ok(committed) => {
                self.hub.tables.wait_for(committed.position, PATIENCE).await;
                true
            }
            Err(error) => {
                tracing::warn!(campaign = %bot.tenant_id, %error, "a bot was not left");
                false
            }
        }
    }
}
