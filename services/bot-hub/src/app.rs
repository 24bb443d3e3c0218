//! Every command and query of the hub: the table of contents.

mod bot;
mod keys;
mod turning_away;
mod update;

use std::time::Duration;

use bot_hub_domain::{Dialogue, DialogueCommand, DialogueRefusal, ReplyOutcome};
use meydan_event_log::{Actor, Clock, Committed, EventLog, ExecuteError, Meta, Progress, Target};
use meydan_keyring::{KeyError, Keyring, Place};
use secrecy::SecretString;
use time::OffsetDateTime;
use uuid::Uuid;

pub use self::{keys::keys_of, turning_away::TurnAwayError, update::Recording};
use crate::projections::bots::{self, BotRow, LeftRow};

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

/// Why a query was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// PostgreSQL cannot be used.
    #[error("the read model cannot be read")]
    Database(#[from] sqlx::Error),
    /// The read model has not come so far yet.
    #[error("the read model is behind")]
    Behind,
}

/// How long a query waits for a position.
const PATIENCE: Duration = Duration::from_millis(500);

type Result<T, R> = std::result::Result<T, AppError<R>>;

/// The aggregate in which a campaign keeps its bot. There is one, and its name follows from the campaign's.
#[must_use]
pub fn bot_of(campaign: Uuid) -> Uuid {
    Uuid::new_v5(&campaign, b"bot")
}

/// Name of one Telegram bot in a campaign. Each numbers its updates and messages for itself, so a campaign
/// that changes its bot must not take the new numbers for the old ones.
#[must_use]
pub fn telegram_bot(campaign: Uuid, telegram_id: i64) -> Uuid {
    Uuid::new_v5(&bot_of(campaign), &telegram_id.to_be_bytes())
}

impl BotHub {
    /// An origin for what the hub does on its own account.
    fn own() -> Meta {
        Meta::new(Uuid::now_v7(), Actor::Service { name: crate::NAME.to_owned() })
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
    /// See [`QueryError`].
    pub async fn bot(
        &self,
        campaign: Uuid,
        min_position: i64,
    ) -> std::result::Result<Option<BotRow>, QueryError> {
        if !self.tables.wait_for(min_position, PATIENCE).await {
            return Err(QueryError::Behind);
        }
        Ok(bots::of_campaign(self.log.pool(), campaign).await?)
    }

    /// The token of a bot; `None` when its key was destroyed.
    ///
    /// # Errors
    ///
    /// Fails if the keys cannot be had.
    pub async fn token(&self, bot: &BotRow) -> std::result::Result<Option<SecretString>, KeyError> {
        self.open_token(bot.tenant_id, &bot.token_sealed).await
    }

    /// The token of a bot that has to be left; `None` when its key was destroyed.
    ///
    /// # Errors
    ///
    /// Fails if the keys cannot be had.
    pub async fn left_token(
        &self,
        bot: &LeftRow,
    ) -> std::result::Result<Option<SecretString>, KeyError> {
        self.open_token(bot.tenant_id, &bot.token_sealed).await
    }

    async fn open_token(
        &self,
        campaign: Uuid,
        sealed: &str,
    ) -> std::result::Result<Option<SecretString>, KeyError> {
        let Ok(sealed) = sealed.parse() else { return Ok(None) };
        let token: Option<String> =
            self.keyring.reveal(&sealed, campaign, &place::token(campaign)).await?;
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

    /// Where a citizen is reached whom the hub tells something of its own.
    #[must_use]
    pub const fn told(campaign: Uuid, message: Uuid) -> Place {
        Place::new(campaign, "told", message, "chat")
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
