//! What wraps the campaigns' keys: a file, or a key service that never lets its key out.

mod file;
mod transit;

use std::fmt::Debug;

use futures::future::BoxFuture;
use zeroize::Zeroizing;

pub use self::{
    file::{BadKeyFile, KeyFile},
    transit::{BadTransit, Transit},
};

/// A key of 256 bits.
pub type Key = Zeroizing<[u8; 32]>;

/// Why the platform's key does not wrap or unwrap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// The key service does not answer, is sealed, or turns us away. It may pass.
    #[error("the platform's key is unavailable: {0}")]
    Unavailable(String),
    /// What was wrapped was changed, moved, or wrapped by a key that is gone.
    #[error("a wrapped key was changed or moved, or the platform's key is another")]
    Tampered,
}

/// Wraps the campaigns' keys. Has versions: the newest wraps, all that are kept unwrap.
pub trait PlatformKey: Debug + Send + Sync {
    /// Wraps `key`, bound to `place`.
    ///
    /// # Errors
    ///
    /// [`WrapError::Unavailable`]
    fn wrap<'a>(
        &'a self,
        key: &'a Key,
        place: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, WrapError>>;

    /// Unwraps what was wrapped for `place`.
    ///
    /// # Errors
    ///
    /// See [`WrapError`].
    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        place: &'a [u8],
    ) -> BoxFuture<'a, Result<Key, WrapError>>;
}
