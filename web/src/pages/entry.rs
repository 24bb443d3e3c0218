//! Pages before anybody is known: logging in, and using a one-time link.

use askama::Template;

use crate::{form::Problems, pages::security::Passkeys, shell::Shell};

/// Why a login was refused. Never tells whether the address has an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Address and password do not belong together.
    WrongCredentials,
    /// Too many attempts; a while has to pass.
    TooManyAttempts,
    /// A passkey that is unknown or not right, or whose challenge is over.
    WrongPasskey,
}

impl LoginRefusal {
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::WrongCredentials => "login-wrong-credentials",
            Self::TooManyAttempts => "login-too-many-attempts",
            Self::WrongPasskey => "passkey-wrong",
        }
    }
}

/// `GET /login`, and the answer to a refused `POST /login` (`email`, `password`, `next`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/login.html")]
pub struct LoginPage {
    /// What pages share.
    pub shell: Shell,
    /// The address, as it was typed.
    pub email: String,
    /// Path to go to afterwards; empty for the person's home.
    pub next: String,
    /// Whether this browser was said to be in nobody else's hands.
    pub trusted: bool,
    /// Whether one comes in with a passkey here.
    pub passkeys: Passkeys,
    /// Why the last attempt was refused.
    pub refusal: Option<LoginRefusal>,
}

/// For whom a one-time link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invitation {
    /// The first admin, who still has to say name and address.
    FirstAdmin,
    /// A person without a password, who sets one.
    Begin {
        /// Their name, as the inviter gave it.
        name: String,
        /// Their e-mail address.
        email: String,
        /// The candidate whose team invites them; `None` to become an admin.
        candidate: Option<String>,
    },
    /// A person with a password, who logs in and comes back.
    LogIn {
        /// Their e-mail address, as the inviter gave it.
        email: String,
        /// The candidate whose team invites them; `None` to become an admin.
        candidate: Option<String>,
    },
    /// The person who is logged in.
    Accept {
        /// Their e-mail address, as the inviter gave it.
        email: String,
        /// The candidate whose team invites them; `None` to become an admin.
        candidate: Option<String>,
    },
}

/// `GET /welcome/{token}`, and the answer to a refused POST there (`display_name`, `email`,
/// `password`, `password_again`; nothing of who is logged in).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/welcome.html")]
pub struct WelcomePage {
    /// What pages share.
    pub shell: Shell,
    /// The secret part of the link.
    pub token: String,
    /// For whom it is.
    pub invitation: Invitation,
    /// The name, as it was typed.
    pub display_name: String,
    /// The address, as it was typed.
    pub email: String,
    /// What is wrong, by field.
    pub problems: Problems,
}

/// A one-time link that was used, replaced or is too old. Answer with 404 or 410.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/link_expired.html")]
pub struct LinkExpiredPage {
    /// What pages share.
    pub shell: Shell,
}

impl WelcomePage {
    /// What the link is for, in a sentence.
    fn lead(&self) -> String {
        let (of_campaign, of_platform, candidate) = match &self.invitation {
            Invitation::FirstAdmin => return self.shell.t("welcome-first-admin"),
            Invitation::Begin { candidate, .. } => {
                ("welcome-member", "welcome-member-admin", candidate)
            }
            Invitation::LogIn { candidate, .. } => {
                ("welcome-log-in", "welcome-log-in-admin", candidate)
            }
            Invitation::Accept { candidate, .. } => {
                ("welcome-accept", "welcome-accept-admin", candidate)
            }
        };
        match candidate {
            Some(candidate) => self.shell.s(of_campaign, "candidate", candidate),
            None => self.shell.t(of_platform),
        }
    }
}

super::renders!(LoginPage, WelcomePage, LinkExpiredPage);
