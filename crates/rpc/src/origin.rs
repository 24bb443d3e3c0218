//! The network address of a person, for the record: sealed under their own key before it is kept anywhere, and
//! unreadable once they are erased.

use meydan_event_log::{Origin, PLATFORM};
use meydan_keyring::{KeyError, Keyring, Place, Sealed};
use uuid::Uuid;

use crate::caller::{Caller, Who};

/// Where the address of an account's act belongs.
#[must_use]
pub const fn address_place(account: Uuid) -> Place {
    Place::new(PLATFORM, "account", account, "address")
}

/// From where an account acts; `None` when it was erased, or nobody knows from where.
///
/// # Errors
///
/// [`KeyError`], but for a key that was destroyed.
pub async fn origin(
    keyring: &Keyring,
    account: Uuid,
    address: &str,
) -> Result<Option<Origin>, KeyError> {
    if address.is_empty() {
        return Ok(None);
    }
    let sealer = match keyring.sealer(PLATFORM, account).await {
        Err(KeyError::Destroyed) => return Ok(None),
        other => other?,
    };
    let sealed: Sealed<String> = sealer.seal(&address_place(account), address);
    Ok(Some(Origin { account, sealed: sealed.to_string() }))
}

/// From where the person acts who calls, if a person does.
pub(crate) async fn of_caller(
    keyring: &Keyring,
    caller: &Caller,
) -> Result<Option<Origin>, KeyError> {
    let (Who::Account { id, .. } | Who::Impersonator { id, .. }) = caller.who else {
        return Ok(None);
    };
    origin(keyring, id, caller.address.as_deref().unwrap_or_default()).await
}
