//! A new password by mail: asking for the link, and using it.

use askama::Template;

use crate::{form::Problems, shell::Shell};

/// How far somebody is who asks for a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// They still have to.
    Open,
    /// They have: the same is said for every address.
    Sent,
    /// They came by a link that is used, replaced or too old. Answer with 404.
    Expired,
}

/// `GET /recover`, and the answer to a POST there (`email`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/recover.html")]
pub struct RecoverPage {
    /// What pages share.
    pub shell: Shell,
    /// How far they are.
    pub asking: Asking,
    /// The address, as it was typed.
    pub email: String,
    /// What is wrong, by field.
    pub problems: Problems,
}

/// `GET /recover/{token}`, and the answer to a refused POST there (`new_password`, `new_password_again`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/new_password.html")]
pub struct NewPasswordPage {
    /// What pages share.
    pub shell: Shell,
    /// The secret part of the link.
    pub token: String,
    /// The address of the account.
    pub email: String,
    /// Whether it is platform staff's.
    pub admin: bool,
    /// Whether its second factors go: the address was never proved.
    pub removes_factors: bool,
    /// What is wrong, by field.
    pub problems: Problems,
}

super::renders!(RecoverPage, NewPasswordPage);
