//! The time zones of the world, by their cities in the page's language: what is near at hand, then each part of the
//! world from west to east.

use icu::time::zone::iana::IanaParserExtended;

use crate::{
    format::{self, Zone},
    shell::Shell,
};

const UTC: &str = "Etc/UTC";
const TEHRAN: &str = "Asia/Tehran";
/// The parts of the world by the first words of their zones; the last one takes what is left.
const PARTS: [(&str, &[&str]); 6] = [
    ("zone-asia", &["Asia/"]),
    ("zone-europe", &["Europe/", "Arctic/"]),
    ("zone-america", &["America/"]),
    ("zone-africa", &["Africa/"]),
    ("zone-oceania", &["Australia/", "Pacific/"]),
    ("zone-islands", &[""]),
];

/// A time zone to choose.
pub(crate) struct ZoneChoice {
    /// Its IANA name.
    pub(crate) name: String,
    /// Its city, and by how much its clocks are ahead now.
    pub(crate) label: String,
    /// Whether it is the page's.
    pub(crate) chosen: bool,
}

/// Time zones under a heading.
pub(crate) struct ZoneGroup {
    /// The heading.
    pub(crate) label: String,
    /// From west to east.
    pub(crate) zones: Vec<ZoneChoice>,
}

/// Tehran, the page's time zone and UTC; then all others, by the parts of the world.
pub(crate) fn groups(shell: &Shell) -> Vec<ZoneGroup> {
    let (mut near, mut others): (Vec<_>, Vec<_>) = choices(shell)
        .into_iter()
        .partition(|zone| zone.chosen || [TEHRAN, UTC].contains(&zone.name.as_str()));
    near.sort_by_key(|zone| (zone.name != TEHRAN, !zone.chosen));
    let mut groups = vec![ZoneGroup { label: shell.t("zone-near"), zones: near }];
    for (key, beginnings) in PARTS {
        let (zones, left): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|zone| beginnings.iter().any(|begins| zone.name.starts_with(begins)));
        others = left;
        groups.push(ZoneGroup { label: shell.t(key), zones });
    }
    groups
}

/// Every time zone that is called after a place, and UTC; and the page's, whatever it is called.
fn choices(shell: &Shell) -> Vec<ZoneChoice> {
    let parser = IanaParserExtended::new();
    let present = shell.zone.name();
    let chosen = parser.parse(present).time_zone;
    let mut zones: Vec<_> = parser
        .iter()
        .filter_map(|zone| {
            let city = match zone.canonical {
                UTC => shell.t("zone-utc"),
                name if is_place(name) => format::city(shell.locale, zone.time_zone),
                _ => return None,
            };
            let ahead = Zone::known(zone.canonical)?.ahead(shell.now);
            let label = format!("{city} ({})", offset(shell, ahead));
            let chosen = zone.time_zone == chosen;
            Some((ahead, ZoneChoice { name: zone.canonical.to_owned(), label, chosen }))
        })
        .collect();
    zones.sort_by(|(a, one), (b, other)| (a, &one.label).cmp(&(b, &other.label)));
    let mut zones: Vec<_> = zones.into_iter().map(|(_, zone)| zone).collect();
    if !zones.iter().any(|zone| zone.chosen) {
        let label = present.to_owned();
        zones.insert(0, ZoneChoice { name: label.clone(), label, chosen: true });
    }
    zones
}

/// Whether a zone is called after a place, such as `Asia/Tehran`, and not after an offset.
fn is_place(name: &str) -> bool {
    name.contains('/') && !name.starts_with("Etc/")
}

/// Hours and minutes ahead of UTC, from left to right: `+03:30`.
fn offset(shell: &Shell, seconds: i32) -> String {
    let (sign, minutes) = (if seconds < 0 { '\u{2212}' } else { '+' }, seconds.abs() / 60);
    let clock = format!("{:02}:{:02}", minutes / 60, minutes % 60);
    format!("\u{200e}{sign}{}\u{200e}", shell.digits(clock))
}
