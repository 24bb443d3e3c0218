//! What a Telegram update says, read without trusting it.
//!
//! [`read`] takes the bytes that Telegram posted and tells what a citizen did.
//! It is one pure pass that asks only for the fields it needs, so fields and
//! kinds of a later Bot API never stop a message from being read, and nothing
//! that is posted can make it panic. [`split_message`] cuts an answer into
//! pieces that Telegram accepts.

mod content;
mod fields;
mod reading;
mod redacted;
mod split;

pub use reading::{Chat, Content, File, Message, Person, Reading, What};
pub use split::{MESSAGE_LIMIT, split_message, utf16_len};

use serde_json::{Map, Value};

use fields::Fields;

/// Objects and arrays inside each other that an update may have.
///
/// The deepest documented update has about twelve.
pub const DEPTH_LIMIT: usize = 64;

/// Why an update could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The bytes are not one JSON value in UTF-8.
    #[error("the update is not JSON")]
    NotJson,
    /// The JSON is an array, a string or another value that is no object.
    #[error("the update is JSON but not an object")]
    NotAnObject,
    /// There is no `update_id`, so that a repetition could not be told.
    #[error("the update has no update_id")]
    NoUpdateId,
    /// More than [`DEPTH_LIMIT`] objects and arrays lie inside each other.
    #[error("the update is nested too deeply")]
    TooDeep,
    /// A field that is needed is missing or is not what the Bot API documents.
    #[error("the update's field `{field}` is missing or not as the Bot API documents it")]
    BadField {
        /// Path of the field, such as `message.chat.id`.
        field: String,
    },
}

/// Update kinds that the Bot API documents and that no citizen's conversation
/// needs.
const OTHER_KINDS: [&str; 14] = [
    "inline_query",
    "chosen_inline_result",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "message_reaction",
    "message_reaction_count",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "deleted_business_messages",
];

/// Update kinds that are always about somebody else's chat.
const ELSEWHERE_KINDS: [&str; 5] = [
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
];

/// Reads an update.
///
/// Of a key that stands twice in an object, the last one counts.
pub fn read(raw: &[u8]) -> Result<Reading, Unreadable> {
    if depth(raw) > DEPTH_LIMIT {
        return Err(Unreadable::TooDeep);
    }
    let value: Value = serde_json::from_slice(raw).map_err(|_| Unreadable::NotJson)?;
    let Value::Object(map) = value else { return Err(Unreadable::NotAnObject) };
    let update = Fields::root(&map);
    let update_id = update_id(&map)?;

    if let Some(message) = update.object("message")? {
        return reading::message(update_id, &message);
    }
    if let Some(message) = update.object("edited_message")? {
        return reading::edited(update_id, &message);
    }
    if let Some(callback) = update.object("callback_query")? {
        return reading::callback(update_id, &callback);
    }
    if let Some(change) = update.object("my_chat_member")? {
        return reading::membership(update_id, &change);
    }
    for kind in ELSEWHERE_KINDS {
        if let Some(inner) = update.object(kind)? {
            return reading::elsewhere(update_id, &inner);
        }
    }
    for kind in OTHER_KINDS {
        if let Some(inner) = update.object(kind)? {
            return reading::other(update_id, kind, &inner);
        }
    }
    let kind = unknown_kind(&map);
    Ok(Reading { update_id, chat: None, person: None, what: What::Unknown { kind } })
}

/// The update's id. Telegram's are positive; zero is what some test servers use.
fn update_id(map: &Map<String, Value>) -> Result<i64, Unreadable> {
    let bad = || Unreadable::BadField { field: "update_id".to_owned() };
    match map.get("update_id") {
        None | Some(Value::Null) => Err(Unreadable::NoUpdateId),
        Some(value) => value.as_i64().filter(|id| *id >= 0).ok_or_else(bad),
    }
}

/// The first key, in the alphabet, that is not the id.
fn unknown_kind(map: &Map<String, Value>) -> String {
    let mut kinds = map.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.as_str());
    let first = kinds.by_ref().filter(|key| *key != "update_id").min();
    fields::kind_name(first.unwrap_or("nothing"))
}

/// How deeply objects and arrays lie inside each other, strings left out.
fn depth(raw: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in raw {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
