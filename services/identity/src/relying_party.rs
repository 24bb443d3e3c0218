//! The relying party of WebAuthn level 2: what passkeys sign, and whether what they signed is right.
//!
//! The library judges; what it needs to remember between question and answer is text here, and lies in PostgreSQL.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use webauthn_rs::{
    Webauthn, WebauthnBuilder,
    prelude::{
        DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
        RegisterPublicKeyCredential, WebauthnError,
    },
};

/// What an authenticator calls the panel.
const NAME: &str = "Meydan";
/// Characters of an answer that is looked into; a real one has less than a tenth.
const LARGEST: usize = 16 * 1024;

/// The panel, as passkeys know it: they are bound to its host, and answer to its origin alone.
#[derive(Debug, Clone)]
pub struct RelyingParty(Webauthn);

/// A question, and what its answer is judged by.
#[derive(Debug)]
pub struct Question {
    /// What the browser is asked: the JSON of WebAuthn.
    pub options: String,
    /// What is kept until the answer comes.
    pub state: String,
}

/// A passkey that signed a challenge.
#[derive(Debug)]
pub enum Judgement {
    /// It is right; with what is to be kept of it from now on.
    Right(String),
    /// It is right, but has signed less often than it had before: there may be a copy.
    Copied,
    /// It is not.
    Wrong,
}

/// A signed challenge, as a browser shows it.
#[derive(Debug)]
pub struct Answer(PublicKeyCredential);

impl Answer {
    /// Reads one; `None` for what is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        short(text).and_then(|text| serde_json::from_str(text).ok()).map(Self)
    }

    /// The id under which the authenticator knows its key.
    #[must_use]
    pub fn credential(&self) -> &[u8] {
        self.0.get_credential_id()
    }

    /// Whose the passkey says it is.
    #[must_use]
    pub fn holder(&self) -> Option<Uuid> {
        self.0.get_user_unique_id().and_then(|id| Uuid::from_slice(id).ok())
    }
}

impl RelyingParty {
    /// The panel at an origin; `None` where there can be no passkeys, because the host is a number.
    #[must_use]
    pub fn at(origin: &Url) -> Option<Self> {
        let host = origin.domain()?;
        let party = WebauthnBuilder::new(host, origin).ok()?.rp_name(NAME).build().ok()?;
        Some(Self(party))
    }

    /// Asks for a new passkey, which none of `present` may be. The authenticator keeps it with the account's name, so
    /// that it can be found without one, and makes sure that its holder uses it.
    ///
    /// # Errors
    ///
    /// Without a name.
    pub fn invite(
        &self,
        account: Uuid,
        (email, name): (&str, &str),
        present: &[String],
    ) -> Result<Question, WebauthnError> {
        let present = keys(present).iter().map(|key| key.cred_id().clone()).collect();
        let (options, state) =
            self.0.start_passkey_registration(account, email, name, Some(present))?;
        let mut options = public_key(&options);
        options["authenticatorSelection"]["residentKey"] = json!("required");
        options["authenticatorSelection"]["requireResidentKey"] = json!(true);
        Ok(Question { options: options.to_string(), state: stored(&state) })
    }

    /// Judges a new passkey: what is to be kept of it, and its id. `None` when it is not right.
    #[must_use]
    pub fn welcome(&self, state: &str, shown: &str) -> Option<(String, Vec<u8>)> {
        let state = serde_json::from_str::<PasskeyRegistration>(state).ok()?;
        let shown = serde_json::from_str::<RegisterPublicKeyCredential>(short(shown)?).ok()?;
        let key = self.0.finish_passkey_registration(&shown, &state).ok()?;
        Some((stored(&key), key.cred_id().clone()))
    }

    /// Asks for a signature of one of `allowed`, or of any passkey that knows whose it is.
    ///
    /// # Errors
    ///
    /// See [`WebauthnError`].
    pub fn ask(&self, allowed: &[String]) -> Result<Question, WebauthnError> {
        let (options, state) = self.0.start_discoverable_authentication()?;
        let mut options = public_key(&options);
        let allowed = keys(allowed);
        let ids = allowed.iter().map(|key| URL_SAFE_NO_PAD.encode(key.cred_id()));
        let ids = ids.map(|id| json!({ "type": "public-key", "id": id }));
        options["allowCredentials"] = ids.collect();
        Ok(Question { options: options.to_string(), state: stored(&state) })
    }

    /// Judges a signature by what was kept of its passkey: challenge, origin, host, that its holder was there and was
    /// verified, the signature itself, and its count.
    #[must_use]
    pub fn judge(&self, state: &str, answer: &Answer, kept: &str) -> Judgement {
        let state = serde_json::from_str::<DiscoverableAuthentication>(state);
        let (Ok(state), Ok(mut key)) = (state, serde_json::from_str::<Passkey>(kept)) else {
            return Judgement::Wrong;
        };
        match self.0.finish_discoverable_authentication_v2(&answer.0, state, &key) {
            Ok(right) => {
                key.update_credential(&right);
                Judgement::Right(stored(&key))
            }
            // It is looked for after everything else was found right.
            Err(WebauthnError::CredentialPossibleCompromise) => Judgement::Copied,
            Err(_) => Judgement::Wrong,
        }
    }
}

fn short(text: &str) -> Option<&str> {
    Some(text).filter(|text| text.len() <= LARGEST)
}

fn keys(kept: &[String]) -> Vec<Passkey> {
    kept.iter().filter_map(|key| serde_json::from_str(key).ok()).collect()
}

fn stored<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("the library's types are plain data")
}

/// The options as browsers take them from JSON, without what surrounds them for scripts.
fn public_key<T: serde::Serialize>(options: &T) -> Value {
    let mut whole = serde_json::to_value(options).expect("the library's types are plain data");
    whole["publicKey"].take()
}
