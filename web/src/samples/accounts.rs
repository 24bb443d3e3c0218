//! Samples of accounts as admins see them, and of an admin who looks as a member.

use time::Duration;

use super::{NOW, Sample, Samples};
use crate::{
    form::{Problem, Problems},
    pages::{
        accounts::{
            AccountDetailPage, AccountPlace, AccountRow, AccountStatus, AccountsPage, AdminsPage,
            WhichAccounts,
        },
        audit::{AuditEntry, AuditFilter, Who},
        security::{Browser, Happened, Session},
        team::{Role, Standing},
        watch::{WatchPage, Watched},
    },
    shell::Nav,
};

const ID: &str = "0198c0de-0000-7000-8000-000000000011";

pub(super) fn samples(make: &Samples) -> Vec<Sample> {
    let mut samples = lists(make);
    samples.extend(admins(make));
    samples.extend(details(make));
    samples.extend(watched(make));
    samples
}

fn account(name: &str, email: &str, status: AccountStatus) -> AccountRow {
    let place = |slug: &str, name: &str, role, standing| AccountPlace {
        campaign_id: "0198c0de-0000-7000-8000-000000000012".to_owned(),
        slug: slug.to_owned(),
        name: name.to_owned(),
        role,
        standing,
    };
    let at_work = status != AccountStatus::Invited;
    let standing = if at_work { Standing::Active } else { Standing::Invited };
    AccountRow {
        id: ID.to_owned(),
        name: name.to_owned(),
        email: email.to_owned(),
        admin: false,
        asked_at: None,
        status,
        locked_until: None,
        factor_locked: false,
        second_factor: status == AccountStatus::Active,
        created_at: NOW - Duration::days(40),
        last_login_at: at_work.then(|| NOW - Duration::hours(5)),
        places: vec![
            place("isfahan-ahmadi", "مریم احمدی", Role::Manager, standing),
            place("shiraz-rostami", "بهرام رستمی", Role::Staff, Standing::Invited),
        ],
    }
}

fn lists(make: &Samples) -> Vec<Sample> {
    let mut shell = make.admin("/admin/accounts");
    shell.active = Nav::Accounts;
    let mut staff = account("نرگس کاویانی", "narges@meydan.example", AccountStatus::Active);
    staff.admin = true;
    staff.places.clear();
    let guessed = AccountRow {
        locked_until: Some(NOW + Duration::minutes(12)),
        ..account("پریسا مهرگان", "parisa@example.ir", AccountStatus::Active)
    };
    let closed = AccountRow { factor_locked: true, ..guessed.clone() };
    let page = AccountsPage {
        shell,
        which: WhichAccounts::All,
        accounts: vec![
            account("Daniel Babayan", "daniel@example.com", AccountStatus::Invited),
            account("سعید نوری", "saeed.nouri@example.ir", AccountStatus::Active),
            account("رضا کمالی", "reza@example.ir", AccountStatus::Suspended),
            guessed,
            staff,
        ],
        email: String::new(),
        after: Some(ID.to_owned()),
    };
    let none = AccountsPage {
        accounts: Vec::new(),
        email: "nobody@example.ir".to_owned(),
        after: None,
        ..page.clone()
    };
    let locked = AccountsPage {
        which: WhichAccounts::Locked,
        accounts: vec![closed],
        after: None,
        ..page.clone()
    };
    let open = AccountsPage { accounts: Vec::new(), ..locked.clone() };
    vec![
        Sample { name: "accounts", html: page.render() },
        Sample { name: "accounts-none", html: none.render() },
        Sample { name: "accounts-locked", html: locked.render() },
        Sample { name: "accounts-none-locked", html: open.render() },
    ]
}

fn admins(make: &Samples) -> Vec<Sample> {
    let mut shell = make.admin("/admin/accounts/admins");
    shell.active = Nav::Accounts;
    let staff = |name: &str, email: &str, asked: bool| AccountRow {
        admin: !asked,
        asked_at: asked.then(|| NOW - Duration::hours(20)),
        places: Vec::new(),
        ..account(name, email, if asked { AccountStatus::Invited } else { AccountStatus::Active })
    };
    let page = AdminsPage {
        shell,
        admins: vec![
            staff("نرگس کاویانی", "narges@meydan.example", false),
            staff("سعید نوری", "saeed.nouri@example.ir", false),
            staff("Daniel Babayan", "daniel@example.com", true),
        ],
        name: String::new(),
        email: String::new(),
        problems: Problems::none(),
        invitation_link: None,
        command_id: ID.to_owned(),
    };
    let refused = AdminsPage {
        name: "سعید نوری".to_owned(),
        email: "saeed.nouri@example.ir".to_owned(),
        problems: Problems::none().and("email", Problem::AlreadyAdmin),
        ..page.clone()
    };
    let link = "https://meydan.example/welcome/kq0xV9d3m1".to_owned();
    let invited = AdminsPage { invitation_link: Some(link), ..page.clone() };
    vec![
        Sample { name: "admins", html: page.render() },
        Sample { name: "admins-refused", html: refused.render() },
        Sample { name: "admins-invited", html: invited.render() },
    ]
}

/// What happened to an account some hours ago.
fn happened(hours: i64, kind: &str, proof: &str) -> Happened {
    Happened {
        at: NOW - Duration::hours(hours),
        kind: format!("account.{kind}"),
        proof: proof.to_owned(),
        page: if kind == "looked_at" { "inbox".to_owned() } else { String::new() },
        address: "192.0.2.17".to_owned(),
        place: None,
        browser: Browser { program: Some("Firefox"), system: Some("Android") },
    }
}

fn details(make: &Samples) -> Vec<Sample> {
    let mut shell = make.admin("/admin/accounts/0198c0de");
    shell.active = Nav::Accounts;
    let page = AccountDetailPage {
        shell,
        account: account("سعید نوری", "saeed.nouri@example.ir", AccountStatus::Active),
        oneself: false,
        sessions: vec![Session {
            id: ID.to_owned(),
            created_at: NOW - Duration::days(3),
            last_seen_at: NOW - Duration::minutes(12),
            address: "192.0.2.17".to_owned(),
            place: Some("تهران، ایران".to_owned()),
            browser: Browser { program: Some("Chrome"), system: Some("Windows") },
            trusted: false,
            present: false,
        }],
        entries: vec![
            happened(5, "logged_in", "totp"),
            happened(6, "locked", ""),
            happened(6, "log_in_failed", "password"),
            happened(29, "looked_at", ""),
            happened(30, "impersonated", ""),
        ],
        before: None,
        refusal: None,
        problems: Problems::none(),
        reason: String::new(),
        invitation_link: None,
        command_id: ID.to_owned(),
    };
    let mut suspended = page.clone();
    suspended.account.status = AccountStatus::Suspended;
    suspended.sessions.clear();
    let short = AccountDetailPage {
        problems: Problems::none().and("reason", Problem::TooShort { min: 10 }),
        reason: "سؤال".to_owned(),
        ..page.clone()
    };
    let last = AccountDetailPage { refusal: Some(Problem::LastAdmin), ..page.clone() };
    let mut admin = page.clone();
    admin.account.admin = true;
    let mut asked = page.clone();
    asked.account.asked_at = Some(NOW - Duration::hours(20));
    asked.account.places.iter_mut().for_each(|place| place.standing = Standing::Expired);
    let sent = AccountDetailPage { invitation_link: Some(String::new()), ..page.clone() };
    vec![
        Sample { name: "account-detail", html: page.render() },
        Sample { name: "account-suspended", html: suspended.render() },
        Sample { name: "account-reason-refused", html: short.render() },
        Sample { name: "account-last-admin", html: last.render() },
        Sample { name: "account-admin", html: admin.render() },
        Sample { name: "account-asked", html: asked.render() },
        Sample { name: "account-resent", html: sent.render() },
    ]
}

fn watched(make: &Samples) -> Vec<Sample> {
    let mut shell = make.admin("/admin/security");
    shell.active = Nav::Security;
    let event = |hours, action: &str, about: Option<&str>| Watched {
        about: about.map(ToOwned::to_owned),
        entry: AuditEntry {
            at: NOW - Duration::hours(hours),
            who: Who::Person { id: ID.to_owned(), name: "نرگس کاویانی".to_owned() },
            on_behalf_of: None,
            action: action.to_owned(),
            details: Vec::new(),
            target_type: action.split('.').next().unwrap_or_default().to_owned(),
            target_id: ID.to_owned(),
            target_name: None,
            correlation: ID.to_owned(),
            campaign: about.is_none().then(|| "مریم احمدی".to_owned()),
            address: "203.0.113.7".to_owned(),
        },
    };
    let mut network = event(1, "network.closed", Some(""));
    network.entry.who = Who::Service { name: "identity".to_owned() };
    let page = WatchPage {
        shell,
        filter: AuditFilter::default(),
        account: String::new(),
        problems: Problems::none(),
        events: vec![
            event(1, "account.locked", Some("سعید نوری")),
            Watched { about: None, ..network },
            event(1, "account.log_in_failed", Some("سعید نوری")),
            event(2, "account.impersonated", Some("الهه یزدانی")),
            event(5, "api_key.created", None),
            event(9, "account.code_replayed", Some("Daniel Babayan")),
            event(30, "account.suspended", Some("رضا کمالی")),
            event(70, "account.recovered", Some("")),
        ],
        older: Some(7),
    };
    let mut samples = vec![Sample { name: "security-events", html: page.render() }];
    samples.extend(searches(&page));
    samples
}

/// What searches among them come to.
fn searches(page: &WatchPage) -> [Sample; 4] {
    let problems = Problems::none().and("from", Problem::InvalidDay);
    let filter = AuditFilter { from: "دیروز".to_owned(), ..AuditFilter::default() };
    let none = WatchPage {
        events: Vec::new(),
        older: None,
        problems,
        filter,
        account: "nobody@example.ir".to_owned(),
        ..page.clone()
    };
    let strange = WatchPage {
        problems: Problems::none().and("account", Problem::NoSuchAccount),
        filter: AuditFilter::default(),
        account: "nobody@example.ir".to_owned(),
        ..none.clone()
    };
    let one = WatchPage {
        filter: AuditFilter { target: ID.to_owned(), ..AuditFilter::default() },
        events: page.events.iter().take(1).cloned().collect(),
        older: None,
        ..page.clone()
    };
    let quiet = WatchPage { events: Vec::new(), older: None, ..page.clone() };
    [
        Sample { name: "security-events-none", html: none.render() },
        Sample { name: "security-events-one", html: one.render() },
        Sample { name: "security-events-quiet", html: quiet.render() },
        Sample { name: "security-events-strange", html: strange.render() },
    ]
}
