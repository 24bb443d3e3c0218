//! An account: a login. What proves it lies beside the log, so that no hash of a password is a fact for ever.

mod command;
mod event;
mod person;
mod rules;

use serde::{Deserialize, Serialize};

pub use self::{
    command::AccountCommand,
    event::AccountEvent,
    person::{LONGEST_EMAIL, LONGEST_NAME, Origin, Preferences, Profile, Proof},
    rules::AccountRefusal,
};

/// An account, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    registered: bool,
    #[serde(default)]
    suspended: bool,
    #[serde(default)]
    staff: Staff,
}

/// Whether somebody runs the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Staff {
    /// No.
    #[default]
    Not,
    /// Not before they accept.
    Asked,
    /// They are an admin.
    Admin,
}
