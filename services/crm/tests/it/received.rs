//! Which ticket a citizen's message comes to, and which unique keys follow from that.

use std::collections::BTreeSet;

use crm::app::{IncomingMessage, Shown, keys_of};
use crm_domain::{
    Body, Person, Ticket, TicketCommand, TicketStatus, body::Kind, ticket::REOPENING,
};
use meydan_event_log::KeyChange;
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

#[tokio::test]
async fn what_a_restored_log_is_told_of_its_unique_keys_is_what_it_held() {
    let (log, crm, _secrets) = inbox_of_its_own().await;
    for (number, at) in [(1, NOON), (2, at(1))] {
        let command = u128::try_from(number).expect("positive");
        let message = message(number, at);
        let (ticket, _) =
            crm.receive(CAMPAIGN, &message, &origin(command)).await.expect("it is taken");
        let close = TicketCommand::ChangeStatus { to: TicketStatus::Closed, at };
        log.execute::<Ticket>(of(ticket), close, &origin(10 + command)).await.expect("it closes");
    }

    let mut told = BTreeSet::new();
    for fact in log.after(0, 0, 100).await.expect("it can be read") {
        for change in keys_of(&fact).expect("it is known") {
            let KeyChange::Taken(key) = change else { panic!("nothing was let go of") };
            told.insert((key.scope.to_owned(), key.key, fact.aggregate_id));
        }
    }

    let held = sqlx::query_as("SELECT scope, key, aggregate_id FROM es.unique_keys");
    let held: Vec<(String, Vec<u8>, Uuid)> =
        held.fetch_all(log.pool()).await.expect("it can be read");
    assert_eq!(held.len(), 4, "two messages, and two tickets");
    assert_eq!(told, held.into_iter().collect());
}
