//! Messages of a conversation, and how they are gathered into days and albums.

use jiff::civil;
use time::OffsetDateTime;

use crate::{
    format::{self, Detail},
    shell::Shell,
};

/// A file that came with a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// Where the panel serves it; `None` when it is too large to fetch (over 20 MB), or invented.
    pub url: Option<String>,
    /// Its name; empty when it has none.
    pub name: String,
    /// Its size in bytes; 0 when unknown.
    pub size: u64,
    /// Length of a recording in seconds.
    pub seconds: u32,
    /// Width in pixels; 0 when unknown.
    pub width: u32,
    /// Height in pixels; 0 when unknown.
    pub height: u32,
}

impl File {
    pub(crate) fn shown_name(&self) -> String {
        super::list::without_direction(&self.name)
    }

    /// Why there is no address. Telegram tells the size of each of its files; those that the demo invents
    /// have none.
    pub(crate) fn why_closed(&self) -> &'static str {
        if self.size == 0 { "file-invented" } else { "file-too-large" }
    }
}

/// What a message consists of, apart from its text.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing but text.
    Text,
    /// A photo.
    Photo(File),
    /// A voice message.
    Voice(File),
    /// A video.
    Video(File),
    /// Music or another recording.
    Audio(File),
    /// A file.
    Document(File),
    /// A place.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// Title and address of a venue; empty for a bare place.
        label: String,
    },
    /// Somebody's phone number.
    Contact {
        /// Their name.
        name: String,
        /// Their number.
        phone: String,
    },
    /// A sticker.
    Sticker {
        /// The emoji that it stands for.
        emoji: String,
    },
    /// Personal data that is gone.
    Erased,
}

/// Why an answer did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The citizen has blocked the bot.
    Blocked,
    /// Telegram does not know the chat any more.
    ChatNotFound,
    /// The bot's token no longer holds.
    BotRevoked,
    /// Telegram refused the message.
    Rejected,
    /// Telegram did not take it for 24 hours.
    GaveUp,
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 5] =
        [Self::Blocked, Self::ChatNotFound, Self::BotRevoked, Self::Rejected, Self::GaveUp];

    /// The stable name that the inbox service gives.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::ChatNotFound => "chat_not_found",
            Self::BotRevoked => "bot_revoked",
            Self::Rejected => "rejected",
            Self::GaveUp => "gave_up",
        }
    }

    /// The failure of a stable name; an unknown one counts as refused.
    #[must_use]
    pub fn from_code(code: &str) -> Self {
        Self::ALL.into_iter().find(|failure| failure.code() == code).unwrap_or(Self::Rejected)
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Blocked => "failure-blocked",
            Self::ChatNotFound => "failure-chat-not-found",
            Self::BotRevoked => "failure-bot-revoked",
            Self::Rejected => "failure-rejected",
            Self::GaveUp => "failure-gave-up",
        }
    }
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It waits to be sent.
    Queued,
    /// Telegram has it.
    Sent,
    /// It did not arrive.
    Failed(Failure),
    /// Telegram's answer was lost: it may have arrived.
    InDoubt,
}

impl Delivery {
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Queued => "delivery-queued",
            Self::Sent => "delivery-sent",
            Self::Failed(_) => "delivery-failed",
            Self::InDoubt => "delivery-in-doubt",
        }
    }

    pub(crate) const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Failed(failure) => Some(failure.key()),
            Self::InDoubt => Some("delivery-in-doubt-text"),
            Self::Queued | Self::Sent => None,
        }
    }

    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::Queued => "clock",
            Self::Sent => "check",
            Self::Failed(_) => "alert-triangle",
            Self::InDoubt => "help-circle",
        }
    }

    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Queued => "delivery",
            Self::Sent => "delivery is-sent",
            Self::Failed(_) => "delivery is-failed",
            Self::InDoubt => "delivery is-doubt",
        }
    }
}

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Stable and unique in the page.
    pub id: String,
    /// Whether the citizen wrote it.
    pub incoming: bool,
    /// When it was sent.
    pub at: OffsetDateTime,
    /// What it consists of.
    pub content: Content,
    /// Text, or caption.
    pub text: String,
    /// Messages that follow each other with the same album are shown as one.
    pub album: Option<String>,
    /// When the citizen changed it.
    pub edited_at: Option<OffsetDateTime>,
    /// Earlier texts, oldest first.
    pub earlier: Vec<String>,
    /// How far an answer has come; `None` for the citizen's messages.
    pub delivery: Option<Delivery>,
    /// Who wrote an answer.
    pub author: String,
}

/// What is shown as one: a message, or an album.
pub(crate) struct Bubble<'a> {
    /// The message, or the first of the album.
    pub(crate) first: &'a Message,
    /// Every message of it.
    pub(crate) parts: Vec<&'a Message>,
}

impl Bubble<'_> {
    pub(crate) fn is_album(&self) -> bool {
        self.parts.len() > 1
    }

    pub(crate) fn edited(&self) -> Option<OffsetDateTime> {
        self.parts.iter().filter_map(|part| part.edited_at).max()
    }

    pub(crate) fn is_erased(&self) -> bool {
        self.first.content == Content::Erased
    }
}

/// The messages of one calendar day.
pub(crate) struct DayOfMessages<'a> {
    day: civil::Date,
    /// What was said, oldest first.
    pub(crate) bubbles: Vec<Bubble<'a>>,
}

impl DayOfMessages<'_> {
    /// "Today", "yesterday", or the date.
    pub(crate) fn title(&self, shell: &Shell) -> String {
        match format::days_between(self.day, shell.zone.day(shell.now)) {
            0 => shell.t("day-today"),
            1 => shell.t("day-yesterday"),
            _ => format::date(shell.locale, self.day, Detail::Weekday),
        }
    }

    /// ISO 8601, for identifiers and `datetime`.
    pub(crate) fn iso(&self) -> String {
        self.day.to_string()
    }
}

/// Gathers messages into days, and those of an album into one bubble.
pub(crate) fn days<'a>(shell: &Shell, messages: &'a [Message]) -> Vec<DayOfMessages<'a>> {
    let mut days: Vec<DayOfMessages<'a>> = Vec::new();
    for message in messages {
        let day = shell.zone.day(message.at);
        if days.last().is_none_or(|last| last.day != day) {
            days.push(DayOfMessages { day, bubbles: Vec::new() });
        }
        let Some(today) = days.last_mut() else { continue };
        match today.bubbles.last_mut() {
            Some(bubble) if belongs(bubble.first, message) => bubble.parts.push(message),
            _ => today.bubbles.push(Bubble { first: message, parts: vec![message] }),
        }
    }
    days
}

fn belongs(first: &Message, next: &Message) -> bool {
    first.album.is_some() && first.album == next.album && first.incoming == next.incoming
}
