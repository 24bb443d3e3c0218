//! Which ticket a citizen's message comes to.

use crm::app::{IncomingMessage, Shown};
use crm_domain::{
    Body, Person, Ticket, TicketCommand, TicketStatus, body::Kind, ticket::REOPENING,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{CAMPAIGN, NOON, SARA, at, inbox_of_its_own, of, origin};

fn message(number: i64, at: OffsetDateTime) -> IncomingMessage {
    let person = Person {
        first_name: "سارا".to_owned(),
        last_name: String::new(),
        username: String::new(),
        language: "fa".to_owned(),
    };
    let body = Body {
        kind: Kind::Text,
        text: format!("پیام {number}"),
        file: None,
        place: None,
        contact: None,
        label: String::new(),
    };
    IncomingMessage {
        citizen_id: SARA,
        shown: Shown { person, phone: String::new(), source: String::new() },
        body,
        channel: (Uuid::from_u128(7), number),
        album: None,
        at,
    }
}

#[tokio::test]
async fn a_message_told_again_after_its_ticket_ended_belongs_to_that_ticket_still() {
    let (log, crm, _secrets) = inbox_of_its_own().await;
    let receive = async |number, at, command| {
        let message = message(number, at);
        crm.receive(CAMPAIGN, &message, &origin(command)).await.expect("it is taken")
    };
    let (old, first) = receive(1, NOON, 1).await;
    let resolve = TicketCommand::ChangeStatus { to: TicketStatus::Resolved, at: at(1) };
    log.execute::<Ticket>(of(old), resolve, &origin(2)).await.expect("it is resolved");
    let (new, _) = receive(2, at(1) + 2 * REOPENING, 3).await;
    let facts = log.last_position(0).await.expect("it can be read");

    let (again, answer) = receive(1, NOON, 1).await;

    assert_ne!(old, new, "a ticket that was resolved long ago stays so");
    assert_eq!((again, answer.position, answer.repeated), (old, first.position, true));
    assert_eq!(log.last_position(0).await.expect("it can be read"), facts);
}
