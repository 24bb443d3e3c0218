//! One's own account: password, language, time zone, theme, keyboard.

use askama::Template;

use super::contact::ContactCard;
use crate::{
    form::{Problems, password_hint},
    locale::Locale,
    shell::Shell,
    zones::{self, ZoneGroup},
};

/// `GET /account`, and the answer to a refused `POST /account/password` (`current_password`,
/// `new_password`, `new_password_again`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account.html")]
pub struct AccountPage {
    /// What pages share.
    pub shell: Shell,
    /// The address of the account.
    pub email: String,
    /// Where the person is reached.
    pub contact: ContactCard,
    /// In what language and time zone the person works.
    pub preferences: PreferencesCard,
    /// What is wrong with the password, by field.
    pub problems: Problems,
}

/// The part of the account page whose form goes to `/account/preferences` (`locale`, `time_zone`). The time zone is
/// that of the page.
#[derive(Debug, Clone, Default)]
pub struct PreferencesCard {
    /// The language of the account.
    pub locale: Locale,
    /// Whether the person chose it. Otherwise it is none of the account's: this browser may have another one.
    pub chosen: bool,
    /// What is wrong, by field.
    pub problems: Problems,
}

impl AccountPage {
    fn zones(&self) -> Vec<ZoneGroup> {
        zones::groups(&self.shell)
    }

    fn password_hint(&self) -> &'static str {
        password_hint(self.shell.viewer.as_ref().is_some_and(|viewer| viewer.is_admin))
    }
}

super::renders!(AccountPage);
