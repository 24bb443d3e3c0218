//! One conversation: heading, allowed moves, composer, and the citizen beside it.

use time::OffsetDateTime;

use super::{
    list::{Preview, TicketStatus, name_or_words, subject_or_words},
    message::{self, DayOfMessages, Message},
};
use crate::shell::Shell;

/// Why an answer was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComposerProblem {
    /// Nothing was written.
    Empty,
    /// More than 16,384 UTF-16 units.
    TooLong,
    /// The citizen has blocked the bot.
    Blocked,
    /// The status was changed elsewhere meanwhile.
    MovedMeanwhile,
    /// It could not be stored; the text is still here.
    NotStored,
}

impl ComposerProblem {
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Empty => "reply-empty",
            Self::TooLong => "reply-too-long",
            Self::Blocked => "reply-blocked",
            Self::MovedMeanwhile => "reply-moved-meanwhile",
            Self::NotStored => "reply-not-stored",
        }
    }
}

/// The form for an answer.
#[derive(Debug, Clone, Default)]
pub struct Composer {
    /// For idempotency: sent back as `command_id` by the answer.
    pub command_id: String,
    /// The same for the status buttons: a move and an answer are two commands.
    pub move_id: String,
    /// The text, as it was typed.
    pub text: String,
    /// Why the last attempt was refused.
    pub problem: Option<ComposerProblem>,
}

/// Another conversation with the same citizen.
#[derive(Debug, Clone)]
pub struct OtherTicket {
    /// Its number.
    pub number: i64,
    /// Its first words; empty for media without a caption.
    pub subject: String,
    /// What its first message is.
    pub first_kind: Preview,
    /// Where it stands.
    pub status: TicketStatus,
    /// When the last message came or went.
    pub last_at: OffsetDateTime,
}

impl OtherTicket {
    pub(crate) fn subject_text(&self, shell: &Shell) -> String {
        subject_or_words(shell, &self.subject, self.first_kind, false)
    }
}

/// What the campaign knows about a citizen.
#[derive(Debug, Clone)]
pub struct CitizenCard {
    /// First and last name; empty when unknown or erased.
    pub name: String,
    /// Telegram handle without the `@`; empty when there is none.
    pub username: String,
    /// Language code of their Telegram; empty when unknown.
    pub language: String,
    /// Phone number, when they shared it themselves.
    pub phone: String,
    /// The deep link by which they came; empty when none.
    pub source: String,
    /// When they first wrote.
    pub first_seen: OffsetDateTime,
    /// When they last wrote.
    pub last_seen: OffsetDateTime,
    /// Whether they have blocked the bot.
    pub blocked: bool,
    /// Whether their personal data is gone.
    pub erased: bool,
    /// Their other conversations, the newest first.
    pub others: Vec<OtherTicket>,
}

impl CitizenCard {
    pub(crate) fn display_name(&self, shell: &Shell) -> String {
        name_or_words(shell, &self.name, self.erased)
    }

    pub(crate) fn tickets(&self) -> u64 {
        self.others.len() as u64 + 1
    }

    pub(crate) fn language_text(&self, shell: &Shell) -> String {
        match self.language.split('-').next().unwrap_or_default() {
            "fa" => shell.t("language-fa"),
            "en" => shell.t("language-en"),
            "ar" => shell.t("language-ar"),
            "az" => shell.t("language-az"),
            "ku" | "ckb" => shell.t("language-ku"),
            "tr" => shell.t("language-tr"),
            _ => self.language.clone(),
        }
    }
}

/// A conversation.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// The campaign.
    pub slug: String,
    /// Its number.
    pub number: i64,
    /// Its first words; empty for media without a caption and after erasure.
    pub subject: String,
    /// What its first message is.
    pub first_kind: Preview,
    /// Where it stands.
    pub status: TicketStatus,
    /// Where it may be moved.
    pub moves: Vec<TicketStatus>,
    /// What was said, oldest first.
    pub messages: Vec<Message>,
    /// The other side.
    pub citizen: CitizenCard,
    /// The form for an answer.
    pub composer: Composer,
}

impl Conversation {
    pub(crate) fn heading(&self, shell: &Shell) -> String {
        subject_or_words(shell, &self.subject, self.first_kind, self.citizen.erased)
    }

    pub(crate) fn days(&self, shell: &Shell) -> Vec<DayOfMessages<'_>> {
        message::days(shell, &self.messages)
    }

    /// The allowed moves, each with the words on its button.
    pub(crate) fn choices(&self) -> Vec<(TicketStatus, &'static str)> {
        self.moves.iter().map(|to| (*to, to.action(self.status))).collect()
    }

    pub(crate) fn can_reply(&self) -> bool {
        !self.citizen.blocked && !self.citizen.erased
    }
}
