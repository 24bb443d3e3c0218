//! An authenticator of passkeys as its holder carries it, around the one in software of webauthn-authenticator-rs.
//!
//! That one keeps no names, so what a browser would add for a passkey that is found without one is added here: which
//! key, and whose it is.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use webauthn_authenticator_rs::{
    WebauthnAuthenticator,
    prelude::{CreationChallengeResponse, RequestChallengeResponse},
    softtoken::SoftToken,
};

/// One passkey, in software.
pub struct Authenticator {
    token: SoftToken,
    key: String,
    holder: String,
}

impl Default for Authenticator {
    fn default() -> Self {
        Self::new()
    }
}

impl Authenticator {
    /// One without a passkey yet.
    ///
    /// # Panics
    ///
    /// When the system has no randomness.
    #[must_use]
    pub fn new() -> Self {
        let (token, _) = SoftToken::new(true).expect("it is made of numbers alone");
        Self { token, key: String::new(), holder: String::new() }
    }

    /// Somebody got hold of its inside: both can sign from now on.
    ///
    /// # Panics
    ///
    /// When it cannot be written down.
    #[must_use]
    pub fn copy(&self) -> Self {
        let inside = self.token.to_cbor().expect("it can be written");
        let token = SoftToken::from_cbor(&inside).expect("it can be read");
        Self { token, key: self.key.clone(), holder: self.holder.clone() }
    }

    /// Whose the passkey is, as it says.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Makes a passkey for a site, as its browser asks; what the browser answers.
    ///
    /// # Panics
    ///
    /// When that is not WebAuthn's JSON.
    pub fn create(&mut self, site: &str, options: &str) -> String {
        let mut options: Value = serde_json::from_str(options).expect("it is JSON");
        options["user"]["id"].as_str().expect("it has a holder").clone_into(&mut self.holder);
        options["authenticatorSelection"]["requireResidentKey"] = json!(false);
        let options: CreationChallengeResponse =
            serde_json::from_value(json!({ "publicKey": options })).expect("it is WebAuthn's");
        let site = site.parse().expect("an address");
        let made = self.token.do_registration(site, options).expect("it can");
        self.key = URL_SAFE_NO_PAD.encode(&made.raw_id);
        serde_json::to_string(&made).expect("plain data")
    }

    /// Signs a challenge, if its passkey is among those that may.
    ///
    /// # Panics
    ///
    /// When it is not, or that is not WebAuthn's JSON.
    pub fn sign(&mut self, site: &str, options: &str) -> String {
        let wanted: Value = serde_json::from_str(options).expect("it is JSON");
        let allowed = wanted["allowCredentials"].as_array().expect("it is a list");
        let found = allowed.is_empty() || allowed.iter().any(|key| key["id"] == self.key);
        assert!(found, "another passkey is wanted");
        self.sign_any(site, options)
    }

    /// Signs a challenge, whichever passkey it is for.
    ///
    /// # Panics
    ///
    /// When that is not WebAuthn's JSON.
    pub fn sign_any(&mut self, site: &str, options: &str) -> String {
        let mut options: Value = serde_json::from_str(options).expect("it is JSON");
        options["allowCredentials"] = json!([{ "type": "public-key", "id": self.key }]);
        let options: RequestChallengeResponse =
            serde_json::from_value(json!({ "publicKey": options })).expect("it is WebAuthn's");
        let site = site.parse().expect("an address");
        let signed = self.token.do_authentication(site, options).expect("it can");
        let mut signed = serde_json::to_value(&signed).expect("plain data");
        signed["response"]["userHandle"] = json!(self.holder);
        signed.to_string()
    }
}
