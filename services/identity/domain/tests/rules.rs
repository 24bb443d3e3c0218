//! The rules of accounts, campaigns and invitations: given facts, when a request, then facts or a refusal.

use std::collections::BTreeSet;

use cqrs_es::test::TestFramework;
use identity_domain::{
    Account, AccountCommand, AccountEvent, AccountRefusal, Campaign, CampaignCommand,
    CampaignEvent, CampaignProfile, CampaignRefusal, CampaignStatus, Member, MemberCommand,
    MemberEvent, MemberRefusal, Profile, Role, slug,
};
use meydan_keyring::Sealed;
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const SARA: Uuid = Uuid::from_u128(1);
const SESSION: Uuid = Uuid::from_u128(2);

fn sealed() -> Sealed<Profile> {
    "s1.00000000000000000000000000000007.AAAA".parse().expect("it has the form of one")
}

fn registered() -> AccountEvent {
    AccountEvent::Registered { profile: sealed(), admin: false, at: NOON }
}

fn of(candidate_name: &str) -> CampaignProfile {
    CampaignProfile {
        candidate_name: candidate_name.to_owned(),
        office: "شورا".to_owned(),
        constituency: "تهران".to_owned(),
        locale: "fa".to_owned(),
        home_region: String::new(),
    }
}

fn created() -> CampaignEvent {
    CampaignEvent::Created { slug: "tehran".to_owned(), profile: of("نرگس"), at: NOON }
}

fn invited(role: Role) -> MemberEvent {
    MemberEvent::Invited { account_id: SARA, role, said: Some(sealed()), at: NOON }
}

fn invite(role: Role) -> MemberCommand {
    MemberCommand::Invite { account_id: SARA, role, said: sealed(), judged: None, at: NOON }
}

#[test]
fn an_account_begins_once() {
    let register = || AccountCommand::Register { profile: sealed(), admin: false, at: NOON };
    let accounts = TestFramework::<Account>::with(());
    accounts.given_no_previous_events().when(register()).then_expect_events(vec![registered()]);

    // Whoever asks again has the address of somebody else in mind: the same command never gets here twice.
    let accounts = TestFramework::<Account>::with(());
    accounts
        .given(vec![registered()])
        .when(register())
        .then_expect_error(AccountRefusal::Registered);
}

#[test]
fn nothing_happens_to_an_account_that_is_none() {
    TestFramework::<Account>::with(())
        .given_no_previous_events()
        .when(AccountCommand::Record(AccountEvent::PasswordSet { at: NOON }))
        .then_expect_error(AccountRefusal::NotRegistered);
}

#[test]
fn what_happens_to_an_account_is_recorded() {
    let facts = [
        AccountEvent::PasswordSet { at: NOON },
        AccountEvent::LoggedOut { session_id: SESSION, at: NOON },
        AccountEvent::Locked { until: NOON, origin: None, at: NOON },
    ];
    for fact in facts {
        TestFramework::<Account>::with(())
            .given(vec![registered(), AccountEvent::PasswordSet { at: NOON }])
            .when(AccountCommand::Record(fact.clone()))
            .then_expect_events(vec![fact]);
    }
}

#[test]
fn an_admin_gets_no_password_that_was_judged_as_a_members() {
    let member = || vec![registered()];
    let asked =
        || [member(), vec![AccountEvent::AdminInvited { said: sealed(), at: NOON }]].concat();
    let admin = || [asked(), vec![AccountEvent::AdminAppointed { at: NOON }]].concat();
    let dismissed = || [admin(), vec![AccountEvent::AdminDismissed { at: NOON }]].concat();
    let account = |facts: Vec<AccountEvent>| TestFramework::<Account>::with(()).given(facts);
    let set = |by_admin| AccountCommand::SetPassword { by_admin, at: NOON };

    for facts in [member(), asked(), dismissed()] {
        for by_admin in [false, true] {
            account(facts.clone())
                .when(set(by_admin))
                .then_expect_events(vec![AccountEvent::PasswordSet { at: NOON }]);
        }
    }
    account(admin())
        .when(set(true))
        .then_expect_events(vec![AccountEvent::PasswordSet { at: NOON }]);
    account(admin()).when(set(false)).then_expect_error(AccountRefusal::NotJudgedAsAdmins);
}

#[test]
fn an_account_is_never_registered_by_recording_it() {
    TestFramework::<Account>::with(())
        .given(vec![registered()])
        .when(AccountCommand::Record(registered()))
        .then_expect_events(vec![]);
}

#[test]
fn a_campaign_is_created_once_and_runs_at_once() {
    let create =
        || CampaignCommand::Create { slug: "tehran".to_owned(), profile: of("نرگس"), at: NOON };
    let campaigns = TestFramework::<Campaign>::with(());
    campaigns.given_no_previous_events().when(create()).then_expect_events(vec![created()]);
    let campaigns = TestFramework::<Campaign>::with(());
    campaigns.given(vec![created()]).when(create()).then_expect_events(vec![]);

    let (from, to) = (CampaignStatus::Active, CampaignStatus::Suspended);
    TestFramework::<Campaign>::with(())
        .given(vec![created()])
        .when(CampaignCommand::ChangeStatus { to, at: NOON })
        .then_expect_events(vec![CampaignEvent::StatusChanged { from, to, at: NOON }]);
}

#[test]
fn a_campaign_that_is_none_is_neither_edited_nor_moved() {
    let suspend = CampaignCommand::ChangeStatus { to: CampaignStatus::Suspended, at: NOON };
    for command in [CampaignCommand::Edit { profile: of("نرگس"), at: NOON }, suspend] {
        TestFramework::<Campaign>::with(())
            .given_no_previous_events()
            .when(command)
            .then_expect_error(CampaignRefusal::NotCreated);
    }
}

#[test]
fn what_is_so_already_is_no_new_fact() {
    let same = CampaignCommand::ChangeStatus { to: CampaignStatus::Active, at: NOON };
    for command in [CampaignCommand::Edit { profile: of("نرگس"), at: NOON }, same] {
        let campaigns = TestFramework::<Campaign>::with(());
        campaigns.given(vec![created()]).when(command).then_expect_events(vec![]);
    }
    let campaigns = TestFramework::<Campaign>::with(());
    let edited = CampaignEvent::Edited { profile: of("سارا"), at: NOON };
    let edit = CampaignCommand::Edit { profile: of("سارا"), at: NOON };
    campaigns.given(vec![created(), edited]).when(edit).then_expect_events(vec![]);
}

#[test]
fn a_name_in_addresses_is_short_small_and_nobody_elses() {
    let longest = "a".repeat(40);
    for good in ["abc", "isfahan-1405", "a-b-c", longest.as_str()] {
        assert_eq!(slug(good).as_deref(), Ok(good));
    }
    let too_long = "a".repeat(41);
    let bad = ["", "ab", "-abc", "abc-", "a--b", "Abc", "a_b", "تهران", "a b", too_long.as_str()];
    for bad in bad.into_iter().chain(["admin", "login", "static"]) {
        assert!(slug(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_invitation_may_be_repeated_or_name_another_role_until_it_is_accepted() {
    let members = TestFramework::<Member>::with(());
    let first = members.given_no_previous_events().when(invite(Role::Staff));
    first.then_expect_events(vec![invited(Role::Staff)]);

    let members = TestFramework::<Member>::with(());
    let again = members.given(vec![invited(Role::Staff)]).when(invite(Role::Staff));
    let renewed = MemberEvent::InvitationRenewed { account_id: SARA, at: NOON };
    again.then_expect_events(vec![renewed]);

    let excepted = MemberEvent::PermissionsChanged {
        account_id: SARA,
        granted: BTreeSet::from(["bot:bot.connect".to_owned()]),
        denied: BTreeSet::new(),
        at: NOON,
    };
    let members = TestFramework::<Member>::with(());
    let plain = members.given(vec![invited(Role::Staff), excepted]).when(invite(Role::Staff));
    plain.then_expect_events(vec![invited(Role::Staff)]);

    let members = TestFramework::<Member>::with(());
    let promoted = members.given(vec![invited(Role::Staff)]).when(invite(Role::Owner));
    promoted.then_expect_events(vec![invited(Role::Owner)]);

    let joined = vec![invited(Role::Staff), MemberEvent::Joined { at: NOON }];
    TestFramework::<Member>::with(())
        .given(joined)
        .when(invite(Role::Owner))
        .then_expect_error(MemberRefusal::AlreadyMember);
}

#[test]
fn whoever_was_asked_before_words_of_inviters_were_kept_can_be_asked_again() {
    let of_before =
        MemberEvent::Invited { account_id: SARA, role: Role::Staff, said: None, at: NOON };
    TestFramework::<Member>::with(())
        .given(vec![of_before])
        .when(invite(Role::Staff))
        .then_expect_events(vec![invited(Role::Staff)]);
}

#[test]
fn whoever_was_asked_joins_once_and_nobody_else_does() {
    let join = || MemberCommand::Join { owner: false, at: NOON };
    let joined = MemberEvent::Joined { at: NOON };

    let members = TestFramework::<Member>::with(());
    let uninvited = members.given_no_previous_events().when(join());
    uninvited.then_expect_error(MemberRefusal::NotInvited);

    let members = TestFramework::<Member>::with(());
    let asked = members.given(vec![invited(Role::Staff)]).when(join());
    asked.then_expect_events(vec![joined.clone()]);

    let members = TestFramework::<Member>::with(());
    let again = members.given(vec![invited(Role::Staff), joined]).when(join());
    again.then_expect_events(vec![]);
}

#[test]
fn no_session_of_a_suspended_account_begins_whatever_opened_the_way() {
    let account = |facts: Vec<AccountEvent>| TestFramework::<Account>::with(()).given(facts);
    let suspend = |suspended| AccountCommand::Suspend { suspended, at: NOON };
    let log_in = || {
        let (proof, origin) = (None, None);
        let fact = AccountEvent::LoggedIn { session_id: SESSION, proof, origin, at: NOON };
        (AccountCommand::Record(fact.clone()), fact)
    };
    let closed = || vec![registered(), AccountEvent::Suspended { at: NOON }];
    let opened = || [closed(), vec![AccountEvent::Reactivated { at: NOON }]].concat();

    account(vec![registered()])
        .when(suspend(true))
        .then_expect_events(vec![AccountEvent::Suspended { at: NOON }]);
    account(closed()).when(suspend(true)).then_expect_events(vec![]);
    account(closed()).when(log_in().0).then_expect_error(AccountRefusal::Suspended);
    let failed = AccountEvent::LogInFailed { proof: None, origin: None, at: NOON };
    account(closed()).when(AccountCommand::Record(failed.clone())).then_expect_events(vec![failed]);
    account(closed())
        .when(suspend(false))
        .then_expect_events(vec![AccountEvent::Reactivated { at: NOON }]);
    account(opened()).when(log_in().0).then_expect_events(vec![log_in().1]);
    account(vec![]).when(suspend(true)).then_expect_error(AccountRefusal::NotRegistered);
}

#[test]
fn staff_looks_as_nobody_who_does_not_work_there() {
    let look = || MemberCommand::Impersonate { account_id: SARA, until: NOON, at: NOON };
    let looked = MemberEvent::Impersonated { account_id: SARA, until: NOON, at: NOON };
    let member = |facts: Vec<MemberEvent>| TestFramework::<Member>::with(()).given(facts);
    let joined = || vec![invited(Role::Staff), MemberEvent::Joined { at: NOON }];
    let left = [joined(), vec![MemberEvent::Deactivated { account_id: SARA, at: NOON }]].concat();

    member(joined()).when(look()).then_expect_events(vec![looked]);
    member(vec![]).when(look()).then_expect_error(MemberRefusal::NotJoined);
    member(vec![invited(Role::Staff)]).when(look()).then_expect_error(MemberRefusal::NotJoined);
    member(left).when(look()).then_expect_error(MemberRefusal::NotJoined);
}
