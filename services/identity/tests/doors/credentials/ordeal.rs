//! What happens to a credential before it is shown.

use meydan_rpc::{
    caller::{Caller, Who},
    pb::identity::{
        ChangeAccountRequest, ChangeMemberRequest, GetContactRequest, Member, RevokeApiKeyRequest,
        api_keys_client::ApiKeysClient, contacts_client::ContactsClient,
        members_client::MembersClient,
    },
};
use time::Duration;
use uuid::Uuid;

use super::{
    person::{Shown, Town, in_campaign},
    table::{Path, Situation},
};

/// Wrong passwords that close an account to a network, and wrong codes that end a login or use a code up.
const FEW: usize = 5;
/// Wrong codes that close codes to where they came from.
const MANY: usize = 20;

pub(super) async fn befall(town: &Town, situation: Situation, shown: &mut Shown) {
    match situation {
        Situation::Locked => lock(town, shown).await,
        Situation::Disabled => disable(town, shown).await,
        Situation::Suspended => suspend(town, shown).await,
        Situation::Unverified => nobody_proved(town, shown).await,
        Situation::Foreign => {
            let other = town.give(shown.path, 2).await;
            shown.person = other.person;
        }
        Situation::Replayed => replay(town, shown).await,
        Situation::Expired => expire(town, shown).await,
        Situation::Parallel => panic!("that happens while it is shown"),
    }
}

/// Shows wrong ones where it would be shown, until that closes.
async fn lock(town: &Town, shown: &mut Shown) {
    let (identity, path) = (&town.identity, shown.path);
    let wrong = if matches!(path, Path::RecoveryCode | Path::RecoveryCodeAgain) {
        "a recovery code of nobody"
    } else {
        "000000"
    };
    match path {
        Path::Totp | Path::RecoveryCode => {
            for _ in 0..MANY / FEW {
                let challenge = town.challenge(&shown.person).await;
                for _ in 0..FEW {
                    let guest = shown.person.guest.clone();
                    assert!(identity.prove(&challenge, wrong, guest).await.is_err());
                }
            }
        }
        Path::Challenge => {
            for _ in 0..FEW {
                let guest = shown.person.guest.clone();
                assert!(identity.prove(&shown.secret, wrong, guest).await.is_err());
            }
        }
        Path::PasswordAgain
        | Path::PasswordToChange
        | Path::PasswordToMove
        | Path::AdminPassword
        | Path::CodeAgain
        | Path::RecoveryCodeAgain
        | Path::EmailCode
        | Path::PhoneCode => {
            let right = std::mem::replace(&mut shown.secret, wrong.to_owned());
            let again = matches!(path, Path::CodeAgain | Path::RecoveryCodeAgain);
            for _ in 0..if again { MANY } else { FEW } {
                assert!(shown.present(town, 0).await.is_err(), "{path:?}");
            }
            shown.secret = right;
        }
        _ => {
            for _ in 0..FEW {
                let guest = shown.person.guest.clone();
                assert!(identity.enter(&shown.person.email, wrong, guest).await.is_err());
            }
        }
    }
}

/// An admin suspends the account.
async fn suspend(town: &Town, shown: &Shown) {
    let admin = town.admin().await;
    let message = ChangeAccountRequest { account_id: account(town, &admin, shown).await };
    let request = town.identity.dial.command(&admin, Uuid::now_v7(), message);
    town.identity.oversight().suspend_account(request).await.expect("an admin may");
}

/// Whose it is, as an admin finds them.
async fn account(town: &Town, admin: &Caller, shown: &Shown) -> String {
    let (found, _) = town.identity.listed(admin, &shown.person.email, "").await;
    found.first().expect("they were asked").account_id.clone()
}

/// The founder takes away what it stands on, or whoever asked them to become an admin.
async fn disable(town: &Town, shown: &Shown) {
    if matches!(shown.path, Path::AdminLink | Path::AdminPassword) {
        let admin = town.admin().await;
        let message = ChangeAccountRequest { account_id: account(town, &admin, shown).await };
        let request = town.identity.dial.command(&admin, Uuid::now_v7(), message);
        let mut oversight = town.identity.oversight();
        oversight.withdraw_admin_invitation(request).await.expect("an admin may");
        return;
    }
    let place = usize::from(shown.path == Path::JoinLink);
    let (campaign, founder) = &town.campaigns[place];
    let founder = in_campaign(*campaign, founder.clone());
    let member = theirs(town, *campaign, &shown.person.email).await;
    let message = ChangeMemberRequest { member_id: member.member_id };
    let request = town.identity.dial.command(&founder, Uuid::now_v7(), message);
    let mut members = MembersClient::new(town.identity.dial.channel());
    if member.invited {
        members.withdraw_invitation(request).await.expect("an owner may");
    } else {
        members.deactivate(request).await.expect("an owner may");
    }
}

async fn theirs(town: &Town, campaign: Uuid, email: &str) -> Member {
    let team = town.identity.team(campaign).await;
    team.into_iter().find(|member| member.email == email).expect("they are in the team")
}

async fn nobody_proved(town: &Town, shown: &Shown) {
    if shown.person.session.is_empty() {
        return;
    }
    let caller = town.identity.holder(&shown.person.session).await;
    let request = town.identity.dial.ask(&caller, GetContactRequest {});
    let contact = ContactsClient::new(town.identity.dial.channel()).get_contact(request).await;
    assert!(!contact.expect("it is theirs").into_inner().email_proved);
}

/// Uses it, or puts a newer one in its place.
async fn replay(town: &Town, shown: &mut Shown) {
    let (identity, path) = (&town.identity, shown.path);
    if path == Path::ApiKey {
        let (campaign, founder) = &town.campaigns[0];
        let founder = in_campaign(*campaign, founder.clone());
        let message = RevokeApiKeyRequest { api_key_id: shown.of.clone() };
        let request = identity.dial.command(&founder, Uuid::now_v7(), message);
        let mut keys = ApiKeysClient::new(identity.dial.channel());
        keys.revoke_api_key(request).await.expect("an owner may");
        return;
    }
    let used = if path == Path::Session {
        identity.enrol(&shown.secret).await.session
    } else {
        let used = shown.present(town, 0).await;
        used.unwrap_or_else(|error| panic!("{path:?} is good: {error:?}"))
    };
    // Proving oneself gives the session another token.
    if !used.is_empty() {
        shown.person.session = used;
    } else if !shown.person.session.is_empty() && !identity.is_known(&shown.person.session).await {
        let again = match &shown.person.factor {
            Some(factor) => log_in_with(town, shown, &factor.codes[9]).await,
            None => log_in(town, shown).await,
        };
        shown.person.session = again;
    }
}

async fn log_in(town: &Town, shown: &Shown) -> String {
    let person = &shown.person;
    let entered = town.identity.enter(&person.email, &person.password, person.guest.clone()).await;
    entered.map(|answer| answer.session_token).unwrap_or_default()
}

async fn log_in_with(town: &Town, shown: &Shown, code: &str) -> String {
    let challenge = town.challenge(&shown.person).await;
    let proved = town.identity.prove(&challenge, code, shown.person.guest.clone()).await;
    proved.expect("it is a recovery code of theirs").session_token
}

/// Waits until its time is over, and a second longer.
async fn expire(town: &Town, shown: &mut Shown) {
    let life = match shown.path {
        Path::Totp | Path::CodeAgain => Duration::seconds(90),
        Path::Challenge
        | Path::PhoneCode
        | Path::NewAuthenticator
        | Path::Passkey
        | Path::PasskeyAgain
        | Path::NewPasskey => Duration::minutes(5),
        Path::EmailLink | Path::EmailCode => Duration::minutes(15),
        Path::RecoveryLink | Path::ApiKey => Duration::hours(1),
        Path::InvitationLink
        | Path::JoinLink
        | Path::AdminLink
        | Path::AdminPassword
        | Path::FirstLink => Duration::hours(72),
        Path::Password
        | Path::PasswordAgain
        | Path::PasswordToChange
        | Path::PasswordToMove
        | Path::RecoveryCode
        | Path::RecoveryCodeAgain
        | Path::Session => Duration::days(14),
    };
    town.identity.advance(life + Duration::SECOND);
    if matches!(shown.path, Path::JoinLink | Path::AdminPassword) {
        shown.person.session = log_in(town, shown).await;
    }
    if shown.path == Path::ApiKey {
        let caller = town.identity.holder(&shown.person.session).await;
        assert!(matches!(caller.who, Who::Account { .. }), "whoever made it is still in");
    }
}
