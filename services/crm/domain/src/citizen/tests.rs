//! Given facts, when a request, then facts or a refusal.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use meydan_keyring::Sealed;
use time::{OffsetDateTime, macros::datetime};

use super::{Citizen, CitizenCommand, CitizenEvent, CitizenRefusal};

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

fn sealed<T>() -> Sealed<T> {
    "s1.00000000000000000000000000000007.AAAA".parse().expect("it has the form of one")
}

fn given(history: Vec<CitizenEvent>) -> AggregateTestExecutor<Citizen> {
    TestFramework::<Citizen>::with(()).given(history)
}

fn met() -> CitizenEvent {
    CitizenEvent::Met { person: sealed(), fingerprint: "sara".to_owned(), at: NOON }
}

fn meet(name: &str, wrote: bool) -> CitizenCommand {
    CitizenCommand::Meet { person: sealed(), fingerprint: name.to_owned(), wrote, at: NOON }
}

fn changed(name: &str) -> CitizenEvent {
    CitizenEvent::Changed { person: sealed(), fingerprint: name.to_owned(), at: NOON }
}

fn share(number: &str) -> CitizenCommand {
    CitizenCommand::SharePhone { phone: sealed(), fingerprint: number.to_owned(), at: NOON }
}

fn shared(number: &str) -> CitizenEvent {
    CitizenEvent::PhoneShared { phone: sealed(), fingerprint: number.to_owned(), at: NOON }
}

fn come(link: &str) -> CitizenCommand {
    CitizenCommand::ComeFrom { source: sealed(), fingerprint: link.to_owned(), at: NOON }
}

fn came(link: &str) -> CitizenEvent {
    CitizenEvent::CameFrom { source: sealed(), fingerprint: link.to_owned(), at: NOON }
}

#[test]
fn a_citizen_is_met_once_and_called_otherwise_when_they_are() {
    TestFramework::<Citizen>::with(())
        .given_no_previous_events()
        .when(meet("sara", true))
        .then_expect_events(vec![met()]);
    given(vec![met()]).when(meet("sara", true)).then_expect_events(vec![]);
    given(vec![met()]).when(meet("sahar", true)).then_expect_events(vec![changed("sahar")]);
}

#[test]
fn a_number_and_a_link_are_told_once_and_again_when_they_are_others() {
    given(vec![met()]).when(share("1")).then_expect_events(vec![shared("1")]);
    given(vec![met(), shared("1"), changed("sahar")]).when(share("1")).then_expect_events(vec![]);
    given(vec![met(), shared("1")]).when(share("2")).then_expect_events(vec![shared("2")]);
    given(vec![met()]).when(come("poster")).then_expect_events(vec![came("poster")]);
    given(vec![met(), came("poster")]).when(come("poster")).then_expect_events(vec![]);
    given(vec![met(), came("poster")]).when(come("radio")).then_expect_events(vec![came("radio")]);
}

#[test]
fn who_writes_has_not_blocked_the_bot_any_more() {
    let blocked = CitizenEvent::BlockedBot { at: NOON };
    let unblocked = CitizenEvent::UnblockedBot { at: NOON };
    given(vec![met(), blocked.clone()])
        .when(meet("sara", true))
        .then_expect_events(vec![unblocked]);
    // Whoever blocks the bot shows themselves too, without a word.
    given(vec![met(), blocked]).when(meet("sara", false)).then_expect_events(vec![]);
}

#[test]
fn nothing_is_known_of_somebody_who_never_came() {
    for command in
        [share("1"), come("poster"), CitizenCommand::SetBlocked { blocked: true, at: NOON }]
    {
        TestFramework::<Citizen>::with(())
            .given_no_previous_events()
            .when(command)
            .then_expect_error(CitizenRefusal::NotMet);
    }
}

/// The stored shape of every event. A line that has to be changed here is a log that can't be read any more.
#[test]
fn the_stored_shape_of_events_is_pinned() {
    let golden = include_str!("../../tests/golden/citizen.jsonl");
    let all = [
        met(),
        changed("sahar"),
        shared("1"),
        came("poster"),
        CitizenEvent::BlockedBot { at: NOON },
        CitizenEvent::UnblockedBot { at: NOON },
    ];

    assert_eq!(meydan_event_log::golden::pin(golden, &all), Ok(()));
}
