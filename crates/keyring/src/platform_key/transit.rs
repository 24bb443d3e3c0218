//! The platform's key in a key service over HTTP, in the shape of `HashiCorp` Vault's transit engine: the key
//! never leaves the service, which wraps and unwraps for whoever shows a token.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs/secret/transit>. The service keeps the versions;
//! what is wrapped says which one (`vault:v2:…`).

use std::{fmt, fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;
use zeroize::Zeroizing;

use super::{Key, PlatformKey, WrapError};

/// Longest wait for the service.
const PATIENCE: Duration = Duration::from_secs(5);

/// The platform's key, in a key service.
pub struct Transit {
    client: reqwest::Client,
    /// Where the transit engine is, up to the operation.
    base: Url,
    key: String,
    token: SecretString,
}

impl fmt::Debug for Transit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transit({})", self.key)
    }
}

/// A key service that cannot be used as it is set.
#[derive(Debug, thiserror::Error)]
#[error("the key service cannot be used: {0}")]
pub struct BadTransit(String);

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: SecretString,
}

impl Transit {
    /// Uses key `key` of the transit engine at `address` (for instance `https://vault.example:8200`), with the
    /// token in the file `token_file`.
    ///
    /// # Errors
    ///
    /// [`BadTransit`] when the token cannot be read or others can read it, or the address leads nowhere.
    pub fn open(address: &Url, key: &str, token_file: &Path) -> Result<Self, BadTransit> {
        let file = token_file.display();
        let unreadable = |error| BadTransit(format!("its token {file} cannot be read: {error}"));
        let mode = fs::metadata(token_file).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(BadTransit(format!("others can read its token {file}; chmod it to 600")));
        }
        let token = Zeroizing::new(fs::read_to_string(token_file).map_err(unreadable)?);
        // The token goes nowhere but to the address that was set.
        let stay = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().timeout(PATIENCE).redirect(stay).build();
        let base = address.join("v1/transit/").map_err(|error| BadTransit(error.to_string()))?;
        Ok(Self {
            client: client.map_err(|error| BadTransit(error.to_string()))?,
            base,
            key: key.to_owned(),
            token: SecretString::from(token.trim()),
        })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        operation: &str,
        body: serde_json::Value,
    ) -> Result<T, WrapError> {
        let unavailable = |error: &dyn fmt::Display| WrapError::Unavailable(error.to_string());
        let path = format!("{operation}/{}", self.key);
        let url = self.base.join(&path).map_err(|error| unavailable(&error))?;
        let asked = self.client.post(url).header("X-Vault-Token", self.token.expose_secret());
        // Without the address, which may be told to whoever reads the log.
        let answer =
            asked.json(&body).send().await.map_err(|error| unavailable(&error.without_url()))?;
        match answer.status() {
            status if status.is_success() => {
                let answer: Answer<T> =
                    answer.json().await.map_err(|error| unavailable(&error.without_url()))?;
                Ok(answer.data)
            }
            // What the engine says to a ciphertext that is none of its own, or for another place.
            StatusCode::BAD_REQUEST => Err(WrapError::Tampered),
            StatusCode::FORBIDDEN => Err(unavailable(&"the key service refuses the token")),
            StatusCode::SERVICE_UNAVAILABLE => Err(unavailable(&"the key service is sealed")),
            status => Err(unavailable(&format!("the key service answers {status}"))),
        }
    }
}

impl PlatformKey for Transit {
    fn wrap<'a>(
        &'a self,
        key: &'a Key,
        place: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, WrapError>> {
        Box::pin(async move {
            let body = serde_json::json!({
                "plaintext": STANDARD.encode(key.as_ref()),
                "associated_data": STANDARD.encode(place),
            });
            match self.ask::<Encrypted>("encrypt", body).await {
                Ok(answer) => Ok(answer.ciphertext.into_bytes()),
                Err(WrapError::Tampered) => {
                    let problem =
                        format!("the key service does not wrap with the key {}", self.key);
                    Err(WrapError::Unavailable(problem))
                }
                Err(error) => Err(error),
            }
        })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        place: &'a [u8],
    ) -> BoxFuture<'a, Result<Key, WrapError>> {
        Box::pin(async move {
            let ciphertext = std::str::from_utf8(wrapped).map_err(|_| WrapError::Tampered)?;
            let body = serde_json::json!({
                "ciphertext": ciphertext,
                "associated_data": STANDARD.encode(place),
            });
            let answer: Decrypted = self.ask("decrypt", body).await?;
            let plain = STANDARD.decode(answer.plaintext.expose_secret()).map(Zeroizing::new);
            let plain = plain.map_err(|_| WrapError::Tampered)?;
            let key = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| WrapError::Tampered)?;
            Ok(Zeroizing::new(key))
        })
    }
}
