//! How readings print: their shape, never what a person wrote or is called.
//!
//! Numbers of accounts and chats are left out as well, since they name people.

use std::fmt::{Debug, Formatter, Result};

use super::{Chat, Content, File, Message, Person, Reading, What};

impl Debug for Reading {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Reading")
            .field("update_id", &self.update_id)
            .field("chat", &self.chat)
            .field("person", &self.person)
            .field("what", &self.what)
            .finish()
    }
}

impl Debug for Chat {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Chat").field("private", &self.private).finish_non_exhaustive()
    }
}

impl Debug for Person {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Person").field("is_bot", &self.is_bot).finish_non_exhaustive()
    }
}

impl Debug for What {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Start { payload } => {
                f.debug_struct("Start").field("has_payload", &payload.is_some()).finish()
            }
            Self::Message(message) => f.debug_tuple("Message").field(message).finish(),
            Self::Edited(message) => f.debug_tuple("Edited").field(message).finish(),
            Self::Callback { data, .. } => f
                .debug_struct("Callback")
                .field("has_data", &data.is_some())
                .finish_non_exhaustive(),
            Self::Membership { blocked } => {
                f.debug_struct("Membership").field("blocked", blocked).finish()
            }
            Self::Elsewhere => f.write_str("Elsewhere"),
            Self::Unsupported { kind } => {
                f.debug_struct("Unsupported").field("kind", kind).finish()
            }
            Self::Unknown { kind } => f.debug_struct("Unknown").field("kind", kind).finish(),
        }
    }
}

impl Debug for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Message")
            .field("message_id", &self.message_id)
            .field("sent_at", &self.sent_at)
            .field("edited", &self.edited_at.is_some())
            .field("in_album", &self.album.is_some())
            .field("reply_to", &self.reply_to)
            .field("has_text", &self.text.is_some())
            .field("content", &self.content)
            .field("forwarded", &self.forwarded)
            .finish()
    }
}

impl Debug for Content {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text => f.write_str("Text"),
            Self::Photo(file) => f.debug_tuple("Photo").field(file).finish(),
            Self::Voice(file) => f.debug_tuple("Voice").field(file).finish(),
            Self::Video(file) => f.debug_tuple("Video").field(file).finish(),
            Self::VideoNote(file) => f.debug_tuple("VideoNote").field(file).finish(),
            Self::Audio(file) => f.debug_tuple("Audio").field(file).finish(),
            Self::Document(file) => f.debug_tuple("Document").field(file).finish(),
            Self::Sticker { file, .. } => f.debug_tuple("Sticker").field(file).finish(),
            Self::Animation(file) => f.debug_tuple("Animation").field(file).finish(),
            Self::Location { .. } => f.write_str("Location"),
            Self::Venue { .. } => f.write_str("Venue"),
            Self::Contact { own, .. } => {
                f.debug_struct("Contact").field("own", own).finish_non_exhaustive()
            }
        }
    }
}

impl Debug for File {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("File")
            .field("size", &self.size)
            .field("seconds", &self.seconds)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}
