//! What a citizen is told whose message nobody takes.

use bot_hub_domain::telegram::Reading;
use meydan_intake::Hook;
use meydan_keyring::{KeyError, Sealed};
use uuid::Uuid;

use super::{BotHub, bot_of, place, update::user_key};
use crate::outbound::{self, Own, PlannedOwn};

/// Why a citizen was not told. Trying again is right, unless keys were destroyed.
#[derive(Debug, thiserror::Error)]
pub enum TurnAwayError {
    /// Keys cannot be had, or were destroyed.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// PostgreSQL cannot be used.
    #[error("the ledger cannot be used")]
    Database(#[from] sqlx::Error),
}

impl BotHub {
    /// Tells a citizen that the campaign takes nothing now: once a day, however much they write. Nothing else of
    /// what they did is kept, and of them no more than a keyed hash.
    ///
    /// # Errors
    ///
    /// See [`TurnAwayError`].
    pub async fn turn_away(
        &self,
        hook: Hook,
        reading: &Reading,
        own: Own,
    ) -> Result<(), TurnAwayError> {
        let (Some(person), Some(chat)) = (&reading.person, &reading.chat) else { return Ok(()) };
        let (campaign, now) = (hook.campaign, self.clock.now());
        let user = user_key(&self.keyring, campaign, person).await?.key;
        let day = now.date().to_julian_day().to_be_bytes();
        let words = [user.as_slice(), &day, own.text().as_bytes()].concat();
        let message_id = Uuid::new_v5(&bot_of(campaign), &words);
        let sealer = self.keyring.sealer(campaign, bot_of(campaign)).await?;
        let chat: Sealed<i64> = sealer.seal(&place::told(campaign, message_id), &chat.id);
        let told = PlannedOwn {
            tenant: campaign,
            message_id,
            citizen_id: Uuid::new_v5(&bot_of(campaign), &user),
            chat_sealed: chat.to_string(),
            own,
        };
        Ok(outbound::plan_own(self.log.pool(), &told, now).await?)
    }
}
