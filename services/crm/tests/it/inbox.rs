//! Given facts, then rows of the inbox.

use crm::projections::Inbox;
use crm_domain::{Ticket, TicketEvent, ticket::DeliveryFailure};
use meydan_erasure::{Subject, SubjectEvent};
use meydan_event_log::{PLATFORM, Target};
use meydan_testkit::given::{Given, Rows};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};

use crate::{
    CAMPAIGN, MEMBER, NOON, SARA, TICKET, at, conversation, database, message, of, received,
};

async fn rows(given: Given) -> Rows {
    let url = database().await;
    let inbox = Inbox { nats: None, pool: PgPool::connect(&url).await.expect("it answers") };
    let mut db = PgConnection::connect(&url).await.expect("it answers");
    given.shown_by(&inbox, &mut db).await.expect("every fact is digested")
}

/// The parts of the only answer's row that tell what became of it.
fn delivery(rows: &Rows) -> Value {
    rows.of("messages", &["incoming", "delivery", "failure"])
}

#[tokio::test]
async fn a_conversation_is_a_numbered_ticket_with_its_messages_and_its_citizen() {
    let rows = rows(conversation()).await;

    let tickets = rows.of("tickets", &["number", "citizen_id", "waiting_since", "undelivered"]);
    assert_eq!(tickets, json!([[1001, SARA, null, 0]]));
    assert_eq!(delivery(&rows), json!([[true, null, null], [false, "queued", null]]));
    assert_eq!(rows.of("citizens", &["citizen_id", "blocked"]), json!([[SARA, false]]));
}

#[tokio::test]
async fn an_answer_that_failed_is_counted_until_it_arrives() {
    let failed = TicketEvent::ReplyFailed {
        message_id: message(2),
        failure: DeliveryFailure::Blocked,
        at: at(3),
    };
    let sent = TicketEvent::ReplySent { message_id: message(2), at: at(4) };
    let failure = conversation().fact::<Ticket>(of(TICKET), &failed);

    let after_failure = rows(failure.clone()).await;
    let after_all = rows(failure.fact::<Ticket>(of(TICKET), &sent)).await;

    assert_eq!(after_failure.of("tickets", &["undelivered"]), json!([[1]]));
    assert_eq!(delivery(&after_failure)[1], json!([false, "failed", "blocked"]));
    assert_eq!(after_all.of("tickets", &["undelivered"]), json!([[0]]));
    assert_eq!(delivery(&after_all)[1][1], json!("sent"));
}

#[tokio::test]
async fn a_citizen_waits_since_the_first_word_that_nobody_answered() {
    let twice = conversation()
        .fact::<Ticket>(of(TICKET), &received(5))
        .fact::<Ticket>(of(TICKET), &received(6));

    let rows = rows(twice).await;

    let since = rows.of("tickets", &["waiting_since"])[0][0].as_str().map(ToOwned::to_owned);
    assert_eq!(since.as_deref(), Some("2026-11-21T12:05:00+00:00"));
}

#[tokio::test]
async fn of_an_erased_citizen_only_the_counts_are_left() {
    let erased = conversation().fact::<Subject>(of(SARA), &SubjectEvent::Erased { at: NOON });

    let rows = rows(erased).await;

    assert_eq!(rows.of("citizens", &["person_sealed", "phone_sealed"]), json!([[null, null]]));
    assert_eq!(rows.of("tickets", &["number", "subject_sealed"]), json!([[1001, null]]));
    assert_eq!(rows.of("messages", &["body_sealed"]), json!([[null], [null]]));
}

#[tokio::test]
async fn an_account_that_the_platform_erases_loses_its_name_in_every_campaign() {
    let everywhere = Target { tenant: PLATFORM, id: MEMBER };
    let erased = conversation().fact::<Subject>(everywhere, &SubjectEvent::Erased { at: NOON });

    let rows = rows(erased).await;

    let authors = rows.of("messages", &["tenant_id", "author", "author_name_sealed"]);
    let of_the_answer = json!([CAMPAIGN, MEMBER, null]);
    assert!(authors.as_array().is_some_and(|authors| authors.contains(&of_the_answer)));
}

#[tokio::test]
async fn a_fact_that_nobody_knows_is_refused_not_skipped() {
    let unknown = ("ticket.sung", 1);
    let given = conversation().told(of(TICKET), "ticket", unknown, &json!({"type": "ticket.sung"}));
    let url = database().await;
    let inbox = Inbox { nats: None, pool: PgPool::connect(&url).await.expect("it answers") };
    let mut db = PgConnection::connect(&url).await.expect("it answers");

    let said = given.shown_by(&inbox, &mut db).await;

    assert!(said.is_err_and(|error| error.to_string().contains("ticket.sung")));
}
