//! Samples of what happened, in a campaign and on the platform.

use time::Duration;

use super::{NOW, Sample, Samples};
use crate::{
    form::{Problem, Problems},
    pages::audit::{ACTIONS, AuditEntry, AuditFilter, AuditPage, Who},
    shell::{CampaignLink, Nav},
};

const MARYAM: &str = "0198c0de-0000-7000-8000-00000000a001";
const SAEED: &str = "0198c0de-0000-7000-8000-00000000a002";
const REQUEST: &str = "0198c0de-0000-7000-8000-00000000c001";

pub(super) fn samples(make: &Samples) -> Vec<Sample> {
    let page = campaign(make);
    let one = AuditPage {
        filter: AuditFilter { correlation: REQUEST.to_owned(), ..AuditFilter::default() },
        entries: page.entries.iter().take(4).cloned().collect(),
        older: None,
        ..page.clone()
    };
    let refused = AuditPage {
        filter: AuditFilter { from: "دیروز".to_owned(), ..AuditFilter::default() },
        problems: Problems::none().and("from", Problem::InvalidDay),
        entries: vec![],
        older: None,
        ..page.clone()
    };
    let strange = AuditPage {
        filter: AuditFilter { target: "nonsense".to_owned(), ..AuditFilter::default() },
        problems: Problems::none().and("target", Problem::InvalidId),
        ..refused.clone()
    };
    let nobody = AuditPage {
        filter: AuditFilter { who: "nonsense".to_owned(), ..AuditFilter::default() },
        problems: Problems::none().and("who", Problem::InvalidId),
        ..refused.clone()
    };
    let older = AuditPage { newest: false, ..page.clone() };
    vec![
        Sample { name: "audit", html: page.render() },
        Sample { name: "audit-request", html: one.render() },
        Sample { name: "audit-refused", html: refused.render() },
        Sample { name: "audit-strange", html: strange.render() },
        Sample { name: "audit-nobody", html: nobody.render() },
        Sample { name: "audit-older", html: older.render() },
        Sample { name: "audit-platform", html: platform(make).render() },
        Sample { name: "audit-everything", html: everything(make).render() },
    ]
}

fn person(id: &str, name: &str) -> Who {
    Who::Person { id: id.to_owned(), name: name.to_owned() }
}

fn service(name: &str) -> Who {
    Who::Service { name: name.to_owned() }
}

fn citizen(id: &str) -> Who {
    Who::Citizen { id: id.to_owned() }
}

fn entry(minutes: i64, who: Who, action: &str, details: &[(&str, &str)]) -> AuditEntry {
    let target_type = action.split('.').next().unwrap_or_default().to_owned();
    let owned = |(name, word): &(&str, &str)| ((*name).to_owned(), (*word).to_owned());
    AuditEntry {
        at: NOW - Duration::minutes(minutes),
        who,
        on_behalf_of: None,
        action: action.to_owned(),
        details: details.iter().map(owned).collect(),
        target_type,
        target_id: format!("0198c0de-0000-7000-8000-{minutes:012x}"),
        target_name: None,
        correlation: REQUEST.to_owned(),
        campaign: None,
        address: String::new(),
    }
}

fn campaign(make: &Samples) -> AuditPage {
    let (maryam, saeed) = (person(MARYAM, "مریم احمدی"), person(SAEED, "سعید نوری"));
    let some = citizen("0198c0de-0000-7000-8000-00000000b001");
    let staff = Who::Account { id: REQUEST.to_owned() };
    let staff_reads = staff.clone();
    AuditPage {
        shell: make.owner(Nav::Audit, "/c/isfahan-ahmadi/audit"),
        base: "/c/isfahan-ahmadi/audit".to_owned(),
        filter: AuditFilter::default(),
        problems: Problems::none(),
        people: vec![
            (MARYAM.to_owned(), "مریم احمدی".to_owned()),
            (SAEED.to_owned(), "سعید نوری".to_owned()),
        ],
        campaigns: None,
        entries: vec![
            entry(2, service("bot-hub"), "ticket.reply_sent", &[]),
            entry(3, service("bot-hub"), "dialogue.reply_sent", &[]),
            AuditEntry {
                address: "203.0.113.7".to_owned(),
                ..entry(4, saeed.clone(), "ticket.reply_written", &[])
            },
            entry(5, saeed, "ticket.status_changed", &[("from", "new"), ("to", "in_progress")]),
            entry(9, some.clone(), "ticket.opened", &[("kind", "photo")]),
            entry(9, some, "dialogue.citizen_acted", &[("did", "write")]),
            entry(44, service("bot-hub"), "ticket.reply_failed", &[("failure", "blocked")]),
            AuditEntry {
                target_name: Some("سعید نوری".to_owned()),
                ..entry(90, maryam, "member.invited", &[("role", "staff")])
            },
            AuditEntry {
                target_name: Some("سعید نوری".to_owned()),
                ..entry(
                    95,
                    person(MARYAM, "مریم احمدی"),
                    "member.permissions_changed",
                    &[("denied", "crm:ticket.move"), ("granted", "identity:audit.read")],
                )
            },
            entry(300, Who::Account { id: SAEED.to_owned() }, "campaign.edited", &[]),
            AuditEntry {
                on_behalf_of: Some(person(MARYAM, "مریم احمدی")),
                ..entry(310, staff, "member.looked_at", &[("page", "inbox")])
            },
            entry(320, staff_reads, "record.opened", &[("page", "audit.request")]),
            entry(1_500, service("bot-hub"), "bot.went_live", &[("mode", "webhook")]),
            entry(1_501, service("bot-hub"), "bot.failed", &[("problem", "wrong_token")]),
        ],
        older: Some(17),
        newest: true,
    }
}

fn platform(make: &Samples) -> AuditPage {
    let mut shell = make.admin("/admin/audit");
    shell.active = Nav::Audit;
    let narges = person(MARYAM, "نرگس کاویانی");
    let of_campaign = |entry: AuditEntry| AuditEntry {
        campaign: Some("مریم احمدی".to_owned()),
        target_id: String::new(),
        ..entry
    };
    let link =
        |slug: &str, name: &str| CampaignLink { slug: slug.to_owned(), name: name.to_owned() };
    AuditPage {
        shell,
        base: "/admin/audit".to_owned(),
        campaigns: Some(vec![link("0", "سامانه"), link("1", "مریم احمدی")]),
        people: vec![],
        entries: vec![
            of_campaign(entry(3, citizen(""), "citizen.met", &[])),
            AuditEntry {
                address: "2001:db8:7::25".to_owned(),
                ..entry(4, narges.clone(), "account.logged_in", &[])
            },
            entry(5, person(SAEED, ""), "account.log_in_failed", &[]),
            AuditEntry {
                target_id: REQUEST.to_owned(),
                ..of_campaign(entry(
                    70,
                    narges,
                    "campaign.status_changed",
                    &[("from", "draft"), ("to", "active")],
                ))
            },
            entry(71, service("meydan"), "account.registered", &[("admin", "true")]),
        ],
        older: None,
        ..campaign(make)
    }
}

/// Every event that has words, and one that a newer program recorded.
fn everything(make: &Samples) -> AuditPage {
    let all = ACTIONS.iter().map(|(action, _)| *action).chain(["ticket.merged"]);
    let entries = all.zip(1..).map(|(action, minutes)| entry(minutes, service("crm"), action, &[]));
    AuditPage { entries: entries.collect(), ..campaign(make) }
}
