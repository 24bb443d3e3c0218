//! Codes of authenticators (TOTP, RFC 6238: SHA-1, six digits, 30 seconds) and recovery codes.

use totp_rs::{Builder, Secret, Totp};

/// Seconds for which a code is shown.
const STEP: u64 = 30;
/// Bytes of a secret, as RFC 4226 recommends.
const SECRET: usize = 20;
/// Recovery codes of an account.
const CODES: usize = 10;
/// Characters of one, of five bits each: 140 bits, so that a plain hash of it cannot be guessed. Those of before had 24.
const LENGTH: usize = 28;
/// Crockford's base 32: no letter that looks like another character.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new secret, in base 32 as authenticators take it.
#[must_use]
pub fn fresh_secret() -> String {
    Secret::from(random::<SECRET>()).to_base32()
}

/// What an authenticator scans: the secret with a name for it.
#[must_use]
pub fn url(secret: &str, email: &str) -> String {
    let (account, issuer) = (email.replace(':', ""), Some("Meydan"));
    let totp = authenticator(secret).map(|secret| {
        Builder::new().with_secret(secret).with_account_name(account).with_issuer(issuer)
    });
    totp.and_then(|totp| totp.build().ok()).and_then(|totp| totp.to_url().ok()).unwrap_or_default()
}

/// The step of which `code` is the code: the present one or the one before, for whoever types slowly.
#[must_use]
pub fn step(secret: &str, code: &str, unix_seconds: i64) -> Option<i64> {
    let now = u64::try_from(unix_seconds).ok()?;
    let secret = authenticator(secret)?;
    let totp: Totp = Builder::new().with_secret(secret).with_skew(0).build_noncompliant();
    let step = totp.check(code, now).or_else(|| totp.check(code, now.checked_sub(STEP)?));
    step.and_then(|step| i64::try_from(step).ok())
}

fn authenticator(secret: &str) -> Option<Secret> {
    // 32 letters are 20 bytes: an empty secret would have codes that anybody can make.
    Secret::try_from_base32(secret).ok().filter(|_| secret.len() >= 32)
}

/// New recovery codes, in groups of four.
#[must_use]
pub fn recovery_codes() -> Vec<String> {
    let code = || {
        let letters = random::<LENGTH>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        let groups = letters.chunks(4).map(|group| group.iter().collect::<String>());
        groups.collect::<Vec<_>>().join("-")
    };
    std::iter::repeat_with(code).take(CODES).collect()
}

/// What somebody typed, as it is compared: digits of any script as ours, no spaces or hyphens, small letters,
/// and the letters that are not in recovery codes as what they were mistaken for.
#[must_use]
pub fn typed(code: &str) -> String {
    let letters = code.chars().filter_map(|letter| match letter {
        'o' | 'O' => Some('0'),
        'i' | 'I' | 'l' | 'L' => Some('1'),
        letter if letter.is_ascii_alphabetic() => Some(letter.to_ascii_lowercase()),
        letter => digit(letter),
    });
    letters.take(64).collect()
}

/// A digit in ASCII: people type them in Persian and Arabic as well.
#[must_use]
pub fn digit(letter: char) -> Option<char> {
    match letter {
        '0'..='9' => Some(letter),
        '۰'..='۹' => char::from_digit(u32::from(letter) - u32::from('۰'), 10),
        '٠'..='٩' => char::from_digit(u32::from(letter) - u32::from('٠'), 10),
        _ => None,
    }
}

/// Whether what was typed is a code of an authenticator, and no recovery code.
#[must_use]
pub fn is_short(typed: &str) -> bool {
    typed.len() <= 8
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use meydan_testkit::authenticator;
    use time::OffsetDateTime;

    use super::{LENGTH, fresh_secret, recovery_codes, step, typed, url};

    /// "12345678901234567890", the secret of RFC 6238, appendix B.
    const RFC: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn codes_are_those_of_the_standard() {
        // The last six of its eight digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step(RFC, code, seconds), Some(seconds / 30), "at {seconds}");
        }
    }

    #[test]
    fn codes_are_those_that_pyotp_and_oathtool_show() {
        // Every ninth hour and some seconds, for some years: all seconds of a step are among them.
        let moments = (0..1_000).map(|number| 1_795_000_000 + number * 32_407).collect::<Vec<_>>();
        for secret in [RFC.to_owned(), fresh_secret()] {
            let shown = authenticator::scan(&url(&secret, "sara@meydan.example"), &moments).codes;
            assert_eq!(shown.len(), moments.len());
            for (&seconds, code) in moments.iter().zip(&shown) {
                assert_eq!(step(&secret, code, seconds), Some(seconds / 30), "at {seconds}");
            }
            let at = OffsetDateTime::from_unix_timestamp(moments[0]).expect("a moment");
            assert_eq!(authenticator::code(&secret, at), shown[0]);
        }
        let standard = authenticator::scan(&url(RFC, "x"), &[59, 1_111_111_109, 20_000_000_000]);
        assert_eq!(standard.codes, ["287082", "081804", "353130"]);
    }

    #[test]
    fn the_code_before_counts_and_the_one_before_that_and_the_next_do_not() {
        assert_eq!(step(RFC, "287082", 59 + 30), Some(1));
        assert_eq!(step(RFC, "287082", 59 + 60), None);
        assert_eq!(step(RFC, "287082", 29), None);
    }

    #[test]
    fn codes_may_be_typed_with_persian_digits_spaces_and_capitals() {
        assert_eq!(typed("۲۸۷ ۰۸۲"), "287082");
        assert_eq!(typed(" ABCD-efgO "), "abcdefg0");
    }

    #[test]
    fn recovery_codes_differ_and_are_typed_as_they_are_written() {
        let codes = recovery_codes();
        let mut written = codes.iter().map(|code| typed(code)).collect::<Vec<_>>();
        assert!(written.iter().all(|code| code.len() == LENGTH));
        written.sort_unstable();
        written.dedup();
        assert_eq!(written.len(), 10);
    }

    #[test]
    fn authenticators_are_told_what_the_secret_is_for() {
        let url = url(RFC, "sara@meydan.example");
        assert!(url.starts_with("otpauth://totp/Meydan:sara%40meydan.example?"), "{url}");
        assert!(url.contains(RFC), "{url}");
    }
}
