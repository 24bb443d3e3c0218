//! Home regions of campaigns: the provinces of Iran, under their codes of ISO 3166-2.
//!
//! The list is data, `data/provinces.csv`: code, Persian name, English name, in the order of the Persian alphabet. The
//! panel reads the same file.

/// The provinces, a line each.
const PROVINCES: &str = include_str!("../data/provinces.csv");

/// The code of a region, or nothing where none is said.
///
/// ```
/// use identity_domain::region;
///
/// assert_eq!(region(" IR-23 "), Ok("IR-23".to_owned()));
/// assert_eq!(region(""), Ok(String::new()));
/// assert!(region("Tehran").is_err());
/// ```
///
/// # Errors
///
/// What to do instead.
pub fn region(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let mut codes = PROVINCES.lines().filter_map(|line| line.split(',').next());
    if text.is_empty() || codes.any(|code| code == text) {
        Ok(text.to_owned())
    } else {
        Err("must be a province of Iran, such as IR-23")
    }
}

/// What the region of a code is called, in Persian and in English; nothing for what is no code.
///
/// ```
/// use identity_domain::region_names;
///
/// assert_eq!(region_names("IR-23").collect::<Vec<_>>(), ["تهران", "Tehran"]);
/// assert_eq!(region_names("").count(), 0);
/// ```
pub fn region_names(code: &str) -> impl Iterator<Item = &'static str> + use<> {
    let mut lines = PROVINCES.lines();
    let line = lines.find(|line| line.split(',').next() == Some(code));
    line.into_iter().flat_map(|line| line.split(',').skip(1))
}
