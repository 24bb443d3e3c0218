//! How an account answers: it begins once, and while it is suspended no session begins.

use cqrs_es::{Aggregate, event_sink::EventSink};

use super::{Account, AccountCommand, AccountEvent, Staff};

/// Why an account says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountRefusal {
    /// It has begun, with the address that was said then.
    #[error("the account has begun")]
    Registered,
    /// There is no such account.
    #[error("there is no such account")]
    NotRegistered,
    /// It is closed.
    #[error("the account is suspended")]
    Suspended,
    /// Its holder is an admin already.
    #[error("that is an admin already")]
    AlreadyAdmin,
    /// Nobody asked its holder to become an admin, or not any more.
    #[error("nobody asked")]
    NotAsked,
    /// Its holder is no admin.
    #[error("that is no admin")]
    NotAdmin,
    /// Its holder has become an admin, and the password was not judged as one's.
    #[error("the password was not judged as an admin's")]
    NotJudgedAsAdmins,
}

impl Account {
    /// Whether an admin closed it.
    #[must_use]
    pub const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Whether it exists.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        self.registered
    }

    /// Whether its holder is an admin.
    #[must_use]
    pub const fn is_admin(&self) -> bool {
        matches!(self.staff, Staff::Admin)
    }

    /// Judges `command` against the present state. An empty list means: already so.
    ///
    /// # Errors
    ///
    /// The rule that the command would break.
    pub fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountRefusal> {
        match command {
            AccountCommand::Register { .. } if self.registered => Err(AccountRefusal::Registered),
            AccountCommand::Register { profile, admin, at } => {
                Ok(vec![AccountEvent::Registered { profile, admin, at }])
            }
            _ if !self.registered => Err(AccountRefusal::NotRegistered),
            AccountCommand::Suspend { suspended, .. } if suspended == self.suspended => Ok(vec![]),
            AccountCommand::Suspend { suspended: true, at } => {
                Ok(vec![AccountEvent::Suspended { at }])
            }
            AccountCommand::Suspend { at, .. } => Ok(vec![AccountEvent::Reactivated { at }]),
            AccountCommand::StandAsAdmin if self.suspended || !self.is_admin() => {
                Err(AccountRefusal::NotAdmin)
            }
            AccountCommand::AskToAdminister { .. }
            | AccountCommand::Administer { admin: true, .. }
                if self.suspended =>
            {
                Err(AccountRefusal::Suspended)
            }
            AccountCommand::AskToAdminister { .. } if self.staff == Staff::Admin => {
                Err(AccountRefusal::AlreadyAdmin)
            }
            AccountCommand::Administer { admin: true, .. } if self.staff == Staff::Admin => {
                Ok(vec![])
            }
            AccountCommand::AskToAdminister { said, at } => {
                Ok(vec![AccountEvent::AdminInvited { said, at }])
            }
            AccountCommand::WithdrawAsking { .. }
            | AccountCommand::Administer { admin: true, .. }
                if self.staff != Staff::Asked =>
            {
                Err(AccountRefusal::NotAsked)
            }
            AccountCommand::WithdrawAsking { at } => {
                Ok(vec![AccountEvent::AdminInvitationWithdrawn { at }])
            }
            AccountCommand::Administer { admin: true, at } => {
                Ok(vec![AccountEvent::AdminAppointed { at }])
            }
            AccountCommand::Administer { .. } if self.staff != Staff::Admin => {
                Err(AccountRefusal::NotAdmin)
            }
            AccountCommand::Administer { at, .. } => Ok(vec![AccountEvent::AdminDismissed { at }]),
            // Chosen before they were appointed, and set after.
            AccountCommand::SetPassword { by_admin: false, .. } if self.staff == Staff::Admin => {
                Err(AccountRefusal::NotJudgedAsAdmins)
            }
            AccountCommand::SetPassword { at, .. } => Ok(vec![AccountEvent::PasswordSet { at }]),
            // Whatever opened the way: no session begins, and nobody looks as its holder.
            AccountCommand::Record(
                AccountEvent::LoggedIn { .. } | AccountEvent::Impersonated { .. },
            ) if self.suspended => Err(AccountRefusal::Suspended),
            AccountCommand::StandAsAdmin
            | AccountCommand::Record(AccountEvent::Registered { .. }) => Ok(vec![]),
            AccountCommand::Record(fact) => Ok(vec![fact]),
        }
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
        match event {
            AccountEvent::Registered { admin, .. } => {
                self.registered = true;
                self.staff = if admin { Staff::Admin } else { Staff::Not };
            }
            AccountEvent::AdminInvited { .. } => self.staff = Staff::Asked,
            AccountEvent::AdminAppointed { .. } => self.staff = Staff::Admin,
            AccountEvent::AdminInvitationWithdrawn { .. } | AccountEvent::AdminDismissed { .. } => {
                self.staff = Staff::Not;
            }
            AccountEvent::Suspended { .. } => self.suspended = true,
            AccountEvent::Reactivated { .. } => self.suspended = false,
            _ => {}
        }
    }
}
