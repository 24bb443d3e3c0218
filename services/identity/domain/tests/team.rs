//! The rules of teams: who may change whose place, that an owner stays, and the table of permissions word for
//! word, so that nobody may more by accident.

use std::collections::BTreeSet;

use cqrs_es::{Aggregate, test::TestFramework};
use identity_domain::{
    CATALOGUE, Member, MemberChange, MemberCommand, MemberEvent, MemberRefusal, Role, Team,
    TeamCommand, TeamEvent, TeamRefusal,
};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const SARA: Uuid = Uuid::from_u128(1);
const OMID: Uuid = Uuid::from_u128(2);

fn works_as(role: Role) -> Vec<MemberEvent> {
    let invited = MemberEvent::Invited { account_id: SARA, role, said: None, at: NOON };
    vec![invited, MemberEvent::Joined { at: NOON }]
}

fn member(facts: Vec<MemberEvent>) -> Member {
    let mut member = Member::default();
    for fact in facts {
        member.apply(fact);
    }
    member
}

fn change(change: MemberChange, owner: bool) -> MemberCommand {
    MemberCommand::Change { account_id: SARA, change, owner, judged: None, at: NOON }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

fn exceptions(granted: &[&str], denied: &[&str]) -> MemberChange {
    MemberChange::Permissions { granted: names(granted), denied: names(denied) }
}

fn given(facts: Vec<MemberEvent>) -> cqrs_es::test::AggregateTestExecutor<Member> {
    TestFramework::<Member>::with(()).given(facts)
}

/// Whether somebody in `actor` may bring about `change` of somebody in `place`.
fn may(actor: Role, place: Role, change: MemberChange) -> Result<(), MemberRefusal> {
    let before = member(works_as(place));
    let after = before.after(&before.changed(SARA, change, NOON)?);
    member(works_as(actor)).may_change(&before, &after)
}

#[test]
fn exceptions_go_on_top_of_the_role_and_those_that_are_none_are_not_kept() {
    let odd = exceptions(
        &["bot:bot.connect", "crm:ticket.read"],
        &["crm:ticket.move", "identity:member.invite"],
    );
    let kept = MemberEvent::PermissionsChanged {
        account_id: SARA,
        granted: names(&["bot:bot.connect"]),
        denied: names(&["crm:ticket.move"]),
        at: NOON,
    };
    given(works_as(Role::Staff))
        .when(change(odd.clone(), false))
        .then_expect_events(vec![kept.clone()]);

    let facts = [works_as(Role::Staff), vec![kept]].concat();
    let may = member(facts.clone()).permissions();
    assert!(may.contains(&"bot:bot.connect") && !may.contains(&"crm:ticket.move"));
    assert!(may.contains(&"crm:ticket.reply"));
    given(facts.clone()).when(change(odd, false)).then_expect_events(vec![]);

    let promoted = MemberEvent::RoleChanged {
        account_id: SARA,
        from: Role::Staff,
        to: Role::Content,
        at: NOON,
    };
    let facts = [facts, vec![promoted]].concat();
    assert_eq!(
        member(facts).permissions(),
        Role::Content.permissions(),
        "they were of another role"
    );
}

#[test]
fn there_are_no_exceptions_for_owners_and_none_that_nobody_knows() {
    let denied = change(exceptions(&[], &["crm:ticket.read"]), true);
    given(works_as(Role::Owner)).when(denied).then_expect_error(MemberRefusal::OwnersHaveAll);
    let unknown = change(exceptions(&["crm:everything"], &[]), false);
    given(works_as(Role::Staff)).when(unknown).then_expect_error(MemberRefusal::UnknownPermission);
}

#[test]
fn whoever_is_deactivated_may_nothing_until_they_are_reactivated() {
    let deactivated = MemberEvent::Deactivated { account_id: SARA, at: NOON };
    let facts = [works_as(Role::Staff), vec![deactivated.clone()]].concat();
    assert_eq!(member(facts.clone()).permissions(), Vec::<&str>::new());

    given(works_as(Role::Staff))
        .when(change(MemberChange::Deactivate, false))
        .then_expect_events(vec![deactivated]);
    given(facts.clone()).when(change(MemberChange::Deactivate, false)).then_expect_events(vec![]);
    let reactivated = MemberEvent::Reactivated { account_id: SARA, at: NOON };
    given(facts.clone())
        .when(change(MemberChange::Reactivate, false))
        .then_expect_events(vec![reactivated.clone()]);
    let facts = [facts, vec![reactivated]].concat();
    assert_eq!(member(facts).permissions(), Role::Staff.permissions());
}

#[test]
fn whoever_was_removed_or_is_not_asked_any_more_is_a_stranger_who_can_be_asked_again() {
    let removed = MemberEvent::Removed { account_id: SARA, at: NOON };
    let facts = [works_as(Role::Staff), vec![removed]].concat();
    let join = MemberCommand::Join { owner: false, at: NOON };
    given(facts.clone()).when(join.clone()).then_expect_error(MemberRefusal::NotInvited);
    given(facts.clone())
        .when(change(MemberChange::Reactivate, false))
        .then_expect_error(MemberRefusal::NotInvited);
    assert_eq!(member([facts, works_as(Role::Support)].concat()).role(), Some(Role::Support));

    let asked = || works_as(Role::Staff).into_iter().take(1).collect::<Vec<_>>();
    let withdrawn = MemberEvent::InvitationWithdrawn { account_id: SARA, at: NOON };
    given(asked())
        .when(change(MemberChange::WithdrawInvitation, false))
        .then_expect_events(vec![withdrawn.clone()]);
    given([asked(), vec![withdrawn]].concat())
        .when(join)
        .then_expect_error(MemberRefusal::NotInvited);
    given(works_as(Role::Staff))
        .when(change(MemberChange::WithdrawInvitation, false))
        .then_expect_error(MemberRefusal::AlreadyMember);
    given(asked())
        .when(change(MemberChange::Deactivate, false))
        .then_expect_error(MemberRefusal::NotJoined);
}

#[test]
fn a_place_that_is_not_what_whoever_asks_believes_is_looked_at_again() {
    let promote = change(MemberChange::Role(Role::Owner), true);
    let deactivated = MemberEvent::Deactivated { account_id: SARA, at: NOON };
    let facts = [works_as(Role::Staff), vec![deactivated]].concat();
    given(facts).when(promote).then_expect_error(MemberRefusal::Changed);
    let asked = works_as(Role::Owner).into_iter().take(1).collect();
    let join = MemberCommand::Join { owner: false, at: NOON };
    given(asked).when(join).then_expect_error(MemberRefusal::Changed);
}

#[test]
fn a_place_that_is_not_the_one_that_whoever_asks_was_judged_on_is_left_as_it_is() {
    let asked = MemberEvent::Invited { account_id: SARA, role: Role::Staff, said: None, at: NOON };
    let raised = MemberEvent::RoleChanged {
        account_id: SARA,
        from: Role::Staff,
        to: Role::Manager,
        at: NOON,
    };
    let granted = MemberEvent::PermissionsChanged {
        account_id: SARA,
        granted: names(&["bot:bot.connect"]),
        denied: names(&[]),
        at: NOON,
    };
    let judged = || member(vec![asked.clone()]);
    let renew = || MemberCommand::Change {
        account_id: SARA,
        change: MemberChange::RenewInvitation,
        owner: false,
        judged: Some(judged()),
        at: NOON,
    };
    for meanwhile in [raised, granted] {
        let facts = vec![asked.clone(), meanwhile];
        given(facts.clone()).when(renew()).then_expect_error(MemberRefusal::Changed);
        let invite = MemberCommand::Invite {
            account_id: SARA,
            role: Role::Support,
            said: "s1.00000000000000000000000000000007.AAAA".parse().expect("it is one"),
            judged: Some(judged()),
            at: NOON,
        };
        given(facts).when(invite).then_expect_error(MemberRefusal::Changed);
    }
    let renewed = MemberEvent::InvitationRenewed { account_id: SARA, at: NOON };
    given(vec![asked.clone()]).when(renew()).then_expect_events(vec![renewed]);
}

#[test]
fn whoever_is_asked_once_more_is_asked_with_what_the_role_may_and_nothing_else() {
    let asked = |role| MemberEvent::Invited { account_id: SARA, role, said: None, at: NOON };
    let granted = MemberEvent::PermissionsChanged {
        account_id: SARA,
        granted: names(&["identity:api_key.manage"]),
        denied: names(&["crm:ticket.move"]),
        at: NOON,
    };
    for role in [Role::Staff, Role::Support] {
        let joined = MemberEvent::Joined { at: NOON };
        let facts = vec![asked(Role::Staff), granted.clone(), asked(role), joined];
        assert_eq!(member(facts).permissions(), role.permissions());
    }
}

#[test]
fn nobody_gives_what_they_do_not_hold_and_owners_are_made_and_unmade_by_owners() {
    use Role::{Content, Manager, Owner, Staff, Support};
    assert_eq!(may(Manager, Support, MemberChange::Role(Staff)), Ok(()));
    assert_eq!(may(Manager, Staff, exceptions(&["bot:bot.connect"], &[])), Ok(()));
    let keys = exceptions(&["identity:api_key.manage"], &[]);
    assert_eq!(may(Manager, Staff, keys.clone()), Err(MemberRefusal::NotHeld));
    assert_eq!(may(Owner, Staff, keys), Ok(()));
    assert_eq!(may(Staff, Content, MemberChange::Role(Manager)), Err(MemberRefusal::NotHeld));
    assert_eq!(may(Content, Staff, MemberChange::Deactivate), Ok(()), "taking away gives nothing");
    for change in [MemberChange::Role(Staff), MemberChange::Deactivate, MemberChange::Remove] {
        assert_eq!(may(Manager, Owner, change.clone()), Err(MemberRefusal::OwnersOnly));
        assert_eq!(may(Owner, Owner, change), Ok(()));
    }
    assert_eq!(may(Manager, Staff, MemberChange::Role(Owner)), Err(MemberRefusal::OwnersOnly));

    let asked =
        |role| member(vec![MemberEvent::Invited { account_id: SARA, role, said: None, at: NOON }]);
    let invites = |actor, before, role| member(works_as(actor)).may_invite(&before, role);
    assert_eq!(invites(Manager, Member::default(), Staff), Ok(()));
    assert_eq!(invites(Manager, asked(Support), Staff), Ok(()));
    assert_eq!(invites(Manager, Member::default(), Owner), Err(MemberRefusal::OwnersOnly));
    assert_eq!(invites(Manager, asked(Owner), Staff), Err(MemberRefusal::OwnersOnly));
    assert_eq!(invites(Owner, asked(Owner), Staff), Ok(()));
    assert_eq!(invites(Support, Member::default(), Staff), Err(MemberRefusal::NotHeld));
    let nobody = member(vec![]).may_invite(&Member::default(), Support);
    assert_eq!(nobody, Err(MemberRefusal::NotHeld));
}

#[test]
fn reactivating_somebody_gives_them_all_that_they_held() {
    let deactivated = MemberEvent::Deactivated { account_id: SARA, at: NOON };
    let before = member([works_as(Role::Manager), vec![deactivated]].concat());
    let after = before.after(&[MemberEvent::Reactivated { account_id: SARA, at: NOON }]);
    let by = |role| member(works_as(role)).may_change(&before, &after);
    assert_eq!(by(Role::Staff), Err(MemberRefusal::NotHeld));
    assert_eq!(by(Role::Manager), Ok(()));
}

fn list(account_id: Uuid, owner: bool, standing: &[Uuid]) -> TeamCommand {
    TeamCommand::List { account_id, owner, standing: standing.iter().copied().collect(), at: NOON }
}

fn owners(owners: &[Uuid]) -> TeamEvent {
    TeamEvent::OwnersChanged { owners: owners.iter().copied().collect(), at: NOON }
}

#[test]
fn the_last_owner_stays() {
    let team = || TestFramework::<Team>::with(());
    team()
        .given_no_previous_events()
        .when(list(SARA, true, &[]))
        .then_expect_events(vec![owners(&[SARA])]);
    let two = || team().given(vec![owners(&[SARA, OMID])]);
    two().when(list(OMID, false, &[SARA, OMID])).then_expect_events(vec![owners(&[SARA])]);
    let one = || team().given(vec![owners(&[SARA])]);
    one().when(list(SARA, false, &[SARA])).then_expect_error(TeamRefusal::LastOwner);
    one().when(list(OMID, false, &[SARA])).then_expect_events(vec![]);
    two().when(list(OMID, false, &[OMID])).then_expect_error(TeamRefusal::LastOwner);
}

#[test]
fn a_team_of_before_owners_were_listed_begins_with_those_that_the_tables_show() {
    let team = || TestFramework::<Team>::with(()).given_no_previous_events();
    team().when(list(SARA, false, &[SARA, OMID])).then_expect_events(vec![owners(&[OMID])]);
    team().when(list(SARA, false, &[SARA])).then_expect_error(TeamRefusal::LastOwner);
}

#[test]
fn the_table_of_permissions_is_this_one() {
    let table = CATALOGUE.iter().map(|permission| {
        let held = Role::ALL.map(|role| if permission.is_of(role) { 'x' } else { '.' });
        format!("{} {}", held.iter().collect::<String>(), permission.name)
    });
    // Owner, manager, staff, social media, content, support.
    let expected = [
        "xxxxxx crm:ticket.read",
        "xxxx.x crm:ticket.reply",
        "xxx..x crm:ticket.move",
        "xxxxx. bot:bot.read",
        "xx.... bot:bot.connect",
        "xxxxx. identity:member.read",
        "xx.... identity:member.invite",
        "xx.... identity:member.manage",
        "x..... identity:api_key.manage",
        "x..... identity:audit.read",
    ];
    assert_eq!(table.collect::<Vec<_>>(), expected);
    for permission in CATALOGUE {
        assert!(permission.text.starts_with("permission-"), "{}", permission.name);
    }
}
