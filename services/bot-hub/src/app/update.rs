//! What Telegram's updates become.

use bot_hub_domain::{
    Dialogue, DialogueCommand, DialogueRefusal, Did,
    telegram::{Chat, Person, Reading, What},
};
use meydan_event_log::{Actor, Committed, ExecuteError, Meta, Target, UniqueKey};
use meydan_intake::Hook;
use meydan_keyring::{KeyError, Keyring};
use uuid::Uuid;

use super::{BotHub, Result, place};

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

impl BotHub {
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
        let update = update_key(campaign, bot_id, update_id);
        if self.log.holder(&update).await.map_err(ExecuteError::from)?.is_some() {
            return Ok(Recording::Repeated);
        }
        let user = user_key(&self.keyring, campaign, &person).await?;
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
}

/// The key under which an update is recorded once.
pub(super) fn update_key(campaign: Uuid, bot: Uuid, update: i64) -> UniqueKey {
    let key = [bot.as_bytes().as_slice(), &update.to_be_bytes()].concat();
    UniqueKey { tenant: campaign, scope: "telegram.update", key }
}

/// Which citizen of a campaign a Telegram user is: a keyed hash, so that two campaigns cannot compare.
pub(super) async fn user_key(
    keyring: &Keyring,
    campaign: Uuid,
    person: &Person,
) -> std::result::Result<UniqueKey, KeyError> {
    let user = person.user_id.to_be_bytes();
    let index = keyring.blind_index(campaign, "telegram.user", &user).await?;
    Ok(UniqueKey { tenant: campaign, scope: "telegram.user", key: index.to_vec() })
}
