//! Looking into JSON objects by name, with the path kept for the error.
//!
//! A needed field that is missing or of another type is an error that names it.
//! An optional field of another type counts as absent: a later Bot API may
//! change it, and a message is worth more than its decorations.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::Unreadable;

/// An object of the update and where it stands.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Fields<'a> {
    /// The update itself.
    pub(super) fn root(map: &'a Map<String, Value>) -> Self {
        Self { map, path: String::new() }
    }

    /// The error that names a field of this object.
    pub(super) fn bad(&self, name: &str) -> Unreadable {
        Unreadable::BadField { field: self.at(name) }
    }

    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Whether the field is there with a value other than null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names of the fields that have a value.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.map.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str())
    }

    /// The object in a field, `None` when the field is absent or null.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self { map, path: self.at(name) })),
            Some(_) => Err(self.bad(name)),
        }
    }

    /// The object in a needed field.
    pub(super) fn need_object(&self, name: &str) -> Result<Self, Unreadable> {
        self.object(name)?.ok_or_else(|| self.bad(name))
    }

    /// The objects in a needed, non-empty array.
    pub(super) fn need_objects(&self, name: &str) -> Result<Vec<Self>, Unreadable> {
        let items = self.get(name).and_then(Value::as_array).ok_or_else(|| self.bad(name))?;
        if items.is_empty() {
            return Err(self.bad(name));
        }
        items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let path = format!("{}[{index}]", self.at(name));
                match item {
                    Value::Object(map) => Ok(Self { map, path }),
                    _ => Err(Unreadable::BadField { field: path }),
                }
            })
            .collect()
    }

    /// The text in a needed field.
    pub(super) fn need_text(&self, name: &str) -> Result<String, Unreadable> {
        self.text(name)?.ok_or_else(|| self.bad(name))
    }

    /// The text in a field, an error when it is another type.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Unreadable> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.bad(name)),
        }
    }

    /// The text in an optional field that is not empty.
    pub(super) fn maybe_text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The whole number in a needed field.
    pub(super) fn need_integer(&self, name: &str) -> Result<i64, Unreadable> {
        self.maybe_integer(name).ok_or_else(|| self.bad(name))
    }

    /// The number of a message, in a needed field.
    pub(super) fn need_message_id(&self) -> Result<i32, Unreadable> {
        let id = self.need_integer("message_id")?;
        i32::try_from(id).map_err(|_| self.bad("message_id"))
    }

    /// The number in a needed field.
    pub(super) fn need_number(&self, name: &str) -> Result<f64, Unreadable> {
        self.get(name).and_then(Value::as_f64).ok_or_else(|| self.bad(name))
    }

    /// The whole number in an optional field.
    pub(super) fn maybe_integer(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::as_i64)
    }

    /// The number from 0 to 2^32 - 1 in an optional field.
    pub(super) fn maybe_u32(&self, name: &str) -> Option<u32> {
        self.maybe_integer(name).and_then(|number| u32::try_from(number).ok())
    }

    /// The number from 0 in an optional field.
    pub(super) fn maybe_u64(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::as_u64)
    }

    /// Whether an optional field is `true`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The instant in a needed field, given as seconds since 1970.
    pub(super) fn need_instant(&self, name: &str) -> Result<OffsetDateTime, Unreadable> {
        OffsetDateTime::from_unix_timestamp(self.need_integer(name)?).map_err(|_| self.bad(name))
    }

    /// The instant in an optional field.
    pub(super) fn maybe_instant(&self, name: &str) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp(self.maybe_integer(name)?).ok()
    }
}

/// A kind's name as it may be counted and logged: 64 letters at most, and
/// `other` when it does not look like a name of the Bot API.
pub(super) fn kind_name(name: &str) -> String {
    let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let proper = !name.is_empty() && name.len() <= 64 && name.bytes().all(named);
    if proper { name.to_owned() } else { "other".to_owned() }
}
