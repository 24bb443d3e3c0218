//! Accounts, for admins: the list, and one account with what may be done about it.

use askama::Template;
use time::OffsetDateTime;

use crate::{
    form::{Problem, Problems},
    pages::{
        security::{Happened, Session},
        team::{Role, Standing},
    },
    shell::Shell,
};

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    /// Has no password yet.
    Invited,
    /// Can be logged in to.
    Active,
    /// Closed by an admin.
    Suspended,
}

impl AccountStatus {
    const fn key(self) -> &'static str {
        match self {
            Self::Invited => "account-invited",
            Self::Active => "account-active",
            Self::Suspended => "account-suspended",
        }
    }

    const fn tone(self) -> &'static str {
        match self {
            Self::Invited => "tone-wait",
            Self::Active => "tone-good",
            Self::Suspended => "tone-bad",
        }
    }

    const fn icon(self) -> &'static str {
        match self {
            Self::Invited => "mail",
            Self::Active => "user-check",
            Self::Suspended => "user-off",
        }
    }
}

/// Which accounts a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhichAccounts {
    /// Every one.
    #[default]
    All,
    /// Those that an admin closed.
    Suspended,
    /// Those that guessers closed to where they came from, or whose codes they closed.
    Locked,
    /// Those without a second factor.
    WithoutFactor,
}

impl WhichAccounts {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::All, Self::Suspended, Self::Locked, Self::WithoutFactor];

    /// Its name in addresses.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Suspended => "suspended",
            Self::Locked => "locked",
            Self::WithoutFactor => "without-factor",
        }
    }

    /// The one of a name in addresses; all for one that is none.
    #[must_use]
    pub fn from_code(code: &str) -> Self {
        Self::ALL.into_iter().find(|which| which.code() == code).unwrap_or_default()
    }

    const fn key(self) -> &'static str {
        match self {
            Self::All => "accounts-all",
            Self::Suspended => "account-suspended",
            Self::Locked => "accounts-locked",
            Self::WithoutFactor => "accounts-without-factor",
        }
    }

    fn href(self) -> String {
        if self == Self::All {
            return "/admin/accounts".to_owned();
        }
        format!("/admin/accounts?which={}", self.code())
    }
}

/// A place in a campaign.
#[derive(Debug, Clone)]
pub struct AccountPlace {
    /// The campaign.
    pub campaign_id: String,
    /// Its name in addresses.
    pub slug: String,
    /// Its candidate.
    pub name: String,
    /// As what.
    pub role: Role,
    /// How they stand there.
    pub standing: Standing,
}

impl AccountPlace {
    /// Whether somebody is asked to join and has not done so, with a link that works or that one no more.
    const fn is_asked(&self) -> bool {
        matches!(self.standing, Standing::Invited | Standing::Expired)
    }
}

/// An account.
#[derive(Debug, Clone)]
pub struct AccountRow {
    /// Names it in addresses.
    pub id: String,
    /// What its holder is called.
    pub name: String,
    /// With what they log in.
    pub email: String,
    /// Platform staff.
    pub admin: bool,
    /// Since when its holder is asked to become an admin.
    pub asked_at: Option<OffsetDateTime>,
    /// How it stands.
    pub status: AccountStatus,
    /// Until when it is closed to where wrong passwords or codes came from.
    pub locked_until: Option<OffsetDateTime>,
    /// Whether codes of authenticators are closed until it is recovered.
    pub factor_locked: bool,
    /// Whether it has a second factor.
    pub second_factor: bool,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When somebody last logged in.
    pub last_login_at: Option<OffsetDateTime>,
    /// Where they work, or were asked to.
    pub places: Vec<AccountPlace>,
}

/// `GET /admin/accounts` (`email`, `which`, `after`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/accounts.html")]
pub struct AccountsPage {
    /// What pages share.
    pub shell: Shell,
    /// The newest first.
    pub accounts: Vec<AccountRow>,
    /// Which of them, when no address is looked for.
    pub which: WhichAccounts,
    /// The address that is looked for, as it was typed.
    pub email: String,
    /// After which account the next page begins.
    pub after: Option<String>,
}

/// `GET /admin/accounts/admins`, and the answer to `POST` there (`name`, `email`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/admins.html")]
pub struct AdminsPage {
    /// What pages share.
    pub shell: Shell,
    /// The admins and whoever is asked, the oldest first.
    pub admins: Vec<AccountRow>,
    /// The name of whom the viewer asks, as it was typed.
    pub name: String,
    /// Their address, as it was typed.
    pub email: String,
    /// What is wrong with the form, by field.
    pub problems: Problems,
    /// A new one-time link, whole. Shown this once only. Empty where mail brings it.
    pub invitation_link: Option<String>,
    /// For idempotency: sent back as `command_id`.
    pub command_id: String,
}

/// `GET /admin/accounts/{account}`, and the answers to what is refused there.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account_detail.html")]
pub struct AccountDetailPage {
    /// What pages share.
    pub shell: Shell,
    /// The account.
    pub account: AccountRow,
    /// Whether it is the viewer's own.
    pub oneself: bool,
    /// Where it is logged in, the latest first.
    pub sessions: Vec<Session>,
    /// What happened to it, the latest first.
    pub entries: Vec<Happened>,
    /// Where the next page of that begins.
    pub before: Option<i64>,
    /// Why a change was refused.
    pub refusal: Option<Problem>,
    /// What is wrong with a form, by field.
    pub problems: Problems,
    /// The reason, as it was typed.
    pub reason: String,
    /// A new one-time link, whole. Shown this once only. Empty where mail brings it.
    pub invitation_link: Option<String>,
    /// For idempotency: sent back as `command_id`.
    pub command_id: String,
}

impl AccountDetailPage {
    /// The places that can be looked at as this member.
    fn open_places(&self) -> Vec<&AccountPlace> {
        let closed = self.oneself || self.account.status == AccountStatus::Suspended;
        let open = |place: &&AccountPlace| !closed && place.standing == Standing::Active;
        self.account.places.iter().filter(open).collect()
    }
}

super::renders!(AccountsPage, AdminsPage, AccountDetailPage);
