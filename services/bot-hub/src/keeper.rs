//! Connects bots and keeps them connected: tries tokens, sets webhooks, asks for updates where there is no
//! public address, and notices when a token is revoked.
//!
//! A restart never removes a webhook.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bot_hub_domain::{BotProblem, Mode};
use meydan_event_log::ExecuteError;
use meydan_intake::{Hook, Intake};
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::{
    app::{AppError, BotHub},
    projections::bots::{self, BotRow},
    telegram::{ApiFailure, Telegram},
};

/// How often the keeper looks at all bots, unless something changes sooner.
const ROUND: Duration = Duration::from_secs(10);
/// Pause after a failed attempt to ask for updates.
const PAUSE: Duration = Duration::from_secs(3);

/// What the keeper works with.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// The hub.
    pub hub: BotHub,
    /// The Bot API.
    pub telegram: Telegram,
    /// Where polled updates go.
    pub intake: Intake,
    /// Where Telegram can call; without one, the hub asks.
    pub public_url: Option<Url>,
}

impl Keeper {
    /// Keeps bots connected until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let keeper = Arc::new(self);
        let mut pollers: HashMap<(Uuid, String), CancellationToken> = HashMap::new();
        let mut tasks = JoinSet::new();
        let mut head = keeper.hub.log.head(0);
        while !stop.is_cancelled() {
            head.borrow_and_update();
            if let Err(error) = keeper.clone().round(&stop, &mut pollers, &mut tasks).await {
                tracing::warn!(%error, "the keeper waits");
            }
            while tasks.try_join_next().is_some() {}
            tokio::select! {
                () = stop.cancelled() => {}
                _ = head.changed() => {
                    let at = *head.borrow();
                    keeper.hub.tables.wait_for(at, PAUSE).await;
                }
                () = tokio::time::sleep(ROUND) => {}
            }
        }
        for poller in pollers.into_values() {
            poller.cancel();
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn round(
        self: Arc<Self>,
        stop: &CancellationToken,
        pollers: &mut HashMap<(Uuid, String), CancellationToken>,
        tasks: &mut JoinSet<()>,
    ) -> sqlx::Result<()> {
        let bots = bots::all(self.hub.log.pool()).await?;
        let polled = |bot: &BotRow| bot.state == "live" && bot.mode.as_deref() == Some("polling");
        pollers.retain(|(campaign, hook), poller| {
            let wanted = bots
                .iter()
                .any(|bot| polled(bot) && bot.tenant_id == *campaign && bot.hook_id == *hook);
            if !wanted || poller.is_cancelled() {
                poller.cancel();
            }
            wanted && !poller.is_cancelled()
        });
        for bot in bots {
            let unreachable = bot.problem.as_deref() == Some("unreachable");
            if bot.state == "connecting" || (bot.state == "failed" && unreachable) {
                self.connect(&bot).await;
            } else if polled(&bot) {
                let key = (bot.tenant_id, bot.hook_id.clone());
                pollers.entry(key).or_insert_with(|| {
                    let token = stop.child_token();
                    tasks.spawn(self.clone().poll(bot, token.clone()));
                    token
                });
            }
        }
        Ok(())
    }

    /// Tries a bot's token, and records how it went.
    async fn connect(&self, bot: &BotRow) {
        let campaign = bot.tenant_id;
        let Some((token, secret)) = self.secrets(bot).await else { return };
        let mode = if self.public_url.is_some() { Mode::Webhook } else { Mode::Polling };
        let connected = async {
            let identity = self.telegram.get_me(&token).await?;
            match self.hook_url(bot) {
                Some(url) => self.telegram.set_webhook(&token, url, &secret).await?,
                None => self.telegram.delete_webhook(&token).await?,
            }
            Ok(identity)
        };
        let recorded = match connected.await {
            Ok(identity) => match self.hub.go_live(campaign, &identity, mode).await {
                Err(AppError::Log(ExecuteError::KeyTaken)) => {
                    self.hub.fail(campaign, BotProblem::UsedElsewhere).await
                }
                other => other,
            },
            Err(failure) => {
                let problem = problem(&failure);
                let known = bot.state == "failed" && problem == BotProblem::Unreachable;
                if known {
                    return;
                }
                self.hub.fail(campaign, problem).await
            }
        };
        if let Err(error) = recorded {
            tracing::warn!(%campaign, %error, "the state of a bot was not recorded");
        }
    }

    fn hook_url(&self, bot: &BotRow) -> Option<Url> {
        let mut url = self.public_url.clone()?;
        let path = format!("{}/telegram/{}", url.path().trim_end_matches('/'), bot.hook_id);
        url.set_path(&path);
        Some(url)
    }

    async fn secrets(&self, bot: &BotRow) -> Option<(SecretString, SecretString)> {
        let token = self.hub.token(bot).await.ok().flatten()?;
        let secret = self.hub.secret(bot).await.ok().flatten()?;
        Some((token, secret))
    }

    /// Asks for a bot's updates until told otherwise. An update is confirmed to Telegram, by asking for the
    /// next one, only after the broker has it.
    async fn poll(self: Arc<Self>, bot: BotRow, stop: CancellationToken) {
        let hook = Hook { bot_id: bot.bot_id, campaign: bot.tenant_id };
        let Some((token, _)) = self.secrets(&bot).await else {
            stop.cancel();
            return;
        };
        let mut offset = 0;
        while !stop.is_cancelled() {
            let updates = tokio::select! {
                () = stop.cancelled() => return,
                updates = self.telegram.get_updates(&token, offset) => updates,
            };
            let taken = match updates {
                Ok(updates) => self.take(hook, &updates, &mut offset).await,
                Err(ApiFailure::Unauthorized) => {
                    if let Err(error) = self.hub.revoke(bot.tenant_id).await {
                        tracing::warn!(%error, "a revoked token was not recorded");
                    }
                    stop.cancel();
                    return;
                }
                Err(failure) => Err(failure.to_string()),
            };
            if let Err(error) = taken {
                tracing::warn!(bot = %bot.bot_id, error, "updates were not fetched");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }

    async fn take(
        &self,
        hook: Hook,
        updates: &[Box<serde_json::value::RawValue>],
        offset: &mut i64,
    ) -> Result<(), String> {
        #[derive(serde::Deserialize)]
        struct Numbered {
            update_id: i64,
        }
        for update in updates {
            let raw = update.get().as_bytes();
            self.intake
                .accept(hook, raw, self.hub.now())
                .await
                .map_err(|error| error.to_string())?;
            if let Ok(Numbered { update_id }) = serde_json::from_slice(raw) {
                *offset = update_id + 1;
            }
        }
        Ok(())
    }
}

const fn problem(failure: &ApiFailure) -> BotProblem {
    match failure {
        ApiFailure::Unauthorized => BotProblem::WrongToken,
        ApiFailure::Conflict => BotProblem::UsedElsewhere,
        ApiFailure::Rejected | ApiFailure::Blocked | ApiFailure::ChatNotFound => {
            BotProblem::WebhookRefused
        }
        ApiFailure::RetryAfter(_) | ApiFailure::Unreachable | ApiFailure::AnswerLost => {
            BotProblem::Unreachable
        }
    }
}
