//! What admins watch for: what happened to accounts that somebody should look at.

use askama::Template;

use crate::{
    form::{Problem, Problems},
    pages::audit::{ACTIONS, AuditEntry, AuditFilter, wrong_links},
    shell::Shell,
};

/// The events, in the order in which one looks for them.
pub const WATCHED: &[&str] = &[
    "account.log_in_failed",
    "account.locked",
    "account.factor_locked",
    "network.closed",
    "account.code_replayed",
    "account.passkey_doubted",
    "account.recovered",
    "account.email_lost",
    "account.factor_removed",
    "account.suspended",
    "account.reactivated",
    "account.admin_invited",
    "account.admin_appointed",
    "account.admin_dismissed",
    "account.impersonated",
    "account.impersonation_ended",
    "campaign.factor_waived",
    "api_key.created",
    "api_key.revoked",
];

/// An event, and whom it is about.
#[derive(Debug, Clone)]
pub struct Watched {
    /// What happened.
    pub entry: AuditEntry,
    /// The account that it happened to, by its name, if it happened to one.
    pub about: Option<String>,
}

impl Watched {
    fn icon(&self) -> &'static str {
        match self.entry.action.as_str() {
            "account.locked"
            | "account.factor_locked"
            | "network.closed"
            | "account.code_replayed"
            | "account.passkey_doubted" => "alert-triangle",
            "account.impersonated" | "account.impersonation_ended" => "eye",
            "account.suspended" => "user-off",
            "api_key.created" | "api_key.revoked" => "key",
            _ => "shield-check",
        }
    }

    fn is_bad(&self) -> bool {
        self.icon() == "alert-triangle"
    }
}

/// `GET /admin/security` (`action`, `target`, `from`, `until`, `before`), and the answer to a refused `POST` there, which has
/// `account` besides and leads to the address of what was found: no address of a person stands in one of ours.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/watch.html")]
pub struct WatchPage {
    /// What pages share.
    pub shell: Shell,
    /// What is looked for.
    pub filter: AuditFilter,
    /// The address of the account whose events are looked for, as it was typed.
    pub account: String,
    /// What is wrong with it, by field.
    pub problems: Problems,
    /// The newest first.
    pub events: Vec<Watched>,
    /// Where older ones begin; `None` when there are none.
    pub older: Option<i64>,
}

impl WatchPage {
    /// The kinds to choose from, with the keys of their texts.
    #[expect(clippy::unused_self, reason = "templates ask the page")]
    fn kinds(&self) -> Vec<(&'static str, &'static str)> {
        let key = |kind: &&str| ACTIONS.iter().find(|(action, _)| action == kind).copied();
        WATCHED.iter().filter_map(key).collect()
    }

    fn is_kind(&self, kind: impl AsRef<str>) -> bool {
        self.filter.action == kind.as_ref()
    }

    /// The days between which one looks: the field, what was typed, and the key of the label.
    fn days(&self) -> [(&'static str, &str, &'static str); 2] {
        let AuditFilter { from, until, .. } = &self.filter;
        [("from", from, "audit-from"), ("until", until, "audit-until")]
    }

    /// What is wrong with fields that are filled by links: the field, the key of its name, and the problem.
    fn wrong_links(&self) -> Vec<(&'static str, &'static str, Problem)> {
        wrong_links(&self.problems)
    }

    fn older_href(&self) -> Option<String> {
        self.older.map(|before| format!("/admin/security{}", self.filter.query(Some(before))))
    }

    /// The account whose events alone are looked for.
    fn target(&self) -> Option<&str> {
        self.filter.linked("target", &self.problems)
    }
}

super::renders!(WatchPage);
