//! Reading facts whose shape has changed since they were recorded.
//!
//! Facts are never rewritten. Instead each (type, version) of the past is turned into the events that stand
//! for it today: none, one or several. Every reader goes through [`decode`]: loading an aggregate, a
//! projection, a policy, another context's subscriber. So no two of them can see different pasts.

use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Value, value::RawValue};

/// A fact in one of its shapes, on its way to today's.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Name of the kind of event.
    pub event_type: String,
    /// Version of the shape.
    pub version: i16,
    /// The fact.
    pub payload: Value,
}

/// Turns a fact of one (type, version) into the next newer shapes. What it returns is looked at again, so a
/// step only knows the version that comes after its own.
pub type Upcast = fn(Value) -> Vec<Shape>;

/// Events as one program knows them today.
pub trait Event: DeserializeOwned {
    /// Whether what was read from a shape of this version means what it says: today's version of the event,
    /// and any for what a reader reads past.
    fn knows(&self, version: i16) -> bool {
        version == 1
    }

    /// How a shape of the past becomes the next newer one; `None` for today's.
    #[must_use]
    fn upcast(_event_type: &str, _version: i16) -> Option<Upcast> {
        None
    }
}

/// A stored event that this program cannot read.
#[derive(Debug, thiserror::Error)]
#[error("event {position} ({event_type} version {event_version}) cannot be read")]
pub struct Unreadable {
    /// Where it stands.
    pub position: i64,
    /// What it is called.
    pub event_type: String,
    /// Its version.
    pub event_version: i16,
    /// Why.
    pub source: serde_json::Error,
}

/// Reads a fact as today's events.
///
/// # Errors
///
/// A type or shape that this program does not know, for instance one that a newer program recorded.
pub fn decode<E: Event>(
    event_type: &str,
    version: i16,
    payload: &RawValue,
) -> Result<Vec<E>, serde_json::Error> {
    let Some(upcast) = E::upcast(event_type, version) else {
        let event = serde_json::from_str(payload.get())?;
        return Ok(vec![known(event, version)?]);
    };
    let mut old = upcast(serde_json::from_str(payload.get())?);
    old.reverse();
    let mut events = Vec::new();
    while let Some(shape) = old.pop() {
        match E::upcast(&shape.event_type, shape.version) {
            Some(upcast) => old.extend(upcast(shape.payload).into_iter().rev()),
            None => events.push(known(serde_json::from_value(shape.payload)?, shape.version)?),
        }
    }
    Ok(events)
}

/// A newer shape may look like today's and mean something else.
fn known<E: Event>(event: E, version: i16) -> Result<E, serde_json::Error> {
    if event.knows(version) {
        Ok(event)
    } else {
        Err(serde_json::Error::custom("this program does not know that version"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    /// Version 1 said `name`, version 2 `first` and `last`, today there are two events; `noted` is gone.
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type")]
    enum Person {
        #[serde(rename = "person.first_named")]
        First { first: String },
        #[serde(rename = "person.last_named")]
        Last { last: String },
    }

    impl Event for Person {
        fn upcast(event_type: &str, version: i16) -> Option<Upcast> {
            match (event_type, version) {
                ("person.named", 1) => Some(|payload| {
                    let name = payload["name"].as_str().unwrap_or_default();
                    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
                    let payload = json!({"first": first, "last": last});
                    vec![Shape { event_type: "person.named".to_owned(), version: 2, payload }]
                }),
                ("person.named", 2) => Some(|payload| {
                    let shape = |event_type: &str, field: &str| Shape {
                        event_type: event_type.to_owned(),
                        version: 1,
                        payload: json!({"type": event_type, field: payload[field]}),
                    };
                    vec![shape("person.first_named", "first"), shape("person.last_named", "last")]
                }),
                ("person.noted", 1) => Some(|_| vec![]),
                _ => None,
            }
        }
    }

    fn read(kind: &str, version: i16, payload: &Value) -> Result<Vec<Person>, serde_json::Error> {
        let payload = RawValue::from_string(payload.to_string()).expect("it is JSON");
        decode(kind, version, &payload)
    }

    #[test]
    fn a_shape_of_the_past_becomes_todays_events_step_by_step() {
        let events = read("person.named", 1, &json!({"name": "نرگس آبیار"})).expect("it is known");

        let first = Person::First { first: "نرگس".to_owned() };
        assert_eq!(events, [first, Person::Last { last: "آبیار".to_owned() }]);
    }

    #[test]
    fn a_fact_that_means_nothing_today_becomes_none() {
        assert_eq!(read("person.noted", 1, &json!({})).expect("it is known"), []);
    }

    #[test]
    fn a_newer_version_is_not_taken_for_todays() {
        let payload = json!({"type": "person.last_named", "last": "x"});
        assert!(read("person.last_named", 1, &payload).is_ok());
        assert!(read("person.last_named", 2, &payload).is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_can_be_stored_makes_a_reader_panic(
            kind in "(person\\.(named|noted|first_named|last_named)|[a-z.]{0,12})",
            version in any::<i16>(),
            payload in "\\PC{0,64}",
            named in any::<bool>(),
        ) {
            let payload = if named { json!({"type": kind, "name": payload}) } else { json!(payload) };
            let _ = read(&kind, version, &payload);
        }
    }
}
