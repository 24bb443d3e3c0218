//! An entry: who did what to what, when, and within which request. It is made from a fact's envelope and from words of
//! its payload that are nobody's; what is sealed, and what anybody wrote, stays out.

use meydan_event_log::{Actor, Recorded};
use meydan_keyring::Sealed;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, value::RawValue};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, UtcOffset, serde::rfc3339};
use uuid::Uuid;

use crate::merkle::{Hash, leaf_hash};

/// Fields of payloads that say more than the event's name, and of whose values none is personal. Ids of citizens are
/// not among them, nor is the account of a member: before somebody joins, nothing may tell the team who they are.
const TOLD: [&str; 19] = [
    "admin",
    "bot_id",
    "denied",
    "did",
    "failure",
    "from",
    "granted",
    "kind",
    "message_id",
    "mode",
    "page",
    "permissions",
    "problem",
    "role",
    "session_id",
    "slug",
    "status",
    "ticket_id",
    "to",
];
/// Those that are lists of words.
const LISTS: [&str; 3] = ["denied", "granted", "permissions"];
/// Longest word that is told, in bytes: an id.
const LONGEST: usize = 40;

/// A row of `entries`; the table says what each column is. Fields stand in the order of the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration says what each column is")]
pub struct Entry {
    pub arrival: i64,
    pub tree_id: Uuid,
    pub leaf: i64,
    pub log: String,
    pub part: i16,
    pub position: i64,
    pub event_id: Uuid,
    #[serde(with = "rfc3339")]
    pub at: OffsetDateTime,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub actor_name: Option<String>,
    pub session_id: Option<Uuid>,
    pub on_behalf_of: Option<Uuid>,
    pub action: String,
    pub version: i16,
    pub target_type: String,
    pub target_id: Uuid,
    pub sequence: i64,
    pub command_id: Uuid,
    pub correlation_id: Uuid,
    pub causation_id: Option<Uuid>,
    pub address_sealed: Option<String>,
    pub details: String,
    #[serde(serialize_with = "bytea")]
    pub payload_sha256: Vec<u8>,
    #[serde(serialize_with = "bytea")]
    pub leaf_sha256: Vec<u8>,
}

/// Bytes as PostgreSQL reads them.
fn bytea<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("\\x{}", hex(bytes)))
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Among all entries, from 1.
    pub arrival: i64,
    /// In its tree, from 0.
    pub leaf: i64,
}

impl Entry {
    /// The entry of a fact of `log`, at its place.
    #[must_use]
    pub fn of(log: &str, event: &Recorded, place: Place) -> Self {
        let meta = &event.meta;
        let (actor_kind, actor_id, actor_name, session_id) = match &meta.actor {
            Actor::Account { id, session } => ("account", Some(*id), None, *session),
            Actor::Citizen { id } => ("citizen", Some(*id), None, None),
            Actor::Service { name } => ("service", None, Some(name.clone()), None),
        };
        let sealed = |address: &&String| address.parse::<Sealed<Value>>().is_ok();
        let mut entry = Self {
            arrival: place.arrival,
            tree_id: event.tenant,
            leaf: place.leaf,
            log: log.to_owned(),
            part: event.part,
            position: event.position,
            event_id: event.event_id,
            at: event.recorded_at.to_offset(UtcOffset::UTC),
            actor_kind: actor_kind.to_owned(),
            actor_id,
            actor_name,
            session_id,
            on_behalf_of: meta.on_behalf_of,
            action: event.event_type.clone(),
            version: event.event_version,
            target_type: event.aggregate_type.clone(),
            target_id: event.aggregate_id,
            sequence: event.sequence,
            command_id: meta.command_id,
            correlation_id: meta.correlation_id,
            causation_id: meta.causation_id,
            // What is not sealed is nobody's business, however it came here.
            address_sealed: meta.address.as_ref().filter(sealed).cloned(),
            details: details(&event.payload),
            payload_sha256: Sha256::digest(event.payload.get()).to_vec(),
            leaf_sha256: vec![],
        };
        entry.leaf_sha256 =
            entry.leaf().map(|leaf| leaf_hash(leaf.as_bytes()).to_vec()).unwrap_or_default();
        entry
    }

    /// What is hashed into the tree: JSON without spaces, fields as they are declared in [`Leaf`]. `None` when the row
    /// holds what no entry holds.
    #[must_use]
    pub fn leaf(&self) -> Option<String> {
        self.leaf_at(Place { arrival: self.arrival, leaf: self.leaf })
    }

    /// The leaf that this entry would be at another place.
    pub(crate) fn leaf_at(&self, place: Place) -> Option<String> {
        let details: &RawValue = serde_json::from_str(&self.details).ok()?;
        let leaf = Leaf {
            v: 1,
            tree: self.tree_id,
            index: place.leaf,
            arrival: place.arrival,
            log: &self.log,
            part: self.part,
            position: self.position,
            event: self.event_id,
            at: self.at.to_offset(UtcOffset::UTC),
            actor: (&self.actor_kind, self.actor_id, self.actor_name.as_deref(), self.session_id),
            on_behalf_of: self.on_behalf_of,
            action: &self.action,
            version: self.version,
            target: (&self.target_type, self.target_id, self.sequence),
            command: self.command_id,
            correlation: self.correlation_id,
            causation: self.causation_id,
            address: self.address_sealed.as_deref(),
            details,
            payload_sha256: hex(&self.payload_sha256),
        };
        Some(serde_json::to_string(&leaf).expect("an entry is plain data"))
    }

    /// The hash of the leaf that this entry would be at a place.
    pub(crate) fn hash_at(&self, place: Place) -> Option<Hash> {
        self.leaf_at(place).map(|leaf| leaf_hash(leaf.as_bytes()))
    }

    /// Whether it is the entry of a fact of `log`: as entries are made today, or as they were before 2026-11-23, when
    /// no list was told of.
    #[must_use]
    pub fn is_of(&self, log: &str, event: &Recorded) -> bool {
        let mut made = Self::of(log, event, self.place());
        if self.leaf() == made.leaf() {
            return true;
        }
        let mut told: Map<String, Value> = serde_json::from_str(&made.details).unwrap_or_default();
        told.retain(|_, value| !value.is_array());
        made.details = Value::Object(told).to_string();
        self.leaf() == made.leaf()
    }

    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place { arrival: self.arrival, leaf: self.leaf }
    }
}

/// The canonical form of an entry. Never changed: another one would be version 2.
#[derive(Serialize)]
struct Leaf<'a> {
    v: u8,
    tree: Uuid,
    index: i64,
    arrival: i64,
    log: &'a str,
    part: i16,
    position: i64,
    event: Uuid,
    #[serde(with = "rfc3339")]
    at: OffsetDateTime,
    /// Kind, id, name, session.
    actor: (&'a str, Option<Uuid>, Option<&'a str>, Option<Uuid>),
    on_behalf_of: Option<Uuid>,
    action: &'a str,
    version: i16,
    /// Type, id, and which of its facts.
    target: (&'a str, Uuid, i64),
    command: Uuid,
    correlation: Uuid,
    causation: Option<Uuid>,
    address: Option<&'a str>,
    details: &'a RawValue,
    payload_sha256: String,
}

/// What a payload says, as it was recorded and whatever its version, in words that are nobody's, as JSON with its names in order.
fn details(payload: &RawValue) -> String {
    let said: Map<String, Value> = serde_json::from_str(payload.get()).unwrap_or_default();
    let mut told: Vec<_> = said
        .into_iter()
        .filter(|(name, value)| TOLD.contains(&name.as_str()) && is_told(name, value))
        .collect();
    told.sort_by(|(one, _), (other, _)| one.cmp(other));
    Value::Object(told.into_iter().collect()).to_string()
}

/// Whether nobody wrote any of it.
fn is_told(name: &str, value: &Value) -> bool {
    match value {
        Value::Array(words) => LISTS.contains(&name) && words.iter().all(is_plain),
        value => is_plain(value),
    }
}

/// A number, a yes or no, or a word such as programs choose: no space, no letter that only people write.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(word) => {
            let plain = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.:".contains(&byte)
            };
            word.len() <= LONGEST && word.bytes().all(plain)
        }
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::RawValue};

    use super::details;

    fn told(payload: &serde_json::Value) -> String {
        details(&RawValue::from_string(payload.to_string()).expect("it is JSON"))
    }

    #[test]
    fn what_is_sealed_what_people_wrote_and_whose_ids_they_are_stays_out() {
        let payload = json!({
            "type": "ticket.opened", "citizen_id": "00000000-0000-0000-0000-000000000001", "kind": "text",
            "subject": "s1.00000000000000000000000000000007.AAAA", "fingerprint": "sara", "at": "2026-11-21T12:00:00Z",
        });
        assert_eq!(told(&payload), r#"{"kind":"text"}"#);
        let payload =
            json!({"to": "سارا", "from": "Sara", "role": "owner of it", "kind": ["text"]});
        assert_eq!(told(&payload), "{}");
    }

    #[test]
    fn which_permissions_they_are_is_told_and_no_list_with_a_word_that_people_wrote() {
        let payload = json!({"granted": ["crm:ticket.read"], "denied": [], "role": ["owner"]});
        assert_eq!(told(&payload), r#"{"denied":[],"granted":["crm:ticket.read"]}"#);
        assert_eq!(told(&json!({"permissions": ["crm:ticket.read", "Sara"]})), "{}");
    }

    #[test]
    fn words_are_told_in_order() {
        let payload = json!({"to": "waiting", "type": "x", "from": "in_progress", "admin": true});
        assert_eq!(told(&payload), r#"{"admin":true,"from":"in_progress","to":"waiting"}"#);
        assert_eq!(told(&json!("no object")), "{}");
    }
}
