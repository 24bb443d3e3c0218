//! What can be wrong with a form, field by field, in words.

use fluent_bundle::FluentValue;

use crate::shell::Shell;

/// Characters of a name at most, as identity has it.
pub const LONGEST_NAME: usize = 120;
/// Characters of an e-mail address at most, as identity has it.
pub const LONGEST_EMAIL: usize = 254;

/// What is wrong with one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Nothing was filled in.
    Required,
    /// More characters than fit.
    TooLong {
        /// How many fit.
        max: u64,
    },
    /// Fewer characters than needed.
    TooShort {
        /// How many are needed.
        min: u64,
    },
    /// Not an e-mail address.
    InvalidEmail,
    /// The two passwords differ.
    PasswordsDiffer,
    /// A password that is easily guessed.
    GuessablePassword,
    /// One of the most common passwords.
    CommonPassword,
    /// A password of names that others know.
    NamedPassword,
    /// A password of more bytes than are hashed.
    EndlessPassword,
    /// Not the present password.
    WrongPassword,
    /// The present password, where another one is asked for.
    SamePassword,
    /// Not 3 to 40 small Latin letters, digits and single hyphens.
    InvalidSlug,
    /// A name in addresses that the platform needs for itself.
    ReservedSlug,
    /// Another campaign has this name in addresses.
    SlugTaken,
    /// The person is in the team already.
    AlreadyMember,
    /// Too many invitations went to this address, or from this campaign, within a day.
    InvitedTooOften,
    /// Not shaped like a token from BotFather.
    InvalidToken,
    /// A code that was sent, and is wrong, used or too old.
    CodeOver,
    /// Asked for again too soon.
    TooSoon,
    /// Another account has proved this address.
    EmailTaken,
    /// No account has this address.
    NoSuchAccount,
    /// Not a telephone number.
    InvalidPhone,
    /// Not the code that an authenticator shows.
    WrongCode,
    /// A passkey that is not right, is known already, or came too late.
    WrongPasskey,
    /// More challenges were asked for than a network may.
    AskedTooOften,
    /// As many authenticators as an account may have.
    TooManyFactors,
    /// Not a day of the calendar.
    InvalidDay,
    /// A last day before the first one.
    DaysInOrder,
    /// Not the id or the place that a link would have.
    InvalidId,
    /// None of the choices.
    UnknownChoice,
    /// Whoever asks does not hold it themselves.
    NotHeld,
    /// Only an owner does this.
    OwnersOnly,
    /// Nobody would own the campaign.
    LastOwner,
    /// Nobody closes their own account.
    AccountOneself,
    /// That is an admin already.
    AlreadyAdmin,
    /// The account is suspended.
    AccountSuspended,
    /// Nobody looks as somebody who does not work there.
    LookNoPlace,
    /// Nobody looks at a campaign that does not run.
    LookStopped,
    /// Nobody looks as somebody who lacks the second factor that is demanded.
    LookFactor,
    /// Not a password that an admin may have.
    NotForAdmins,
    /// Nobody would run the platform.
    LastAdmin,
    /// Whoever demands a second factor needs one.
    FactorFirst,
    /// Nobody changes their own place.
    Oneself,
    /// Not the name that had to be typed.
    WrongConfirmation,
    /// The campaign has to be stopped first.
    CampaignRunning,
    /// Refused for another reason.
    Refused,
}

impl Problem {
    /// The problem as a sentence in the page's language.
    #[must_use]
    pub fn text(&self, shell: &Shell) -> String {
        let number = |key, count: u64| shell.with(key, &[("count", FluentValue::from(count))]);
        match *self {
            Self::TooLong { max } => number("problem-too-long", max),
            Self::TooShort { min } => number("problem-too-short", min),
            Self::Required => shell.t("problem-required"),
            Self::InvalidEmail => shell.t("problem-invalid-email"),
            Self::PasswordsDiffer => shell.t("problem-passwords-differ"),
            Self::GuessablePassword => shell.t("problem-guessable-password"),
            Self::CommonPassword => shell.t("problem-common-password"),
            Self::NamedPassword => shell.t("problem-named-password"),
            Self::EndlessPassword => shell.t("problem-endless-password"),
            Self::WrongPassword => shell.t("problem-wrong-password"),
            Self::SamePassword => shell.t("problem-same-password"),
            Self::InvalidSlug => shell.t("problem-invalid-slug"),
            Self::ReservedSlug => shell.t("problem-reserved-slug"),
            Self::SlugTaken => shell.t("problem-slug-taken"),
            Self::AlreadyMember => shell.t("problem-already-member"),
            Self::InvitedTooOften => shell.t("problem-invited-too-often"),
            Self::InvalidToken => shell.t("problem-invalid-token"),
            Self::WrongCode => shell.t("problem-wrong-code"),
            Self::CodeOver => shell.t("problem-code-over"),
            Self::TooSoon => shell.t("problem-too-soon"),
            Self::EmailTaken => shell.t("problem-email-taken"),
            Self::NoSuchAccount => shell.t("problem-no-such-account"),
            Self::InvalidPhone => shell.t("problem-invalid-phone"),
            Self::WrongPasskey => shell.t("problem-wrong-passkey"),
            Self::AskedTooOften => shell.t("problem-asked-too-often"),
            Self::TooManyFactors => shell.t("problem-too-many-factors"),
            Self::InvalidDay => shell.t("problem-invalid-day"),
            Self::DaysInOrder => shell.t("problem-days-in-order"),
            Self::InvalidId => shell.t("problem-invalid-id"),
            Self::UnknownChoice => shell.t("problem-unknown-choice"),
            Self::NotHeld => shell.t("problem-not-held"),
            Self::OwnersOnly => shell.t("problem-owners-only"),
            Self::AccountOneself => shell.t("problem-account-oneself"),
            Self::AlreadyAdmin => shell.t("problem-already-admin"),
            Self::AccountSuspended => shell.t("problem-account-suspended"),
            Self::LookNoPlace => shell.t("problem-look-no-place"),
            Self::LookStopped => shell.t("problem-look-stopped"),
            Self::LookFactor => shell.t("problem-look-factor"),
            Self::NotForAdmins => shell.t("problem-not-for-admins"),
            Self::LastAdmin => shell.t("problem-last-admin"),
            Self::FactorFirst => shell.t("problem-factor-first"),
            Self::LastOwner => shell.t("problem-last-owner"),
            Self::Oneself => shell.t("problem-oneself"),
            Self::WrongConfirmation => shell.t("problem-wrong-confirmation"),
            Self::CampaignRunning => shell.t("problem-campaign-running"),
            Self::Refused => shell.t("problem-refused"),
        }
    }
}

/// What is said of a password before it is chosen.
pub(crate) const fn password_hint(admin: bool) -> &'static str {
    if admin { "password-hint-admin" } else { "password-hint" }
}

/// The problems of a form by the name of the field, in the order of the form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(Vec<(&'static str, Problem)>);

impl Problems {
    /// A form with nothing wrong.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds a problem; the first one of a field is shown.
    pub fn add(&mut self, field: &'static str, problem: Problem) {
        self.0.push((field, problem));
    }

    /// The same problems and one more.
    #[must_use]
    pub fn and(mut self, field: &'static str, problem: Problem) -> Self {
        self.add(field, problem);
        self
    }

    /// Those of some of the fields.
    #[must_use]
    pub fn only(&self, fields: &[&str]) -> Self {
        Self(self.0.iter().filter(|(field, _)| fields.contains(field)).copied().collect())
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with a field.
    #[must_use]
    pub fn of(&self, field: &str) -> Option<&Problem> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, problem)| problem)
    }

    /// Number of problems.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }
}
