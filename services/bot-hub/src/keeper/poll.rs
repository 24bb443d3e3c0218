//! Asking for a bot's updates, where Telegram has no address to call.

use std::time::Duration;

use bot_hub_domain::BotProblem;
use meydan_intake::Hook;
use meydan_telegram::ApiFailure;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{Keeper, desk::Next};
use crate::projections::bots::BotRow;

/// Pause after an attempt that failed.
const PAUSE: Duration = Duration::from_secs(3);
/// How long one job asks, before the keeper looks at the bot as a whole again.
const SHIFT: Duration = Duration::from_secs(10 * 60);
/// Conflicts in a row after which another program is at work. The first may be with our own question from
/// before a restart.
const CONFLICTS: u32 = 3;

#[derive(Deserialize)]
struct Numbered {
    update_id: i64,
}

impl Keeper {
    /// Asks for a bot's updates. An update is confirmed to Telegram, by asking for the next one, only after
    /// the broker has it.
    pub(super) async fn poll(&self, bot: &BotRow) -> Next {
        let Some(bot_id) = bot.bot_id else { return Next::Failed };
        let hook = Hook { bot_id, campaign: bot.tenant_id };
        let Some((token, _)) = self.secrets(bot).await else { return Next::Failed };
        let (began, mut offset, mut conflicts) = (Instant::now(), 0, 0);
        while began.elapsed() < SHIFT {
            let taken = match self.telegram.get_updates(&token, offset).await {
                Ok(updates) => {
                    conflicts = 0;
                    self.take(hook, &updates, &mut offset).await
                }
                Err(ApiFailure::Unauthorized) => return self.revoked(bot).await,
                Err(ApiFailure::RetryAfter(pause)) => return Next::After(pause),
                Err(ApiFailure::Conflict) if conflicts + 1 == CONFLICTS => {
                    let used = BotProblem::UsedElsewhere;
                    let failed = self.hub.fail(bot.tenant_id, &bot.hook_id, used).await;
                    return self.recorded(bot, failed).await;
                }
                Err(failure) => {
                    conflicts += u32::from(failure == ApiFailure::Conflict);
                    Err(failure.to_string())
                }
            };
            if let Err(error) = taken {
                tracing::warn!(bot = %bot_id, error, "updates were not fetched");
                tokio::time::sleep(PAUSE).await;
            }
        }
        Next::Settled
    }

    async fn take(
        &self,
        hook: Hook,
        updates: &[Box<RawValue>],
        offset: &mut i64,
    ) -> Result<(), String> {
        for update in updates {
            let raw = update.get().as_bytes();
            let accepted = self.intake.accept(hook, raw, self.hub.now()).await;
            accepted.map_err(|error| error.to_string())?;
            if let Ok(Numbered { update_id }) = serde_json::from_slice(raw) {
                *offset = update_id + 1;
            }
        }
        Ok(())
    }
}
