//! Who calls: a short-lived assertion, signed with Ed25519, that every call between services carries.
//!
//! Form: `base64url(JSON) "." base64url(signature)`, in the metadata `caller`. It names its audience, so an
//! assertion for one service opens no other, and lasts 60 seconds. Each service has a key of its own, which vouches for
//! nobody but itself: whoever gets hold of one service's cannot speak for the others, nor for people. For people and
//! their programs the gateway alone vouches, which asked them who they are.

use std::{collections::BTreeMap, fmt, path::Path, str::FromStr, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use meydan_event_log::Actor;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::key::{self, BadKey};

/// How long an assertion lasts, in seconds.
const LIFETIME: i64 = 60;
/// How far the clocks of two machines may be apart, in seconds.
const SKEW: i64 = 30;
/// Who vouches for people and their programs.
const GATEWAY: &str = "gateway";
/// Whoever has a key: the services, the demo, and the program's own commands.
const ISSUERS: [&str; 7] = ["audit", "bot-hub", "crm", "demo", GATEWAY, "identity", "meydan"];

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Who {
    /// A person with a login.
    Account {
        /// The account.
        id: Uuid,
        /// Their session.
        session: Uuid,
        /// Platform staff.
        admin: bool,
    },
    /// An admin who looks at a campaign as one of its members, and changes nothing.
    Impersonator {
        /// The admin's account.
        id: Uuid,
        /// The admin's session.
        session: Uuid,
        /// The member's account.
        subject: Uuid,
    },
    /// A program of a campaign's own, which reads.
    ApiKey {
        /// The key.
        id: Uuid,
    },
    /// One of our services, on its own account.
    Service {
        /// Its name.
        name: String,
    },
}

/// Who calls, within which campaign, and what they may do there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Who calls.
    pub who: Who,
    /// The campaign in which they act.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub campaign: Option<Uuid>,
    /// What they may do there, as `context:action`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub permissions: Vec<String>,
    /// The network address of a person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// Until when a person's last proof of who they are is good for what is dangerous, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fresh_until: Option<i64>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("who", &self.who)
            .field("campaign", &self.campaign)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// Who acts, as facts name them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.who {
            Who::Account { id, session, .. } | Who::Impersonator { id, session, .. } => {
                Actor::Account { id: *id, session: Some(*session) }
            }
            Who::ApiKey { id } => Actor::Service { name: format!("api-key {id}") },
            Who::Service { name } => Actor::Service { name: name.clone() },
        }
    }

    /// In whose place they act, when they do.
    #[must_use]
    pub const fn on_behalf_of(&self) -> Option<Uuid> {
        match self.who {
            Who::Impersonator { subject, .. } => Some(subject),
            Who::Account { .. } | Who::ApiKey { .. } | Who::Service { .. } => None,
        }
    }

    /// Whose key vouches for this caller.
    fn vouched_by(&self) -> &str {
        match &self.who {
            Who::Account { .. } | Who::Impersonator { .. } | Who::ApiKey { .. } => GATEWAY,
            Who::Service { name } => name,
        }
    }

    /// A service that acts on its own account.
    #[must_use]
    pub fn service(name: &str, campaign: Option<Uuid>) -> Self {
        Self {
            who: Who::Service { name: name.to_owned() },
            campaign,
            permissions: vec![],
            address: None,
            fresh_until: None,
        }
    }

    /// Whether the caller is platform staff.
    #[must_use]
    pub const fn is_admin(&self) -> bool {
        matches!(self.who, Who::Account { admin: true, .. })
    }

    /// Whether nothing more has to be proved for what is dangerous: a person has proved who they are a moment ago.
    /// Programs and services have nothing to prove it with but their keys.
    #[must_use]
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        let person = matches!(self.who, Who::Account { .. });
        !person || self.fresh_until.is_some_and(|until| now.unix_timestamp() - SKEW <= until)
    }

    /// Whether the caller may do `permission` in its campaign.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|granted| granted == permission)
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    caller: Caller,
}

/// Why an assertion is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is not an assertion at all.
    #[error("the caller assertion is malformed")]
    Malformed,
    /// The signature is not that of whom it names.
    #[error("the caller assertion is forged")]
    Forged,
    /// Whoever signed it may not speak for this caller.
    #[error("the caller assertion speaks for somebody else")]
    NotTheirs,
    /// It is for another service.
    #[error("the caller assertion is for another service")]
    WrongAudience,
    /// It is older than a minute, or from the future.
    #[error("the caller assertion has expired")]
    Expired,
}

/// Signs and checks assertions. All keys follow from the one in the file; a service is given its own and the public ones.
#[derive(Clone)]
pub struct Assertions {
    signs: Arc<BTreeMap<&'static str, SigningKey>>,
    believes: Arc<BTreeMap<&'static str, VerifyingKey>>,
}

impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Assertions({:?})", self.signs.keys())
    }
}

impl Assertions {
    /// Keys of their own, for tests.
    #[must_use]
    pub fn generate() -> Self {
        Self::of_root(&key::generate())
    }

    /// Reads the key that all others follow from, making it the first time.
    ///
    /// # Errors
    ///
    /// [`BadKey`] when the file cannot be read, written or understood.
    pub fn from_file(path: &Path) -> Result<Self, BadKey> {
        Ok(Self::of_root(&key::signing_key(path)?))
    }

    fn of_root(root: &SigningKey) -> Self {
        let signs: BTreeMap<_, _> = ISSUERS.map(|issuer| (issuer, derived(root, issuer))).into();
        let believes = signs.iter().map(|(issuer, key)| (*issuer, key.verifying_key())).collect();
        Self { signs: signs.into(), believes: Arc::new(believes) }
    }

    /// What a service is given: its own key, and whatever is needed to check the others'.
    #[must_use]
    pub fn of(&self, service: &str) -> Self {
        let own = self.signs.iter().filter(|(issuer, _)| **issuer == service);
        let signs = own.map(|(issuer, key)| (*issuer, key.clone())).collect();
        Self { signs: Arc::new(signs), believes: self.believes.clone() }
    }

    /// Asserts that `caller` calls service `audience`, with the key of whoever vouches for them. Without it, with the one
    /// that there is, and nobody believes that.
    ///
    /// # Panics
    ///
    /// When there is no key at all: somebody calls who is no service.
    #[must_use]
    pub fn sign(&self, audience: &str, caller: &Caller, now: OffsetDateTime) -> String {
        let iat = now.unix_timestamp();
        let vouches = self.signs.get_key_value(caller.vouched_by());
        let (issuer, key) = vouches
            .or_else(|| self.signs.first_key_value())
            .expect("whoever calls is among the issuers");
        let claims = Claims {
            iss: (*issuer).to_owned(),
            aud: audience.to_owned(),
            iat,
            exp: iat + LIFETIME,
            caller: caller.clone(),
        };
        let json = serde_json::to_vec(&claims).expect("claims are plain data");
        let signature = key.sign(&json);
        format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(&json),
            URL_SAFE_NO_PAD.encode(signature.to_bytes())
        )
    }

    /// Who calls, if the assertion is of one who may speak for them, for `audience`, and fresh.
    ///
    /// # Errors
    ///
    /// See [`Rejected`].
    pub fn verify(
        &self,
        assertion: &str,
        audience: &str,
        now: OffsetDateTime,
    ) -> Result<Caller, Rejected> {
        let (claims, signature) = assertion.split_once('.').ok_or(Rejected::Malformed)?;
        let json = URL_SAFE_NO_PAD.decode(claims).map_err(|_| Rejected::Malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Rejected::Malformed)?;
        let signature = Signature::from_slice(&signature).map_err(|_| Rejected::Malformed)?;
        let claims: Claims = serde_json::from_slice(&json).map_err(|_| Rejected::Malformed)?;
        let key = self.believes.get(&*claims.iss).ok_or(Rejected::Forged)?;
        key.verify_strict(&json, &signature).map_err(|_| Rejected::Forged)?;
        if claims.iss != claims.caller.vouched_by() {
            return Err(Rejected::NotTheirs);
        }
        if claims.aud != audience {
            return Err(Rejected::WrongAudience);
        }
        let now = now.unix_timestamp();
        if now > claims.exp || claims.iat > now + SKEW {
            return Err(Rejected::Expired);
        }
        Ok(claims.caller)
    }
}

/// The key of one issuer: the first block of HKDF-Expand (RFC 5869) of the root's secret.
fn derived(root: &SigningKey, issuer: &str) -> SigningKey {
    let mac =
        Hmac::<Sha256>::new_from_slice(root.as_bytes()).expect("HMAC takes keys of any length");
    let info = [b"meydan assertions 1\0", issuer.as_bytes(), &[1]].concat();
    let seed: [u8; 32] = mac.chain_update(info).finalize().into_bytes().into();
    SigningKey::from_bytes(&seed)
}

/// Reads an id of the wire.
pub(crate) fn id(text: &str) -> Option<Uuid> {
    Uuid::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use ed25519_dalek::Signer;
    use time::{Duration, macros::datetime};
    use uuid::Uuid;

    use super::{Assertions, Caller, Claims, Rejected, Who};

    const NOON: time::OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    #[test]
    fn an_assertion_names_its_caller_to_its_audience() {
        let keys = Assertions::generate();
        let caller = Caller::service("bot-hub", Some(Uuid::from_u128(7)));

        let assertion = keys.sign("crm", &caller, NOON);

        assert_eq!(keys.verify(&assertion, "crm", NOON), Ok(caller));
    }

    #[test]
    fn another_service_an_old_one_and_a_forged_one_are_refused() {
        let keys = Assertions::generate();
        let caller = Caller::service("bot-hub", None);
        let assertion = keys.sign("crm", &caller, NOON);

        assert_eq!(keys.verify(&assertion, "identity", NOON), Err(Rejected::WrongAudience));
        let later = NOON + Duration::seconds(61);
        assert_eq!(keys.verify(&assertion, "crm", later), Err(Rejected::Expired));
        let early = NOON - Duration::seconds(31);
        assert_eq!(keys.verify(&assertion, "crm", early), Err(Rejected::Expired));
        let others = Assertions::generate();
        assert_eq!(others.verify(&assertion, "crm", NOON), Err(Rejected::Forged));
        assert_eq!(keys.verify("nonsense", "crm", NOON), Err(Rejected::Malformed));
    }

    #[test]
    fn a_changed_assertion_is_refused() {
        let keys = Assertions::generate();
        let assertion = keys.sign("crm", &Caller::service("bot-hub", None), NOON);
        let other = keys.sign("crm", &Caller::service("gateway", None), NOON);
        let (claims, _) = other.split_once('.').expect("two parts");
        let (_, signature) = assertion.split_once('.').expect("two parts");

        let spliced = format!("{claims}.{signature}");

        assert_eq!(keys.verify(&spliced, "crm", NOON), Err(Rejected::Forged));
    }

    #[test]
    fn the_key_of_a_service_speaks_for_that_service_and_neither_for_another_nor_for_people() {
        let keys = Assertions::generate();
        let hub = keys.of("bot-hub");
        let id = Uuid::from_u128(1);
        let own = Caller::service("bot-hub", None);
        assert_eq!(keys.of("crm").verify(&hub.sign("crm", &own, NOON), "crm", NOON), Ok(own));

        for who in [
            Who::Account { id, session: id, admin: true },
            Who::Impersonator { id, session: id, subject: id },
            Who::ApiKey { id },
            Who::Service { name: "gateway".to_owned() },
            Who::Service { name: "meydan".to_owned() },
        ] {
            let caller = Caller { who, ..Caller::service("", None) };
            let spoken = hub.sign("identity", &caller, NOON);
            assert_eq!(keys.verify(&spoken, "identity", NOON), Err(Rejected::NotTheirs));
            // The same in the name of whoever might say it.
            let claims = Claims {
                iss: caller.vouched_by().to_owned(),
                aud: "identity".to_owned(),
                iat: NOON.unix_timestamp(),
                exp: NOON.unix_timestamp() + 60,
                caller,
            };
            let json = serde_json::to_vec(&claims).expect("claims are plain data");
            let signature = hub.signs["bot-hub"].sign(&json).to_bytes();
            let [claims, signature] =
                [&json, &signature[..]].map(|part| URL_SAFE_NO_PAD.encode(part));
            let forged = format!("{claims}.{signature}");
            assert_eq!(keys.verify(&forged, "identity", NOON), Err(Rejected::Forged));
        }
        assert!(hub.of("gateway").signs.is_empty(), "what was not given cannot be had");
    }
}
