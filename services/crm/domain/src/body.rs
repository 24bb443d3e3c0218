//! What a message holds. Always sealed outside a process's memory.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Kinds of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text alone.
    #[default]
    Text,
    /// A picture.
    Photo,
    /// A voice message.
    Voice,
    /// A film.
    Video,
    /// Music or another recording.
    Audio,
    /// Any other file.
    Document,
    /// A place.
    Location,
    /// Somebody's name and number.
    Contact,
    /// A sticker.
    Sticker,
}

/// A file that Telegram keeps; only the campaign's bot can fetch it.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct File {
    /// Its name at Telegram.
    pub file_id: String,
    /// Its name at the sender's, or empty.
    pub name: String,
    /// Its type, as the sender's program says, or empty.
    pub mime_type: String,
    /// Bytes; 0 when unknown.
    pub size: u64,
    /// Length of a recording in seconds.
    pub seconds: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// The content of a message.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Body {
    /// Its kind.
    pub kind: Kind,
    /// Text, or caption; may be empty.
    pub text: String,
    /// The file of a photo, recording or document.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<File>,
    /// Latitude and longitude in degrees.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<(f64, f64)>,
    /// Name and number of a contact.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contact: Option<(String, String)>,
    /// Title of a place, or the emoji of a sticker; may be empty.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub label: String,
}

/// Says the kind and nothing that a person wrote.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Says nothing about the file.
impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("File")
    }
}

impl Body {
    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The first words, for a list: one line of at most `most` characters, cut between words.
    ///
    /// ```
    /// use crm_domain::Body;
    ///
    /// assert_eq!(Body::text("یک دو سه").first_words(6), "یک دو…");
    /// assert_eq!(Body::text("سلام").first_words(6), "سلام");
    /// ```
    #[must_use]
    pub fn first_words(&self, most: usize) -> String {
        let mut line = String::new();
        let mut length = 0;
        for word in self.text.split_whitespace() {
            let more = word.chars().count() + usize::from(length > 0);
            if length + more > most {
                if length == 0 {
                    line.extend(word.chars().take(most));
                }
                line.push('…');
                return line;
            }
            if length > 0 {
                line.push(' ');
            }
            line.push_str(word);
            length += more;
        }
        line
    }
}
