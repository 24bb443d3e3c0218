//! Cutting a long text into messages that Telegram accepts.
//!
//! Telegram counts UTF-16 units. A cut is made after a paragraph, else after a
//! line, else after a word, and otherwise between two characters that are not
//! read as one: Persian half-spaces, marks, flags and joined emoji stay whole.

/// UTF-16 units that one message may have.
pub const MESSAGE_LIMIT: usize = 4096;

/// How long Telegram takes a text to be, in UTF-16 units.
#[must_use]
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Cuts a text into pieces of at most [`MESSAGE_LIMIT`] UTF-16 units which,
/// put together, are the text. An empty text has no pieces.
///
/// ```
/// use bot_hub_domain::telegram::split_message;
///
/// assert_eq!(split_message("سلام"), ["سلام"]);
/// assert!(split_message("").is_empty());
/// ```
#[must_use]
pub fn split_message(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(cut(rest));
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces
}

/// Where the first piece ends, in bytes. Never 0.
fn cut(text: &str) -> usize {
    let Some(window) = window(text) else { return text.len() };
    // A piece that would be shorter than half is not worth a better place.
    let enough = window.len() / 2;
    let after = |found: Option<(usize, &str)>| found.map(|(at, mark)| at + mark.len());
    [
        after(window.rmatch_indices("\n\n").next()),
        after(window.rmatch_indices('\n').next()),
        after(window.rmatch_indices([' ', '\t', '\u{a0}', '\u{2003}']).next()),
    ]
    .into_iter()
    .flatten()
    .find(|end| *end >= enough && may_cut(text, *end))
    .unwrap_or_else(|| last_boundary(text, window.len()))
}

/// The beginning that fits into one message, or `None` when all of it does.
fn window(text: &str) -> Option<&str> {
    let mut units = 0;
    for (at, character) in text.char_indices() {
        units += character.len_utf16();
        if units > MESSAGE_LIMIT {
            return Some(&text[..at]);
        }
    }
    None
}

/// The last place at or before `end` where a cut leaves every visible character
/// whole. A "character" longer than a message is cut at `end`.
fn last_boundary(text: &str, end: usize) -> usize {
    let starts = text[..end].char_indices().rev().map(|(at, _)| at).filter(|at| *at > 0);
    std::iter::once(end).chain(starts).find(|at| may_cut(text, *at)).unwrap_or(end)
}

/// Whether the characters before and after a place are read apart.
fn may_cut(text: &str, at: usize) -> bool {
    let (before, after) = text.split_at(at);
    let (Some(last), Some(next)) = (before.chars().next_back(), after.chars().next()) else {
        return true;
    };
    let joined = extends(next)
        || matches!(last, '\u{200c}' | '\u{200d}')
        || (last == '\r' && next == '\n')
        || (is_flag_half(next) && flag_halves_before(before) % 2 == 1);
    !joined
}

fn is_flag_half(character: char) -> bool {
    matches!(character, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Halves of flags right before a place. Looks no further back than a message.
fn flag_halves_before(text: &str) -> usize {
    text.chars().rev().take(MESSAGE_LIMIT).take_while(|character| is_flag_half(*character)).count()
}

/// Whether a character belongs to the one before it: joiners, combining marks
/// of the scripts that citizens use, variation selectors, skin tones and tags.
fn extends(character: char) -> bool {
    matches!(character,
        '\u{200c}' | '\u{200d}'
        | '\u{0300}'..='\u{036f}'
        | '\u{0483}'..='\u{0489}'
        | '\u{0591}'..='\u{05bd}' | '\u{05bf}' | '\u{05c1}' | '\u{05c2}' | '\u{05c4}' | '\u{05c5}'
        | '\u{0610}'..='\u{061a}'
        | '\u{064b}'..='\u{065f}' | '\u{0670}'
        | '\u{06d6}'..='\u{06dc}' | '\u{06df}'..='\u{06e4}' | '\u{06e7}' | '\u{06e8}'
        | '\u{06ea}'..='\u{06ed}'
        | '\u{0711}' | '\u{0730}'..='\u{074a}'
        | '\u{08d3}'..='\u{08e1}' | '\u{08e3}'..='\u{0903}'
        | '\u{093a}'..='\u{093c}' | '\u{093e}'..='\u{094f}'
        | '\u{0e31}' | '\u{0e34}'..='\u{0e3a}' | '\u{0e47}'..='\u{0e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{3099}' | '\u{309a}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{1f3fb}'..='\u{1f3ff}'
        | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}
