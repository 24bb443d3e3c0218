//! An account: a login. What proves it lies beside the log, so that no hash of a password is a fact for ever.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

/// What a person with a login is called, and how they log in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The address with which they log in.
    pub email: String,
    /// What they are called.
    pub display_name: String,
}

/// Says nothing about the person.
impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Profile")
    }
}

/// An account, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    registered: bool,
}

/// What may be asked of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountCommand {
    /// Begin it.
    Register {
        /// Who.
        profile: Sealed<Profile>,
        /// Platform staff.
        admin: bool,
        /// When.
        at: OffsetDateTime,
    },
    /// Its password was set or changed.
    RecordPasswordSet {
        /// When.
        at: OffsetDateTime,
    },
    /// A session began.
    RecordLogIn {
        /// Which.
        session_id: Uuid,
        /// When.
        at: OffsetDateTime,
    },
    /// A session was ended by its holder.
    RecordLogOut {
        /// Which.
        session_id: Uuid,
        /// When.
        at: OffsetDateTime,
    },
    /// Somebody tried with a wrong password.
    RecordLogInFailed {
        /// When.
        at: OffsetDateTime,
    },
    /// Note what happened to it: what proves an account lies beside the log, and is judged there.
    Record(AccountEvent),
}

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
    /// Somebody tried with a wrong password.
    #[serde(rename = "account.log_in_failed")]
    LogInFailed {
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
}

impl Event for AccountEvent {}

impl DomainEvent for AccountEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Registered { .. } => "account.registered",
            Self::PasswordSet { .. } => "account.password_set",
            Self::LoggedIn { .. } => "account.logged_in",
            Self::LoggedOut { .. } => "account.logged_out",
            Self::LogInFailed { .. } => "account.log_in_failed",
            Self::EmailVerified { .. } => "account.email_verified",
            Self::EmailLost { .. } => "account.email_lost",
            Self::PhoneVerified { .. } => "account.phone_verified",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why an account says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountRefusal {
    /// There is no such account.
    #[error("there is no such account")]
    NotRegistered,
}

impl Account {
    /// Whether it exists.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        self.registered
    }

    /// Judges `command` against the present state. An empty list means: already so.
    ///
    /// # Errors
    ///
    /// The rule that the command would break.
    pub fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountRefusal> {
        Ok(vec![match command {
            AccountCommand::Register { .. } if self.registered => return Ok(vec![]),
            AccountCommand::Register { profile, admin, at } => {
                AccountEvent::Registered { profile, admin, at }
            }
            _ if !self.registered => return Err(AccountRefusal::NotRegistered),
            AccountCommand::RecordPasswordSet { at } => AccountEvent::PasswordSet { at },
            AccountCommand::RecordLogIn { session_id, at } => {
                AccountEvent::LoggedIn { session_id, at }
            }
            AccountCommand::RecordLogOut { session_id, at } => {
                AccountEvent::LoggedOut { session_id, at }
            }
            AccountCommand::RecordLogInFailed { at } => AccountEvent::LogInFailed { at },
            AccountCommand::Record(event) => event,
        }])
    }
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";

    type Command = AccountCommand;
    type Event = AccountEvent;
    type Error = AccountRefusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: AccountCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), AccountRefusal> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: AccountEvent) {
        if matches!(event, AccountEvent::Registered { .. }) {
            self.registered = true;
        }
    }
}
