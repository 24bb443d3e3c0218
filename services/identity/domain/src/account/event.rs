//! What may happen to an account.

use cqrs_es::DomainEvent;
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

use super::{Origin, Preferences, Profile, Proof};

/// A fact about an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum AccountEvent {
    /// It began.
    #[serde(rename = "account.registered")]
    Registered {
        /// Who.
        profile: Sealed<Profile>,
        /// Platform staff.
        admin: bool,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Its password was set or changed.
    #[serde(rename = "account.password_set")]
    PasswordSet {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// A session began.
    #[serde(rename = "account.logged_in")]
    LoggedIn {
        /// Which.
        session_id: Uuid,
        /// With what proof; of earlier days a password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Proof>,
        /// From where; of earlier days not kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Sealed<Origin>>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// A session was ended by its holder.
    #[serde(rename = "account.logged_out")]
    LoggedOut {
        /// Which.
        session_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// A session ended by itself: nobody used it for long, or it had lasted as long as one may.
    #[serde(rename = "account.session_expired")]
    SessionExpired {
        /// Which.
        session_id: Uuid,
        /// When that was noticed.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Somebody tried with a wrong password or code.
    #[serde(rename = "account.log_in_failed")]
    LogInFailed {
        /// With what; of earlier days a password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Proof>,
        /// From where; of earlier days not kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Sealed<Origin>>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The password was right, and a second factor is awaited.
    #[serde(rename = "account.challenged")]
    Challenged {
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Sealed<Origin>>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The account was closed to where too many wrong tries came from.
    #[serde(rename = "account.locked")]
    Locked {
        /// Until when.
        #[serde(with = "rfc3339")]
        until: OffsetDateTime,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Sealed<Origin>>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Too many wrong codes closed authenticators until the account is recovered.
    #[serde(rename = "account.factor_locked")]
    FactorLocked {
        /// With what kind of code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Proof>,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Sealed<Origin>>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The holder of a session proved once more who they are.
    #[serde(rename = "account.proved_again")]
    ProvedAgain {
        /// Which session.
        session_id: Uuid,
        /// With what.
        proof: Proof,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An authenticator or a passkey was added.
    #[serde(rename = "account.factor_added")]
    FactorAdded {
        /// Which.
        factor_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An authenticator or a passkey was removed.
    #[serde(rename = "account.factor_removed")]
    FactorRemoved {
        /// Which.
        factor_id: Uuid,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// A passkey signed with a lower count than before: there may be a copy of it. It was refused.
    #[serde(rename = "account.passkey_doubted")]
    PasskeyDoubted {
        /// Which.
        factor_id: Uuid,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Sealed<Origin>>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// New recovery codes replaced those before.
    #[serde(rename = "account.recovery_codes_made")]
    RecoveryCodesMade {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Its holder proved an address, which is the account's from now on.
    #[serde(rename = "account.email_verified")]
    EmailVerified {
        /// The address.
        email: Sealed<String>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Somebody else proved the address that this account only said was its own.
    #[serde(rename = "account.email_lost")]
    EmailLost {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Its holder proved a telephone number, which is the account's from now on.
    #[serde(rename = "account.phone_verified")]
    PhoneVerified {
        /// The number, as E.164 writes it.
        phone: Sealed<String>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Its holder took the telephone number away.
    #[serde(rename = "account.phone_removed")]
    PhoneRemoved {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Its holder chose in what language and time zone they work.
    #[serde(rename = "account.preferences_set")]
    PreferencesSet {
        /// Which.
        preferences: Sealed<Preferences>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An admin closed it: nothing proves it any more.
    #[serde(rename = "account.suspended")]
    Suspended {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An admin opened it again.
    #[serde(rename = "account.reactivated")]
    Reactivated {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An admin asked its holder to become one.
    #[serde(rename = "account.admin_invited")]
    AdminInvited {
        /// Who, as the admin said.
        said: Sealed<Profile>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An admin took that back.
    #[serde(rename = "account.admin_invitation_withdrawn")]
    AdminInvitationWithdrawn {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Its holder accepted, and is an admin.
    #[serde(rename = "account.admin_appointed")]
    AdminAppointed {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An admin took the role from its holder.
    #[serde(rename = "account.admin_dismissed")]
    AdminDismissed {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// An admin began to look at a campaign as its member with this account.
    #[serde(rename = "account.impersonated")]
    Impersonated {
        /// Who looks.
        admin_id: Uuid,
        /// In which campaign.
        campaign_id: Uuid,
        /// Why.
        reason: Sealed<String>,
        /// When that ends by itself.
        #[serde(with = "rfc3339")]
        until: OffsetDateTime,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The admin opened a page of the campaign meanwhile.
    #[serde(rename = "account.looked_at")]
    LookedAt {
        /// In which campaign.
        campaign_id: Uuid,
        /// Which, by the parts of its address that are no names.
        page: String,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// The admin looks no more, before that ended by itself.
    #[serde(rename = "account.impersonation_ended")]
    ImpersonationEnded {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// Its password was set anew with a link that was sent to its address.
    #[serde(rename = "account.recovered")]
    Recovered {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// A code was shown that was right and had been used.
    #[serde(rename = "account.code_replayed")]
    CodeReplayed {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for AccountEvent {}

impl AccountEvent {
    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> OffsetDateTime {
        match self {
            Self::Registered { at, .. }
            | Self::PasswordSet { at }
            | Self::LoggedIn { at, .. }
            | Self::LoggedOut { at, .. }
            | Self::SessionExpired { at, .. }
            | Self::LogInFailed { at, .. }
            | Self::Challenged { at, .. }
            | Self::Locked { at, .. }
            | Self::FactorLocked { at, .. }
            | Self::ProvedAgain { at, .. }
            | Self::FactorAdded { at, .. }
            | Self::FactorRemoved { at, .. }
            | Self::PasskeyDoubted { at, .. }
            | Self::EmailVerified { at, .. }
            | Self::EmailLost { at }
            | Self::PhoneVerified { at, .. }
            | Self::PhoneRemoved { at }
            | Self::PreferencesSet { at, .. }
            | Self::Suspended { at }
            | Self::Reactivated { at }
            | Self::AdminInvited { at, .. }
            | Self::AdminInvitationWithdrawn { at }
            | Self::AdminAppointed { at }
            | Self::AdminDismissed { at }
            | Self::Impersonated { at, .. }
            | Self::LookedAt { at, .. }
            | Self::ImpersonationEnded { at }
            | Self::Recovered { at }
            | Self::CodeReplayed { at }
            | Self::RecoveryCodesMade { at } => *at,
        }
    }
}

impl DomainEvent for AccountEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Registered { .. } => "account.registered",
            Self::PasswordSet { .. } => "account.password_set",
            Self::LoggedIn { .. } => "account.logged_in",
            Self::LoggedOut { .. } => "account.logged_out",
            Self::SessionExpired { .. } => "account.session_expired",
            Self::LogInFailed { .. } => "account.log_in_failed",
            Self::EmailVerified { .. } => "account.email_verified",
            Self::EmailLost { .. } => "account.email_lost",
            Self::PhoneVerified { .. } => "account.phone_verified",
            Self::PhoneRemoved { .. } => "account.phone_removed",
            Self::PreferencesSet { .. } => "account.preferences_set",
            Self::Suspended { .. } => "account.suspended",
            Self::Reactivated { .. } => "account.reactivated",
            Self::AdminInvited { .. } => "account.admin_invited",
            Self::AdminInvitationWithdrawn { .. } => "account.admin_invitation_withdrawn",
            Self::AdminAppointed { .. } => "account.admin_appointed",
            Self::AdminDismissed { .. } => "account.admin_dismissed",
            Self::Impersonated { .. } => "account.impersonated",
            Self::LookedAt { .. } => "account.looked_at",
            Self::ImpersonationEnded { .. } => "account.impersonation_ended",
            Self::Recovered { .. } => "account.recovered",
            Self::CodeReplayed { .. } => "account.code_replayed",
            Self::Challenged { .. } => "account.challenged",
            Self::Locked { .. } => "account.locked",
            Self::FactorLocked { .. } => "account.factor_locked",
            Self::ProvedAgain { .. } => "account.proved_again",
            Self::FactorAdded { .. } => "account.factor_added",
            Self::FactorRemoved { .. } => "account.factor_removed",
            Self::PasskeyDoubted { .. } => "account.passkey_doubted",
            Self::RecoveryCodesMade { .. } => "account.recovery_codes_made",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
