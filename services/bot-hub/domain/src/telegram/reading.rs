//! What an update says, and how each kind of update is taken apart.
//!
//! These values are sealed and stored, so a field is only ever added, and only
//! as an `Option`. How they print is in `redacted.rs`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    Unreadable,
    content::{self, Found},
    fields::{Fields, kind_name},
};

/// An update, read.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Telegram's number of the update; unique for one bot.
    pub update_id: i64,
    /// Where it happened, when the update says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<Chat>,
    /// Who did it. Always `None` outside private chats: what people say in
    /// groups is not the campaign's to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// What happened.
    pub what: What,
}

/// A Telegram chat.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Telegram's number; negative for groups and channels.
    pub id: i64,
    /// Whether one citizen and the bot are alone in it.
    pub private: bool,
}

/// A Telegram account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Telegram's number of the account.
    pub user_id: i64,
    /// As the account shows it; may be empty for deleted accounts.
    pub first_name: String,
    /// As the account shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// The handle, without `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Language of the citizen's app as an IETF tag, such as `fa`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether a bot did it.
    pub is_bot: bool,
}

/// What happened.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// The citizen pressed *Start* or typed `/start`.
    Start {
        /// What the deep link carried: 1 to 64 of `A-Z a-z 0-9 _ -`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<String>,
    },
    /// The citizen wrote to the bot.
    Message(Message),
    /// The citizen changed a message; it is the whole message as it is now.
    Edited(Message),
    /// The citizen pressed a button under a message.
    Callback {
        /// To be named in the answer that stops the button's spinner.
        id: String,
        /// What the button carries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<String>,
    },
    /// The citizen blocked the bot, or allowed it again.
    Membership {
        /// Whether the bot may no longer write to the citizen.
        blocked: bool,
    },
    /// It happened in a group, a channel or somebody else's chat.
    Elsewhere,
    /// A documented kind that is not kept, such as a poll or a service message.
    Unsupported {
        /// The Bot API's name of it.
        kind: String,
    },
    /// A kind of update that did not exist when this was written.
    Unknown {
        /// Its name, or `other` when that is not a name.
        kind: String,
    },
}

/// What a citizen wrote.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Telegram's number of the message; unique in the chat.
    pub message_id: i32,
    /// When it was first sent.
    #[serde(with = "time::serde::timestamp")]
    pub sent_at: OffsetDateTime,
    /// When it was last edited.
    #[serde(
        default,
        with = "time::serde::timestamp::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub edited_at: Option<OffsetDateTime>,
    /// The same for every message of one album.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// Number of the message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<i32>,
    /// The text, or the caption of a file. Never empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What came with it.
    pub content: Content,
    /// Whether somebody else wrote it first.
    pub forwarded: bool,
}

/// What a message carries.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the file's variants are named after what they carry")]
pub enum Content {
    /// Only text.
    Text,
    Photo(File),
    Voice(File),
    Video(File),
    /// A round video.
    VideoNote(File),
    Audio(File),
    Document(File),
    Sticker {
        file: File,
        /// The emoji that it stands for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emoji: Option<String>,
    },
    /// A video without sound that plays in a loop.
    Animation(File),
    /// A point, fixed or moving, in degrees.
    Location {
        latitude: f64,
        longitude: f64,
    },
    /// A place with a name.
    Venue {
        latitude: f64,
        longitude: f64,
        title: String,
        address: String,
    },
    /// Somebody's card.
    Contact {
        phone: String,
        first_name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_name: Option<String>,
        /// Whether it is the writer's own card, as Telegram vouches for.
        own: bool,
    },
}

/// A file that Telegram keeps. Of a photo, its largest size.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Names the file to this bot alone.
    pub file_id: String,
    /// Names the file to everyone, but cannot fetch it.
    pub unique_id: String,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What the sender called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the sender's app says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// How long it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// A new message, which may be a `/start`.
pub(super) fn message(update_id: i64, from: &Fields<'_>) -> Result<Reading, Unreadable> {
    let chat = chat(from)?;
    if !chat.private || from.has("business_connection_id") {
        return Ok(outside(update_id, Some(chat)));
    }
    let person = person(from, "from")?;
    let what = match (started(from), content::find(from)?) {
        (Some(payload), _) => What::Start { payload },
        (None, Found::Kept(content)) => What::Message(body(from, content)?),
        (None, Found::NotKept(kind)) => What::Unsupported { kind },
    };
    Ok(Reading { update_id, chat: Some(chat), person, what })
}

/// A message that was changed.
pub(super) fn edited(update_id: i64, from: &Fields<'_>) -> Result<Reading, Unreadable> {
    let chat = chat(from)?;
    if !chat.private || from.has("business_connection_id") {
        return Ok(outside(update_id, Some(chat)));
    }
    let person = person(from, "from")?;
    let what = match content::find(from)? {
        Found::Kept(content) => What::Edited(body(from, content)?),
        Found::NotKept(kind) => What::Unsupported { kind },
    };
    Ok(Reading { update_id, chat: Some(chat), person, what })
}

/// A pressed button. The message under it may be too old to be shown, or
/// belong to another chat.
pub(super) fn callback(update_id: i64, from: &Fields<'_>) -> Result<Reading, Unreadable> {
    let chat = from.object("message")?.map(|message| chat(&message)).transpose()?;
    if chat.as_ref().is_some_and(|chat| !chat.private) {
        return Ok(outside(update_id, chat));
    }
    let id = from.need_text("id")?;
    let what = What::Callback { id, data: from.text("data")? };
    Ok(Reading { update_id, chat, person: person(from, "from")?, what })
}

/// A change of what the bot may do in a chat.
pub(super) fn membership(update_id: i64, from: &Fields<'_>) -> Result<Reading, Unreadable> {
    let chat = chat(from)?;
    if !chat.private {
        return Ok(outside(update_id, Some(chat)));
    }
    let status = from.need_object("new_chat_member")?.need_text("status")?;
    let blocked = matches!(status.as_str(), "kicked" | "left");
    let what = What::Membership { blocked };
    Ok(Reading { update_id, chat: Some(chat), person: person(from, "from")?, what })
}

/// An update about somebody else's chat, whatever it holds.
pub(super) fn elsewhere(update_id: i64, from: &Fields<'_>) -> Result<Reading, Unreadable> {
    let chat = if from.has("chat") { Some(chat(from)?) } else { None };
    // A business account's chats are private, but not with the bot.
    let chat = chat.map(|chat| Chat { private: false, ..chat });
    Ok(outside(update_id, chat))
}

/// A documented update that no conversation needs.
pub(super) fn other(update_id: i64, kind: &str, from: &Fields<'_>) -> Result<Reading, Unreadable> {
    let chat = if from.has("chat") { Some(chat(from)?) } else { None };
    let about_others = kind == "deleted_business_messages";
    if about_others || chat.as_ref().is_some_and(|chat| !chat.private) {
        return Ok(outside(update_id, chat.map(|chat| Chat { private: false, ..chat })));
    }
    let person = if from.has("from") { person(from, "from")? } else { person(from, "user")? };
    Ok(Reading { update_id, chat, person, what: What::Unsupported { kind: kind_name(kind) } })
}

fn outside(update_id: i64, chat: Option<Chat>) -> Reading {
    Reading { update_id, chat, person: None, what: What::Elsewhere }
}

fn chat(from: &Fields<'_>) -> Result<Chat, Unreadable> {
    let chat = from.need_object("chat")?;
    Ok(Chat { id: chat.need_integer("id")?, private: chat.need_text("type")? == "private" })
}

fn person(from: &Fields<'_>, name: &str) -> Result<Option<Person>, Unreadable> {
    let Some(user) = from.object(name)? else { return Ok(None) };
    Ok(Some(Person {
        user_id: user.need_integer("id")?,
        first_name: user.maybe_text("first_name").unwrap_or_default(),
        last_name: user.maybe_text("last_name"),
        username: user.maybe_text("username"),
        language: user.maybe_text("language_code"),
        is_bot: user.flag("is_bot"),
    }))
}

fn body(from: &Fields<'_>, content: Content) -> Result<Message, Unreadable> {
    let text = match from.text("text")? {
        Some(text) => Some(text),
        None => from.text("caption")?,
    };
    let answered = from.object("reply_to_message")?;
    Ok(Message {
        message_id: from.need_message_id()?,
        sent_at: from.need_instant("date")?,
        edited_at: from.maybe_instant("edit_date"),
        album: from.maybe_text("media_group_id"),
        reply_to: answered.map(|message| message.need_message_id()).transpose()?,
        text: text.filter(|text| !text.is_empty()),
        content,
        forwarded: from.has("forward_origin") || from.has("forward_date"),
    })
}

/// Whether the text is `/start`, and with which payload.
///
/// `/start` with anything that no deep link can carry is an ordinary message,
/// so that what the citizen wrote is kept.
#[expect(clippy::option_option, reason = "started or not, and then with a payload or not")]
fn started(from: &Fields<'_>) -> Option<Option<String>> {
    let text = from.maybe_text("text")?;
    if from.has("forward_origin") {
        return None;
    }
    let (command, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let name = command.split_once('@').map_or(command, |(name, _)| name);
    let payload = rest.trim();
    let carried = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name != "/start" || payload.len() > 64 || !payload.bytes().all(carried) {
        return None;
    }
    Some((!payload.is_empty()).then(|| payload.to_owned()))
}
