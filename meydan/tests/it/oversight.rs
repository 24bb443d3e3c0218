//! What owners and admins decide counts at every door at once: two gateways before one identity.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use meydan_rpc::{
    caller::{Caller, Who},
    pb::identity::{
        AcceptInvitationRequest, BeginFactorRequest, ChangeAccountRequest, ConfirmFactorRequest,
        DemandFactorRequest, ImpersonateRequest, InviteFirstAdminRequest,
        accounts_client::AccountsClient, oversight_client::OversightClient,
    },
};
use meydan_testkit::authenticator;
use reqwest::StatusCode;
use uuid::Uuid;

use crate::{
    office::{Office, PASSWORD, Reach, telegram},
    revocation::{House, get},
};

/// Where staff works, in the test of that.
const OFFICE: &str = "203.0.113.7";

impl House {
    fn accounts(&self) -> AccountsClient<tonic::transport::Channel> {
        AccountsClient::new(self.identity.channel())
    }

    fn oversight(&self) -> OversightClient<tonic::transport::Channel> {
        OversightClient::new(self.identity.channel())
    }

    /// Adds a second factor to the account of a caller; the session's new token.
    async fn enrol(&self, holder: &Caller) -> String {
        let begin = BeginFactorRequest { name: "phone".to_owned() };
        let begun = self.accounts().begin_factor(self.identity.ask(holder, begin)).await;
        let begun = begun.expect("they may").into_inner();
        let now = *self.now.lock().expect("no test panics here");
        let code = authenticator::code(&begun.secret, now);
        let confirm = ConfirmFactorRequest { factor_id: begun.factor_id, code };
        let confirmed = self.accounts().confirm_factor(self.identity.ask(holder, confirm)).await;
        confirmed.expect("the code is right").into_inner().session_token
    }

    /// An admin with a second factor, and their session's token.
    pub(crate) async fn staff(&self) -> (Caller, String) {
        let meydan = Caller::service("meydan", None);
        let request = self.identity.command(&meydan, Uuid::now_v7(), InviteFirstAdminRequest {});
        let link = self.sessions().invite_first_admin(request).await.expect("there is none yet");
        let message = AcceptInvitationRequest {
            token: link.into_inner().token,
            email: "admin@meydan.example".to_owned(),
            display_name: "مدیر".to_owned(),
            password: PASSWORD.to_owned(),
            ..AcceptInvitationRequest::default()
        };
        let request = self.identity.ask(&Caller::service("gateway", None), message);
        let accepted = self.sessions().accept_invitation(request).await.expect("the link is good");
        let held = self.held(&accepted.into_inner().session_token).await;
        let who = Who::Account {
            id: held.account_id.parse().expect("an id"),
            session: held.session_id.parse().expect("an id"),
            admin: true,
        };
        let admin = Caller { who, fresh_until: Some(i64::MAX), ..Caller::service("", None) };
        let session = self.enrol(&admin).await;
        (admin, session)
    }

    /// Waits until both gateways answer so, and says how long that took.
    async fn until(&self, (path, session): (&str, &str), expected: [u16; 3]) -> Duration {
        let began = Instant::now();
        loop {
            let mut answers = [0; 3];
            for (answer, gateway) in answers.iter_mut().zip(self.gateways) {
                *answer = get(gateway, path, session).await.status().as_u16();
            }
            if answers == expected {
                return began.elapsed();
            }
            assert!(began.elapsed() < Duration::from_secs(4), "{path}: {answers:?}");
        }
    }
}

/// Sends a form with this token.
async fn post(gateway: SocketAddr, path: &str, session: &str, csrf: &str) -> StatusCode {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client can be made");
    let request = client.post(format!("http://{gateway}{path}"));
    let request = request.header("Cookie", format!("meydan={session}")).form(&[("csrf", csrf)]);
    request.send().await.expect("it is answered").status()
}

fn field(html: &str) -> String {
    let found = html.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    found.expect("the page has a form").to_owned()
}

fn soon(took: Duration) {
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_second_factor_that_is_demanded_closes_every_gateway_to_who_has_none_within_a_second() {
    let house = House::open().await;
    let team = house.team().await;
    house.enrol(&team.owner).await;
    let sara = house.log_in().await;
    assert_eq!(house.answers(&sara).await, [200; 3], "both believe the session now");
    let mut stream = get(house.gateways[0], "/c/tehran/live", &sara).await;
    stream.chunk().await.expect("it is read").expect("it begins");

    let demand = |demanded| {
        let message = DemandFactorRequest { demanded };
        house.identity.command(&team.owner, Uuid::now_v7(), message)
    };
    house.members().demand_factor(demand(true)).await.expect("an owner may");

    soon(house.until(("/c/tehran/team/permissions", &sara), [303; 3]).await);
    while let Ok(Some(_)) = stream.chunk().await {}
    for gateway in house.gateways {
        let led = get(gateway, "/c/tehran/inbox", &sara).await;
        let to = led.headers()["location"].to_str().expect("an address").to_owned();
        assert_eq!(to, "/account/factors?notice=factor-demanded");
        let part = get(gateway, "/c/tehran/live", &sara).await.status();
        assert_eq!(part, StatusCode::UNAUTHORIZED, "a part of a page leads nowhere");
        assert_eq!(get(gateway, "/account/factors", &sara).await.status(), StatusCode::OK);
    }
    house.members().demand_factor(demand(false)).await.expect("an owner may");
    soon(house.until(("/c/tehran/team/permissions", &sara), [200; 3]).await);
}

#[tokio::test]
async fn a_suspended_account_is_out_of_every_gateway_within_a_second() {
    let house = House::open().await;
    house.team().await;
    let (admin, _) = house.staff().await;
    let sara = house.log_in().await;
    assert_eq!(house.answers(&sara).await, [200; 3], "both believe the session now");
    let account_id = house.held(&sara).await.account_id;
    let mut stream = get(house.gateways[1], "/c/tehran/live", &sara).await;
    stream.chunk().await.expect("it is read").expect("it begins");

    let message = ChangeAccountRequest { account_id };
    let request = house.identity.command(&admin, Uuid::now_v7(), message);
    house.oversight().suspend_account(request).await.expect("an admin may");

    soon(house.until(("/c/tehran/team/permissions", &sara), [303; 3]).await);
    while let Ok(Some(_)) = stream.chunk().await {}
}

#[tokio::test]
async fn an_admin_who_looks_as_a_member_reads_at_every_gateway_and_changes_nothing_at_any() {
    let house = House::open().await;
    let team = house.team().await;
    let (admin, session) = house.staff().await;
    let sara = house.log_in().await;
    let held = house.held(&sara).await;
    assert_eq!(house.answers(&session).await, [404; 3], "an admin is no member");

    let message = ImpersonateRequest {
        account_id: held.account_id,
        campaign_id: held.memberships[0].campaign_id.clone(),
        reason: "She asked what the inbox shows her.".to_owned(),
    };
    let request = house.identity.command(&admin, Uuid::now_v7(), message);
    house.oversight().impersonate(request).await.expect("an admin may");

    soon(house.until(("/c/tehran/team", &session), [200; 3]).await);
    let page = get(house.gateways[0], "/c/tehran/team", &session).await.text().await;
    let page = page.expect("it is read");
    assert!(page.contains("action=\"/impersonation/end\"") && page.contains("Sara"), "{page}");
    let csrf = field(&page);
    for gateway in house.gateways {
        for (path, expected) in [
            ("/c/tehran/inbox", 200),
            ("/", 303),
            ("/account", 403),
            ("/account/factors", 403),
            ("/account/sessions", 403),
            ("/c/tehran/api-keys", 403),
            ("/c/tehran/audit/export.csv", 403),
            ("/admin/accounts", 404),
            ("/admin/audit", 404),
            ("/nowhere", 404),
        ] {
            let answered = get(gateway, path, &session).await;
            assert_eq!(answered.status().as_u16(), expected, "{path}");
            if matches!(expected, 403 | 404) {
                let page = answered.text().await.expect("it is read");
                assert!(page.contains("action=\"/impersonation/end\""), "{path}: {page}");
            }
        }
        let member = format!("/c/tehran/team/{}/deactivate", team.member_id);
        for path in [
            "/c/tehran/team/invite",
            &member,
            "/c/tehran/team/leave",
            "/account/password",
            "/c/tehran/inbox/1001/reply",
            "/admin/campaigns",
            "/preferences",
        ] {
            let refused = post(gateway, path, &session, &csrf).await.as_u16();
            assert!(matches!(refused, 403 | 404), "{path}: {refused}");
        }
    }
    assert!(house.held(&sara).await.memberships[0].permissions.len() > 1, "nothing was changed");

    house.set_active(&team, false).await;
    soon(house.until(("/c/tehran/team", &session), [404; 3]).await);
    assert_eq!(house.until(("/admin/permissions", &session), [200; 3]).await.as_secs(), 0);
}

#[tokio::test]
async fn outside_the_networks_of_staff_there_are_no_admin_pages_and_an_admins_session_is_nobodys() {
    let house = House::open_with(|setup| {
        setup.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
        setup.admin_networks = vec!["203.0.113.0/24".parse().expect("a network")];
    })
    .await;
    house.team().await;
    let (_, session) = house.staff().await;
    let sara = house.log_in().await;
    let ask = async |path: &str, session: &str, forwarded: &str| {
        let client = reqwest::Client::builder().no_proxy();
        let client = client.redirect(reqwest::redirect::Policy::none()).build();
        let request = client.expect("a client").get(format!("http://{}{path}", house.gateways[0]));
        let request = request.header("Cookie", format!("meydan={session}"));
        let sent = request.header("X-Forwarded-For", forwarded).send().await;
        sent.expect("it is answered").status().as_u16()
    };

    assert_eq!(ask("/admin/permissions", &session, OFFICE).await, 200);
    assert_eq!(ask("/account/sessions", &session, OFFICE).await, 200);
    // The last proxy's word counts; whatever stands left of it was invented by who asks.
    for outside in ["198.51.100.1", "203.0.113.7, 198.51.100.1", "", "nonsense"] {
        for path in ["/admin/permissions", "/admin", "/account/sessions", "/"] {
            assert_eq!(ask(path, &session, outside).await, 404, "{path} from {outside:?}");
        }
        assert_eq!(ask("/admin/permissions", "", outside).await, 404, "nobody learns of them");
        assert_eq!(ask("/c/tehran/team", &sara, outside).await, 200, "members work everywhere");
    }
    assert_eq!(ask("/admin/permissions", "", OFFICE).await, 303, "inside there is a login");
    assert_eq!(ask("/admin/permissions", &sara, OFFICE).await, 404);
}

/// What stands between two pieces of a page.
fn between<'a>(html: &'a str, before: &str, after: &str) -> &'a str {
    let found = html.split(before).nth(1).and_then(|rest| rest.split(after).next());
    found.unwrap_or_else(|| panic!("the page has no {before}"))
}

#[tokio::test]
async fn an_admin_finds_an_owner_looks_as_them_and_suspends_them_in_the_panel() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let (admin, owner) = (&office.admin, &office.owner);
    let found = admin.open("/admin/accounts?email=tehran%40meydan.example").await;
    let id = between(&found.html, "row-link\" href=\"/admin/accounts/", "\"").to_owned();
    let path = format!("/admin/accounts/{id}");
    let page = admin.open(&path).await;
    assert!(page.says("نرگس زاینده"), "{}", page.html);
    let campaign = between(&page.html, "name=\"campaign_id\"><option value=\"", "\"").to_owned();
    let look = async |reason: &str| {
        let fields = [("campaign_id", campaign.as_str()), ("reason", reason)];
        admin.send(&page, &format!("{path}/impersonate"), &fields).await
    };

    assert_eq!(look("کوتاه").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let home = look("مدیر ستاد پرسیده است چرا صندوق خالی است.").await;
    assert!(home.url.ends_with("/c/tehran"), "{} {}", home.url, home.html);
    assert_eq!(admin.open("/c/tehran/inbox").await.status, StatusCode::OK);
    let nothing = admin.open("/c/tehran/inbox/999999").await;
    assert!(nothing.html.contains("action=\"/impersonation/end\""), "{}", nothing.html);
    let end = admin.send(&home, "/impersonation/end", &[]).await;
    assert!(end.url.contains(&path), "{}", end.url);
    let history = owner.open("/account/history").await;
    assert!(history.says("نگاه مدیر سامانه"), "the owner sees it");
    assert!(history.says("بازکردن صفحه هنگام نگاه") && history.says("صندوق پیام‌ها"));
    let opened = "/c/tehran/audit?action=member.looked_at";
    let opened = owner.until(opened, "<small>صندوق پیام‌ها</small>").await;
    assert!(opened.says("از حساب ") && opened.says("نرگس زاینده"), "{}", opened.html);
    let csv = owner.open("/c/tehran/audit/export.csv?action=member.looked_at").await.html;
    assert!(csv.contains("\"on_behalf_of\",\"address\"\r\n"), "{csv}");
    let row = csv.lines().find(|row| row.contains("inbox")).expect("the page is there");
    assert!(row.ends_with(&format!("\"{id}\",\"\"")) && row.contains("از حساب"), "{row}");
    assert!(!csv.contains("inbox.number"), "what was refused was not seen: {csv}");
    owner.until("/c/tehran/audit", "نگاه مدیر سامانه از حساب این عضو</span>").await;

    let suspended = admin.send(&end, &format!("{path}/suspend"), &[]).await;
    assert!(suspended.says("تعلیق‌شده"), "{}", suspended.html);
    let out = owner.open("/c/tehran/inbox").await;
    assert!(out.url.contains("/login"), "{}", out.url);
    admin.until("/admin/security?action=account.suspended", &format!("href=\"{path}\"")).await;
    let own = admin.open("/admin/accounts?email=admin%40meydan.example").await;
    let own = between(&own.html, "row-link\" href=\"/admin/accounts/", "\"").to_owned();
    let refused = [("csrf", suspended.field("csrf"))];
    let refused = admin.post(&format!("/admin/accounts/{own}/suspend"), &refused).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "nobody suspends themselves");
    let unknown = admin.open("/admin/security?action=ticket.opened").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "it shows nothing of citizens");
}
