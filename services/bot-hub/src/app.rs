//! Every command and query of the hub: the table of contents.

use bot_hub_domain::{
    Bot, BotCommand, BotProblem, BotRefusal, Dialogue, DialogueCommand, DialogueRefusal, Did, Mode,
    ReplyOutcome,
    telegram::{Chat, Person, Reading, What},
};
use hmac::digest::Digest;
use meydan_event_log::{
    Actor, Clock, Committed, EventLog, ExecuteError, Meta, PLATFORM, Progress, Target, UniqueKey,
};
use meydan_intake::Hook;
use meydan_keyring::{KeyError, Keyring, Place};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::projections::bots::{self, BotRow};

/// The hub.
#[derive(Debug, Clone)]
pub struct BotHub {
    /// Its facts.
    pub log: EventLog,
    /// Keys of citizens and bots.
    pub keyring: Keyring,
    /// Tells the time.
    pub clock: Clock,
    /// How far the tables have come.
    pub tables: Progress,
}

/// Why a command changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum AppError<R: std::error::Error + 'static> {
    /// The log said no, or nothing.
    #[error(transparent)]
    Log(#[from] ExecuteError<R>),
    /// Keys cannot be had, or were destroyed.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// What recording an update did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// It is a fact now.
    Recorded(Committed),
    /// It was one before.
    Repeated,
    /// It is not about a citizen's conversation with the bot.
    Nothing,
}

type Result<T, R> = std::result::Result<T, AppError<R>>;

/// The bot of a campaign. There is one, and its name follows from the campaign's.
#[must_use]
pub fn bot_of(campaign: Uuid) -> Uuid {
    Uuid::new_v5(&campaign, b"bot")
}

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
    /// See [`AppError`].
    pub async fn give_token(
        &self,
        campaign: Uuid,
        token: &SecretString,
        meta: &Meta,
    ) -> Result<Committed, BotRefusal> {
        let bot = bot_of(campaign);
        let sealer = self.keyring.sealer(campaign, bot).await?;
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

    /// Records that Telegram accepted the token. A bot belongs to one campaign.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; [`ExecuteError::KeyTaken`] when another campaign has the bot.
    pub async fn go_live(
        &self,
        campaign: Uuid,
        identity: &crate::telegram::Identity,
        mode: Mode,
    ) -> Result<Committed, BotRefusal> {
        let command = BotCommand::GoLive {
            username: identity.username.clone(),
            name: identity.name.clone(),
            mode,
            at: self.clock.now(),
        };
        let key = UniqueKey {
            tenant: PLATFORM,
            scope: "telegram.bot",
            key: identity.id.to_be_bytes().to_vec(),
        };
        self.execute(campaign, command, &Self::own(), &[key]).await
    }

    /// Records that a bot could not be connected.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn fail(&self, campaign: Uuid, problem: BotProblem) -> Result<Committed, BotRefusal> {
        let command = BotCommand::Fail { problem, at: self.clock.now() };
        self.execute(campaign, command, &Self::own(), &[]).await
    }

    /// Records that Telegram refuses a token that had worked.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn revoke(&self, campaign: Uuid) -> Result<Committed, BotRefusal> {
        let command = BotCommand::Revoke { at: self.clock.now() };
        self.execute(campaign, command, &Self::own(), &[]).await
    }

    /// Has the same token tried again.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn check_again(&self, campaign: Uuid, meta: &Meta) -> Result<Committed, BotRefusal> {
        let command = BotCommand::CheckAgain { at: self.clock.now() };
        self.execute(campaign, command, meta, &[]).await
    }

    /// Forgets a bot.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn disconnect(&self, campaign: Uuid, meta: &Meta) -> Result<Committed, BotRefusal> {
        let command = BotCommand::Disconnect { at: self.clock.now() };
        self.execute(campaign, command, meta, &[]).await
    }

    /// An origin for what the hub does on its own account.
    fn own() -> Meta {
        Meta::new(Uuid::now_v7(), Actor::Service { name: crate::NAME.to_owned() })
    }

    /// Records what an update did, once for ever.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn record(&self, hook: Hook, reading: Reading) -> Result<Recording, DialogueRefusal> {
        let (Some(person), Some(chat)) = (reading.person, reading.chat) else {
            return Ok(Recording::Nothing);
        };
        let (Hook { campaign, bot_id }, update_id) = (hook, reading.update_id);
        let update = UniqueKey {
            tenant: campaign,
            scope: "telegram.update",
            key: [bot_id.as_bytes().as_slice(), &update_id.to_be_bytes()].concat(),
        };
        if self.log.holder(&update).await.map_err(ExecuteError::from)?.is_some() {
            return Ok(Recording::Repeated);
        }
        let user = self.user_key(campaign, &person).await?;
        let known = self.log.holder(&user).await.map_err(ExecuteError::from)?;
        let citizen = known.unwrap_or_else(Uuid::new_v4);
        let Some(command) =
            self.command(hook, citizen, (update_id, &chat, &person), reading.what).await?
        else {
            return Ok(Recording::Nothing);
        };
        let command_id = Uuid::new_v5(&bot_id, &update_id.to_be_bytes());
        let meta = Meta::new(command_id, Actor::Citizen { id: citizen });
        let target = Target { tenant: campaign, id: citizen };
        let committed =
            self.log.execute_with::<Dialogue>(target, command, &meta, &[update, user]).await?;
        if committed.repeated {
            Ok(Recording::Repeated)
        } else {
            Ok(Recording::Recorded(committed))
        }
    }

    /// Which citizen of a campaign a Telegram user is: a keyed hash, so that two campaigns cannot compare.
    async fn user_key(
        &self,
        campaign: Uuid,
        person: &Person,
    ) -> std::result::Result<UniqueKey, KeyError> {
        let user = person.user_id.to_be_bytes();
        let index = self.keyring.blind_index(campaign, "telegram.user", &user).await?;
        Ok(UniqueKey { tenant: campaign, scope: "telegram.user", key: index.to_vec() })
    }

    async fn command(
        &self,
        hook: Hook,
        citizen: Uuid,
        (update_id, chat, person): (i64, &Chat, &Person),
        what: What,
    ) -> std::result::Result<Option<DialogueCommand>, KeyError> {
        let Hook { campaign, bot_id } = hook;
        let sealer = self.keyring.sealer(campaign, citizen).await?;
        let at_update = place::update(campaign, bot_id, update_id);
        let mut at = self.clock.now();
        let did = match what {
            What::Start { payload } => {
                Did::Start { payload: payload.map(|payload| sealer.seal(&at_update, &payload)) }
            }
            What::Message(message) => {
                at = message.sent_at;
                Did::Write { message: sealer.seal(&at_update, &message) }
            }
            What::Edited(message) => {
                at = message.edited_at.unwrap_or(message.sent_at);
                Did::Edit { message: sealer.seal(&at_update, &message) }
            }
            What::Callback { data, .. } => {
                Did::Press { data: data.map(|data| sealer.seal(&at_update, &data)) }
            }
            What::Membership { blocked: true } => Did::Block,
            What::Membership { blocked: false } => Did::Unblock,
            What::Elsewhere | What::Unsupported { .. } | What::Unknown { .. } => return Ok(None),
        };
        Ok(Some(DialogueCommand::Record {
            bot_id,
            update_id,
            chat: sealer.seal(&place::chat(campaign, citizen), &chat.id),
            person: sealer.seal(&place::person(campaign, bot_id, update_id), person),
            did,
            at,
        }))
    }

    /// Records what became of an answer.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn settle(
        &self,
        target: Target,
        (ticket_id, message_id): (Uuid, Uuid),
        outcome: ReplyOutcome,
        meta: &Meta,
    ) -> Result<Committed, DialogueRefusal> {
        let at = self.clock.now();
        let command = DialogueCommand::SettleReply { ticket_id, message_id, outcome, at };
        Ok(self.log.execute::<Dialogue>(target, command, meta).await?)
    }

    /// The bot of a campaign, once the table shows `min_position`.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL does.
    pub async fn bot(&self, campaign: Uuid, min_position: i64) -> sqlx::Result<Option<BotRow>> {
        self.tables.wait_for(min_position, std::time::Duration::from_millis(500)).await;
        bots::of_campaign(self.log.pool(), campaign).await
    }

    /// The token of a bot; `None` when its key was destroyed.
    ///
    /// # Errors
    ///
    /// Fails if the keys cannot be had.
    pub async fn token(&self, bot: &BotRow) -> std::result::Result<Option<SecretString>, KeyError> {
        let at = place::token(bot.tenant_id);
        let Ok(sealed) = bot.token_sealed.parse() else { return Ok(None) };
        let token: Option<String> = self.keyring.reveal(&sealed, bot.tenant_id, &at).await?;
        Ok(token.map(SecretString::from))
    }

    /// The secret of a bot's webhook; `None` when its key was destroyed.
    ///
    /// # Errors
    ///
    /// Fails if the keys cannot be had.
    pub async fn secret(
        &self,
        bot: &BotRow,
    ) -> std::result::Result<Option<SecretString>, KeyError> {
        let at = place::secret(bot.tenant_id);
        let Ok(sealed) = bot.secret_sealed.parse() else { return Ok(None) };
        let secret: Option<String> = self.keyring.reveal(&sealed, bot.tenant_id, &at).await?;
        Ok(secret.map(SecretString::from))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }
}

/// Where a ciphertext belongs: what it is bound to.
pub mod place {
    use super::{Place, Uuid, bot_of};

    /// The token of a campaign's bot.
    #[must_use]
    pub fn token(campaign: Uuid) -> Place {
        Place::new(campaign, "bot", bot_of(campaign), "token")
    }

    /// The secret of its webhook.
    #[must_use]
    pub fn secret(campaign: Uuid) -> Place {
        Place::new(campaign, "bot", bot_of(campaign), "secret")
    }

    /// Where a citizen is reached.
    #[must_use]
    pub fn chat(campaign: Uuid, citizen: Uuid) -> Place {
        Place::new(campaign, "dialogue", citizen, "chat")
    }

    /// What an update holds.
    #[must_use]
    pub fn update(campaign: Uuid, bot: Uuid, update: i64) -> Place {
        Place::new(campaign, "dialogue.update", update_name(bot, update), "content")
    }

    /// Who did it.
    #[must_use]
    pub fn person(campaign: Uuid, bot: Uuid, update: i64) -> Place {
        Place::new(campaign, "dialogue.update", update_name(bot, update), "person")
    }

    fn update_name(bot: Uuid, update: i64) -> Uuid {
        Uuid::new_v5(&bot, &update.to_be_bytes())
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
