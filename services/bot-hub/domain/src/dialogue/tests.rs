//! Given facts, when a request, then facts or a refusal.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use meydan_keyring::Sealed;
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::{
    Dialogue, DialogueCommand, DialogueEvent, DialogueRefusal, Did, ReplyFailure, ReplyOutcome,
};

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const BOT: Uuid = Uuid::from_u128(5);
const TICKET: Uuid = Uuid::from_u128(40);
const ANSWER: Uuid = Uuid::from_u128(50);

fn sealed<T>() -> Sealed<T> {
    "s1.00000000000000000000000000000007.AAAA".parse().expect("it has the form of one")
}

fn given(history: Vec<DialogueEvent>) -> AggregateTestExecutor<Dialogue> {
    TestFramework::<Dialogue>::with(()).given(history)
}

fn started() -> DialogueEvent {
    DialogueEvent::Started { bot_id: BOT, chat: sealed(), at: NOON }
}

fn acted(did: Did) -> DialogueEvent {
    DialogueEvent::CitizenActed { bot_id: BOT, update_id: 7, person: sealed(), did, at: NOON }
}

fn record(did: Did) -> DialogueCommand {
    DialogueCommand::Record {
        bot_id: BOT,
        update_id: 7,
        chat: sealed(),
        person: sealed(),
        did,
        at: NOON,
    }
}

fn settle(outcome: ReplyOutcome) -> DialogueCommand {
    DialogueCommand::SettleReply { ticket_id: TICKET, message_id: ANSWER, outcome, at: NOON }
}

fn failed(failure: ReplyFailure) -> DialogueEvent {
    DialogueEvent::ReplyFailed { ticket_id: TICKET, message_id: ANSWER, failure, at: NOON }
}

fn sent() -> DialogueEvent {
    DialogueEvent::ReplySent { ticket_id: TICKET, message_id: ANSWER, at: NOON }
}

fn in_doubt() -> DialogueEvent {
    DialogueEvent::ReplyInDoubt { ticket_id: TICKET, message_id: ANSWER, at: NOON }
}

#[test]
fn the_first_thing_that_a_citizen_does_starts_the_dialogue() {
    TestFramework::<Dialogue>::with(())
        .given_no_previous_events()
        .when(record(Did::Start { payload: None }))
        .then_expect_events(vec![started(), acted(Did::Start { payload: None })]);
    given(vec![started()]).when(record(Did::Block)).then_expect_events(vec![acted(Did::Block)]);
}

#[test]
fn nothing_is_said_to_somebody_who_never_came() {
    TestFramework::<Dialogue>::with(())
        .given_no_previous_events()
        .when(settle(ReplyOutcome::Sent))
        .then_expect_error(DialogueRefusal::NotStarted);
}

#[test]
fn what_was_sent_stays_sent_whatever_is_heard_later() {
    let later =
        [ReplyOutcome::Sent, ReplyOutcome::InDoubt, ReplyOutcome::Failed(ReplyFailure::Blocked)];
    for outcome in later {
        given(vec![started(), sent()]).when(settle(outcome)).then_expect_events(vec![]);
    }
    given(vec![started(), in_doubt()])
        .when(settle(ReplyOutcome::Sent))
        .then_expect_events(vec![sent()]);
}

/// The stored shape of every event. A line that has to be changed here is a log that can't be read any more.
#[test]
fn the_stored_shape_of_events_is_pinned() {
    let golden = include_str!("../../tests/golden/dialogue.jsonl");
    let all = [
        started(),
        acted(Did::Start { payload: None }),
        acted(Did::Start { payload: Some(sealed()) }),
        acted(Did::Write { message: sealed() }),
        acted(Did::Edit { message: sealed() }),
        acted(Did::Press { data: Some(sealed()) }),
        acted(Did::Block),
        acted(Did::Unblock),
        sent(),
        failed(ReplyFailure::Blocked),
        failed(ReplyFailure::ChatNotFound),
        failed(ReplyFailure::BotRevoked),
        failed(ReplyFailure::Rejected),
        failed(ReplyFailure::GaveUp),
        in_doubt(),
    ];

    assert_eq!(meydan_event_log::golden::pin(golden, &all), Ok(()));
}
