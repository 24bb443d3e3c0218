//! The home regions of campaigns, from identity's list: `services/identity/domain/data/provinces.csv`.

use crate::locale::Locale;

const PROVINCES: &str = include_str!("../../services/identity/domain/data/provinces.csv");

/// A region to choose.
pub(crate) struct Region {
    /// Its code in ISO 3166-2.
    pub(crate) code: &'static str,
    /// What it is called in the page's language.
    pub(crate) name: &'static str,
}

/// Every region, in the order of the page's alphabet.
pub(crate) fn all(locale: Locale) -> Vec<Region> {
    let named = |line: &'static str| {
        let (code, names) = line.split_once(',')?;
        let (fa, en) = names.split_once(',')?;
        Some(Region { code, name: if locale == Locale::Fa { fa } else { en } })
    };
    let mut regions: Vec<_> = PROVINCES.lines().filter_map(named).collect();
    if locale != Locale::Fa {
        regions.sort_by_key(|region| region.name);
    }
    regions
}

/// What a region is called; its code when nobody knows it, and nothing for none.
pub(crate) fn name(code: &str, locale: Locale) -> String {
    let known = all(locale).into_iter().find(|region| region.code == code);
    known.map_or(code, |region| region.name).to_owned()
}
