//! Hashes that came from another system: bcrypt and PBKDF2 (RFC 8018), as Django, passlib and PHC write them.
//!
//! They are good for one login, which replaces them. What would cost too much to check is not taken in.

use std::fmt::Write as _;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq;

/// Highest cost of bcrypt: half a second of a core.
const MOST_COST: u32 = 13;
/// Most rounds of PBKDF2: about as much. Django 6 takes 1.2 million.
const MOST_ROUNDS: u32 = 1_500_000;
/// Bytes of a hash.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// A hash of another system.
#[derive(Clone)]
pub enum Imported {
    /// bcrypt, of the password or of the SHA-256 of it in hexadecimal.
    Bcrypt {
        /// In the modular crypt form.
        hash: String,
        /// Whether the password was digested first.
        digested: bool,
    },
    /// PBKDF2 with an HMAC.
    Pbkdf2 {
        /// Of which hash.
        digest: Digest,
        /// How often.
        rounds: u32,
        /// The salt.
        salt: Vec<u8>,
        /// What came out.
        hash: Vec<u8>,
    },
}

/// The hash within PBKDF2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// Why a hash is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotImported {
    /// It has another form, or is damaged.
    #[error("must be bcrypt or PBKDF2, as Django, passlib or PHC write them")]
    Unknown,
    /// Checking it would burn the machine.
    #[error("costs too much: at most 2^{MOST_COST} rounds of bcrypt, or {MOST_ROUNDS} of PBKDF2")]
    TooCostly,
}

impl Imported {
    /// Reads a hash.
    ///
    /// # Errors
    ///
    /// See [`NotImported`].
    pub fn read(text: &str) -> Result<Self, NotImported> {
        if let Some(bcrypt) = text.strip_prefix("bcrypt_sha256$") {
            return bcrypt_of(bcrypt, true);
        }
        if let Some(django) = text.strip_prefix("pbkdf2_sha256$") {
            let mut parts = django.split('$');
            let (Some(rounds), Some(salt), Some(hash), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                return Err(NotImported::Unknown);
            };
            let hash = STANDARD.decode(hash).map_err(|_| NotImported::Unknown)?;
            return pbkdf2_of(Digest::Sha256, rounds, (salt.as_bytes().to_vec(), hash));
        }
        let phc = [("$pbkdf2-sha256$", Digest::Sha256), ("$pbkdf2-sha512$", Digest::Sha512)];
        for (prefix, digest) in phc {
            if let Some(rest) = text.strip_prefix(prefix) {
                return phc_of(digest, rest);
            }
        }
        bcrypt_of(text.strip_prefix("bcrypt$").unwrap_or(text), false)
    }

    /// Whether it was made from `password`.
    #[must_use]
    pub fn is_of(&self, password: &str) -> bool {
        match self {
            Self::Bcrypt { hash, digested: false } => matches(password, hash),
            Self::Bcrypt { hash, digested: true } => matches(&hexadecimal(password), hash),
            Self::Pbkdf2 { digest, rounds, salt, hash } => {
                let mut made = vec![0; hash.len()];
                let password = password.as_bytes();
                match digest {
                    Digest::Sha256 => pbkdf2_hmac::<Sha256>(password, salt, *rounds, &mut made),
                    Digest::Sha512 => pbkdf2_hmac::<Sha512>(password, salt, *rounds, &mut made),
                }
                made.ct_eq(hash).into()
            }
        }
    }
}

/// Of what is longer, bcrypt takes the first 72 bytes, as where it comes from.
fn matches(password: &str, hash: &str) -> bool {
    bcrypt::verify(password, hash).unwrap_or(false)
}

fn hexadecimal(password: &str) -> String {
    Sha256::digest(password.as_bytes()).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}

fn bcrypt_of(text: &str, digested: bool) -> Result<Imported, NotImported> {
    let version = ["$2a$", "$2b$", "$2y$"].iter().find_map(|version| text.strip_prefix(version));
    let whole = text.len() == 60 && text.is_ascii();
    let cost = version.filter(|_| whole).and_then(|rest| rest.get(..2)?.parse::<u32>().ok());
    match cost {
        Some(4..=MOST_COST) => Ok(Imported::Bcrypt { hash: text.to_owned(), digested }),
        Some(14..) => Err(NotImported::TooCostly),
        _ => Err(NotImported::Unknown),
    }
}

/// `i=29000,l=32$salt$hash`, or `29000$salt$hash`; passlib writes a dot where base64 has a plus.
fn phc_of(digest: Digest, rest: &str) -> Result<Imported, NotImported> {
    let mut parts = rest.split('$');
    let (Some(settings), Some(salt), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NotImported::Unknown);
    };
    let rounds = settings.split(',').find_map(|setting| setting.strip_prefix("i="));
    let read = |text: &str| {
        STANDARD_NO_PAD.decode(text.replace('.', "+")).map_err(|_| NotImported::Unknown)
    };
    pbkdf2_of(digest, rounds.unwrap_or(settings), (read(salt)?, read(hash)?))
}

fn pbkdf2_of(
    digest: Digest,
    rounds: &str,
    (salt, hash): (Vec<u8>, Vec<u8>),
) -> Result<Imported, NotImported> {
    let rounds: u32 = rounds.parse().map_err(|_| NotImported::Unknown)?;
    if rounds == 0 || salt.is_empty() || !LENGTHS.contains(&hash.len()) {
        return Err(NotImported::Unknown);
    }
    if rounds > MOST_ROUNDS {
        return Err(NotImported::TooCostly);
    }
    Ok(Imported::Pbkdf2 { digest, rounds, salt, hash })
}

#[cfg(test)]
mod tests {
    use super::{Imported, NotImported};

    const PASSWORD: &str = "kettle sparrow violin ۱۴۰۵";

    /// Made by others from [`PASSWORD`]: Django 5.2, bcrypt 5 and passlib 1.7 for Python, and `hashlib`.
    const MADE: [&str; 7] = [
        "pbkdf2_sha256$20000$NaClForDjango$AV54/IVjHK1vG7W5gJF6AmeUwD/Qf70YVdhBEHnNcU8=",
        "bcrypt_sha256$$2b$06$9Cb0fJXto9ZKXaz5365MXuSYlgnizNDVykQQwZSMw7vS4rJPHMDP6",
        "bcrypt$$2b$06$xByImJ1nKyBB1VkwhylS3.uGwVKmBp1zW4HTjsg6mV8Z.DXDkwpFK",
        "$2b$06$pwAlSFwD9aPzMbu6ScpzjO0fUdfv/cjhehIkGHO5hYF0Ehu1M.ujm",
        "$pbkdf2-sha256$5000$YSBzYWx0IG9mIHBhc3NsaWI$0DAbvMQisuOlaw/bf4KN991XU1SGPXkeTbC2cpvrsvw",
        "$pbkdf2-sha512$5000$JkRoDeFcC2FMCaE0xnjPGQ$PlkZ/.dDMUC/SOrBQdaS3nt/Woooz9pSvz4UCvu1UwWolV2wwf3G9Hc1l5dzeeNAUEbIbv6.XXtl5O5m7/xN6g",
        "$pbkdf2-sha256$i=6000,l=32$YSBzYWx0IG9mIHNpeHRlZW4$7QPJYT+S1Fa37QWHVKdEPAVzLTybw4WS+1/zNs21zkI",
    ];

    #[test]
    fn hashes_that_others_made_open_with_their_password_and_no_other() {
        for made in MADE {
            let hash = Imported::read(made).expect("it is of a form that is known");
            assert!(hash.is_of(PASSWORD), "{made}");
            assert!(!hash.is_of("kettle sparrow violin 1405"), "{made}");
        }
    }

    #[test]
    fn what_would_burn_the_machine_and_what_is_damaged_is_not_taken_in() {
        let costly = [
            "$2b$14$pwAlSFwD9aPzMbu6ScpzjO0fUdfv/cjhehIkGHO5hYF0Ehu1M.ujm",
            "$2b$31$pwAlSFwD9aPzMbu6ScpzjO0fUdfv/cjhehIkGHO5hYF0Ehu1M.ujm",
            "pbkdf2_sha256$1500001$NaClForDjango$AV54/IVjHK1vG7W5gJF6AmeUwD/Qf70YVdhBEHnNcU8=",
            "$pbkdf2-sha512$i=4294967295$YWFhYWFhYWE$YWFhYWFhYWFhYWFhYWFhYQ",
        ];
        for text in costly {
            assert_eq!(Imported::read(text).err(), Some(NotImported::TooCostly), "{text}");
        }
        let unknown = [
            "",
            "kettle sparrow violin",
            "$2b$06$short",
            // As long as bcrypt, and not ASCII: RUSTSEC-2026-0199.
            "$2b$06$pwAlSFwD9aPzMbu6ScpzjO0fUdfv/cjhehIkGHO5hYF0Ehu1M.é",
            "pbkdf2_sha256$0$NaClForDjango$AV54/IVjHK1vG7W5gJF6AmeUwD/Qf70YVdhBEHnNcU8=",
            "pbkdf2_sha256$20000$NaClForDjango$AV54",
            "pbkdf2_sha256$20000$NaClForDjango",
            "pbkdf2_sha1$20000$NaClForDjango$AV54/IVjHK1vG7W5gJF6AmeUwD8=",
            "$argon2id$v=19$m=1048576,t=100,p=1$YWFhYWFhYWE$YWFhYWFhYWFhYWFhYWFhYQ",
        ];
        for text in unknown {
            assert_eq!(Imported::read(text).err(), Some(NotImported::Unknown), "{text}");
        }
    }
}
