//! A ticket: a citizen's conversation with the campaign, and where it stands.
//!
//! ```text
//!          a member moves it, in any order of the first three
//!  open ──▶ new ──▶ in progress ◀──▶ waiting ──▶ resolved ──▶ closed
//!            │           ▲              │            │           │
//!            └─ answer ──┤◀── citizen ──┘            │           │
//!                        ├◀── citizen, within 72 h ──┘           │
//!                        └◀── a member reopens ──────────────────┘
//! ```
//!
//! A citizen's message to a closed ticket, or to one resolved longer ago, is for a new ticket.

mod command;
mod decide;
mod event;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub use self::{
    command::{Answer, Incoming, TicketCommand},
    event::{DeliveryFailure, Sender, TicketEvent},
    refusal::TicketRefusal,
};

/// How long after it was resolved a citizen's message still reopens a ticket.
pub const REOPENING: Duration = Duration::hours(72);

/// Where a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketStatus {
    /// Nobody has taken it up.
    New,
    /// Somebody works on it.
    InProgress,
    /// The campaign waits for the citizen or for others.
    Waiting,
    /// Answered; the citizen may come back.
    Resolved,
    /// Ended.
    Closed,
}

impl TicketStatus {
    /// Name under which it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InProgress => "in_progress",
            Self::Waiting => "waiting",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// Where a member may move a ticket from here.
    #[must_use]
    pub const fn moves(self) -> &'static [Self] {
        match self {
            Self::New => &[Self::InProgress, Self::Waiting, Self::Resolved, Self::Closed],
            Self::InProgress => &[Self::Waiting, Self::Resolved, Self::Closed],
            Self::Waiting => &[Self::InProgress, Self::Resolved, Self::Closed],
            Self::Resolved => &[Self::InProgress, Self::Closed],
            Self::Closed => &[Self::InProgress],
        }
    }
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Delivery {
    Queued,
    Sent,
    Failed,
    InDoubt,
}

/// A ticket, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ticket {
    stage: Option<Stage>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stage {
    citizen: Uuid,
    status: TicketStatus,
    /// When it came to that status.
    since: OffsetDateTime,
    /// The citizen's messages.
    incoming: BTreeSet<Uuid>,
    answers: BTreeMap<Uuid, Delivery>,
}

impl Ticket {
    /// The citizen who opened it.
    #[must_use]
    pub fn citizen(&self) -> Option<Uuid> {
        self.stage.as_ref().map(|stage| stage.citizen)
    }

    fn opened(citizen: Uuid, at: OffsetDateTime) -> Stage {
        Stage {
            citizen,
            status: TicketStatus::New,
            since: at,
            incoming: BTreeSet::new(),
            answers: BTreeMap::new(),
        }
    }
}

impl Stage {
    fn moved(&mut self, status: TicketStatus, at: OffsetDateTime) {
        self.status = status;
        self.since = at;
    }

    fn apply(&mut self, event: &TicketEvent) {
        match *event {
            TicketEvent::Opened { .. } | TicketEvent::MessageEdited { .. } => {}
            TicketEvent::MessageReceived { message_id, .. } => {
                self.incoming.insert(message_id);
            }
            TicketEvent::Reopened { at } => self.moved(TicketStatus::InProgress, at),
            TicketEvent::StatusChanged { to, at, .. } => self.moved(to, at),
            TicketEvent::ReplyWritten { message_id, .. } => {
                self.answers.insert(message_id, Delivery::Queued);
            }
            TicketEvent::ReplySent { message_id, .. } => {
                self.answers.insert(message_id, Delivery::Sent);
            }
            TicketEvent::ReplyFailed { message_id, .. } => {
                self.answers.insert(message_id, Delivery::Failed);
            }
            TicketEvent::ReplyInDoubt { message_id, .. } => {
                self.answers.insert(message_id, Delivery::InDoubt);
            }
        }
    }
}

impl Aggregate for Ticket {
    const TYPE: &'static str = "ticket";

    type Command = TicketCommand;
    type Event = TicketEvent;
    type Error = TicketRefusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: TicketCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), TicketRefusal> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: TicketEvent) {
        if let TicketEvent::Opened { citizen_id, at, .. } = event {
            self.stage = Some(Self::opened(citizen_id, at));
        } else if let Some(stage) = &mut self.stage {
            stage.apply(&event);
        }
    }
}
