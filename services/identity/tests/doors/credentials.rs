//! Every path that takes a credential, against everything that can be wrong with it: one table.
//!
//! A path without a cell for each situation does not compile, nor does a kind of proof without a path; a method that
//! is named nowhere here is a failure. A cell says what must come of it, which test shows it, or why it cannot occur.

mod ordeal;
mod person;
mod showing;
mod table;

use futures::future::join_all;
use identity::grpc::POLICIES;
use identity_domain::Proof;
use meydan_rpc::outcome::Failure;

use self::{
    person::{Shown, Town},
    table::{
        Cell::{self, Closes, Never, NotFound, Once, OneFact, Open, Placeless, Refused, ShownBy},
        Path, Situation, cell,
    },
};

/// Goes through a column of the table.
async fn hold(situation: Situation) {
    let town = Town::start().await;
    for &path in Path::ALL {
        let expected = match cell(path, situation) {
            Never(why) => {
                assert!(why.split(' ').count() > 4, "{path:?} in {situation:?}: say why");
                continue;
            }
            ShownBy(test) => {
                let mark = format!("#[tokio::test]\nasync fn {test}(");
                let shown = SOURCES.iter().any(|source| source.contains(&mark));
                assert!(shown, "{path:?} in {situation:?}: there is no test {test}");
                continue;
            }
            expected => expected,
        };
        let uses = if situation == Situation::Parallel { HUNDRED } else { 2 };
        let mut shown = town.give(path, uses).await;
        match expected {
            Once(kind) | OneFact(kind) => {
                at_once(&town, &shown, (expected, kind)).await;
                continue;
            }
            Closes(code) => {
                guessed_at_once(&town, shown, code).await;
                continue;
            }
            _ => {}
        }
        ordeal::befall(&town, situation, &mut shown).await;
        let looked = shown.look(&town).await;
        let answered = shown.present(&town, 1).await;
        // What only looks at it says no more than what uses it; a link that is somebody else's says whose it is.
        if let Some(looked) = looked.filter(|_| situation != Situation::Foreign) {
            assert_eq!(looked, answered.is_ok(), "{path:?} in {situation:?} is looked at");
        }
        match expected {
            Refused(code) => assert_eq!(answered, refused(code), "{path:?}"),
            NotFound => assert_eq!(answered, Err(Failure::NotFound), "{path:?}"),
            Open => assert!(answered.is_ok(), "{path:?}: {answered:?}"),
            Placeless => {
                let session = answered.unwrap_or_else(|error| panic!("{path:?}: {error:?}"));
                assert!(town.identity.held(&session).await.memberships.is_empty(), "{path:?}");
            }
            Once(_) | OneFact(_) | Closes(_) | ShownBy(_) | Never(_) => {
                panic!("{path:?} is asked for once here")
            }
        }
    }
}

const HUNDRED: usize = 100;
/// Wrong ones after which every path is closed.
const ENOUGH: usize = 20;

fn refused<T>(code: &str) -> Result<T, Failure> {
    Err(Failure::Refused(code.into()))
}

/// Shows it a hundred times at the same moment.
async fn at_once(town: &Town, shown: &Shown, (expected, kind): (Cell, &str)) {
    let path = shown.path;
    let before = town.identity.facts(kind).await;
    let caller = shown.caller(town).await.expect("their session goes on");
    let uses = (0..HUNDRED).map(|number| shown.present_as(town, &caller, number));
    let answers = join_all(uses).await;
    let succeeded = answers.iter().flatten().count();
    assert_eq!(town.identity.facts(kind).await, before + 1, "{path:?}: {answers:?}");
    // The one may have been told to come again, by a machine that was busy with the others.
    let unknown = answers.contains(&Err(Failure::Unavailable));
    assert!(succeeded > 0 || unknown, "{path:?}: {answers:?}");
    if matches!(expected, Once(_)) {
        assert!(succeeded <= 1, "{path:?}: {succeeded} of them");
        let again = shown.present_as(town, &caller, 1).await;
        assert!(again.is_err(), "{path:?}: once more");
        assert_eq!(town.identity.facts(kind).await, before + 1, "{path:?}: once more");
    }
}

/// Shows a hundred wrong ones at the same moment, then the right one.
async fn guessed_at_once(town: &Town, mut shown: Shown, code: &str) {
    let caller = shown.caller(town).await.expect("their session goes on");
    let right = std::mem::replace(&mut shown.secret, "another long pass phrase".to_owned());
    // Whoever is told to come again, by a machine that is busy with the others, has not guessed.
    let mut judged = 0;
    while judged < ENOUGH {
        let guesses = (0..HUNDRED).map(|number| shown.present_as(town, &caller, number));
        let answers = join_all(guesses).await;
        assert!(answers.iter().all(Result::is_err), "{:?}", shown.path);
        judged += answers.iter().filter(|answer| **answer != Err(Failure::Unavailable)).count();
    }
    shown.secret = right;
    let answered = shown.present_as(town, &caller, 0).await;
    assert_eq!(answered, refused(code), "{:?} after a hundred guesses at once", shown.path);
}

#[tokio::test]
async fn whatever_is_closed_to_guessers_stays_closed_and_nothing_else_closes_with_it() {
    hold(Situation::Locked).await;
}

#[tokio::test]
async fn whoever_is_deactivated_is_let_in_nowhere_on_any_path() {
    hold(Situation::Disabled).await;
}

#[tokio::test]
async fn whatever_is_shown_of_a_suspended_account_opens_nothing_on_any_path() {
    hold(Situation::Suspended).await;
}

#[tokio::test]
async fn an_address_that_nobody_proved_changes_no_path_but_letters() {
    hold(Situation::Unverified).await;
}

#[tokio::test]
async fn nothing_of_another_account_works_on_any_path() {
    hold(Situation::Foreign).await;
}

#[tokio::test]
async fn nothing_that_is_used_up_works_again_on_any_path() {
    hold(Situation::Replayed).await;
}

#[tokio::test]
async fn nothing_but_a_password_works_after_its_time_on_any_path() {
    hold(Situation::Expired).await;
}

#[tokio::test]
async fn of_a_hundred_at_once_one_succeeds_on_every_path_that_works_once() {
    hold(Situation::Parallel).await;
}

#[tokio::test]
async fn a_passkey_of_somebody_who_was_deactivated_opens_no_campaign() {
    let town = Town::start().await;
    let mut shown = town.give(Path::Session, 1).await;
    let mut holder = town.identity.enrol_key(&shown.person.session).await;
    ordeal::befall(&town, Situation::Disabled, &mut shown).await;

    assert!(!town.identity.is_known(&holder.session).await, "the session ended");
    let entered = town.identity.log_in_with(&mut holder.key).await.expect("the account is theirs");
    assert!(town.identity.held(&entered.session_token).await.memberships.is_empty());
}

#[tokio::test]
async fn a_passkey_of_a_suspended_account_opens_nothing() {
    let town = Town::start().await;
    let mut shown = town.give(Path::Session, 1).await;
    let mut holder = town.identity.enrol_key(&shown.person.session).await;
    shown.person.session.clone_from(&holder.session);
    ordeal::befall(&town, Situation::Suspended, &mut shown).await;

    assert!(!town.identity.is_known(&holder.session).await, "the session ended");
    let entered = town.identity.log_in_with(&mut holder.key).await.map(|_| ());
    assert_eq!(entered, refused("identity.passkey.wrong"), "in the words for a wrong one");
}

/// The paths on which a kind of proof is shown: a new kind does not compile before it has some.
const fn paths_of(proof: Proof) -> &'static [Path] {
    match proof {
        Proof::Password => &[Path::Password, Path::PasswordAgain, Path::AdminPassword],
        Proof::Totp => &[Path::Totp, Path::CodeAgain, Path::NewAuthenticator],
        Proof::RecoveryCode => &[Path::RecoveryCode, Path::RecoveryCodeAgain],
        Proof::Passkey => &[Path::Passkey, Path::PasskeyAgain, Path::NewPasskey],
    }
}

/// What a method takes that proves somebody, beside the assertion of who calls; `None` for one that the table does
/// not know yet.
fn taken_by(method: &str) -> Option<&'static [Path]> {
    Some(match method {
        "Sessions/LogIn" => &[Path::Password],
        "Sessions/ProveFactor" => &[Path::Challenge, Path::Totp, Path::RecoveryCode],
        "Sessions/GetInvitation" => &[Path::InvitationLink, Path::JoinLink, Path::AdminLink],
        "Sessions/AcceptInvitation" => &[Path::FirstLink, Path::InvitationLink, Path::AdminLink],
        "Sessions/Authenticate" | "Sessions/LogOut" | "Sessions/RenewToken" => &[Path::Session],
        "Sessions/AuthenticateKey" => &[Path::ApiKey],
        "Accounts/Join" => &[Path::JoinLink, Path::AdminPassword],
        "Accounts/ChangePassword" => &[Path::PasswordToChange],
        "Contacts/AskEmail" => &[Path::PasswordToMove],
        "Accounts/ProveAgain" => &[Path::PasswordAgain, Path::CodeAgain, Path::RecoveryCodeAgain],
        "Accounts/ConfirmFactor" => &[Path::NewAuthenticator],
        "Contacts/ProveEmail" => &[Path::EmailLink, Path::EmailCode],
        "Contacts/ProvePhone" => &[Path::PhoneCode],
        "PasskeyLogins/GetWaiting" | "PasskeyLogins/AskPasskey" => &[Path::Challenge],
        "PasskeyLogins/EnterWithPasskey" => &[Path::Challenge, Path::Passkey],
        "Passkeys/ConfirmPasskey" => &[Path::NewPasskey],
        "Passkeys/ProveWithPasskey" => &[Path::PasskeyAgain],
        "Recovery/GetRecovery" | "Recovery/FinishRecovery" => &[Path::RecoveryLink],
        _ => return None,
    })
}

/// Services where people are told apart from others; methods of theirs that take no proof.
const SERVICES: [&str; 6] =
    ["Sessions/", "Accounts/", "Contacts/", "Recovery/", "PasskeyLogins/", "Passkeys/"];
const WITHOUT: &[&str] = &[
    "Sessions/InviteFirstAdmin",
    "Sessions/ImportAccount",
    "Sessions/EndImpersonation",
    "Sessions/NoteLook",
    "Sessions/AuthenticateSession",
    "Accounts/ListFactors",
    "Accounts/BeginFactor",
    "Accounts/RenameFactor",
    "Accounts/RemoveFactor",
    "Accounts/RenewRecoveryCodes",
    "Accounts/ListSessions",
    "Accounts/EndSessions",
    "Accounts/StopTrusting",
    "Accounts/ListHistory",
    "Accounts/SetPreferences",
    "Accounts/NameAccounts",
    "Contacts/GetContact",
    "Contacts/AskPhone",
    "Contacts/RemovePhone",
    "Passkeys/BeginPasskey",
    "Passkeys/AskProof",
    "Recovery/AskRecovery",
];

/// The tests that cells may name.
const SOURCES: [&str; 8] = [
    include_str!("main.rs"),
    include_str!("credentials.rs"),
    include_str!("passkeys.rs"),
    include_str!("passkeys/attacks.rs"),
    include_str!("passkeys/kinds.rs"),
    include_str!("gate.rs"),
    include_str!("invitations.rs"),
    include_str!("recovery.rs"),
];

#[test]
fn every_proof_and_every_method_that_takes_one_is_a_path_of_the_table() {
    let mut met = Proof::ALL.iter().flat_map(|proof| paths_of(*proof)).copied().collect::<Vec<_>>();
    for (method, _) in POLICIES {
        let method = method.trim_start_matches("/meydan.identity.v1.");
        if SERVICES.iter().any(|service| method.starts_with(service)) && !WITHOUT.contains(&method)
        {
            met.extend(taken_by(method).unwrap_or_else(|| panic!("{method} has no path here")));
        }
    }
    for path in Path::ALL {
        assert!(met.contains(path), "nothing takes {path:?}");
        let asserted = |situation: &&Situation| !matches!(cell(*path, **situation), Never(_));
        assert!(Situation::ALL.iter().filter(asserted).count() > 2, "{path:?} is hardly tried");
    }
}
