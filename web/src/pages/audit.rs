//! What happened: a table of entries with filters, for a campaign and for the whole platform.

mod words;

use std::fmt::Write as _;

use askama::Template;
use time::OffsetDateTime;

pub use self::words::{ACTIONS, AREAS, page_key};
use crate::{
    form::{Problem, Problems},
    notice::Notice,
    shell::{CampaignLink, Shell},
};

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Somebody with a login, by their name.
    Person {
        /// Their account.
        id: String,
        /// What they are called.
        name: String,
    },
    /// Somebody with a login who is not of the viewer's team: the platform's staff, or somebody who left.
    Account {
        /// Their account.
        id: String,
    },
    /// A citizen. Their id is known within their campaign alone.
    Citizen {
        /// It, or nothing.
        id: String,
    },
    /// A program of ours.
    Service {
        /// Its name.
        name: String,
    },
}

impl Who {
    fn text(&self, shell: &Shell) -> String {
        match self {
            Self::Person { name, .. } if name.is_empty() => shell.t("audit-erased"),
            Self::Person { name, .. } => name.clone(),
            Self::Account { .. } => shell.t("audit-other-account"),
            Self::Citizen { .. } => shell.t("audit-citizen"),
            Self::Service { .. } => shell.t("audit-service"),
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// When.
    pub at: OffsetDateTime,
    /// Who did it.
    pub who: Who,
    /// For whom, where somebody acted for another one: an admin who looked as a member.
    pub on_behalf_of: Option<Who>,
    /// What, as the name of an event.
    pub action: String,
    /// Words that go with it, each with its name.
    pub details: Vec<(String, String)>,
    /// The kind of thing it was done to.
    pub target_type: String,
    /// Which one; empty when the viewer may not know.
    pub target_id: String,
    /// What the person is called whom it was done to, where the viewer may know.
    pub target_name: Option<String>,
    /// The request within which it happened.
    pub correlation: String,
    /// The campaign, where several are shown; `None` is the platform.
    pub campaign: Option<String>,
    /// The network address from where it was done; empty when the viewer may not know, or nobody does.
    pub address: String,
}

/// What is looked for. Empty fields look for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// An account, or `citizen` or `service`.
    pub who: String,
    /// The name of an event, or the beginning of several with a dot at the end.
    pub action: String,
    /// A campaign, where several are shown.
    pub campaign: String,
    /// What it was done to.
    pub target: String,
    /// The request.
    pub correlation: String,
    /// The first day, as it was typed.
    pub from: String,
    /// The last day, as it was typed.
    pub until: String,
}

impl AuditFilter {
    fn fields(&self) -> [(&'static str, &str); 7] {
        [
            ("who", &self.who),
            ("action", &self.action),
            ("campaign", &self.campaign),
            ("target", &self.target),
            ("correlation", &self.correlation),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }

    /// What a link has filled in a field, unless that cannot be looked for: then the form is sent without it.
    pub(super) fn linked(&self, name: &str, problems: &Problems) -> Option<&str> {
        let fields = self.fields().into_iter();
        let (_, value) =
            fields.filter(|(_, value)| !value.is_empty()).find(|(of, _)| *of == name)?;
        problems.of(name).is_none().then_some(value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fields().iter().all(|(_, value)| value.is_empty())
    }

    /// The query of an address that looks for this.
    #[must_use]
    pub fn query(&self, before: Option<i64>) -> String {
        let mut query = String::new();
        for (name, value) in self.fields().into_iter().filter(|(_, value)| !value.is_empty()) {
            let mark = if query.is_empty() { '?' } else { '&' };
            let _ = write!(query, "{mark}{name}={}", escaped(value));
        }
        if let Some(before) = before {
            let mark = if query.is_empty() { '?' } else { '&' };
            let _ = write!(query, "{mark}before={before}");
        }
        query
    }
}

/// What is wrong with fields that are filled by links: the field, the key of its name, and the problem.
pub(super) fn wrong_links(problems: &Problems) -> Vec<(&'static str, &'static str, Problem)> {
    let links = [
        ("campaign", "campaign"),
        ("who", "audit-who"),
        ("target", "audit-on"),
        ("correlation", "audit-request"),
        ("before", "audit-place"),
    ];
    let wrong = |(name, label)| Some((name, label, *problems.of(name)?));
    links.into_iter().filter_map(wrong).collect()
}

/// Percent-encodes whatever is not plain.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// What things are done to: its name, the key of its text, and its events with theirs.
type Area = (&'static str, &'static str, Vec<(&'static str, &'static str)>);

/// `GET /c/{slug}/audit` and `GET /admin/audit`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/audit.html")]
pub struct AuditPage {
    /// What pages share.
    pub shell: Shell,
    /// The page's own path.
    pub base: String,
    /// What is looked for.
    pub filter: AuditFilter,
    /// What is wrong with it, by field.
    pub problems: Problems,
    /// The people whom one may look for: account and name.
    pub people: Vec<(String, String)>,
    /// The campaigns whom one may look for, by their ids, where several are shown.
    pub campaigns: Option<Vec<CampaignLink>>,
    /// The entries, the newest first.
    pub entries: Vec<AuditEntry>,
    /// Where older ones begin; `None` when there are none.
    pub older: Option<i64>,
    /// Whether these are the newest.
    pub newest: bool,
}

impl AuditPage {
    fn href(&self, filter: &AuditFilter) -> String {
        format!("{}{}", self.base, filter.query(None))
    }

    fn of_person(&self, id: impl AsRef<str>) -> String {
        self.href(&AuditFilter { who: id.as_ref().to_owned(), ..AuditFilter::default() })
    }

    fn of_target(&self, entry: &AuditEntry) -> String {
        self.href(&AuditFilter { target: entry.target_id.clone(), ..AuditFilter::default() })
    }

    fn of_request(&self, entry: &AuditEntry) -> String {
        let correlation = entry.correlation.clone();
        self.href(&AuditFilter { correlation, ..AuditFilter::default() })
    }

    /// Whether one person is looked for who is not among those to choose from.
    fn is_other_person(&self) -> bool {
        let Some(who) = self.linked("who") else { return false };
        !["citizen", "service"].contains(&who) && self.people.iter().all(|(id, _)| id != who)
    }

    fn linked(&self, name: impl AsRef<str>) -> Option<&str> {
        self.filter.linked(name.as_ref(), &self.problems)
    }

    /// The events to choose from, by what they are done to.
    fn areas(&self) -> Vec<Area> {
        let of = |area: &str| {
            let begins = |(action, _): &&(&str, &str)| action.split('.').next() == Some(area);
            ACTIONS.iter().filter(begins).copied().collect()
        };
        // A campaign has no accounts and no addresses: who logs in from where is the platform's.
        let here = |(area, _): &&(&str, &str)| {
            self.campaigns.is_some() || !["account", "network"].contains(area)
        };
        AREAS.iter().filter(here).map(|(area, key)| (*area, *key, of(area))).collect()
    }

    fn is_area(&self, area: impl AsRef<str>) -> bool {
        self.filter.action.strip_suffix('.') == Some(area.as_ref())
    }

    fn is_action(&self, action: impl AsRef<str>) -> bool {
        self.filter.action == action.as_ref()
    }

    fn days(&self) -> [(&'static str, &str); 2] {
        [("from", &self.filter.from), ("until", &self.filter.until)]
    }

    #[expect(clippy::unused_self, reason = "templates ask the page")]
    fn day_label(&self, name: impl AsRef<str>) -> &'static str {
        if name.as_ref() == "from" { "audit-from" } else { "audit-until" }
    }

    /// What is wrong with fields that are filled by links: the field, the key of its name, and the problem.
    fn wrong_links(&self) -> Vec<(&'static str, &'static str, Problem)> {
        wrong_links(&self.problems)
    }

    fn older_href(&self) -> Option<String> {
        self.older.map(|before| format!("{}{}", self.base, self.filter.query(Some(before))))
    }

    fn copy_is_ready(&self) -> bool {
        self.shell.notice == Some(Notice::CopyReady) && self.problems.is_empty()
    }

    fn export_href(&self) -> String {
        format!("{}/export.csv{}", self.base, self.filter.query(None))
    }
}

impl AuditEntry {
    /// The last part of an id: enough to tell one from another.
    fn short(id: impl AsRef<str>) -> String {
        let id = id.as_ref();
        id.get(id.len().saturating_sub(8)..).unwrap_or(id).to_owned()
    }

    /// What was done, in words.
    #[must_use]
    pub fn action_text(&self, shell: &Shell) -> String {
        words::action(&self.action).map_or_else(|| self.action.clone(), |key| shell.t(key))
    }

    /// What goes with it, in words.
    #[must_use]
    pub fn details_text(&self, shell: &Shell) -> Option<String> {
        words::details(shell, &self.details)
    }

    /// What it was done to, in words.
    #[must_use]
    pub fn target_text(&self, shell: &Shell) -> String {
        let kind = words::target(&self.target_type)
            .map_or_else(|| self.target_type.clone(), |key| shell.t(key));
        self.target_name.as_ref().map_or_else(|| kind.clone(), |name| format!("{kind}: {name}"))
    }

    /// Who did it, in words.
    #[must_use]
    pub fn who_text(&self, shell: &Shell) -> String {
        self.who.text(shell)
    }

    /// For whom, in words, where somebody acted for another one.
    #[must_use]
    pub fn behalf_text(&self, shell: &Shell) -> Option<String> {
        let whom = self.on_behalf_of.as_ref()?;
        Some(shell.s("audit-on-behalf-of", "name", whom.text(shell)))
    }

    /// From where, in words, where that may be known.
    #[must_use]
    pub fn address_text(&self, shell: &Shell) -> Option<String> {
        let known = Some(self.address.clone()).filter(|address| !address.is_empty())?;
        Some(shell.s("audit-address", "address", known))
    }

    /// Who did it, and for whom, on one line.
    #[must_use]
    pub fn who_and_for_whom(&self, shell: &Shell) -> String {
        let who = self.who_text(shell);
        self.behalf_text(shell).map_or_else(|| who.clone(), |whom| format!("{who} ({whom})"))
    }

    pub(crate) fn who_id(&self) -> &str {
        match &self.who {
            Who::Person { id, .. } | Who::Account { id } | Who::Citizen { id } => id,
            Who::Service { name } => name,
        }
    }

    pub(crate) const fn is_service(&self) -> bool {
        matches!(self.who, Who::Service { .. })
    }
}

super::renders!(AuditPage);
