//! The envelope of an event: what is known about a fact besides the fact.
//!
//! The same fields stand in `es.events` and, as `Es-*` headers, on JetStream.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::codec::{Event, Unreadable, decode};

/// The tenant of facts that belong to no campaign: accounts, campaigns themselves.
pub const PLATFORM: Uuid = Uuid::nil();

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Actor {
    /// A person with a login.
    Account {
        /// The account.
        id: Uuid,
        /// The session in which they acted.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        session: Option<Uuid>,
    },
    /// A person who reached the campaign's bot.
    Citizen {
        /// The citizen, unknown outside their campaign.
        id: Uuid,
    },
    /// A program of ours, such as a policy.
    Service {
        /// Its name, for instance `bot-hub`.
        name: String,
    },
}

/// Where an event came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The command that caused it. A command with the same id is carried out once.
    pub command_id: Uuid,
    /// The request at the start of the chain.
    pub correlation_id: Uuid,
    /// The event that a policy answered with the command.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub causation_id: Option<Uuid>,
    /// Who acted.
    pub actor: Actor,
    /// For whom, when an admin acts in somebody's place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub on_behalf_of: Option<Uuid>,
    /// The network address, sealed under the actor's key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// The trace, in the form of W3C `traceparent`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traceparent: Option<String>,
}

#[cfg(feature = "store")]
impl Meta {
    /// The origin of a command that starts a chain of its own, within the current trace, and from where the actor
    /// calls.
    #[must_use]
    pub fn new(command_id: Uuid, actor: Actor) -> Self {
        Self {
            command_id,
            correlation_id: command_id,
            causation_id: None,
            address: crate::origin::address_of(&actor),
            actor,
            on_behalf_of: None,
            traceparent: meydan_telemetry::traceparent(),
        }
    }
}

/// A fact, as it was recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The partition of the log.
    pub part: i16,
    /// Place in the partition: gapless, in the order of commit.
    pub position: i64,
    /// The campaign, or [`PLATFORM`].
    pub tenant: Uuid,
    /// Kind of aggregate, for instance `ticket`.
    pub aggregate_type: String,
    /// Which one.
    pub aggregate_id: Uuid,
    /// Place among the events of its aggregate, from 1.
    pub sequence: i64,
    /// Name of this event alone; also the message id on JetStream.
    pub event_id: Uuid,
    /// Name of the kind of event, for instance `ticket.opened`.
    pub event_type: String,
    /// Version of the shape of the payload.
    pub event_version: i16,
    /// The fact itself, as JSON.
    pub payload: Box<RawValue>,
    /// Where it came from.
    pub meta: Meta,
    /// When it was recorded, by the clock of the database.
    pub recorded_at: OffsetDateTime,
}

impl Recorded {
    /// Reads the fact as today's events: one, or as many as stand for an older shape of it.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for a type or a shape that this program does not know.
    pub fn decode<E: Event>(&self) -> Result<Vec<E>, Unreadable> {
        decode(&self.event_type, self.event_version, &self.payload).map_err(|source| Unreadable {
            position: self.position,
            event_type: self.event_type.clone(),
            event_version: self.event_version,
            source,
        })
    }

    /// Reads the fact for a reader that acts once for each: at most one event.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], also for a fact that stands for several events today: such a reader must be rewritten
    /// before it can act on them.
    pub fn decode_one<E: Event>(&self) -> Result<Option<E>, Unreadable> {
        let mut events = self.decode()?;
        let event = events.pop();
        if events.is_empty() {
            return Ok(event);
        }
        Err(Unreadable {
            position: self.position,
            event_type: self.event_type.clone(),
            event_version: self.event_version,
            source: serde::de::Error::custom("it stands for several events today"),
        })
    }
}
