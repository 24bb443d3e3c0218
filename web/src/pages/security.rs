//! Proving oneself: the second factor at the login, authenticators, recovery codes, proofs for what is
//! dangerous, devices, and what happened to an account.

use std::fmt::Write;

use askama::{Template, filters::Safe};
use qrcode::{Color, QrCode};
use time::OffsetDateTime;

use crate::{
    form::Problems,
    pages::audit::{ACTIONS, page_key},
    shell::Shell,
};

/// Whether passkeys are used at the address at which a page is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passkeys {
    /// They are.
    Here,
    /// They are at this origin: browsers bind them to one name.
    At(String),
    /// There are none.
    Nowhere,
}

impl Passkeys {
    pub(super) fn are_here(&self) -> bool {
        *self == Self::Here
    }

    pub(super) fn elsewhere(&self) -> Option<&str> {
        match self {
            Self::At(origin) => Some(origin),
            Self::Here | Self::Nowhere => None,
        }
    }
}

/// Why a code opened nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorRefusal {
    /// It is not right, or was used.
    WrongCode,
    /// A passkey that is not right, or whose challenge is over.
    WrongPasskey,
}

impl FactorRefusal {
    const fn key(self) -> &'static str {
        match self {
            Self::WrongCode => "factor-wrong-code",
            Self::WrongPasskey => "passkey-wrong",
        }
    }
}

/// `GET /login/factor`, and the answer to a refused `POST` there (`code`, `trusted`, `next`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/login_factor.html")]
pub struct LoginFactorPage {
    /// What pages share.
    pub shell: Shell,
    /// Path to go to afterwards; empty for the person's home.
    pub next: String,
    /// Whether they said already that nobody else uses the browser.
    pub trusted: bool,
    /// Whether an authenticator's code is an answer, beside recovery codes.
    pub by_code: bool,
    /// Whether the account has a passkey, and where it is used.
    pub passkeys: Passkeys,
    /// Why the last code was refused.
    pub refusal: Option<FactorRefusal>,
}

/// An authenticator or a passkey.
#[derive(Debug, Clone)]
pub struct Factor {
    /// Its id.
    pub id: String,
    /// What its holder calls it.
    pub name: String,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When it was last used.
    pub last_used_at: Option<OffsetDateTime>,
    /// Whether it is a passkey.
    pub passkey: bool,
}

/// Who demands a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorNeed {
    /// The platform, of this account.
    Platform,
    /// A campaign, of its team.
    Campaign,
}

impl FactorNeed {
    const fn key(self) -> &'static str {
        match self {
            Self::Platform => "factor-needed",
            Self::Campaign => "notice-factor-demanded",
        }
    }
}

/// `GET /account/factors`, and the answer to a refused form there (`name`; `credential` for a passkey).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/factors.html")]
pub struct FactorsPage {
    /// What pages share.
    pub shell: Shell,
    /// Authenticators and passkeys that work.
    pub factors: Vec<Factor>,
    /// Recovery codes that are left.
    pub codes_left: u64,
    /// Who demands one, before which nothing else can be done.
    pub needed: Option<FactorNeed>,
    /// Whether passkeys are used here.
    pub passkeys: Passkeys,
    /// What is wrong, by field.
    pub problems: Problems,
}

/// The answer to `POST /account/factors`, and to a refused `POST /account/factors/{id}/confirm` (`code`).
#[derive(Clone, Template)]
#[template(path = "pages/enrol.html")]
pub struct EnrolPage {
    /// What pages share.
    pub shell: Shell,
    /// The authenticator.
    pub id: String,
    /// Its secret, in base 32.
    pub secret: String,
    /// The same for scanning.
    pub url: String,
    /// What is wrong, by field.
    pub problems: Problems,
}

impl EnrolPage {
    /// The secret in groups of four, as it is typed.
    fn groups(&self) -> String {
        let letters = self.secret.chars().collect::<Vec<_>>();
        letters
            .chunks(4)
            .map(|group| group.iter().collect::<String>())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The QR code of the URL (ISO/IEC 18004) as a drawing, with its quiet zone; nothing for a URL that is too
    /// long.
    fn drawing(&self) -> Safe<String> {
        let Ok(code) = QrCode::new(&self.url) else { return Safe(String::new()) };
        let width = code.width();
        let dark = |index: &usize| code[(index % width, index / width)] == Color::Dark;
        let mut path = String::new();
        for index in (0..width * width).filter(dark) {
            let (x, y) = (index % width + 4, index / width + 4);
            write!(path, "M{x} {y}h1v1h-1z").expect("a string takes everything");
        }
        let side = width + 8;
        Safe(format!(
            r##"<svg class="qr" viewBox="0 0 {side} {side}" width="200" height="200" role="img" aria-label="{}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path fill="#000" d="{path}"/></svg>"##,
            self.shell.t("qr-label"),
        ))
    }
}

/// Recovery codes, shown once.
#[derive(Clone, Template)]
#[template(path = "pages/recovery_codes.html")]
pub struct RecoveryCodesPage {
    /// What pages share.
    pub shell: Shell,
    /// The codes.
    pub codes: Vec<String>,
}

/// `GET /account/prove`, and the answer to a refused `POST` there (`secret`, `next`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/prove.html")]
pub struct ProvePage {
    /// What pages share.
    pub shell: Shell,
    /// Whether a code is asked for, and not the password.
    pub by_code: bool,
    /// Whether the person has a passkey, and where it is used.
    pub passkeys: Passkeys,
    /// Path to go to afterwards.
    pub next: String,
    /// Why the last one was refused.
    pub refusal: Option<FactorRefusal>,
}

/// A browser, as far as the name that it gives itself tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Browser {
    /// What it is called.
    pub program: Option<&'static str>,
    /// On what it runs.
    pub system: Option<&'static str>,
}

impl Browser {
    /// Both in plain words, and which of them is not known.
    pub(crate) fn text(self, shell: &Shell) -> String {
        match (self.program, self.system) {
            (Some(program), Some(system)) => {
                shell.with("browser-on", &[("browser", program.into()), ("system", system.into())])
            }
            (Some(program), None) => program.to_owned(),
            (None, Some(system)) => shell.s("browser-unknown-on", "system", system),
            (None, None) => shell.t("browser-unknown"),
        }
    }

    pub(crate) fn icon(self) -> &'static str {
        let phone = matches!(self.system, Some("Android" | "iPhone" | "iPad"));
        if phone { "device-mobile" } else { "device-laptop" }
    }
}

/// A device on which a person is logged in.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it was last used.
    pub last_seen_at: OffsetDateTime,
    /// Network address.
    pub address: String,
    /// City and country of the address, where they are known.
    pub place: Option<String>,
    /// Browser and system.
    pub browser: Browser,
    /// Nobody else uses it.
    pub trusted: bool,
    /// The one that looks at the page.
    pub present: bool,
}

/// `GET /account/sessions`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/sessions.html")]
pub struct SessionsPage {
    /// What pages share.
    pub shell: Shell,
    /// The latest first.
    pub sessions: Vec<Session>,
}

/// Something that happened to an account.
#[derive(Debug, Clone)]
pub struct Happened {
    /// When.
    pub at: OffsetDateTime,
    /// Type of the fact.
    pub kind: String,
    /// With what somebody proved who they are, or tried to; empty for none.
    pub proof: String,
    /// The page that an admin opened, who looked as its holder; empty for none.
    pub page: String,
    /// Network address; empty when it is not known.
    pub address: String,
    /// City and country of the address, where they are known.
    pub place: Option<String>,
    /// Browser and system.
    pub browser: Browser,
}

impl Happened {
    /// The key of the words for it, which are those of the audit.
    pub(crate) fn key(&self) -> Option<&'static str> {
        ACTIONS.iter().find(|(action, _)| *action == self.kind).map(|(_, key)| *key)
    }

    pub(crate) fn page_key(&self) -> Option<&'static str> {
        page_key(&self.page)
    }

    pub(crate) fn proof_key(&self) -> Option<&'static str> {
        match self.proof.as_str() {
            "password" => Some("proof-password"),
            "totp" => Some("proof-totp"),
            "recovery_code" => Some("proof-recovery-code"),
            "passkey" => Some("proof-passkey"),
            _ => None,
        }
    }

    pub(crate) fn icon(&self) -> &'static str {
        match self.kind.as_str() {
            "account.logged_in" => "login",
            "account.logged_out" | "account.session_expired" => "logout",
            "account.log_in_failed"
            | "account.locked"
            | "account.factor_locked"
            | "account.passkey_doubted" => "alert-triangle",
            _ => "shield-check",
        }
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.icon() == "alert-triangle"
    }
}

/// `GET /account/history`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/history.html")]
pub struct HistoryPage {
    /// What pages share.
    pub shell: Shell,
    /// The latest first.
    pub entries: Vec<Happened>,
    /// Where the next page begins.
    pub before: Option<i64>,
}

super::renders!(
    LoginFactorPage,
    FactorsPage,
    EnrolPage,
    RecoveryCodesPage,
    ProvePage,
    SessionsPage,
    HistoryPage,
);
