//! What happened, as the panel shows it and as spreadsheets read it.

use std::collections::HashMap;

use meydan_rpc::pb::audit as pb;
use meydan_web::{
    Shell,
    pages::audit::{AuditEntry, Who},
};
use serde_json::{Map, Value};

use super::instant;

/// Names that a visitor may see, by ids. Entries hold none.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Of accounts.
    pub accounts: HashMap<String, String>,
    /// Of the places of the present team, by whom they are.
    pub members: HashMap<String, String>,
    /// Of campaigns.
    pub campaigns: HashMap<String, String>,
}

impl Names {
    /// The people, by their names.
    #[must_use]
    pub fn people(&self) -> Vec<(String, String)> {
        let named = self.accounts.iter().filter(|(_, name)| !name.is_empty());
        let mut people: Vec<_> = named.map(|(id, name)| (id.clone(), name.clone())).collect();
        people.sort_by(|one, other| one.1.cmp(&other.1));
        people
    }
}

/// An entry of the page.
#[must_use]
pub fn entry(entry: pb::Entry, names: &Names) -> AuditEntry {
    let id = entry.actor_id;
    let person = |id: String| match names.accounts.get(&id) {
        Some(name) => Who::Person { id, name: name.clone() },
        None => Who::Account { id },
    };
    let who = match entry.actor_kind.as_str() {
        "service" => Who::Service { name: entry.actor_name },
        "citizen" => Who::Citizen { id },
        _ => person(id),
    };
    let target = match entry.target_type.as_str() {
        "member" => names.members.get(&entry.target_id),
        "account" => names.accounts.get(&entry.target_id).filter(|name| !name.is_empty()),
        _ => None,
    };
    AuditEntry {
        target_name: target.cloned(),
        at: instant(entry.at),
        who,
        on_behalf_of: Some(entry.on_behalf_of).filter(|id| !id.is_empty()).map(person),
        action: entry.action,
        details: details(&entry.details),
        target_type: entry.target_type,
        target_id: entry.target_id,
        correlation: entry.correlation_id,
        campaign: names.campaigns.get(&entry.campaign_id).cloned(),
        address: entry.address,
    }
}

/// What goes with an entry: each word with the name of its field, and so each of a list.
fn details(json: &str) -> Vec<(String, String)> {
    let words: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let texts = |value: Value| match value {
        Value::String(text) => vec![text],
        Value::Array(words) => {
            words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
        }
        other => vec![other.to_string()],
    };
    let pairs = |(name, value): (String, Value)| {
        texts(value).into_iter().map(move |text| (name.clone(), text))
    };
    words.into_iter().flat_map(pairs).collect()
}

/// The first line, after the mark by which Excel knows UTF-8.
#[must_use]
pub fn csv_head(shell: &Shell) -> String {
    let told =
        ["audit-when", "campaign", "audit-who", "audit-what", "audit-on"].map(|key| shell.t(key));
    let plain = [
        "time",
        "campaign_id",
        "actor_kind",
        "actor_id",
        "action",
        "target_type",
        "target_id",
        "details",
        "correlation_id",
        "log",
        "position",
        "on_behalf_of",
        "address",
    ];
    let cells = told.into_iter().chain(plain.map(str::to_owned));
    format!("\u{feff}{}", line(cells))
}

/// An entry's line: for people first, then for programs.
#[must_use]
pub fn csv_row(wire: pb::Entry, names: &Names, shell: &Shell) -> String {
    let shown = entry(wire.clone(), names);
    let time = shown.at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
    let what = shown.action_text(shell);
    let what =
        shown.details_text(shell).map_or_else(|| what.clone(), |more| format!("{what}: {more}"));
    line([
        shell.moment_text(shown.at),
        shown.campaign.clone().unwrap_or_default(),
        shown.who_and_for_whom(shell),
        what,
        shown.target_text(shell),
        time,
        wire.campaign_id,
        wire.actor_kind,
        if wire.actor_id.is_empty() { wire.actor_name } else { wire.actor_id },
        wire.action,
        wire.target_type,
        wire.target_id,
        wire.details,
        wire.correlation_id,
        wire.log,
        wire.position.to_string(),
        wire.on_behalf_of,
        wire.address,
    ])
}

/// RFC 4180: cells in quotes, a line break of two characters.
fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|text| cell(&text)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A cell that no spreadsheet takes for a formula (OWASP, CSV injection), whatever space or mark of direction stands
/// before it. The marks around what is put into sentences are for pages: a program that reads cells would not find
/// what it looks for.
fn cell(text: &str) -> String {
    let text = text.replace(['\u{2068}', '\u{2069}'], "");
    let begins = text.trim_start_matches(|letter: char| {
        letter.is_whitespace()
            || letter.is_control()
            || "\u{2066}\u{2067}\u{2068}\u{200e}\u{200f}\u{feff}".contains(letter)
    });
    let formula = begins.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let guard = if formula || text.starts_with(['\t', '\r', '\n']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::{cell, line};

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_out() {
        for text in
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1", "  =1", "\u{2068}=1", "＝1", "\n1"]
        {
            assert!(cell(text).starts_with("\"'"), "{text:?}");
        }
        assert_eq!(cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(cell("as \u{2068}Sara\u{2069}"), "\"as Sara\"");
        assert_eq!(line(["1".to_owned(), "راز".to_owned()]), "\"1\",\"راز\"\r\n");
    }
}
