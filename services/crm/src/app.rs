//! Every command and query of the inbox: the table of contents.

mod command;
mod keys;
mod query;

use meydan_event_log::{Clock, EventLog, ExecuteError, LoadError, Progress};
use meydan_keyring::{KeyError, Keyring, Place};
use uuid::Uuid;

pub use self::{
    command::{IncomingMessage, Reply, Settled, Shown},
    keys::keys_of,
    query::{Conversation, OpenedCitizen, OpenedMessage, OpenedTicket, Page},
};

/// The inbox.
#[derive(Debug, Clone)]
pub struct Crm {
    log: EventLog,
    keyring: Keyring,
    inbox: Progress,
    clock: Clock,
}

/// Why a command changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum AppError<R: std::error::Error + 'static> {
    /// The log said no, or nothing.
    #[error(transparent)]
    Log(#[from] ExecuteError<R>),
    /// There is no such ticket or citizen in this campaign.
    #[error("not found")]
    NotFound,
    /// Keys cannot be had, or the person's was destroyed.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

impl<R: std::error::Error + 'static> From<LoadError> for AppError<R> {
    fn from(error: LoadError) -> Self {
        Self::Log(error.into())
    }
}

/// Why a query was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// PostgreSQL cannot be used.
    #[error("the read model cannot be read")]
    Database(#[from] sqlx::Error),
    /// There is no such thing in this campaign.
    #[error("not found")]
    NotFound,
    /// Keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The read model has not come so far yet.
    #[error("the read model is behind")]
    Behind,
}

impl Crm {
    /// Keeps its facts in `log`; `inbox` tells how far the read model has come.
    #[must_use]
    pub const fn new(log: EventLog, keyring: Keyring, inbox: Progress, clock: Clock) -> Self {
        Self { log, keyring, inbox, clock }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> time::OffsetDateTime {
        self.clock.now()
    }
}

/// Where a ciphertext belongs: what it is bound to.
pub mod place {
    use super::{Place, Uuid};

    /// What a citizen is called.
    #[must_use]
    pub fn person(tenant: Uuid, citizen: Uuid) -> Place {
        Place::new(tenant, "citizen", citizen, "person")
    }

    /// A citizen's number.
    #[must_use]
    pub fn phone(tenant: Uuid, citizen: Uuid) -> Place {
        Place::new(tenant, "citizen", citizen, "phone")
    }

    /// The link through which a citizen came.
    #[must_use]
    pub fn source(tenant: Uuid, citizen: Uuid) -> Place {
        Place::new(tenant, "citizen", citizen, "source")
    }

    /// What a message holds.
    #[must_use]
    pub fn body(tenant: Uuid, message: Uuid) -> Place {
        Place::new(tenant, "ticket.message", message, "body")
    }

    /// First words of a ticket, which are those of its first message.
    #[must_use]
    pub fn subject(tenant: Uuid, ticket: Uuid) -> Place {
        Place::new(tenant, "ticket", ticket, "subject")
    }

    /// What the author of an answer is called.
    #[must_use]
    pub fn author(tenant: Uuid, message: Uuid) -> Place {
        Place::new(tenant, "ticket.message", message, "author")
    }
}
