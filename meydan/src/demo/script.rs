//! The script of the demonstration: two campaigns, their people, and a month of conversations.
//!
//! It only says what happened and when. Playing it through the services is the caller's work, so
//! that a demonstration takes the same way as everything else. The same seed and the same `now`
//! give the same script. The words are in `meydan/demo/*.json`.

mod calendar;
mod library;
mod people;
mod plan;
mod random;
mod tale;
mod wording;

#[cfg(test)]
mod tests;

use time::OffsetDateTime;

use self::{library::Library, random::Random};

/// What a demonstration shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Demo {
    /// In the order in which they are created.
    pub(crate) campaigns: Vec<DemoCampaign>,
}

/// One campaign with its team and its citizens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DemoCampaign {
    /// Its name in addresses.
    pub(crate) slug: String,
    /// Full name of the candidate. Invented, like every name here.
    pub(crate) candidate_name: String,
    /// What the candidate stands for.
    pub(crate) office: String,
    /// Where.
    pub(crate) constituency: String,
    pub(crate) home_region: String,
    /// The owner first.
    pub(crate) members: Vec<DemoMember>,
    /// Who writes.
    pub(crate) citizens: Vec<DemoCitizen>,
    /// In the order in which they were opened.
    pub(crate) tickets: Vec<DemoTicket>,
}

/// A person of the team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DemoMember {
    /// What they are called.
    pub(crate) name: String,
    /// An address under `.example`, which nobody can own.
    pub(crate) email: String,
    /// `owner` or `staff`.
    pub(crate) role: String,
}

/// A person who writes to the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DemoCitizen {
    /// Far above the numbers that Telegram has given out.
    pub(crate) user_id: i64,
    /// As their messenger shows it, which may be no name at all.
    pub(crate) first_name: String,
    /// Likewise.
    pub(crate) last_name: Option<String>,
    /// Without `@`.
    pub(crate) username: Option<String>,
    /// Of their app, such as `fa`.
    pub(crate) language: Option<String>,
    /// Shared by themselves, with the country's code.
    pub(crate) phone: Option<String>,
    /// The payload of the link that brought them.
    pub(crate) source: Option<String>,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DemoTicket {
    /// Index of the citizen in the campaign.
    pub(crate) citizen: usize,
    /// In strictly rising time; the first is the citizen's.
    pub(crate) steps: Vec<DemoStep>,
}

/// Something that happens in a conversation. `member` is an index in the campaign.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DemoStep {
    /// The citizen writes. A `text` beside other content is its caption.
    Citizen {
        /// When.
        at: OffsetDateTime,
        /// Text or caption.
        text: Option<String>,
        /// What kind of message it is.
        content: DemoContent,
    },
    /// A member answers. A new ticket is in progress from then on.
    Answer {
        /// When.
        at: OffsetDateTime,
        /// Who.
        member: usize,
        /// What it says.
        text: String,
        /// What became of it.
        delivery: DemoDelivery,
    },
    /// A member moves the ticket.
    Status {
        /// When.
        at: OffsetDateTime,
        /// Who.
        member: usize,
        /// One of the stored names of the statuses.
        to: &'static str,
    },
    /// The citizen changes a message.
    Edit {
        /// When.
        at: OffsetDateTime,
        /// Index of the message among the ticket's steps.
        of: usize,
        /// What it says now.
        text: String,
    },
}

impl DemoStep {
    /// When it happens.
    #[must_use]
    pub(crate) const fn at(&self) -> OffsetDateTime {
        match self {
            Self::Citizen { at, .. }
            | Self::Answer { at, .. }
            | Self::Status { at, .. }
            | Self::Edit { at, .. } => *at,
        }
    }
}

/// The kind of a citizen's message. There are no files behind it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DemoContent {
    /// Only text.
    Text,
    /// One picture.
    Photo,
    /// Several pictures in one message.
    Album {
        /// How many.
        photos: u8,
    },
    /// A voice message.
    Voice {
        /// How long.
        seconds: u32,
    },
    /// A video.
    Video {
        /// How long.
        seconds: u32,
    },
    /// A file.
    Document {
        /// What the sender called it.
        name: String,
        /// Its media type.
        mime: String,
    },
    /// A point, in degrees.
    Location {
        /// North of the equator.
        latitude: f64,
        /// East of Greenwich.
        longitude: f64,
    },
    /// The citizen's own card.
    Contact {
        /// What they are called.
        name: String,
        /// With the country's code.
        phone: String,
    },
    /// A sticker.
    Sticker {
        /// What it stands for.
        emoji: String,
    },
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DemoDelivery {
    /// It arrived.
    Sent,
    /// It did not. Nothing is answered to that citizen afterwards.
    Failed(DemoFailure),
}

/// Why an answer did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DemoFailure {
    /// The citizen has blocked the bot.
    Blocked,
}

/// Writes the script of the 30 days before `now`.
#[must_use]
pub(crate) fn script(seed: u64, now: OffsetDateTime) -> Demo {
    let library = Library::load();
    let mut random = Random::new(seed);
    let campaigns = (library.campaigns.iter().enumerate())
        .map(|(index, plan)| plan::campaign(&library, plan, (index, now), &mut random))
        .collect();
    Demo { campaigns }
}
