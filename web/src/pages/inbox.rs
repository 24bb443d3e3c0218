//! The inbox: the list, one conversation, and the citizen's card.

use askama::Template;

use crate::shell::Shell;

pub mod conversation;
pub mod list;
pub mod message;

pub use conversation::{CitizenCard, Composer, ComposerProblem, Conversation, OtherTicket};
pub use list::{Filter, Preview, TicketList, TicketRow, TicketStatus};
pub use message::{Content, Delivery, Failure, File, Message};

/// `GET /c/{slug}/inbox` and `GET /c/{slug}/inbox/{number}`, and the answers to a refused
/// `POST /c/{slug}/inbox/{number}/reply` (`text`, `command_id`) or `…/status` (`status`,
/// `command_id`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/inbox.html")]
pub struct InboxPage {
    /// What pages share.
    pub shell: Shell,
    /// The list.
    pub list: TicketList,
    /// The conversation that is open.
    pub conversation: Option<Conversation>,
}

impl InboxPage {
    fn title(&self) -> String {
        match &self.conversation {
            Some(conversation) => conversation.heading(&self.shell),
            None => self.shell.t("nav-inbox"),
        }
    }
}

/// `GET /c/{slug}/inbox/list`: the list alone.
#[derive(Debug, Clone, Template)]
#[template(path = "fragments/ticket_list.html")]
pub struct TicketListFragment {
    /// What pages share.
    pub shell: Shell,
    /// The list.
    pub list: TicketList,
}

/// `GET /c/{slug}/inbox/{number}/messages`: the messages alone, without composer and card.
#[derive(Debug, Clone, Template)]
#[template(path = "fragments/messages.html")]
pub struct MessagesFragment {
    /// What pages share.
    pub shell: Shell,
    /// The conversation.
    pub conversation: Conversation,
}

super::renders!(InboxPage, TicketListFragment, MessagesFragment);
