//! The list of conversations: rows, filters, paging.

use time::OffsetDateTime;

use crate::shell::Shell;

/// Where a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketStatus {
    /// Nobody has looked at it.
    New,
    /// Somebody is on it.
    InProgress,
    /// The citizen has to say something.
    Waiting,
    /// Settled; reopens when the citizen writes within 72 hours.
    Resolved,
    /// Over.
    Closed,
}

impl TicketStatus {
    /// Every status, in the order of a conversation's life.
    pub const ALL: [Self; 5] =
        [Self::New, Self::InProgress, Self::Waiting, Self::Resolved, Self::Closed];

    /// The value in forms and queries.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InProgress => "in_progress",
            Self::Waiting => "waiting",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// The status of a form's value, or `None` when there is no such status.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::New => "status-new",
            Self::InProgress => "status-in-progress",
            Self::Waiting => "status-waiting",
            Self::Resolved => "status-resolved",
            Self::Closed => "status-closed",
        }
    }

    /// The words on the button that moves a conversation here from another status.
    pub(crate) const fn action(self, from: Self) -> &'static str {
        match (self, from) {
            (Self::InProgress, Self::Resolved | Self::Closed) => "move-reopen",
            (Self::New | Self::InProgress, _) => "move-in-progress",
            (Self::Waiting, _) => "move-waiting",
            (Self::Resolved, _) => "move-resolved",
            (Self::Closed, _) => "move-closed",
        }
    }

    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::New => "tone-info",
            Self::InProgress => "tone-wait",
            Self::Waiting => "tone-plum",
            Self::Resolved => "tone-good",
            Self::Closed => "tone-quiet",
        }
    }

    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::New => "sparkles",
            Self::InProgress => "progress",
            Self::Waiting => "hourglass",
            Self::Resolved => "circle-check",
            Self::Closed => "archive",
        }
    }
}

/// Which conversations are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    /// All of them.
    #[default]
    All,
    /// Those whose last word is the citizen's.
    Unanswered,
    /// Those with an answer that did not arrive.
    Undelivered,
    /// Those with a status.
    Status(TicketStatus),
}

impl Filter {
    /// Every filter, in the order of the page.
    pub const ALL: [Self; 8] = [
        Self::All,
        Self::Unanswered,
        Self::Status(TicketStatus::New),
        Self::Status(TicketStatus::InProgress),
        Self::Status(TicketStatus::Waiting),
        Self::Status(TicketStatus::Resolved),
        Self::Status(TicketStatus::Closed),
        Self::Undelivered,
    ];

    /// The value of `status` in the query; empty for all.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Unanswered => "unanswered",
            Self::Undelivered => "undelivered",
            Self::Status(status) => status.code(),
        }
    }

    /// The filter of a query's `status`; an unknown one gives `None`.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.code() == code)
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::All => "filter-all",
            Self::Unanswered => "filter-unanswered",
            Self::Undelivered => "filter-undelivered",
            Self::Status(status) => status.key(),
        }
    }

    /// The address of the inbox with this filter.
    #[must_use]
    pub fn href(self, slug: &str) -> String {
        match self {
            Self::All => format!("/c/{slug}/inbox"),
            filter => format!("/c/{slug}/inbox?status={}", filter.code()),
        }
    }
}

/// What stands in a row for the first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preview {
    /// Words; they are the subject.
    Text,
    /// A photo without a caption.
    Photo,
    /// A voice message.
    Voice,
    /// A video without a caption.
    Video,
    /// Music or another recording.
    Audio,
    /// A file without a caption.
    Document,
    /// A place.
    Location,
    /// Somebody's phone number.
    Contact,
    /// A sticker.
    Sticker,
}

impl Preview {
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Text => "kind-text",
            Self::Photo => "kind-photo",
            Self::Voice => "kind-voice",
            Self::Video => "kind-video",
            Self::Audio => "kind-audio",
            Self::Document => "kind-document",
            Self::Location => "kind-location",
            Self::Contact => "kind-contact",
            Self::Sticker => "kind-sticker",
        }
    }
}

/// A conversation in a list.
#[derive(Debug, Clone)]
pub struct TicketRow {
    /// Its number in the campaign.
    pub number: i64,
    /// The citizen's name; empty when unknown or erased.
    pub citizen_name: String,
    /// The first words; empty for media without a caption and after erasure.
    pub subject: String,
    /// What the first message is.
    pub first_kind: Preview,
    /// Where it stands.
    pub status: TicketStatus,
    /// When the last message came or went.
    pub last_at: OffsetDateTime,
    /// Since when the citizen waits for an answer.
    pub waiting_since: Option<OffsetDateTime>,
    /// Answers that did not arrive.
    pub undelivered: u64,
    /// Whether the citizen's personal data is gone.
    pub erased: bool,
}

impl TicketRow {
    pub(crate) fn name(&self, shell: &Shell) -> String {
        name_or_words(shell, &self.citizen_name, self.erased)
    }

    pub(crate) fn subject_text(&self, shell: &Shell) -> String {
        subject_or_words(shell, &self.subject, self.first_kind, self.erased)
    }
}

pub(crate) fn name_or_words(shell: &Shell, name: &str, erased: bool) -> String {
    match (erased, name.is_empty()) {
        (true, _) => shell.t("citizen-erased"),
        (false, true) => shell.t("citizen-nameless"),
        (false, false) => without_direction(name),
    }
}

pub(crate) fn subject_or_words(
    shell: &Shell,
    subject: &str,
    kind: Preview,
    erased: bool,
) -> String {
    match (erased, subject.is_empty()) {
        (true, _) => shell.t("message-erased"),
        (false, true) => shell.t(kind.key()),
        (false, false) => subject.to_owned(),
    }
}

/// A name without the marks that turn what follows around, such as `exe.gpj` into `jpg.exe`.
pub(crate) fn without_direction(name: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    name.chars().filter(|c| !turns(*c)).collect()
}

/// The list of conversations with its filters.
#[derive(Debug, Clone)]
pub struct TicketList {
    /// The campaign.
    pub slug: String,
    /// What is listed.
    pub filter: Filter,
    /// How many conversations the filters have. A filter without a count shows none.
    pub counts: Vec<(Filter, u64)>,
    /// The conversations, the newest first.
    pub rows: Vec<TicketRow>,
    /// The cursor of this page as it was asked for (`before`); `None` for the newest.
    pub before: Option<String>,
    /// The cursor of the next page; `None` at the end.
    pub older: Option<String>,
    /// The conversation that is open.
    pub open: Option<i64>,
}

impl TicketList {
    /// The query that keeps filter and page: empty, or beginning with `?`.
    fn query(&self, before: Option<&str>) -> String {
        let mut pairs = Vec::new();
        if self.filter != Filter::All {
            pairs.push(format!("status={}", self.filter.code()));
        }
        if let Some(before) = before {
            pairs.push(format!("before={}", escape(before)));
        }
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }

    pub(crate) fn href(&self, row: &TicketRow) -> String {
        let number = row.number;
        format!("/c/{}/inbox/{number}{}", self.slug, self.query(self.before.as_deref()))
    }

    pub(crate) fn back_href(&self) -> String {
        format!("/c/{}/inbox{}", self.slug, self.query(self.before.as_deref()))
    }

    pub(crate) fn older_href(&self) -> Option<String> {
        let older = self.older.as_deref()?;
        Some(format!("/c/{}/inbox{}", self.slug, self.query(Some(older))))
    }

    pub(crate) fn newest_href(&self) -> Option<String> {
        self.before.as_ref().map(|_| format!("/c/{}/inbox{}", self.slug, self.query(None)))
    }

    /// The address of the list alone. `open` keeps the marked row.
    pub(crate) fn fragment_href(&self) -> String {
        let query = self.query(self.before.as_deref());
        let open = self
            .open
            .map(|number| format!("{}open={number}", if query.is_empty() { "?" } else { "&" }));
        format!("/c/{}/inbox/list{query}{}", self.slug, open.unwrap_or_default())
    }

    pub(crate) fn filters(&self) -> Vec<(Filter, Option<u64>)> {
        let count = |filter| {
            self.counts.iter().find(|(other, _)| *other == filter).map(|(_, count)| *count)
        };
        Filter::ALL
            .into_iter()
            .map(|filter| (filter, count(filter)))
            .filter(|(filter, count)| {
                *filter != Filter::Undelivered
                    || *filter == self.filter
                    || count.is_some_and(|count| count > 0)
            })
            .collect()
    }

    pub(crate) fn is_open(&self, row: &TicketRow) -> bool {
        self.open == Some(row.number)
    }
}

/// Percent-encodes what is not plain in a query's value.
fn escape(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
