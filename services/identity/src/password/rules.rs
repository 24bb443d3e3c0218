//! Which passwords may be chosen: long enough, on no list, and hard to guess for somebody who knows the account and
//! its campaigns. Nothing is asked of their composition (NIST SP 800-63B-4, 3.1.1.2; OWASP ASVS 5.0, 6.2).

use zxcvbn::{Score, zxcvbn};

use super::{common::is_common, finglish::spelled, keyboards::uniform};

/// Least length, in characters.
const SHORTEST: usize = 12;
/// Least length of an admin's.
const SHORTEST_OF_ADMIN: usize = 15;
/// Longest, in bytes. Nothing is cut off.
const LONGEST: usize = 256;
/// What zxcvbn has to find: out of reach of guesses against a slow hash that was stolen.
const LEAST: Score = Score::Three;
/// Parts of words with fewer letters are in everything.
const SHORTEST_PART: usize = 3;

/// Why a password may not be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Nothing at all.
    #[error("must not be empty")]
    Empty,
    /// Fewer characters than needed.
    #[error("must have at least {0} characters")]
    Short(usize),
    /// More bytes than are hashed.
    #[error("must have at most {LONGEST} bytes")]
    Long,
    /// Guessed first, because many have it.
    #[error("is one of the most common passwords; choose another")]
    Common,
    /// Made of what is known of the account and its campaigns.
    #[error("is made of names that others know; choose other words")]
    Named,
    /// Few guesses lead to it.
    #[error("is easily guessed; choose another")]
    Guessable,
}

/// For whom a password is.
#[derive(Debug, Clone, Default)]
pub struct Chooser {
    /// Platform staff.
    pub admin: bool,
    /// What others know: names, addresses, places.
    pub words: Vec<String>,
}

impl Chooser {
    /// Whether they may choose a password, which is judged as it is hashed: written in one way.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_choose(&self, password: &str) -> Result<(), Weakness> {
        let password = &uniform(password);
        let shortest = if self.admin { SHORTEST_OF_ADMIN } else { SHORTEST };
        if password.is_empty() {
            return Err(Weakness::Empty);
        }
        if password.chars().count() < shortest {
            return Err(Weakness::Short(shortest));
        }
        if password.len() > LONGEST {
            return Err(Weakness::Long);
        }
        if is_common(password) {
            return Err(Weakness::Common);
        }
        let known = self.known(password);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        match zxcvbn(password, &known).score() {
            score if score >= LEAST => Ok(()),
            _ if zxcvbn(password, &[]).score() >= LEAST => Err(Weakness::Named),
            _ => Err(Weakness::Guessable),
        }
    }

    /// The words, their parts, and whatever of the password reads as one of them in Latin letters; and years of the
    /// Jalali calendar, of which zxcvbn knows nothing.
    fn known(&self, password: &str) -> Vec<String> {
        let mut known = Vec::new();
        for word in self.words.iter().map(|word| uniform(word)) {
            let parts = word.split(|letter: char| !letter.is_alphanumeric());
            let local = word.split('@').next().unwrap_or_default();
            for part in parts.chain([word.as_str(), local]) {
                if part.chars().count() >= SHORTEST_PART {
                    known.push(part.to_lowercase());
                }
                known.extend(spelled(password, part));
            }
        }
        let years = password.as_bytes().windows(4).filter(|four| {
            matches!(four, [b'1', b'3' | b'4', tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit())
        });
        known.extend(years.filter_map(|year| String::from_utf8(year.to_vec()).ok()));
        known.sort_unstable();
        known.dedup();
        known
    }
}

#[cfg(test)]
mod tests {
    use super::{Chooser, Weakness};

    fn narges() -> Chooser {
        let words = ["نرگس کریمی", "narges.karimi@example.com", "شیراز", "shiraz-karimi"];
        Chooser { admin: false, words: words.map(str::to_owned).to_vec() }
    }

    fn judged(password: &str) -> Result<(), Weakness> {
        narges().may_choose(password)
    }

    #[test]
    fn short_and_endless_passwords_are_refused_and_an_admins_is_longer() {
        assert_eq!(judged(""), Err(Weakness::Empty));
        assert_eq!(judged("x7Gq!p2vLw9"), Err(Weakness::Short(12)));
        assert_eq!(judged("x7Gq!p2vLw9z"), Ok(()));
        assert_eq!(judged(&"گذرواژه ".repeat(20)), Err(Weakness::Long), "300 bytes");
        assert_eq!(judged("x7Gq!p2vLw\u{0627}\u{0653}"), Err(Weakness::Short(12)), "one letter");
        let persian = "۹۰۳۸۲۷۵۶۱۰۴۷۲۸۵۰".repeat(9);
        assert_eq!(judged(&persian), Ok(()), "288 bytes, which are 144 digits of ASCII");
        let admin = Chooser { admin: true, ..narges() };
        assert_eq!(admin.may_choose("x7Gq!p2vLw9z"), Err(Weakness::Short(15)));
        assert_eq!(admin.may_choose("x7Gq!p2vLw9z-k4"), Ok(()));
    }

    #[test]
    fn nothing_is_asked_of_composition_in_any_script() {
        for password in [
            "correct horse battery",
            "باران روی بام سفالی",
            "kettle sparrow violin",
            "9038275610472850",
        ] {
            assert_eq!(judged(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn common_and_monotonous_passwords_are_refused() {
        assert_eq!(judged("1qaz2wsx3edc"), Err(Weakness::Common));
        assert_eq!(judged("QazWsxEdcRfv"), Err(Weakness::Common));
        for password in ["zyxwvutsrqponmlk", "aaaaaaaaaaaaaaaaaaaaaaaaab"] {
            assert_eq!(judged(password), Err(Weakness::Guessable), "{password}");
        }
    }

    #[test]
    fn names_and_places_of_the_campaign_are_refused_however_they_are_written() {
        for password in [
            "narges.karimi1405",
            "NargesKarimi1405",
            "nargesskarimy1",
            "N4rg3sKarimi!!",
            "shirazkarimi1",
            "نرگس کریمی ۱۴۰۵",
            "نرگس \u{0643}ر\u{064a}م\u{064a} ۱۴۰۵",
        ] {
            assert_eq!(judged(password), Err(Weakness::Named), "{password}");
        }
        let stranger = Chooser::default();
        assert_eq!(stranger.may_choose("nargesskarimy1"), Ok(()), "to others it is a rare word");
    }

    #[test]
    fn a_name_within_a_longer_sentence_is_no_reason_to_refuse_it() {
        assert_eq!(judged("narges waters seven tall lilies"), Ok(()));
    }
}
