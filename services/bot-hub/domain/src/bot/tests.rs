//! Given facts, when a request, then facts or a refusal.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use meydan_keyring::Sealed;
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::{Bot, BotCommand, BotEvent, BotProblem, BotRefusal, Mode};

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const NARGES: i64 = 123_456_789;

fn sealed() -> Sealed<String> {
    "s1.00000000000000000000000000000007.AAAA".parse().expect("it has the form of one")
}

fn given(history: Vec<BotEvent>) -> AggregateTestExecutor<Bot> {
    TestFramework::<Bot>::with(()).given(history)
}

fn token(number: u8) -> BotEvent {
    BotEvent::TokenGiven {
        token: sealed(),
        fingerprint: format!("fingerprint-{number}"),
        hook_id: hook(number),
        secret: sealed(),
        secret_sha256: "00ff".to_owned(),
        at: NOON,
    }
}

fn give(number: u8) -> BotCommand {
    BotCommand::GiveToken {
        token: sealed(),
        fingerprint: format!("fingerprint-{number}"),
        hook_id: hook(number),
        secret: sealed(),
        secret_sha256: "00ff".to_owned(),
        at: NOON,
    }
}

fn hook(number: u8) -> String {
    format!("hook-{number}")
}

fn identified() -> BotEvent {
    BotEvent::Identified {
        bot_id: Uuid::from_u128(5),
        telegram_id: NARGES,
        username: "narges_bot".to_owned(),
        name: "نرگس".to_owned(),
        at: NOON,
    }
}

fn identify(number: u8) -> BotCommand {
    BotCommand::Identify {
        hook_id: hook(number),
        bot_id: Uuid::from_u128(5),
        telegram_id: NARGES,
        username: "narges_bot".to_owned(),
        name: "نرگس".to_owned(),
        at: NOON,
    }
}

fn live() -> BotEvent {
    BotEvent::WentLive { mode: Mode::Webhook, at: NOON }
}

fn go_live(number: u8, mode: Mode) -> BotCommand {
    BotCommand::GoLive { hook_id: hook(number), mode, at: NOON }
}

fn health(number: u8, problem: Option<BotProblem>) -> BotCommand {
    BotCommand::NoteHealth { hook_id: hook(number), problem, at: NOON }
}

#[test]
fn a_token_is_tried_identified_and_goes_live() {
    TestFramework::<Bot>::with(())
        .given_no_previous_events()
        .when(give(1))
        .then_expect_events(vec![token(1)]);
    given(vec![token(1)]).when(identify(1)).then_expect_events(vec![identified()]);
    let known = vec![token(1), identified()];
    given(known.clone()).when(identify(1)).then_expect_events(vec![]);
    given(known).when(go_live(1, Mode::Webhook)).then_expect_events(vec![live()]);
}

#[test]
fn a_bot_that_nobody_has_identified_does_not_go_live() {
    given(vec![token(1)]).when(go_live(1, Mode::Webhook)).then_expect_events(vec![]);
}

#[test]
fn what_is_heard_of_an_earlier_token_changes_nothing() {
    let history = vec![token(1), identified(), live(), token(2)];
    for late in [
        identify(1),
        go_live(1, Mode::Polling),
        BotCommand::Fail { hook_id: hook(1), problem: BotProblem::WrongToken, at: NOON },
        health(1, Some(BotProblem::WebhookRefused)),
        BotCommand::Revoke { hook_id: hook(1), at: NOON },
    ] {
        given(history.clone()).when(late).then_expect_events(vec![]);
    }
    let late = BotCommand::Revoke { hook_id: hook(1), at: NOON };
    let gone = vec![token(1), identified(), live(), BotEvent::Disconnected { at: NOON }];
    given(gone).when(late).then_expect_events(vec![]);
}

#[test]
fn another_way_of_hearing_updates_is_a_fact_and_the_same_is_not() {
    let history = vec![token(1), identified(), live()];
    given(history.clone()).when(go_live(1, Mode::Webhook)).then_expect_events(vec![]);
    given(history)
        .when(go_live(1, Mode::Polling))
        .then_expect_events(vec![BotEvent::WentLive { mode: Mode::Polling, at: NOON }]);
}

#[test]
fn trouble_and_recovery_of_a_live_bot_are_told_once() {
    let refused = BotProblem::WebhookRefused;
    let troubled = BotEvent::Troubled { problem: refused, at: NOON };
    let history = vec![token(1), identified(), live()];
    given(history.clone()).when(health(1, None)).then_expect_events(vec![]);
    given(history.clone())
        .when(health(1, Some(refused)))
        .then_expect_events(vec![troubled.clone()]);
    let history = [history, vec![troubled]].concat();
    given(history.clone()).when(health(1, Some(refused))).then_expect_events(vec![]);
    given(history).when(health(1, None)).then_expect_events(vec![BotEvent::Recovered { at: NOON }]);
}

#[test]
fn a_bot_that_was_replaced_or_forgotten_is_left_once() {
    let leave = || BotCommand::Leave { hook_id: hook(1), freed: None, at: NOON };
    let left = BotEvent::Left { hook_id: hook(1), freed: None, at: NOON };
    for end in [token(2), BotEvent::Disconnected { at: NOON }] {
        let history = vec![token(1), identified(), live(), end];
        given(history.clone()).when(leave()).then_expect_events(vec![left.clone()]);
        let history = [history, vec![left.clone()]].concat();
        given(history).when(leave()).then_expect_events(vec![]);
    }
    // A token that was never identified has no webhook and holds no bot.
    given(vec![token(1), token(2)]).when(leave()).then_expect_events(vec![]);
}

#[test]
fn the_same_token_again_is_tried_again_only_when_it_is_not_at_work() {
    given(vec![token(1), identified(), live()]).when(give(1)).then_expect_events(vec![]);
    let failed = BotEvent::Failed { problem: BotProblem::UsedElsewhere, at: NOON };
    given(vec![token(1), failed]).when(give(1)).then_expect_events(vec![token(1)]);
}

#[test]
fn what_is_not_there_cannot_be_checked() {
    TestFramework::<Bot>::with(())
        .given_no_previous_events()
        .when(BotCommand::CheckAgain { at: NOON })
        .then_expect_error(BotRefusal::Absent);
}

/// The stored shape of every event. A line that has to be changed here is a log that can't be read any more.
#[test]
fn the_stored_shape_of_events_is_pinned() {
    let golden = include_str!("../../tests/golden/bot.jsonl");
    let all = [
        token(1),
        identified(),
        live(),
        BotEvent::WentLive { mode: Mode::Polling, at: NOON },
        BotEvent::Failed { problem: BotProblem::WrongToken, at: NOON },
        BotEvent::Failed { problem: BotProblem::Unreachable, at: NOON },
        BotEvent::Failed { problem: BotProblem::UsedElsewhere, at: NOON },
        BotEvent::Troubled { problem: BotProblem::WebhookRefused, at: NOON },
        BotEvent::Recovered { at: NOON },
        BotEvent::Revoked { at: NOON },
        BotEvent::CheckAsked { at: NOON },
        BotEvent::Disconnected { at: NOON },
        BotEvent::Left { hook_id: hook(1), freed: None, at: NOON },
        BotEvent::Left { hook_id: hook(1), freed: Some(123_456_789), at: NOON },
    ];

    assert_eq!(meydan_event_log::golden::pin(golden, &all), Ok(()));
}
