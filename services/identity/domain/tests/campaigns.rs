//! The rules of a campaign's way: where it may be moved, and how it is deleted.

use cqrs_es::test::TestFramework;
use identity_domain::{
    Campaign, CampaignCommand, CampaignEvent, CampaignProfile, CampaignRefusal, CampaignStatus,
    campaign::GRACE,
};
use time::{Duration, OffsetDateTime, macros::datetime};

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

fn profile() -> CampaignProfile {
    CampaignProfile {
        candidate_name: "نرگس".to_owned(),
        office: "شورا".to_owned(),
        constituency: "تهران".to_owned(),
        locale: "fa".to_owned(),
        home_region: String::new(),
    }
}

/// A campaign that stands at `status`.
fn at(status: CampaignStatus) -> Vec<CampaignEvent> {
    let from = CampaignStatus::Active;
    vec![
        CampaignEvent::Created { slug: "tehran".to_owned(), profile: profile(), at: NOON },
        CampaignEvent::StatusChanged { from, to: status, at: NOON },
    ]
}

fn requested(status: CampaignStatus) -> Vec<CampaignEvent> {
    let requested = CampaignEvent::DeletionRequested { due_at: NOON + GRACE, at: NOON };
    [at(status), vec![requested]].concat()
}

fn given(facts: Vec<CampaignEvent>) -> cqrs_es::test::AggregateTestExecutor<Campaign> {
    TestFramework::<Campaign>::with(()).given(facts)
}

#[test]
fn a_campaign_moves_only_as_it_may() {
    use CampaignStatus::{Active, Archived, Deleted, Draft, Suspended};
    let all = [Draft, Active, Suspended, Archived, Deleted];
    let moves = all.map(|from| {
        let may = all.map(|to| if from.moves().contains(&to) { 'x' } else { '.' });
        may.iter().collect::<String>()
    });
    // To draft, active, suspended, archived, deleted; from the same.
    assert_eq!(moves, [".x.x.", "..xx.", ".x.x.", "..x..", "....."]);

    for from in [Draft, Active, Suspended, Archived] {
        for to in all.into_iter().filter(|to| *to != from) {
            let moved = given(at(from)).when(CampaignCommand::ChangeStatus { to, at: NOON });
            if from.moves().contains(&to) {
                moved.then_expect_events(vec![CampaignEvent::StatusChanged { from, to, at: NOON }]);
            } else {
                moved.then_expect_error(CampaignRefusal::IllegalMove);
            }
        }
    }
}

#[test]
fn a_campaign_that_was_stopped_is_deleted_after_thirty_days() {
    let request = || CampaignCommand::RequestDeletion { at: NOON };
    let asked = CampaignEvent::DeletionRequested { due_at: NOON + Duration::days(30), at: NOON };
    for stopped in [CampaignStatus::Draft, CampaignStatus::Suspended, CampaignStatus::Archived] {
        given(at(stopped)).when(request()).then_expect_events(vec![asked.clone()]);
    }
    given(at(CampaignStatus::Active)).when(request()).then_expect_error(CampaignRefusal::Running);
    given(requested(CampaignStatus::Archived)).when(request()).then_expect_events(vec![]);

    let delete = |at| CampaignCommand::Delete { at };
    let due = NOON + GRACE;
    let early = given(requested(CampaignStatus::Archived)).when(delete(due - Duration::seconds(1)));
    early.then_expect_error(CampaignRefusal::NotDue);
    let now = given(requested(CampaignStatus::Archived)).when(delete(due));
    now.then_expect_events(vec![CampaignEvent::Deleted { at: due }]);
    given(at(CampaignStatus::Archived))
        .when(delete(due))
        .then_expect_error(CampaignRefusal::NotDue);
}

#[test]
fn a_deletion_is_withdrawn_until_it_is_done_and_nothing_else_is_done_meanwhile() {
    let withdraw = || CampaignCommand::WithdrawDeletion { at: NOON };
    let kept = CampaignEvent::DeletionWithdrawn { at: NOON };
    let pending = || given(requested(CampaignStatus::Suspended));
    pending().when(withdraw()).then_expect_events(vec![kept.clone()]);
    given(at(CampaignStatus::Suspended)).when(withdraw()).then_expect_events(vec![]);
    let resume = || CampaignCommand::ChangeStatus { to: CampaignStatus::Active, at: NOON };
    pending().when(resume()).then_expect_error(CampaignRefusal::BeingDeleted);
    let edit = CampaignCommand::Edit { profile: profile(), at: NOON };
    pending().when(edit).then_expect_error(CampaignRefusal::BeingDeleted);

    let withdrawn = [requested(CampaignStatus::Suspended), vec![kept]].concat();
    let (from, to) = (CampaignStatus::Suspended, CampaignStatus::Active);
    let resumed = CampaignEvent::StatusChanged { from, to, at: NOON };
    given(withdrawn).when(resume()).then_expect_events(vec![resumed]);

    let gone = || {
        [requested(CampaignStatus::Suspended), vec![CampaignEvent::Deleted { at: NOON }]].concat()
    };
    for command in [withdraw(), resume(), CampaignCommand::RequestDeletion { at: NOON }] {
        given(gone()).when(command).then_expect_error(CampaignRefusal::BeingDeleted);
    }
}

#[test]
fn a_second_factor_is_demanded_and_waived_once_each_and_of_no_campaign_that_goes() {
    let demand = |demanded| CampaignCommand::DemandFactor { demanded, at: NOON };
    let demanded = CampaignEvent::FactorDemanded { at: NOON };
    let waived = CampaignEvent::FactorWaived { at: NOON };
    let running = || vec![at(CampaignStatus::Active).remove(0)];
    given(running()).when(demand(true)).then_expect_events(vec![demanded.clone()]);
    given(running()).when(demand(false)).then_expect_events(vec![]);
    let strict = || [running(), vec![demanded.clone()]].concat();
    given(strict()).when(demand(true)).then_expect_events(vec![]);
    given(strict()).when(demand(false)).then_expect_events(vec![waived.clone()]);
    let lax = [strict(), vec![waived]].concat();
    given(lax).when(demand(true)).then_expect_events(vec![demanded]);
    given(requested(CampaignStatus::Suspended))
        .when(demand(true))
        .then_expect_error(CampaignRefusal::BeingDeleted);
}
