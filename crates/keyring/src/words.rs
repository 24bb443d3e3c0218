//! The words of a text, written in one way however they were typed.

use std::collections::BTreeSet;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Shortest beginning of a word that finds it, in letters.
const SHORTEST: usize = 3;
/// Letters of a word that count. Longer ones are rarely words, and each letter is a hash.
const LONGEST: usize = 24;
/// The half-space of Persian: joins what is written apart.
const HALF_SPACE: char = '\u{200c}';

/// Writes a text in one way: words in small letters, one space between them, half-spaces kept within words.
///
/// - Compatibility forms become letters (`ﻻ` → `لا`, `Ａ` → `a`), capitals small letters: Unicode NFKD and
///   lower case.
/// - Marks go: the vowel signs of Arabic script, the hamza and madda over a letter, the accents of Latin.
/// - Letters that only keyboards tell apart become one: `ي ى` → `ی`, `ك` → `ک`, `ة ە ھ ہ` → `ه`.
/// - Digits of Persian and Arabic become those of ASCII.
/// - Tatweel and invisible marks of direction and joining go; whatever is no letter or digit is a space.
///
/// Normalising twice is normalising once.
#[must_use]
pub fn normalise(text: &str) -> String {
    let letters = text.nfkc().flat_map(char::to_lowercase).nfkd();
    let mut out = String::with_capacity(text.len());
    // What separates the next letter from the last one.
    let mut gap = None;
    for letter in letters.filter(|letter| !is_combining_mark(*letter)) {
        if letter == HALF_SPACE {
            gap = gap.or(Some(HALF_SPACE));
        } else if is_invisible(letter) {
        } else if letter.is_alphanumeric() {
            if let Some(gap) = gap.take()
                && !out.is_empty()
            {
                out.push(gap);
            }
            out.push(unify(letter));
        } else {
            gap = Some(' ');
        }
    }
    out
}

/// Tatweel, and characters that only tell how others are joined or which way they run.
const fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{0640}'
            | '\u{00ad}'
            | '\u{200b}'
            | '\u{200d}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

fn unify(letter: char) -> char {
    match letter {
        'ي' | 'ى' => 'ی',
        'ك' => 'ک',
        'ة' | 'ە' | 'ھ' | 'ہ' => 'ه',
        '٠'..='٩' => ascii_digit(letter, '٠'),
        '۰'..='۹' => ascii_digit(letter, '۰'),
        other => other,
    }
}

fn ascii_digit(digit: char, zero: char) -> char {
    let value = u32::from(digit) - u32::from(zero);
    char::from_digit(value, 10).expect("the range has ten digits")
}

/// What a text is found by: its words, and their beginnings from three letters on. A word with a half-space
/// counts as one, and as its parts.
pub(crate) fn stored(text: &str) -> BTreeSet<String> {
    let text = normalise(text);
    let mut terms = BTreeSet::new();
    for word in text.split(' ') {
        add(&mut terms, &word.replace(HALF_SPACE, ""));
        for part in word.split(HALF_SPACE) {
            add(&mut terms, part);
        }
    }
    terms
}

fn add(terms: &mut BTreeSet<String>, word: &str) {
    let letters: Vec<char> = word.chars().take(LONGEST).collect();
    if letters.is_empty() {
        return;
    }
    terms.extend((SHORTEST..letters.len()).map(|length| letters[..length].iter().collect()));
    terms.insert(letters.iter().collect());
}

/// What a text must be found by when somebody types this. A last word that is only begun, and too short to
/// find anything, is left out.
pub(crate) fn wanted(typed: &str) -> BTreeSet<String> {
    let text = normalise(typed);
    let mut words: Vec<&str> =
        text.split([' ', HALF_SPACE]).filter(|word| !word.is_empty()).collect();
    let begun = typed.chars().next_back().is_some_and(char::is_alphanumeric);
    let short = words.last().is_some_and(|word| word.chars().count() < SHORTEST);
    if begun && short && words.len() > 1 {
        words.pop();
    }
    words.into_iter().map(|word| word.chars().take(LONGEST).collect()).collect()
}
