//! Where a person is reached: a part of the account page, and the page of a mailed link.

use askama::Template;

use crate::{form::Problems, shell::Shell};

/// Where letters go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Letters {
    /// To mailboxes.
    #[default]
    Mailed,
    /// Into a file of whoever runs the platform, for there is no mail server.
    Kept,
}

/// The part of the account page. Its forms go to `/account/email/send` (nothing), `/account/email` (`email`,
/// `password`), `/account/email/code` (`email_code`), `/account/phone` (`phone`) and `/account/phone/code`
/// (`phone_code`).
#[derive(Debug, Clone, Default)]
pub struct ContactCard {
    /// The address of the account.
    pub email: String,
    /// Whether it is proved.
    pub email_proved: bool,
    /// The telephone, which is proved; empty for none.
    pub phone: String,
    /// An address for which a code is under way; empty for none.
    pub pending_email: String,
    /// A telephone for which a code is under way; empty for none.
    pub pending_phone: String,
    /// Where letters go.
    pub letters: Letters,
    /// The new address, as it was typed.
    pub typed_email: String,
    /// The new telephone, as it was typed.
    pub typed_phone: String,
    /// Whether a proof comes before another address.
    pub prove_for_email: bool,
    /// Whether a proof comes before another telephone.
    pub prove_for_phone: bool,
    /// What is wrong, by field.
    pub problems: Problems,
}

impl ContactCard {
    /// The number for a sentence: a mark keeps its plus before the digits from right to left.
    pub(crate) fn number(&self) -> String {
        format!("\u{200e}{}", self.pending_phone)
    }
}

/// `GET /account/email/{token}`: a link proves nothing before a button is pressed, for programs open links too.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/confirm_email.html")]
pub struct ConfirmEmailPage {
    /// What pages share.
    pub shell: Shell,
    /// The secret part of the link.
    pub token: String,
    /// Whether it could not be used.
    pub expired: bool,
}

super::renders!(ConfirmEmailPage);
