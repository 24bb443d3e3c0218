//! Letters to people, by mail and SMS: what they may say, and how they leave.
//!
//! A letter is a row of a ledger, written in one transaction with what causes it, and sealed under the account's
//! key. A worker sends it, and wipes what it said. Mail goes out at least once, an SMS at most once; see
//! `docs/decisions`.

mod ledger;
mod mail;
mod sender;
mod sink;
mod sms;
mod words;

use meydan_cities::Cities;
use serde::{Deserialize, Serialize};
use time::Duration;

pub use self::{
    ledger::{Content, Written, write},
    mail::{BadMail, Mail, Smtp},
    sender::Sender,
    sink::Sink,
    sms::{BadSms, Sms, SmsProvider},
    words::Locale,
};

/// How letters leave.
#[derive(Debug, Clone)]
pub struct Post {
    /// How people reach the panel: links begin with it. Never what a request calls the panel, which may be a lie.
    pub panel: String,
    /// Mail.
    pub mail: Mail,
    /// SMS.
    pub sms: Sms,
    /// In which city an address is, for letters that tell from where somebody came.
    pub cities: Cities,
}

/// Through what a letter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Mail.
    Mail,
    /// SMS.
    Sms,
}

/// What a letter says. Links and codes are secrets: `Debug` names the kind alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Letter {
    /// A campaign asks somebody to join.
    Invitation {
        /// Whose campaign.
        candidate: String,
        /// The secret part of the link.
        token: String,
    },
    /// An admin asks somebody to become one.
    AdminInvitation {
        /// The secret part of the link.
        token: String,
    },
    /// Whether an address is theirs.
    EmailProof {
        /// Six digits.
        code: String,
        /// The secret part of the link.
        token: String,
    },
    /// Whether a telephone is theirs.
    PhoneProof {
        /// Six digits.
        code: String,
    },
    /// A new password, for somebody who forgot theirs.
    Recovery {
        /// The secret part of the link.
        token: String,
        /// Whether it takes second factors away.
        #[serde(default)]
        removes_factors: bool,
    },
    /// Somebody logged in from a device that was not seen before, whose city is known.
    NewDeviceAt {
        /// City and country, in the language of the letter.
        place: String,
    },
    /// Something happened to their account.
    Notice(Notice),
    /// An admin of the platform looks at a campaign as they see it.
    Impersonation {
        /// Whose campaign.
        candidate: String,
        /// Why.
        reason: String,
    },
    /// A campaign in which they work is to be deleted.
    DeletionRequested {
        /// Whose campaign.
        candidate: String,
        /// Its name in addresses.
        slug: String,
        /// In how many days.
        days: i64,
    },
    /// A campaign in which they work stays after all.
    DeletionWithdrawn {
        /// Whose campaign.
        candidate: String,
        /// Its name in addresses.
        slug: String,
    },
}

/// What opens an account besides its password, and stayed as it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// How many passkeys.
    pub passkeys: u32,
    /// How many authenticators.
    pub authenticators: u32,
    /// How many recovery codes.
    pub codes: u32,
}

/// What people are told of their own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// The password was changed.
    PasswordChanged(Kept),
    /// The password was set anew by a link, and all sessions ended.
    Recovered(Kept),
    /// The same where the address was never proved: second factors of whoever had claimed it are gone.
    RecoveredWithoutFactors,
    /// The address was changed; this goes to the old one.
    EmailChanged,
    /// The telephone was changed.
    PhoneChanged,
    /// The telephone was taken away.
    PhoneRemoved,
    /// Somebody logged in from a device that was not seen before.
    NewDevice,
    /// Too many wrong tries closed the account to a network for a while.
    Locked,
    /// Somebody with the right password showed five wrong codes.
    CodesGuessed,
    /// Too many wrong codes closed authenticators to browsers that the account does not know.
    FactorLocked,
    /// A recovery code was used.
    RecoveryCodeUsed {
        /// How many are left.
        left: u32,
    },
    /// The last recovery code was used.
    LastRecoveryCodeUsed,
    /// An authenticator or a passkey was added.
    FactorAdded,
    /// An authenticator or a passkey was removed.
    FactorRemoved,
    /// A passkey signed with a lower count than before, and was refused.
    PasskeyDoubted,
    /// An admin closed the account.
    Suspended,
    /// An admin opened it again.
    Reactivated,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

impl Letter {
    /// Its name in the ledger, in metrics and in the texts.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Invitation { .. } => "invitation",
            Self::AdminInvitation { .. } => "admin-invitation",
            Self::EmailProof { .. } => "email-proof",
            Self::PhoneProof { .. } => "phone-proof",
            Self::Recovery { .. } => "recovery",
            Self::Impersonation { .. } => "impersonation",
            Self::NewDeviceAt { .. } => "new-device-at",
            Self::DeletionRequested { .. } => "deletion-requested",
            Self::DeletionWithdrawn { .. } => "deletion-withdrawn",
            Self::Notice(Notice::PasswordChanged(_)) => "password-changed",
            Self::Notice(Notice::Recovered(_)) => "recovered",
            Self::Notice(Notice::RecoveredWithoutFactors) => "recovered-without-factors",
            Self::Notice(Notice::EmailChanged) => "email-changed",
            Self::Notice(Notice::PhoneChanged) => "phone-changed",
            Self::Notice(Notice::PhoneRemoved) => "phone-removed",
            Self::Notice(Notice::NewDevice) => "new-device",
            Self::Notice(Notice::Locked) => "locked",
            Self::Notice(Notice::CodesGuessed) => "codes-guessed",
            Self::Notice(Notice::FactorLocked) => "factor-locked",
            Self::Notice(Notice::RecoveryCodeUsed { .. }) => "recovery-code-used",
            Self::Notice(Notice::LastRecoveryCodeUsed) => "last-recovery-code-used",
            Self::Notice(Notice::FactorAdded) => "factor-added",
            Self::Notice(Notice::FactorRemoved) => "factor-removed",
            Self::Notice(Notice::PasskeyDoubted) => "passkey-doubted",
            Self::Notice(Notice::Suspended) => "suspended",
            Self::Notice(Notice::Reactivated) => "reactivated",
        }
    }

    /// Through what it goes.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        match self {
            Self::PhoneProof { .. } => Channel::Sms,
            _ => Channel::Mail,
        }
    }

    /// How long it is worth sending: as long as what it holds is good, and a day at most.
    #[must_use]
    pub const fn worth(&self) -> Duration {
        match self {
            Self::EmailProof { .. } => Duration::minutes(15),
            Self::PhoneProof { .. } => Duration::minutes(5),
            Self::Recovery { .. } => Duration::hours(1),
            Self::Invitation { .. }
            | Self::AdminInvitation { .. }
            | Self::Impersonation { .. }
            | Self::NewDeviceAt { .. }
            | Self::DeletionRequested { .. }
            | Self::DeletionWithdrawn { .. }
            | Self::Notice(_) => Duration::hours(24),
        }
    }

    /// The path of its link, if it has one.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        match self {
            Self::Invitation { token, .. } | Self::AdminInvitation { token } => {
                Some(format!("/welcome/{token}"))
            }
            Self::EmailProof { token, .. } => Some(format!("/account/email/{token}")),
            Self::Recovery { token, .. } => Some(format!("/recover/{token}")),
            Self::DeletionRequested { slug, .. } | Self::DeletionWithdrawn { slug, .. } => {
                Some(format!("/c/{slug}"))
            }
            Self::PhoneProof { .. }
            | Self::Impersonation { .. }
            | Self::NewDeviceAt { .. }
            | Self::Notice(_) => None,
        }
    }

    /// Of whose campaign it tells, if of one.
    pub(crate) fn candidate(&self) -> Option<&str> {
        match self {
            Self::Invitation { candidate, .. }
            | Self::Impersonation { candidate, .. }
            | Self::DeletionRequested { candidate, .. }
            | Self::DeletionWithdrawn { candidate, .. } => Some(candidate),
            _ => None,
        }
    }

    /// What it says was kept, if it does.
    pub(crate) const fn kept(&self) -> Option<Kept> {
        match self {
            Self::Notice(Notice::PasswordChanged(kept) | Notice::Recovered(kept)) => Some(*kept),
            _ => None,
        }
    }

    /// Its code, if it has one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::EmailProof { code, .. } | Self::PhoneProof { code } => Some(code),
            _ => None,
        }
    }
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The other side took it.
    Accepted,
    /// It certainly did not, and may take it later.
    Later,
    /// It never will: why.
    Dead(&'static str),
}
