//! Looking after the webhook of a live bot: whether Telegram still knows it, and gets through to it.

use std::time::Duration;

use bot_hub_domain::BotProblem;
use meydan_telegram::ApiFailure;
use time::OffsetDateTime;

use super::{Keeper, desk::Next};
use crate::projections::bots::BotRow;

/// How often a webhook is looked after.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// How long ago Telegram's last failure to deliver still counts: a little more than one round.
const RECENT: Duration = Duration::from_secs(11 * 60);

impl Keeper {
    /// Looks after one webhook: sets it again where it is another one, and records what is wrong.
    pub(super) async fn check(&self, bot: &BotRow) -> Next {
        let Some((token, secret)) = self.secrets(bot).await else { return Next::Failed };
        let Some(url) = self.hook_url(bot) else { return Next::Settled };
        let began = self.hub.now();
        let found = match self.telegram.webhook_info(&token).await {
            Ok(info) if info.url == url.as_str() => {
                let since = (began - RECENT).unix_timestamp();
                Ok(info.last_error_date.is_none_or(|date| date < since))
            }
            Ok(_) => {
                tracing::warn!(campaign = %bot.tenant_id, "a webhook was not ours any more");
                metrics::counter!("webhooks_set_again").increment(1);
                self.telegram.set_webhook(&token, url, &secret).await.map(|()| true)
            }
            Err(failure) => Err(failure),
        };
        match found {
            Ok(well) => {
                let problem = (!well).then_some(BotProblem::WebhookRefused);
                self.note(bot, problem, began).await
            }
            Err(ApiFailure::Unauthorized) => self.revoked(bot).await,
            Err(ApiFailure::RetryAfter(pause)) => Next::After(pause),
            Err(ApiFailure::Conflict) => self.not_connected(bot, &ApiFailure::Conflict).await,
            Err(ApiFailure::Rejected | ApiFailure::Blocked | ApiFailure::ChatNotFound) => {
                self.note(bot, Some(BotProblem::WebhookRefused), began).await
            }
            // Telegram may well reach us while we do not reach it.
            Err(ApiFailure::Unreachable | ApiFailure::AnswerLost) => Next::Failed,
        }
    }

    async fn note(&self, bot: &BotRow, problem: Option<BotProblem>, began: OffsetDateTime) -> Next {
        let noted = self.hub.note_health(bot.tenant_id, &bot.hook_id, problem).await;
        match self.recorded(bot, noted).await {
            Next::Settled => Next::At(began + EVERY),
            next => next,
        }
    }

    /// Records that Telegram refuses a token that had worked.
    pub(super) async fn revoked(&self, bot: &BotRow) -> Next {
        let revoked = self.hub.revoke(bot.tenant_id, &bot.hook_id).await;
        self.recorded(bot, revoked).await
    }
}
