//! A value that only the holder of its subject's key can read.
//!
//! In JSON, in a column and in a message it is one string: `s1.`, the id of the key, a dot, and nonce and
//! ciphertext in base64url.

use std::{fmt, marker::PhantomData, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A `T`, encrypted under the key of the person whom it is about.
pub struct Sealed<T> {
    key_id: Uuid,
    /// Nonce, then ciphertext with its tag.
    bytes: Vec<u8>,
    is: PhantomData<fn() -> T>,
}

/// A text that is no sealed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sealed value")]
pub struct NotSealed;

impl<T> Sealed<T> {
    #[cfg(feature = "store")]
    pub(crate) const fn from_parts(key_id: Uuid, bytes: Vec<u8>) -> Self {
        Self { key_id, bytes, is: PhantomData }
    }

    #[cfg(feature = "store")]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Which key opens it.
    #[must_use]
    pub const fn key_id(&self) -> Uuid {
        self.key_id
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self { key_id: self.key_id, bytes: self.bytes.clone(), is: PhantomData }
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key_id == other.key_id && self.bytes == other.bytes
    }
}

impl<T> Eq for Sealed<T> {}

/// Names the key, and nothing of the value.
impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({})", self.key_id)
    }
}

/// The stored form.
impl<T> fmt::Display for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s1.{}.{}", self.key_id.simple(), URL_SAFE_NO_PAD.encode(&self.bytes))
    }
}

impl<T> FromStr for Sealed<T> {
    type Err = NotSealed;

    fn from_str(text: &str) -> Result<Self, NotSealed> {
        let (key_id, bytes) =
            text.strip_prefix("s1.").and_then(|rest| rest.split_once('.')).ok_or(NotSealed)?;
        let key_id = Uuid::try_parse(key_id).map_err(|_| NotSealed)?;
        let bytes = URL_SAFE_NO_PAD.decode(bytes).map_err(|_| NotSealed)?;
        Ok(Self { key_id, bytes, is: PhantomData })
    }
}

impl<T> Serialize for Sealed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T> Deserialize<'de> for Sealed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
