//! Passwords as keyboards write them: the same keys give other characters on another computer or telephone, and the
//! password is the same.

use unicode_normalization::UnicodeNormalization;

use crate::totp;

/// Writes a password in one way. Writing it so twice is writing it so once.
///
/// - What is composed and what is put together of parts is one (Unicode NFC).
/// - The yeh and kaf of Arabic keyboards (U+064A, U+0649, U+0643) are those of Persian ones (U+06CC, U+06A9).
/// - Digits of Persian and Arabic are those of ASCII, and every space is that of ASCII.
///
/// Capitals, signs and half-spaces stay what they are.
pub(super) fn uniform(password: &str) -> String {
    password.nfc().map(unify).collect()
}

fn unify(letter: char) -> char {
    match letter {
        '\u{064a}' | '\u{0649}' => '\u{06cc}',
        '\u{0643}' => '\u{06a9}',
        letter if !letter.is_ascii() && letter.is_whitespace() => ' ',
        letter => totp::digit(letter).unwrap_or(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::uniform;

    #[test]
    fn what_the_same_keys_write_elsewhere_is_written_in_one_way_and_what_others_write_is_not() {
        let persian = "\u{06cc}\u{06a9} \u{0622}\u{0628} 1405";
        for typed in [
            persian,
            "\u{064a}\u{0643} \u{0622}\u{0628} \u{0661}\u{0664}\u{0660}\u{0665}",
            "\u{0649}\u{06a9}\u{00a0}\u{0627}\u{0653}\u{0628}\u{3000}\u{06f1}\u{06f4}\u{06f0}\u{06f5}",
        ] {
            let once = uniform(typed);
            assert_eq!(once, persian, "{typed}");
            assert_eq!(uniform(&once), once);
        }
        for other in ["Ab", "ab", "a b", "a\tb", "a\u{200c}b", "\u{0647}", "\u{0629}", "\u{ff11}"] {
            assert_eq!(uniform(other), other);
        }
    }
}
