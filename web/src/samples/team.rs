//! Samples of a team, its members, the table of permissions, and keys.

use time::{Duration, OffsetDateTime};

use super::{NOW, Sample, Samples};
use crate::{
    form::{Problem, Problems},
    pages::{
        api_keys::{ApiKey, ApiKeysPage, Revoked, Scope},
        team::{
            FactorDemand, Holder, Member, MemberPage, MemberPermission, Permission,
            PermissionsPage, Role, Standing, TeamPage,
        },
    },
    shell::{Impersonation, Nav},
};

const SLUG: &str = "isfahan-ahmadi";
const COMMAND: &str = "0198c0de-0000-7000-8000-000000000003";

/// Names, keys of texts, and how many of the roles in their order hold them.
const PERMISSIONS: [(&str, &str, &[Role]); 10] = {
    use Role::{Content, Manager, Owner, SocialMedia, Staff, Support};
    let all = &[Owner, Manager, Staff, SocialMedia, Content, Support] as &[Role];
    let inside = &[Owner, Manager, Staff, SocialMedia, Content] as &[Role];
    let leading = &[Owner, Manager] as &[Role];
    [
        ("crm:ticket.read", "permission-ticket-read", all),
        (
            "crm:ticket.reply",
            "permission-ticket-reply",
            &[Owner, Manager, Staff, SocialMedia, Support],
        ),
        ("crm:ticket.move", "permission-ticket-move", &[Owner, Manager, Staff, Support]),
        ("bot:bot.read", "permission-bot-read", inside),
        ("bot:bot.connect", "permission-bot-connect", leading),
        ("identity:member.read", "permission-member-read", inside),
        ("identity:member.invite", "permission-member-invite", leading),
        ("identity:member.manage", "permission-member-manage", leading),
        ("identity:api_key.manage", "permission-api-key-manage", &[Owner]),
        ("identity:audit.read", "permission-audit-read", &[Owner]),
    ]
};

pub(super) fn samples(make: &Samples) -> Vec<Sample> {
    let mut samples = teams(make);
    samples.extend(members(make));
    samples.extend(tables(make));
    samples.extend(keys(make));
    samples
}

fn days_ago(days: i64) -> OffsetDateTime {
    NOW - Duration::days(days)
}

fn member(name: &str, email: &str, role: Role, days: Option<i64>) -> Member {
    Member {
        id: "0198c0de-0000-7000-8000-000000000009".to_owned(),
        name: name.to_owned(),
        email: email.to_owned(),
        role,
        standing: if days.is_some() { Standing::Active } else { Standing::Invited },
        excepted: role == Role::Staff,
        oneself: role == Role::Owner,
        joined_at: days.map(days_ago),
        link_ends_at: if days.is_some() { None } else { Some(NOW + Duration::days(2)) },
        last_seen_on: days.map(|days| days_ago(days / 3)),
        second_factor: days.map(|days| days > 5),
    }
}

fn team() -> Vec<Member> {
    let mut gone = member("رضا کمالی", "reza@example.ir", Role::Support, Some(30));
    gone.standing = Standing::Deactivated;
    gone.last_seen_on = None;
    vec![
        member("مریم احمدی", "maryam@example.ir", Role::Owner, Some(9)),
        member("سعید نوری", "saeed.nouri@example.ir", Role::Manager, Some(7)),
        member("الهه یزدانی", "elaheh@example.ir", Role::Staff, Some(2)),
        member("نسترن پارسا", "nastaran@example.ir", Role::SocialMedia, Some(12)),
        gone,
        member("Daniel Babayan", "daniel@example.com", Role::Content, None),
        late(),
    ]
}

/// Somebody whose link works no more.
fn late() -> Member {
    Member {
        standing: Standing::Expired,
        link_ends_at: Some(days_ago(1)),
        ..member("پروانه صدری", "parvaneh@example.ir", Role::Support, None)
    }
}

fn teams(make: &Samples) -> Vec<Sample> {
    let page = TeamPage {
        shell: make.owner(Nav::Team, "/c/isfahan-ahmadi/team"),
        slug: SLUG.to_owned(),
        members: team(),
        demand: FactorDemand { demanded: false, changeable: true, own: true },
        may_invite: true,
        roles: Role::ALL.to_vec(),
        prove_for_owner: false,
        name: String::new(),
        email: String::new(),
        role: Role::Staff,
        problems: Problems::none(),
        refusal: None,
        invitation_link: None,
        command_id: COMMAND.to_owned(),
    };
    let invited = TeamPage {
        invitation_link: Some("http://127.0.0.1:8080/welcome/p0Qw7LmT3xVb".to_owned()),
        ..page.clone()
    };
    let mailed = TeamPage { invitation_link: Some(String::new()), ..page.clone() };
    let refused = TeamPage {
        name: "سعید نوری".to_owned(),
        email: "saeed.nouri@example.ir".to_owned(),
        problems: Problems::none().and("email", Problem::AlreadyMember),
        prove_for_owner: true,
        ..page.clone()
    };
    let last = TeamPage { refusal: Some(Problem::LastOwner), ..page.clone() };
    let mut staff = TeamPage { may_invite: false, ..page.clone() };
    staff.demand.changeable = false;
    staff.members.iter_mut().for_each(|member| member.second_factor = None);
    let mut seen = staff.clone();
    seen.shell.demo = false;
    seen.shell.impersonation =
        Some(Impersonation { name: "الهه یزدانی".to_owned(), minutes: 12 });
    let demand = FactorDemand { demanded: true, ..page.demand };
    let demanded = TeamPage { demand, ..page.clone() };
    let first = FactorDemand { own: false, ..page.demand };
    let first = TeamPage { demand: first, ..page.clone() };
    vec![
        Sample { name: "team", html: page.render() },
        Sample { name: "team-invited", html: invited.render() },
        Sample { name: "team-mailed", html: mailed.render() },
        Sample { name: "team-refused", html: refused.render() },
        Sample { name: "team-last-owner", html: last.render() },
        Sample { name: "team-staff", html: staff.render() },
        Sample { name: "team-impersonated", html: seen.render() },
        Sample { name: "team-factor-demanded", html: demanded.render() },
        Sample { name: "team-factor-first", html: first.render() },
    ]
}

fn permission((name, text, roles): (&str, &str, &[Role]), role: Role) -> MemberPermission {
    let of_role = roles.contains(&role);
    let may = match name {
        "bot:bot.connect" => true,
        "crm:ticket.move" => false,
        _ => of_role,
    };
    let changeable = name != "identity:api_key.manage";
    MemberPermission { name: name.to_owned(), text: text.to_owned(), of_role, may, changeable }
}

fn members(make: &Samples) -> Vec<Sample> {
    let [owner, _, staff, _, gone, invited, late] =
        <[Member; 7]>::try_from(team()).expect("there are seven");
    let page = MemberPage {
        shell: make.owner(Nav::Team, "/c/isfahan-ahmadi/team/0198c0de"),
        slug: SLUG.to_owned(),
        member: staff,
        permissions: PERMISSIONS.map(|row| permission(row, Role::Staff)).to_vec(),
        roles: Role::ALL.to_vec(),
        may_manage: true,
        may_invite: true,
        refusal: None,
        invitation_link: None,
        command_id: COMMAND.to_owned(),
    };
    let refused = MemberPage { refusal: Some(Problem::NotHeld), ..page.clone() };
    let gone = MemberPage { member: gone, ..page.clone() };
    let invited = MemberPage { member: invited, ..page.clone() };
    let late = MemberPage { member: late, ..page.clone() };
    let own = MemberPage { member: owner, may_manage: false, ..page.clone() };
    vec![
        Sample { name: "member", html: page.render() },
        Sample { name: "member-refused", html: refused.render() },
        Sample { name: "member-gone", html: gone.render() },
        Sample { name: "member-invited", html: invited.render() },
        Sample { name: "member-late", html: late.render() },
        Sample { name: "member-own", html: own.render() },
    ]
}

fn holder(member: &Member) -> Holder {
    let some = |texts: &[&str]| {
        let texts = texts.iter().filter(|_| member.excepted);
        texts.map(ToString::to_string).collect()
    };
    Holder {
        granted: some(&["permission-bot-connect"]),
        denied: some(&["permission-ticket-move"]),
        id: member.id.clone(),
        name: member.name.clone(),
        role: member.role,
        standing: member.standing,
    }
}

fn tables(make: &Samples) -> Vec<Sample> {
    let permissions = PERMISSIONS.map(|(name, text, roles)| Permission {
        name: name.to_owned(),
        text: text.to_owned(),
        roles: roles.to_vec(),
    });
    let page = PermissionsPage {
        shell: make.owner(Nav::Team, "/c/isfahan-ahmadi/team/permissions"),
        slug: Some(SLUG.to_owned()),
        permissions: permissions.to_vec(),
        holders: team().iter().map(holder).collect(),
    };
    let mut platform = PermissionsPage { slug: None, holders: Vec::new(), ..page.clone() };
    platform.shell = make.admin("/admin/permissions");
    platform.shell.active = Nav::Permissions;
    vec![
        Sample { name: "permissions", html: page.render() },
        Sample { name: "permissions-platform", html: platform.render() },
    ]
}

fn keys(make: &Samples) -> Vec<Sample> {
    let key = |name: &str, used: Option<i64>, ends: Option<i64>| ApiKey {
        id: "0198c0de-0000-7000-8000-000000000010".to_owned(),
        name: name.to_owned(),
        permissions: vec!["permission-ticket-read".to_owned()],
        created_at: days_ago(40),
        expires_at: ends.map(|days| NOW + Duration::days(days)),
        last_used_at: used.map(|minutes| NOW - Duration::minutes(minutes)),
        revoked: None,
        closed: false,
    };
    let closed = ApiKey { closed: true, ..key("پشتیبان‌گیری", Some(60 * 24), None) };
    let revoked = ApiKey {
        permissions: Vec::new(),
        revoked: Some((days_ago(2), Revoked::MakerLeft)),
        ..key("خروجی پیام‌ها", Some(60 * 24 * 2), None)
    };
    let page = ApiKeysPage {
        shell: make.owner(Nav::ApiKeys, "/c/isfahan-ahmadi/api-keys"),
        slug: SLUG.to_owned(),
        keys: vec![
            key("گزارش هفتگی", Some(4), Some(50)),
            key("Dashboard", None, None),
            closed,
            key("نقشهٔ درخواست‌ها", Some(60 * 24 * 12), Some(-3)),
            revoked,
        ],
        scopes: vec![Scope {
            name: "crm:ticket.read".to_owned(),
            text: "permission-ticket-read".to_owned(),
        }],
        name: String::new(),
        days: 90,
        problems: Problems::none(),
        secret: None,
        origin: "http://127.0.0.1:8080".to_owned(),
        command_id: COMMAND.to_owned(),
    };
    let made = ApiKeysPage {
        secret: Some("mk_9Zb3nW5pXhA7Qe0rLsTtVvYyCcKkMm1122334455667".to_owned()),
        ..page.clone()
    };
    let refused =
        ApiKeysPage { problems: Problems::none().and("name", Problem::Required), ..page.clone() };
    let empty = ApiKeysPage { keys: Vec::new(), ..page.clone() };
    vec![
        Sample { name: "api-keys", html: page.render() },
        Sample { name: "api-keys-made", html: made.render() },
        Sample { name: "api-keys-refused", html: refused.render() },
        Sample { name: "api-keys-empty", html: empty.render() },
    ]
}
