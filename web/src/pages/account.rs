//! One's own account: password, language, theme, keyboard.

use askama::Template;

use super::contact::ContactCard;
use crate::{
    form::{Problems, password_hint},
    shell::Shell,
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
    /// What is wrong, by field.
    pub problems: Problems,
}

impl AccountPage {
    fn password_hint(&self) -> &'static str {
        password_hint(self.shell.viewer.as_ref().is_some_and(|viewer| viewer.is_admin))
    }
}

super::renders!(AccountPage);
