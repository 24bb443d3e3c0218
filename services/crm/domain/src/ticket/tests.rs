//! Given facts, when a request, then facts or a refusal.

use cqrs_es::test::TestFramework;
use meydan_keyring::Sealed;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::{
    Answer, DeliveryFailure, Incoming, REOPENING, Sender, Ticket, TicketCommand, TicketEvent,
    TicketRefusal, TicketStatus,
};
use crate::body::Kind;

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const SARA: Uuid = Uuid::from_u128(1);
const ANSWER: Uuid = Uuid::from_u128(50);
const BOT: Uuid = Uuid::from_u128(5);

fn sealed<T>() -> Sealed<T> {
    "s1.00000000000000000000000000000007.AAAA".parse().expect("it has the form of one")
}

fn incoming(number: i64, at: OffsetDateTime) -> Incoming {
    Incoming {
        message_id: Uuid::from_u128(u128::try_from(number).expect("positive")),
        citizen_id: SARA,
        bot_id: BOT,
        channel_message_id: number,
        body: sealed(),
        kind: Kind::Text,
        subject: sealed(),
        album: None,
        at,
    }
}

fn opened() -> TicketEvent {
    TicketEvent::Opened { citizen_id: SARA, subject: sealed(), kind: Kind::Text, at: NOON }
}

fn received(number: i64, at: OffsetDateTime) -> TicketEvent {
    TicketEvent::MessageReceived {
        message_id: Uuid::from_u128(u128::try_from(number).expect("positive")),
        channel_message_id: number,
        from: Some(Sender { citizen_id: SARA, bot_id: BOT }),
        body: sealed(),
        album: None,
        at,
    }
}

/// As it was recorded before it said from whom.
fn of_before(number: i64) -> TicketEvent {
    let mut event = received(number, NOON);
    if let TicketEvent::MessageReceived { from, .. } = &mut event {
        *from = None;
    }
    event
}

fn moved(from: TicketStatus, to: TicketStatus, at: OffsetDateTime) -> TicketEvent {
    TicketEvent::StatusChanged { from, to, at }
}

fn answer(blocked: bool) -> TicketCommand {
    TicketCommand::Reply(Answer {
        message_id: ANSWER,
        body: sealed(),
        author: Uuid::from_u128(9),
        author_name: sealed(),
        blocked,
        at: NOON,
    })
}

fn written() -> TicketEvent {
    TicketEvent::ReplyWritten {
        message_id: ANSWER,
        citizen_id: SARA,
        body: sealed(),
        author: Uuid::from_u128(9),
        author_name: sealed(),
        at: NOON,
    }
}

fn given(history: Vec<TicketEvent>) -> cqrs_es::test::AggregateTestExecutor<Ticket> {
    TestFramework::<Ticket>::with(()).given(history)
}

#[test]
fn the_first_message_opens_the_ticket() {
    TestFramework::<Ticket>::with(())
        .given_no_previous_events()
        .when(TicketCommand::Receive(incoming(1, NOON)))
        .then_expect_events(vec![opened(), received(1, NOON)]);
}

#[test]
fn a_message_that_is_known_changes_nothing() {
    given(vec![opened(), received(1, NOON)])
        .when(TicketCommand::Receive(incoming(1, NOON)))
        .then_expect_events(vec![]);
}

#[test]
fn a_message_joins_the_open_ticket() {
    given(vec![opened(), received(1, NOON)])
        .when(TicketCommand::Receive(incoming(2, NOON)))
        .then_expect_events(vec![received(2, NOON)]);
}

#[test]
fn a_message_ends_the_waiting_for_the_citizen() {
    given(vec![opened(), moved(TicketStatus::New, TicketStatus::Waiting, NOON)])
        .when(TicketCommand::Receive(incoming(2, NOON)))
        .then_expect_events(vec![
            moved(TicketStatus::Waiting, TicketStatus::InProgress, NOON),
            received(2, NOON),
        ]);
}

#[test]
fn a_message_within_72_hours_reopens_a_resolved_ticket() {
    let late = NOON + REOPENING;
    given(vec![opened(), moved(TicketStatus::New, TicketStatus::Resolved, NOON)])
        .when(TicketCommand::Receive(incoming(2, late)))
        .then_expect_events(vec![TicketEvent::Reopened { at: late }, received(2, late)]);
}

#[test]
fn a_message_after_72_hours_is_for_a_new_ticket() {
    let later = NOON + REOPENING + Duration::seconds(1);
    given(vec![opened(), moved(TicketStatus::New, TicketStatus::Resolved, NOON)])
        .when(TicketCommand::Receive(incoming(2, later)))
        .then_expect_error(TicketRefusal::Ended);
}

#[test]
fn a_message_to_a_closed_ticket_is_for_a_new_one() {
    given(vec![opened(), moved(TicketStatus::New, TicketStatus::Closed, NOON)])
        .when(TicketCommand::Receive(incoming(2, NOON)))
        .then_expect_error(TicketRefusal::Ended);
}

#[test]
fn another_citizens_message_has_no_place_here() {
    let message = Incoming { citizen_id: Uuid::from_u128(2), ..incoming(2, NOON) };
    given(vec![opened()])
        .when(TicketCommand::Receive(message))
        .then_expect_error(TicketRefusal::AnotherCitizen);
}

#[test]
fn an_answer_takes_up_a_new_ticket() {
    given(vec![opened()]).when(answer(false)).then_expect_events(vec![
        written(),
        moved(TicketStatus::New, TicketStatus::InProgress, NOON),
    ]);
}

#[test]
fn nobody_writes_to_a_citizen_who_has_blocked_the_bot() {
    given(vec![opened()]).when(answer(true)).then_expect_error(TicketRefusal::CitizenBlocked);
}

#[test]
fn an_answer_to_nothing_is_refused() {
    TestFramework::<Ticket>::with(())
        .given_no_previous_events()
        .when(answer(false))
        .then_expect_error(TicketRefusal::NotOpened);
}

#[test]
fn every_status_moves_only_where_its_buttons_lead() {
    for from in [
        TicketStatus::New,
        TicketStatus::InProgress,
        TicketStatus::Waiting,
        TicketStatus::Resolved,
        TicketStatus::Closed,
    ] {
        for to in [TicketStatus::New, TicketStatus::InProgress, TicketStatus::Closed] {
            let history = vec![opened(), moved(TicketStatus::New, from, NOON)];
            let outcome = given(history).when(TicketCommand::ChangeStatus { to, at: NOON });
            if to == from {
                outcome.then_expect_events(vec![]);
            } else if from.moves().contains(&to) {
                outcome.then_expect_events(vec![moved(from, to, NOON)]);
            } else {
                outcome.then_expect_error(TicketRefusal::NoSuchMove);
            }
        }
    }
}

#[test]
fn an_edit_names_the_message_that_it_changes() {
    let edit = |number| TicketCommand::Edit {
        message_id: Uuid::from_u128(number),
        body: sealed(),
        at: NOON,
    };
    let history = || vec![opened(), received(1, NOON)];
    given(history()).when(edit(1)).then_expect_events(vec![TicketEvent::MessageEdited {
        message_id: Uuid::from_u128(1),
        body: sealed(),
        at: NOON,
    }]);
    given(history()).when(edit(2)).then_expect_error(TicketRefusal::NoSuchMessage);
}

#[test]
fn what_was_sent_stays_sent_whatever_is_heard_later() {
    let sent = || TicketEvent::ReplySent { message_id: ANSWER, at: NOON };
    let failed = TicketCommand::RecordFailed {
        message_id: ANSWER,
        failure: DeliveryFailure::Blocked,
        at: NOON,
    };
    let doubt = TicketCommand::RecordInDoubt { message_id: ANSWER, at: NOON };
    for later in [failed, doubt, TicketCommand::RecordSent { message_id: ANSWER, at: NOON }] {
        given(vec![opened(), written(), sent()]).when(later).then_expect_events(vec![]);
    }
}

#[test]
fn an_answer_in_doubt_may_turn_out_to_have_arrived() {
    let doubt = TicketEvent::ReplyInDoubt { message_id: ANSWER, at: NOON };
    given(vec![opened(), written(), doubt])
        .when(TicketCommand::RecordSent { message_id: ANSWER, at: NOON })
        .then_expect_events(vec![TicketEvent::ReplySent { message_id: ANSWER, at: NOON }]);
}

#[test]
fn the_outcome_of_an_answer_that_is_not_here_is_refused() {
    given(vec![opened()])
        .when(TicketCommand::RecordSent { message_id: ANSWER, at: NOON })
        .then_expect_error(TicketRefusal::NoSuchMessage);
}

/// The stored shape of every event. A line that has to be changed here is a log that can't be read any more.
#[test]
fn the_stored_shape_of_events_is_pinned() {
    let golden = include_str!("../../tests/golden/ticket.jsonl");
    let all = [
        opened(),
        of_before(1),
        received(1, NOON),
        TicketEvent::MessageEdited { message_id: ANSWER, body: sealed(), at: NOON },
        TicketEvent::Reopened { at: NOON },
        moved(TicketStatus::InProgress, TicketStatus::Waiting, NOON),
        written(),
        TicketEvent::ReplySent { message_id: ANSWER, at: NOON },
        TicketEvent::ReplyFailed {
            message_id: ANSWER,
            failure: DeliveryFailure::ChatNotFound,
            at: NOON,
        },
        TicketEvent::ReplyInDoubt { message_id: ANSWER, at: NOON },
    ];

    assert_eq!(meydan_event_log::golden::pin(golden, &all), Ok(()));
}

fn any_command() -> impl proptest::strategy::Strategy<Value = (u8, i64, i64)> {
    (0..7_u8, 1..6_i64, 0..200_i64)
}

fn command((kind, number, hours): (u8, i64, i64)) -> TicketCommand {
    let at = NOON + Duration::hours(hours);
    let statuses = [
        TicketStatus::New,
        TicketStatus::InProgress,
        TicketStatus::Waiting,
        TicketStatus::Resolved,
        TicketStatus::Closed,
    ];
    let status = statuses[usize::try_from(number - 1).expect("small")];
    match kind {
        0 | 1 => TicketCommand::Receive(incoming(number, at)),
        2 => {
            TicketCommand::Edit { message_id: incoming(number, at).message_id, body: sealed(), at }
        }
        3 => answer(number == 1),
        4 => TicketCommand::RecordSent { message_id: ANSWER, at },
        5 => TicketCommand::RecordInDoubt { message_id: ANSWER, at },
        _ => TicketCommand::ChangeStatus { to: status, at },
    }
}

proptest::proptest! {
    /// Every accepted command sent again at once changes nothing that a member or a citizen would notice:
    /// no message twice, no answer twice, no move twice.
    #[test]
    fn whatever_was_accepted_is_not_accepted_twice(asked in proptest::collection::vec(any_command(), 1..40)) {
        let mut ticket = Ticket::default();
        for about in asked {
            let Ok(events) = ticket.decide(command(about)) else { continue };
            for event in events {
                cqrs_es::Aggregate::apply(&mut ticket, event);
            }
            let again = ticket.decide(command(about));
            let edits = matches!(about.0, 2);
            proptest::prop_assert!(edits || matches!(again.as_deref(), Ok([]) | Err(_)), "{about:?}: {again:?}");
        }
    }
}
