//! Which unique keys a fact took or let go of: what a restored log is told, when the stream gives facts back.

use identity_domain::{AccountEvent, CampaignEvent};
use meydan_event_log::{KeyChange, PLATFORM, Recorded, UniqueKey};
use meydan_keyring::{KeyError, Keyring};

use super::{EMAILS, addresses::email_place, email_key, profile_place, slug_key};

/// What a fact of identity did to the unique keys. Nothing where the person's own key is gone: nobody can log in to
/// such an account, and its address may begin another one.
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
        "account" => {
            for event in fact.decode::<AccountEvent>()? {
                changes.extend(of_account(keyring, fact, event).await?);
            }
        }
        "campaign" => {
            for event in fact.decode::<CampaignEvent>()? {
                if let CampaignEvent::Created { slug, .. } = event {
                    changes.push(KeyChange::Taken(slug_key(&slug)));
                }
            }
        }
        _ => {}
    }
    Ok(changes)
}

async fn of_account(
    keyring: &Keyring,
    fact: &Recorded,
    event: AccountEvent,
) -> Result<Vec<KeyChange>, KeyError> {
    let account = fact.aggregate_id;
    let released = KeyChange::AllReleased { tenant: PLATFORM, scope: EMAILS };
    let address = match event {
        AccountEvent::Registered { profile, .. } => {
            let profile = keyring.reveal(&profile, PLATFORM, &profile_place(account)).await?;
            profile.map(|profile| profile.email)
        }
        AccountEvent::EmailVerified { email, .. } => {
            keyring.reveal(&email, PLATFORM, &email_place(account)).await?
        }
        AccountEvent::EmailLost { .. } => return Ok(vec![released]),
        _ => return Ok(vec![]),
    };
    let key: Option<UniqueKey> = match address {
        Some(address) => Some(email_key(keyring, &address).await?),
        None => None,
    };
    Ok(std::iter::once(released).chain(key.map(KeyChange::Taken)).collect())
}
