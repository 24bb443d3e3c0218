//! What changes a campaign's bot.

use bot_hub_domain::{Bot, BotCommand, BotProblem, BotRefusal, Mode};
use hmac::digest::Digest;
use meydan_event_log::{Committed, Meta, PLATFORM, Target, UniqueKey};
use meydan_telegram::Identity;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{BotHub, Result, bot_of, hex, place, telegram_bot};
use crate::projections::bots::LeftRow;

/// Which campaign has which Telegram bot.
const BOTS: &str = "telegram.bot";

impl BotHub {
    async fn execute(
        &self,
        campaign: Uuid,
        command: BotCommand,
        meta: &Meta,
        keys: &[UniqueKey],
    ) -> Result<Committed, BotRefusal> {
        let target = Target { tenant: campaign, id: bot_of(campaign) };
        Ok(self.log.execute_with::<Bot>(target, command, meta, keys).await?)
    }

    /// Stores a token, sealed, and begins to connect the bot.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`].
    pub async fn give_token(
        &self,
        campaign: Uuid,
        token: &SecretString,
        meta: &Meta,
    ) -> Result<Committed, BotRefusal> {
        let sealer = self.keyring.sealer(campaign, bot_of(campaign)).await?;
        let plain = token.expose_secret();
        let index = self.keyring.blind_index(PLATFORM, "bot.token", plain.as_bytes()).await?;
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let command = BotCommand::GiveToken {
            token: sealer.seal(&place::token(campaign), &plain.to_owned()),
            fingerprint: hex(&index),
            hook_id: Uuid::new_v4().simple().to_string(),
            secret_sha256: hex(&sha2::Sha256::digest(secret.as_bytes())),
            secret: sealer.seal(&place::secret(campaign), &secret),
            at: self.clock.now(),
        };
        self.execute(campaign, command, meta, &[]).await
    }

    /// Records which Telegram bot a token is, and takes that bot for the campaign. Whoever has not done this
    /// leaves the bot's webhook alone: it may be another campaign's.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`]; [`meydan_event_log::ExecuteError::KeyTaken`] when another campaign has the
    /// bot.
    pub async fn identify(
        &self,
        campaign: Uuid,
        hook_id: &str,
        identity: &Identity,
    ) -> Result<Committed, BotRefusal> {
        let command = BotCommand::Identify {
            hook_id: hook_id.to_owned(),
            bot_id: telegram_bot(campaign, identity.id),
            telegram_id: identity.id,
            username: identity.username.clone(),
            name: identity.name.clone(),
            at: self.clock.now(),
        };
        self.execute(campaign, command, &Self::own(), &[bot_key(identity.id)]).await
    }

    /// Records that citizens can write.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`].
    pub async fn go_live(
        &self,
        campaign: Uuid,
        hook_id: &str,
        mode: Mode,
    ) -> Result<Committed, BotRefusal> {
        let command =
            BotCommand::GoLive { hook_id: hook_id.to_owned(), mode, at: self.clock.now() };
        self.execute(campaign, command, &Self::own(), &[]).await
    }

    /// Records that a bot could not be connected.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`].
    pub async fn fail(
        &self,
        campaign: Uuid,
        hook_id: &str,
        problem: BotProblem,
    ) -> Result<Committed, BotRefusal> {
        let command =
            BotCommand::Fail { hook_id: hook_id.to_owned(), problem, at: self.clock.now() };
        self.execute(campaign, command, &Self::own(), &[]).await
    }

    /// Records how a live bot was found.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`].
    pub async fn note_health(
        &self,
        campaign: Uuid,
        hook_id: &str,
        problem: Option<BotProblem>,
    ) -> Result<Committed, BotRefusal> {
        let command =
            BotCommand::NoteHealth { hook_id: hook_id.to_owned(), problem, at: self.clock.now() };
        self.execute(campaign, command, &Self::own(), &[]).await
    }

    /// Records that Telegram refuses a token that had worked.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`].
    pub async fn revoke(&self, campaign: Uuid, hook_id: &str) -> Result<Committed, BotRefusal> {
        let command = BotCommand::Revoke { hook_id: hook_id.to_owned(), at: self.clock.now() };
        self.execute(campaign, command, &Self::own(), &[]).await
    }

    /// Has the same token tried again.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`].
    pub async fn check_again(&self, campaign: Uuid, meta: &Meta) -> Result<Committed, BotRefusal> {
        let command = BotCommand::CheckAgain { at: self.clock.now() };
        self.execute(campaign, command, meta, &[]).await
    }

    /// Forgets a bot.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`].
    pub async fn disconnect(&self, campaign: Uuid, meta: &Meta) -> Result<Committed, BotRefusal> {
        let command = BotCommand::Disconnect { at: self.clock.now() };
        self.execute(campaign, command, meta, &[]).await
    }

    /// Lets a bot go that was replaced or forgotten, and records that it was left. Only the keeper does this
    /// and [`Self::identify`], for one campaign one after the other.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`].
    pub async fn leave(&self, bot: &LeftRow, free: bool) -> Result<Committed, BotRefusal> {
        if free {
            self.let_go(bot).await.map_err(meydan_event_log::ExecuteError::from)?;
        }
        let (hook_id, freed) = (bot.hook_id.clone(), free.then_some(bot.telegram_id));
        let command = BotCommand::Leave { hook_id, freed, at: self.clock.now() };
        self.execute(bot.tenant_id, command, &Self::own(), &[]).await
    }

    /// Before the fact: after a crash in between, it is done again.
    async fn let_go(&self, bot: &LeftRow) -> sqlx::Result<()> {
        let key = bot.telegram_id.to_be_bytes();
        sqlx::query!(
            r#"
            DELETE FROM es.unique_keys
            WHERE tenant_id = $1 AND scope = $2 AND key = $3 AND aggregate_type = 'bot' AND aggregate_id = $4
            "#,
            PLATFORM,
            BOTS,
            key.as_slice(),
            bot_of(bot.tenant_id),
        )
        .execute(self.log.pool())
        .await?;
        Ok(())
    }
}

/// The key under which a campaign has a Telegram bot.
pub(super) fn bot_key(telegram_id: i64) -> UniqueKey {
    UniqueKey { tenant: PLATFORM, scope: BOTS, key: telegram_id.to_be_bytes().to_vec() }
}
