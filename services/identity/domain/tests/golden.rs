//! What stands in the log of identity, word for word: facts of years ago must be readable as they are.

use std::collections::BTreeSet;

use cqrs_es::DomainEvent;
use identity_domain::{
    AccountEvent, ApiKeyEvent, CampaignEvent, CampaignProfile, CampaignStatus, MemberEvent,
    NetworkEvent, OperationEvent, Profile, Proof, RecordEvent, RevokedBecause, Role, TeamEvent,
    campaign::GRACE,
};
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::Serialize;
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const SARA: Uuid = Uuid::from_u128(1);
const SESSION: Uuid = Uuid::from_u128(2);

fn sealed<T>() -> Sealed<T> {
    "s1.00000000000000000000000000000007.AAAA".parse().expect("it has the form of one")
}

fn profile() -> CampaignProfile {
    CampaignProfile {
        candidate_name: "نرگس".to_owned(),
        office: "شورا".to_owned(),
        constituency: "تهران".to_owned(),
        locale: "fa".to_owned(),
        home_region: String::new(),
    }
}

/// Each event is written as the golden line says, and the line is read as the event; every kind has a line.
fn pin<E: Event + DomainEvent + Serialize>(golden: &str, all: &[E]) {
    assert_eq!(meydan_event_log::golden::pin(golden, all), Ok(()));
}

#[test]
fn facts_about_accounts_keep_their_shape() {
    pin(
        include_str!("golden/account.jsonl"),
        &[
            AccountEvent::Registered { profile: sealed(), admin: true, at: NOON },
            AccountEvent::PasswordSet { at: NOON },
            AccountEvent::LoggedIn { session_id: SESSION, proof: None, origin: None, at: NOON },
            AccountEvent::LoggedOut { session_id: SESSION, at: NOON },
            AccountEvent::LogInFailed { proof: None, origin: None, at: NOON },
            AccountEvent::LoggedIn {
                session_id: SESSION,
                proof: Some(Proof::Totp),
                origin: Some(sealed()),
                at: NOON,
            },
            AccountEvent::LogInFailed {
                proof: Some(Proof::RecoveryCode),
                origin: Some(sealed()),
                at: NOON,
            },
            AccountEvent::Locked { until: NOON, origin: Some(sealed()), at: NOON },
            AccountEvent::FactorLocked {
                proof: Some(Proof::Totp),
                origin: Some(sealed()),
                at: NOON,
            },
            AccountEvent::Challenged { origin: Some(sealed()), at: NOON },
            AccountEvent::ProvedAgain { session_id: SESSION, proof: Proof::Password, at: NOON },
            AccountEvent::FactorAdded { factor_id: SARA, at: NOON },
            AccountEvent::FactorRemoved { factor_id: SARA, at: NOON },
            AccountEvent::RecoveryCodesMade { at: NOON },
            AccountEvent::EmailVerified { email: sealed(), at: NOON },
            AccountEvent::EmailLost { at: NOON },
            AccountEvent::PhoneVerified { phone: sealed(), at: NOON },
            AccountEvent::PasskeyDoubted { factor_id: SARA, origin: Some(sealed()), at: NOON },
            AccountEvent::ProvedAgain { session_id: SESSION, proof: Proof::Passkey, at: NOON },
            AccountEvent::Suspended { at: NOON },
            AccountEvent::Reactivated { at: NOON },
            AccountEvent::Impersonated {
                admin_id: SARA,
                campaign_id: SESSION,
                reason: sealed(),
                until: NOON,
                at: NOON,
            },
            AccountEvent::ImpersonationEnded { at: NOON },
            AccountEvent::Recovered { at: NOON },
            AccountEvent::CodeReplayed { at: NOON },
            AccountEvent::AdminInvited { said: sealed(), at: NOON },
            AccountEvent::AdminInvitationWithdrawn { at: NOON },
            AccountEvent::AdminAppointed { at: NOON },
            AccountEvent::AdminDismissed { at: NOON },
            AccountEvent::LookedAt { campaign_id: SESSION, page: "inbox".to_owned(), at: NOON },
            AccountEvent::PhoneRemoved { at: NOON },
            AccountEvent::PreferencesSet { preferences: sealed(), at: NOON },
            AccountEvent::SessionExpired { session_id: SESSION, at: NOON },
        ],
    );
}

#[test]
fn facts_about_campaigns_keep_their_shape() {
    let (from, to) = (CampaignStatus::Active, CampaignStatus::Suspended);
    pin(
        include_str!("golden/campaign.jsonl"),
        &[
            CampaignEvent::Created { slug: "tehran".to_owned(), profile: profile(), at: NOON },
            CampaignEvent::Edited { profile: profile(), at: NOON },
            CampaignEvent::StatusChanged { from, to, at: NOON },
            CampaignEvent::DeletionRequested { due_at: NOON + GRACE, at: NOON },
            CampaignEvent::DeletionWithdrawn { at: NOON },
            CampaignEvent::Deleted { at: NOON },
            CampaignEvent::FactorDemanded { at: NOON },
            CampaignEvent::FactorWaived { at: NOON },
            CampaignEvent::Edited {
                profile: CampaignProfile { home_region: "IR-23".to_owned(), ..profile() },
                at: NOON,
            },
        ],
    );
}

#[test]
fn facts_about_members_keep_their_shape_also_those_without_the_inviters_words() {
    let invited = |said: Option<Sealed<Profile>>| MemberEvent::Invited {
        account_id: SARA,
        role: Role::Staff,
        said,
        at: NOON,
    };
    pin(
        include_str!("golden/member.jsonl"),
        &[
            invited(Some(sealed())),
            invited(None),
            MemberEvent::Joined { at: NOON },
            MemberEvent::InvitationRenewed { account_id: SARA, at: NOON },
            MemberEvent::InvitationWithdrawn { account_id: SARA, at: NOON },
            MemberEvent::RoleChanged {
                account_id: SARA,
                from: Role::Staff,
                to: Role::SocialMedia,
                at: NOON,
            },
            MemberEvent::PermissionsChanged {
                account_id: SARA,
                granted: names(&["bot:bot.connect"]),
                denied: names(&["crm:ticket.move", "crm:ticket.reply"]),
                at: NOON,
            },
            MemberEvent::Deactivated { account_id: SARA, at: NOON },
            MemberEvent::Reactivated { account_id: SARA, at: NOON },
            MemberEvent::Removed { account_id: SARA, at: NOON },
            MemberEvent::Impersonated { account_id: SARA, until: NOON, at: NOON },
            MemberEvent::LookedAt { account_id: SARA, page: "inbox".to_owned(), at: NOON },
        ],
    );
}

#[test]
fn facts_about_teams_keep_their_shape() {
    let owners = BTreeSet::from([SARA, SESSION]);
    pin(include_str!("golden/team.jsonl"), &[TeamEvent::OwnersChanged { owners, at: NOON }]);
}

#[test]
fn facts_about_addresses_keep_their_shape_and_name_none() {
    let closed = NetworkEvent::Closed { until: NOON, at: NOON };
    pin(include_str!("golden/network.jsonl"), &[closed]);
}

#[test]
fn facts_about_who_reads_the_record_keep_their_shape() {
    let opened = RecordEvent::Opened { page: "audit".to_owned(), at: NOON };
    pin(include_str!("golden/record.jsonl"), &[opened, RecordEvent::Exported { at: NOON }]);
}

#[test]
fn facts_about_what_operators_do_keep_their_shape() {
    let kind = || "crm".to_owned();
    pin(
        include_str!("golden/operation.jsonl"),
        &[
            OperationEvent::FirstLinkMade { at: NOON },
            OperationEvent::KeysRotated { at: NOON },
            OperationEvent::LogRepaired { kind: kind(), at: NOON },
            OperationEvent::StreamDiscarded { kind: kind(), at: NOON },
            OperationEvent::TablesExchanged { kind: kind(), at: NOON },
            OperationEvent::CheckpointsLetGo { count: 14, at: NOON },
        ],
    );
}

#[test]
fn facts_about_keys_keep_their_shape_and_hold_no_secret() {
    let created = |expires_at| ApiKeyEvent::Created {
        name: "s1.00000000000000000000000000000007.AAAA".parse().expect("it has the form of one"),
        permissions: names(&["crm:ticket.read"]),
        created_by: SARA,
        expires_at,
        at: NOON,
    };
    pin(
        include_str!("golden/api_key.jsonl"),
        &[
            created(Some(NOON)),
            created(None),
            ApiKeyEvent::Revoked { because: None, at: NOON },
            ApiKeyEvent::Revoked { because: Some(RevokedBecause::MakerLeft), at: NOON },
        ],
    );
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}
