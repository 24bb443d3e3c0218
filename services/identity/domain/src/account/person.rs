//! Who holds an account, from where they come, and with what they prove it.

use serde::{Deserialize, Serialize};

/// Characters of a name at most: of a person, a candidate, an office, a constituency, a key.
pub const LONGEST_NAME: usize = 120;
/// Characters of an e-mail address at most (RFC 5321).
pub const LONGEST_EMAIL: usize = 254;

/// What a person with a login is called, and how they log in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The address with which they log in.
    pub email: String,
    /// What they are called.
    pub display_name: String,
}

/// Says nothing about the person.
impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Profile")
    }
}

/// In what language and time zone somebody works. Where somebody lives can be guessed from it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// `fa` or `en`.
    pub locale: String,
    /// Its IANA name, such as `Asia/Tehran`.
    pub time_zone: String,
}

/// Says nothing about the person.
impl std::fmt::Debug for Preferences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Preferences")
    }
}

/// From where somebody came in, or tried to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Network address.
    pub address: String,
    /// What the browser calls itself.
    pub user_agent: String,
}

/// Says nothing about the person.
impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Origin")
    }
}

/// With what somebody proved who they are, or tried to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A password alone.
    Password,
    /// A code of an authenticator (RFC 6238).
    Totp,
    /// A recovery code.
    RecoveryCode,
    /// A passkey (WebAuthn), which asks its holder for a finger, a face or a PIN.
    Passkey,
}

impl Proof {
    /// Every proof.
    pub const ALL: [Self; 4] = [Self::Password, Self::Totp, Self::RecoveryCode, Self::Passkey];

    /// Name under which it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Passkey => "passkey",
        }
    }

    /// The proof of a stored name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proof| proof.name() == name)
    }
}
