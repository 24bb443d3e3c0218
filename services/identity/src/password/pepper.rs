//! The pepper: what passwords are hashed with beside themselves (RFC 9106, 3.1, the secret value K). No table holds it,
//! so that whoever has the table alone judges no guess.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretBox};

/// A secret that follows from the platform's key.
#[derive(Debug, Clone)]
pub struct Pepper(Arc<SecretBox<[u8; 16]>>);

impl Pepper {
    /// This one.
    #[must_use]
    pub fn new(secret: [u8; 16]) -> Self {
        Self(Arc::new(SecretBox::new(Box::new(secret))))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }
}
