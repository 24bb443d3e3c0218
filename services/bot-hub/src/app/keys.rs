//! Which unique keys a fact took: what a restored log is told, when the stream gives facts back.

use bot_hub_domain::{BotEvent, DialogueEvent};
use meydan_event_log::{KeyChange, Recorded};
use meydan_keyring::Keyring;

use super::{
    bot::bot_key,
    place,
    update::{update_key, user_key},
};

/// What a fact of the hub did to the unique keys. A citizen whose own key is gone is found by nobody, and a stranger
/// when they come back.
///
/// # Errors
///
/// Fails when keys cannot be had, or the fact is none that this program knows.
pub async fn keys_of(
    keyring: &Keyring,
    fact: &Recorded,
) -> Result<Vec<KeyChange>, Box<dyn std::error::Error + Send + Sync>> {
    let mut changes = Vec::new();
    match fact.aggregate_type.as_str() {
        "bot" => {
            for event in fact.decode::<BotEvent>()? {
                match event {
                    BotEvent::Identified { telegram_id, .. } => {
                        changes.push(KeyChange::Taken(bot_key(telegram_id)));
                    }
                    BotEvent::Left { freed: Some(telegram_id), .. } => {
                        changes.push(KeyChange::Released(bot_key(telegram_id)));
                    }
                    _ => {}
                }
            }
        }
        "dialogue" => {
            let campaign = fact.tenant;
            for event in fact.decode::<DialogueEvent>()? {
                let DialogueEvent::CitizenActed { bot_id, update_id, person, .. } = event else {
                    continue;
                };
                changes.push(KeyChange::Taken(update_key(campaign, bot_id, update_id)));
                let place = place::person(campaign, bot_id, update_id);
                if let Some(person) = keyring.reveal(&person, campaign, &place).await? {
                    changes.push(KeyChange::Taken(user_key(keyring, campaign, &person).await?));
                }
            }
        }
        _ => {}
    }
    Ok(changes)
}
