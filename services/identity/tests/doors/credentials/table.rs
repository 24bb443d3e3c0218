//! The table: what must come of each path in each situation.

use self::Cell::{Closes, Never, NotFound, Once, OneFact, Open, Placeless, Refused, ShownBy};

/// An enum and the list of all of it.
macro_rules! every {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::credentials) enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)*];
        }
    };
}

every! {
    /// Where something is shown that proves somebody.
    Path {
        /// To come in.
        Password,
        Totp,
        RecoveryCode,
        Challenge,
        /// As a fresh proof, by somebody who is in.
        PasswordAgain,
        /// The present one, to choose another.
        PasswordToChange,
        /// For another address than the present one.
        PasswordToMove,
        CodeAgain,
        RecoveryCodeAgain,
        NewAuthenticator,
        /// Alone, or after the password.
        Passkey,
        PasskeyAgain,
        NewPasskey,
        FirstLink,
        InvitationLink,
        JoinLink,
        /// By which somebody without an account becomes an admin.
        AdminLink,
        /// The password with which an account's holder accepts to become one.
        AdminPassword,
        RecoveryLink,
        EmailLink,
        EmailCode,
        PhoneCode,
        ApiKey,
        Session,
    }
}

every! {
    /// What has happened before it is shown, or happens while it is.
    Situation {
        /// Too many wrong ones were shown at the account.
        Locked,
        /// Whose it is was deactivated; a link or a key was withdrawn.
        Disabled,
        /// An admin suspended the account.
        Suspended,
        /// The address of the account is not proved.
        Unverified,
        /// It is another account's, or another campaign's.
        Foreign,
        /// It was used, or replaced by a newer one.
        Replayed,
        /// Its time is over.
        Expired,
        /// A hundred show it at once.
        Parallel,
    }
}

/// What must come of a path in a situation.
pub(super) enum Cell {
    /// It is refused with this code.
    Refused(&'static str),
    /// It leads nowhere.
    NotFound,
    /// It works as ever.
    Open,
    /// It lets in, to no campaign.
    Placeless,
    /// It works for one of a hundred, and leaves one fact of this kind.
    Once(&'static str),
    /// It works for all of a hundred, who are the same person, and leaves one fact of this kind.
    OneFact(&'static str),
    /// A hundred wrong ones close it to the right one.
    Closes(&'static str),
    /// Another test of this folder shows it.
    ShownBy(&'static str),
    /// It cannot occur, because of this.
    Never(&'static str),
}

const TO_BE_USED_AGAIN: Cell = Never("it is made to be used as often as its holder likes");
const NAMES_ITS_ACCOUNT: Cell = Never("it says itself whose it is; nothing else is shown with it");
const WRONG_CODE: Cell = Refused("identity.code.wrong");
const WRONG_PROOF: Cell = Refused("identity.proof.wrong");
const WRONG_PASSWORD: Cell = Refused("identity.password.wrong");
const FAILED: Cell = Refused("identity.login.failed");
const OVER: Cell = Refused("identity.challenge.over");

pub(super) fn cell(path: Path, situation: Situation) -> Cell {
    match situation {
        Situation::Locked => locked(path),
        Situation::Disabled => disabled(path),
        Situation::Suspended => suspended(path),
        Situation::Unverified => unverified(path),
        Situation::Foreign => foreign(path),
        Situation::Replayed => replayed(path),
        Situation::Expired => expired(path),
        Situation::Parallel => parallel(path),
    }
}

fn locked(path: Path) -> Cell {
    match path {
        Path::Passkey => ShownBy("the_gate_counts_passkeys_and_closes_them"),
        Path::PasskeyAgain => ShownBy("twenty_wrong_passkeys_of_somebody_who_is_in_close_them"),
        Path::NewPasskey => Never("whoever answers has just been shown its challenge"),
        Path::Password => FAILED,
        Path::Totp | Path::RecoveryCode => WRONG_CODE,
        Path::Challenge => OVER,
        Path::PasswordToChange | Path::PasswordToMove | Path::AdminPassword => WRONG_PASSWORD,
        Path::PasswordAgain
        | Path::CodeAgain
        | Path::RecoveryCodeAgain
        | Path::EmailCode
        | Path::PhoneCode => WRONG_PROOF,
        Path::NewAuthenticator => Never("whoever confirms it has just been shown its secret"),
        Path::FirstLink => Never("there is no account yet at which somebody could fail"),
        // Guesses at the password take nothing from whoever holds 256 random bits.
        Path::InvitationLink
        | Path::JoinLink
        | Path::AdminLink
        | Path::RecoveryLink
        | Path::EmailLink
        | Path::ApiKey
        | Path::Session => Open,
    }
}

fn disabled(path: Path) -> Cell {
    match path {
        Path::Passkey => ShownBy("a_passkey_of_somebody_who_was_deactivated_opens_no_campaign"),
        Path::PasskeyAgain | Path::NewPasskey => Never("their session ended, and nothing takes it"),
        Path::Password | Path::Totp | Path::RecoveryCode | Path::Challenge => Placeless,
        Path::PasswordAgain
        | Path::PasswordToChange
        | Path::PasswordToMove
        | Path::CodeAgain
        | Path::RecoveryCodeAgain
        | Path::NewAuthenticator
        | Path::EmailLink
        | Path::EmailCode
        | Path::PhoneCode
        | Path::InvitationLink
        | Path::JoinLink
        | Path::AdminLink
        | Path::AdminPassword
        | Path::ApiKey
        | Path::Session => NotFound,
        // A new password opens no more than the old one.
        Path::RecoveryLink => Open,
        Path::FirstLink => Never("the first admin is nobody's to deactivate"),
    }
}

/// Whatever is shown of a suspended account opens nothing, in the words for what is wrong.
fn suspended(path: Path) -> Cell {
    match path {
        Path::Passkey => ShownBy("a_passkey_of_a_suspended_account_opens_nothing"),
        Path::PasskeyAgain | Path::NewPasskey => Never("their session ended, and nothing takes it"),
        Path::Password => FAILED,
        // The login that waited for it is over.
        Path::Totp | Path::RecoveryCode | Path::Challenge => OVER,
        Path::PasswordAgain
        | Path::PasswordToChange
        | Path::PasswordToMove
        | Path::CodeAgain
        | Path::RecoveryCodeAgain
        | Path::NewAuthenticator
        | Path::EmailLink
        | Path::EmailCode
        | Path::PhoneCode
        | Path::InvitationLink
        | Path::JoinLink
        | Path::AdminLink
        | Path::AdminPassword
        | Path::RecoveryLink
        | Path::ApiKey
        | Path::Session => NotFound,
        Path::FirstLink => Never("there is no account yet that could be suspended"),
    }
}

/// What an address proves is where letters go; whoever has the password is let in without it.
fn unverified(path: Path) -> Cell {
    match path {
        Path::Passkey | Path::NewPasskey => {
            ShownBy("a_passkey_completes_a_login_and_says_so_to_the_log")
        }
        Path::PasskeyAgain => ShownBy("a_passkey_proves_once_more_who_somebody_is"),
        Path::FirstLink => {
            ShownBy("an_admin_who_never_proved_the_address_is_not_let_in_by_a_letter_to_it")
        }
        Path::Password
        | Path::Totp
        | Path::RecoveryCode
        | Path::Challenge
        | Path::PasswordAgain
        | Path::PasswordToChange
        | Path::PasswordToMove
        | Path::CodeAgain
        | Path::RecoveryCodeAgain
        | Path::NewAuthenticator
        | Path::InvitationLink
        | Path::JoinLink
        | Path::AdminLink
        | Path::AdminPassword
        | Path::RecoveryLink
        | Path::EmailLink
        | Path::EmailCode
        | Path::PhoneCode
        | Path::ApiKey
        | Path::Session => Open,
    }
}

fn foreign(path: Path) -> Cell {
    match path {
        Path::Passkey | Path::PasskeyAgain => {
            ShownBy("another_accounts_passkeys_and_challenges_open_nothing")
        }
        Path::NewPasskey => ShownBy("an_enrolment_is_answered_once_by_whoever_began_it_and_soon"),
        Path::Password => FAILED,
        Path::Totp | Path::RecoveryCode | Path::Challenge => WRONG_CODE,
        Path::PasswordToChange | Path::PasswordToMove => WRONG_PASSWORD,
        Path::PasswordAgain
        | Path::CodeAgain
        | Path::RecoveryCodeAgain
        | Path::EmailCode
        | Path::PhoneCode => WRONG_PROOF,
        Path::NewAuthenticator | Path::JoinLink | Path::AdminPassword | Path::EmailLink => NotFound,
        Path::InvitationLink => {
            ShownBy("a_link_left_over_from_another_campaign_does_not_take_an_account_over")
        }
        // `present` holds each key to the campaign whose it is.
        Path::FirstLink | Path::AdminLink | Path::RecoveryLink | Path::ApiKey | Path::Session => {
            NAMES_ITS_ACCOUNT
        }
    }
}

fn replayed(path: Path) -> Cell {
    match path {
        Path::Passkey => ShownBy("of_a_hundred_answers_to_one_challenge_at_once_one_succeeds"),
        Path::PasskeyAgain => ShownBy("a_passkey_proves_once_more_who_somebody_is"),
        Path::NewPasskey => ShownBy("an_enrolment_is_answered_once_by_whoever_began_it_and_soon"),
        Path::Password | Path::PasswordAgain | Path::PasswordToMove => TO_BE_USED_AGAIN,
        Path::Totp | Path::RecoveryCode => WRONG_CODE,
        Path::Challenge => OVER,
        // Another one has taken its place.
        Path::PasswordToChange => WRONG_PASSWORD,
        Path::CodeAgain | Path::RecoveryCodeAgain | Path::EmailCode | Path::PhoneCode => {
            WRONG_PROOF
        }
        Path::FirstLink => ShownBy("a_newer_first_link_replaces_the_older_and_three_days_end_it"),
        Path::NewAuthenticator
        | Path::InvitationLink
        | Path::JoinLink
        | Path::AdminLink
        | Path::AdminPassword
        | Path::RecoveryLink
        | Path::EmailLink
        | Path::ApiKey
        | Path::Session => NotFound,
    }
}

fn expired(path: Path) -> Cell {
    match path {
        Path::Passkey => ShownBy("a_challenge_is_over_after_five_minutes_and_after_a_wrong_answer"),
        Path::PasskeyAgain | Path::NewPasskey => {
            ShownBy("what_a_session_was_asked_for_is_over_after_five_minutes")
        }
        // Passwords do not run out (ASVS 6.2.10).
        Path::Password => Open,
        Path::RecoveryCode => Never("they are for the day when everything else is lost"),
        Path::Totp => WRONG_CODE,
        Path::Challenge => OVER,
        Path::CodeAgain | Path::EmailCode | Path::PhoneCode => WRONG_PROOF,
        Path::NewAuthenticator => Refused("identity.proof.needed"),
        Path::FirstLink => ShownBy("a_newer_first_link_replaces_the_older_and_three_days_end_it"),
        // Of what somebody shows who is in, the session is over first.
        Path::PasswordAgain
        | Path::PasswordToChange
        | Path::PasswordToMove
        | Path::RecoveryCodeAgain
        | Path::InvitationLink
        | Path::JoinLink
        | Path::AdminLink
        | Path::AdminPassword
        | Path::RecoveryLink
        | Path::EmailLink
        | Path::ApiKey
        | Path::Session => NotFound,
    }
}

fn parallel(path: Path) -> Cell {
    match path {
        Path::Passkey => ShownBy("of_a_hundred_answers_to_one_challenge_at_once_one_succeeds"),
        Path::PasskeyAgain => ShownBy("of_a_hundred_passkeys_of_somebody_who_is_in_one_counts"),
        Path::NewPasskey => ShownBy("an_enrolment_is_answered_once_by_whoever_began_it_and_soon"),
        // They may be shown again, so it is guesses that must not gain from coming at once.
        Path::Password => Closes("identity.login.failed"),
        Path::PasswordAgain => Closes("identity.proof.wrong"),
        Path::PasswordToChange | Path::PasswordToMove => Closes("identity.password.wrong"),
        Path::FirstLink => ShownBy("a_one_time_link_makes_one_admin_however_many_use_it_at_once"),
        Path::JoinLink => OneFact("member.joined"),
        Path::AdminPassword => OneFact("account.admin_appointed"),
        Path::ApiKey | Path::Session => TO_BE_USED_AGAIN,
        Path::Totp | Path::RecoveryCode | Path::Challenge => Once("account.logged_in"),
        Path::CodeAgain | Path::RecoveryCodeAgain => Once("account.proved_again"),
        Path::NewAuthenticator => Once("account.factor_added"),
        Path::InvitationLink => Once("member.joined"),
        Path::AdminLink => Once("account.admin_appointed"),
        Path::RecoveryLink => Once("account.recovered"),
        Path::EmailLink | Path::EmailCode => Once("account.email_verified"),
        Path::PhoneCode => Once("account.phone_verified"),
    }
}
