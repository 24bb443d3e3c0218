//! Personal data, sealed per person.
//!
//! [`Sealed`] is all that domain crates see: a value that they carry about and cannot open. With the feature
//! `store`, [`Keyring`] opens, seals and, by destroying a person's key, erases.
//!
//! Envelope: a data key for each subject (a citizen, an account, a bot), wrapped by the campaign's key,
//! wrapped by the platform's. All three are AES-256-GCM-SIV (RFC 8452), which survives a repeated nonce; a
//! key service may wrap the campaigns' keys in its own way.

#[cfg(feature = "store")]
mod cipher;
#[cfg(feature = "store")]
mod erasing;
#[cfg(feature = "store")]
mod hashes;
#[cfg(feature = "store")]
mod keyring;
#[cfg(feature = "store")]
mod platform_key;
#[cfg(feature = "store")]
mod rotation;
mod sealed;
#[cfg(feature = "store")]
mod store;
#[cfg(feature = "store")]
mod words;

pub use self::sealed::{NotSealed, Sealed};
#[cfg(feature = "store")]
pub use self::{
    cipher::{Place, Sealer},
    erasing::{Acknowledgement, DestroyedKey, Erasure},
    keyring::{KeyError, Keyring, Openers},
    platform_key::{BadKeyFile, BadTransit, Key, KeyFile, PlatformKey, Transit, WrapError},
    rotation::CampaignKeys,
    words::normalise,
};

/// Migrations of the database of keys.
#[cfg(feature = "store")]
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
