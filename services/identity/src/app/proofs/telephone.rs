//! Telephone numbers, as people type them.

use crate::totp;

/// A telephone number as E.164 writes it: a plus and 8 to 15 digits. One that begins with a single zero is Iranian.
pub(super) fn phone(text: &str) -> std::result::Result<String, &'static str> {
    const PROBLEM: &str = "must be a telephone number";
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty");
    }
    let plain = |letter: char| letter.is_numeric() || matches!(letter, ' ' | '-' | '(' | ')');
    if !text.strip_prefix('+').unwrap_or(text).chars().all(plain) {
        return Err(PROBLEM);
    }
    let number = text.chars().filter_map(totp::digit).collect::<String>();
    let number = match (text.starts_with('+'), number.strip_prefix("00"), number.strip_prefix('0'))
    {
        (true, _, _) => number.clone(),
        (false, Some(rest), _) => rest.to_owned(),
        (false, None, Some(rest)) => format!("98{rest}"),
        (false, None, None) => return Err(PROBLEM),
    };
    if (8..=15).contains(&number.len()) && !number.starts_with('0') {
        Ok(format!("+{number}"))
    } else {
        Err(PROBLEM)
    }
}
