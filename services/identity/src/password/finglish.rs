//! Persian words in Latin letters, as people type them: نرگس as *narges*, *nargess* or *nrgs*.
//!
//! Short vowels are not written in Persian, and there is no one spelling of the others. So nothing is spelled out
//! here: a password is searched for whatever reads as the word.

use std::collections::BTreeSet;

/// Vowels that may stand between two letters.
const VOWELS: usize = 2;
/// Words with fewer letters are in everything.
const SHORTEST: usize = 3;

/// The parts of `text` that read as the Persian `word`. Digits and signs that look like a letter count as it.
pub(super) fn spelled(text: &str, word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().filter(|letter| !sounds(*letter).is_empty()).collect();
    if letters.len() < SHORTEST {
        return Vec::new();
    }
    let text: Vec<u8> = text.bytes().map(plain).collect();
    let ends = (0..text.len()).filter_map(|start| Some((start, end(&text, start, &letters)?)));
    ends.filter_map(|(start, end)| String::from_utf8(text[start..end].to_vec()).ok()).collect()
}

/// Where the longest reading of the letters ends that begins at `start`.
fn end(text: &[u8], start: usize, letters: &[char]) -> Option<usize> {
    let mut reached = BTreeSet::from([start]);
    for (index, letter) in letters.iter().enumerate() {
        let skipped = if index == 0 { 0 } else { VOWELS };
        let mut next = BTreeSet::new();
        for from in reached {
            let vowels = text[from..].iter().take(skipped).take_while(|letter| is_vowel(**letter));
            for at in from..=from + vowels.count() {
                read(text, at, *letter, &mut next);
            }
        }
        reached = next;
    }
    reached.into_iter().next_back()
}

/// Adds where a letter may end that begins at `at`; doubled as well, as in *mohammad*.
fn read(text: &[u8], at: usize, letter: char, ends: &mut BTreeSet<usize>) {
    for sound in sounds(letter) {
        let rest = &text[at..];
        if rest.starts_with(sound.as_bytes()) {
            let once = at + sound.len();
            ends.insert(once);
            if !sound.is_empty() && text[once..].starts_with(sound.as_bytes()) {
                ends.insert(once + sound.len());
            }
        }
    }
}

/// A small Latin letter, also for what looks like one.
fn plain(letter: u8) -> u8 {
    match letter.to_ascii_lowercase() {
        b'4' | b'@' => b'a',
        b'3' => b'e',
        b'1' | b'!' => b'i',
        b'0' => b'o',
        b'5' | b'$' => b's',
        b'7' => b't',
        b'9' => b'g',
        other => other,
    }
}

const fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u')
}

/// How a letter is written; nothing for what is no Persian letter.
const fn sounds(letter: char) -> &'static [&'static str] {
    match letter {
        'ا' | 'آ' | 'أ' => &["a", "aa", "e", "o", "i", "u"],
        'ب' => &["b"],
        'پ' => &["p"],
        'ت' | 'ط' => &["t"],
        'ث' | 'س' | 'ص' => &["s"],
        'ج' => &["j"],
        'چ' => &["ch", "c"],
        'ح' => &["h"],
        'خ' => &["kh", "x"],
        'د' => &["d"],
        'ذ' | 'ز' | 'ض' | 'ظ' => &["z"],
        'ر' => &["r"],
        'ژ' => &["zh", "j"],
        'ش' => &["sh", "s"],
        'ع' | 'ئ' | 'ء' | 'ؤ' => &["", "a", "e", "o", "i", "y"],
        'غ' | 'ق' => &["gh", "q", "g", "k"],
        'ف' => &["f", "ph"],
        'ک' | 'ك' => &["k", "c"],
        'گ' => &["g"],
        'ل' => &["l"],
        'م' => &["m"],
        'ن' => &["n"],
        'و' => &["v", "w", "o", "u", "oo", "ou"],
        'ه' | 'ة' => &["h", "eh", "e", "ah", "a"],
        'ی' | 'ي' | 'ى' => &["y", "i", "ee", "e", "ei", "ey"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::spelled;

    #[test]
    fn a_persian_name_is_found_however_it_is_written_in_latin_letters() {
        for (word, text) in [
            ("نرگس", "narges"),
            ("نرگس", "N4rgess1405"),
            ("محمد", "xxMohammad!"),
            ("کریمی", "karimi"),
            ("قاسمی", "ghasemi"),
            ("قاسمی", "qasemi"),
            ("شیراز", "shiraz"),
            ("خدیجه", "khadijeh"),
            ("اصفهان", "esf@han"),
            ("سعید", "saeed"),
        ] {
            assert!(!spelled(text, word).is_empty(), "{word} is in {text}");
        }
    }

    #[test]
    fn what_does_not_read_as_the_name_is_not_taken_for_it() {
        assert_eq!(spelled("a rather long pass phrase", "نرگس"), Vec::<String>::new());
        assert_eq!(spelled("tehran", "شیراز"), Vec::<String>::new());
        assert_eq!(spelled("anything at all", "از"), Vec::<String>::new(), "it is too short");
        assert_eq!(spelled("xnargesy", "نرگس"), ["narges"]);
    }
}
