//! Why a ticket says no.

/// A rule that a command would have broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketRefusal {
    /// There is no such ticket.
    #[error("the ticket has not been opened")]
    NotOpened,
    /// It has ended: the message is for a new ticket.
    #[error("the ticket has ended")]
    Ended,
    /// It belongs to another citizen.
    #[error("the ticket is another citizen's")]
    AnotherCitizen,
    /// There is no such message in it.
    #[error("the ticket has no such message")]
    NoSuchMessage,
    /// A member cannot move it there from where it is.
    #[error("the ticket cannot be moved there")]
    NoSuchMove,
    /// The citizen has blocked the bot.
    #[error("the citizen has blocked the bot")]
    CitizenBlocked,
}

impl TicketRefusal {
    /// Stable code for clients, translations and dashboards.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotOpened => "crm.ticket.not_found",
            Self::Ended => "crm.ticket.ended",
            Self::AnotherCitizen => "crm.ticket.another_citizen",
            Self::NoSuchMessage => "crm.ticket.no_such_message",
            Self::NoSuchMove => "crm.ticket.no_such_move",
            Self::CitizenBlocked => "crm.ticket.citizen_blocked",
        }
    }
}
