//! Tokens of sessions, as browsers hold them: each login, each proof and each change of role brings another one, and the
//! one before opens nothing at any gateway.

use std::{net::SocketAddr, time::Duration};

use meydan_rpc::pb::identity::{ChangeRoleRequest, Role};
use meydan_testkit::process::{Page, Person};
use uuid::Uuid;

use crate::revocation::{House, PASSWORD, Team, get};

const SARA: &str = "sara@meydan.example";
/// How soon gateways have to know.
const SOON: Duration = Duration::from_secs(1);

impl House {
    fn visitor(&self) -> Person {
        Person::visiting(&format!("http://{}", self.gateways[0]))
    }

    /// Waits until a token opens nothing at any gateway: a second, at most.
    async fn until_dead(&self, token: &str, what: &str) {
        let looking = async { while self.answers(token).await != [303; 3] {} };
        let dead = tokio::time::timeout(SOON, looking).await;
        dead.unwrap_or_else(|_| panic!("a second later a gateway still takes {what}"));
    }

    async fn promote(&self, team: &Team) {
        let message =
            ChangeRoleRequest { member_id: team.member_id.clone(), role: Role::Manager.into() };
        let request = self.identity.command(&team.owner, Uuid::now_v7(), message);
        self.members().change_role(request).await.expect("an owner may");
    }
}

/// The token of the session that a browser holds.
fn token(person: &Person) -> String {
    let cookies = person.cookies();
    let token = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("meydan="));
    token.expect("they are logged in").to_owned()
}

async fn log_in(person: &Person, form: &Page) -> Page {
    person.send(form, "/login", &[("email", SARA), ("password", PASSWORD)]).await
}

#[tokio::test]
async fn a_login_brings_another_token_and_ends_the_session_that_the_browser_had() {
    let house = House::open().await;
    house.team().await;
    let sara = house.visitor();
    let form = sara.open("/login").await;
    log_in(&sara, &form).await;
    let first = token(&sara);
    assert_eq!(house.answers(&first).await, [200; 3], "all believe it now");

    // In another tab the form of the login is open still, with a token of its own for what she is now.
    let page = sara.open("/c/tehran").await;
    let fields = [
        ("csrf", page.field("csrf")),
        ("email", SARA.to_owned()),
        ("password", PASSWORD.to_owned()),
    ];
    let again = sara.post("/login", &fields).await;

    assert!(again.url.ends_with("/c/tehran"), "{}", again.url);
    let second = token(&sara);
    assert_ne!(first, second);
    house.until_dead(&first, "the session before").await;
    assert_eq!(house.answers(&second).await, [200; 3]);
    let devices = sara.open("/account/sessions").await;
    assert!(devices.html.matches("<tr>").count() <= 3, "hers, and that of the link");
}

#[tokio::test]
async fn a_proof_brings_another_token() {
    let house = House::open().await;
    house.team().await;
    let sara = house.visitor();
    let form = sara.open("/login").await;
    log_in(&sara, &form).await;
    let before = token(&sara);
    assert_eq!(house.answers(&before).await, [200; 3], "all believe it now");

    let page = sara.open("/account/prove?next=/account").await;
    let proved =
        sara.send(&page, "/account/prove", &[("next", "/account"), ("secret", PASSWORD)]).await;

    assert!(proved.url.ends_with("/account"), "{}", proved.url);
    assert_ne!(token(&sara), before);
    house.until_dead(&before, "the token before the proof").await;
}

#[tokio::test]
async fn a_change_of_role_brings_another_token_with_the_next_page() {
    let house = House::open().await;
    let team = house.team().await;
    let sara = house.visitor();
    let form = sara.open("/login").await;
    log_in(&sara, &form).await;
    let before = token(&sara);

    house.promote(&team).await;
    let part = sara.open("/c/tehran/figures").await;
    assert_eq!(part.status, 200, "what is open goes on until then");
    assert_eq!(token(&sara), before);
    let renewed = async {
        loop {
            let page = sara.open("/c/tehran/team").await;
            if token(&sara) != before {
                return page;
            }
        }
    };
    let page = tokio::time::timeout(SOON, renewed).await.expect("a page brings another token");

    assert_eq!(page.status, 200);
    let after = token(&sara);
    house.until_dead(&before, "the token before the promotion").await;
    assert_eq!(house.answers(&after).await, [200; 3]);
    assert_eq!(sara.open("/c/tehran/team").await.status, 200);
    assert_eq!(token(&sara), after, "once");
    let sent = sara.send(&page, "/account/preferences", &[("locale", "en")]).await;
    assert_ne!(sent.status, 403, "forms of the page are good for the new token");
}

#[tokio::test]
async fn the_way_out_ends_the_token_and_empties_the_browser() {
    let house = House::open().await;
    house.team().await;
    let sara = house.visitor();
    let form = sara.open("/login").await;
    let home = log_in(&sara, &form).await;
    let before = token(&sara);
    assert_eq!(house.answers(&before).await, [200; 3], "all believe it now");

    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client can be made");
    let request = client.post(format!("http://{}/logout", house.gateways[0]));
    let request = request.header("Cookie", sara.cookies()).form(&[("csrf", home.field("csrf"))]);
    let out = request.send().await.expect("it is answered");

    assert_eq!(out.status(), 303);
    assert_eq!(out.headers()["clear-site-data"], r#""cache", "storage""#);
    house.until_dead(&before, "who is out").await;
}

/// The cookie of a session that an answer brings, with how the browser is told to keep it.
fn cookie<'a>(answer: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok());
    cookies.find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='))
}

/// The token of a session that an answer brings.
fn brought(answer: &reqwest::Response) -> Option<String> {
    Some(cookie(answer, "meydan")?.split(';').next()?.to_owned())
}

/// For how many seconds the browser is told to keep the token that an answer brings; `None` for until it is closed.
fn kept(answer: &reqwest::Response) -> Option<i64> {
    let age = cookie(answer, "meydan")?.split("; Max-Age=").nth(1)?;
    age.split(';').next()?.parse().ok()
}

/// Sends a form from a browser that holds one cookie, by its name.
async fn post(
    at: SocketAddr,
    path: &str,
    (name, held): (&str, &str),
    fields: &[(&str, &str)],
) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client can be made");
    let request = client.post(format!("http://{at}{path}"));
    let (request, csrf) =
        (request.header("Cookie", format!("{name}={held}")), gateway::csrf::token(held));
    let form = [fields, &[("csrf", &*csrf)]].concat();
    request.form(&form).send().await.expect("it is answered")
}

#[tokio::test]
async fn a_trusted_browser_keeps_a_token_for_what_is_left_of_the_session_and_another_until_closed()
{
    const FORTNIGHT: i64 = 14 * 24 * 60 * 60;
    let house = House::open().await;
    let team = house.team().await;
    let mut browsers = vec![];
    for (trusted, left) in [("yes", Some(FORTNIGHT)), ("", None)] {
        let fields = [("email", SARA), ("password", PASSWORD), ("trusted", trusted)];
        let entered = post(house.gateways[0], "/login", ("meydan-form", "nobody"), &fields).await;
        assert_eq!(kept(&entered), left, "after a login");
        browsers.push((brought(&entered).expect("she is logged in"), left));
    }

    *house.now.lock().expect("no test panics here") += time::Duration::hours(1);
    for (held, left) in &mut browsers {
        *left = left.map(|left| left - 60 * 60);
        let secret = [("secret", PASSWORD)];
        let proved = post(house.gateways[0], "/account/prove", ("meydan", held), &secret).await;
        assert_eq!(kept(&proved), *left, "after a proof");
        *held = brought(&proved).expect("a proof brings another token");
    }
    house.promote(&team).await;
    for (held, left) in &mut browsers {
        let page = get(house.gateways[1], "/c/tehran/team", held).await;
        assert_eq!(kept(&page), *left, "after a change of role");
        *held = brought(&page).expect("a new role brings another token");
    }

    let (held, _) = browsers.swap_remove(0);
    let path = format!("/account/sessions/{}/distrust", house.held(&held).await.session_id);
    let rested = post(house.gateways[1], &path, ("meydan", &held), &[]).await;
    assert_eq!(kept(&rested), None, "once it is trusted no longer");
    assert_eq!(brought(&rested), Some(held), "it is the same session");
}

#[tokio::test]
async fn the_cookie_of_a_session_is_the_hosts_alone_and_no_scripts() {
    let house = House::open_with(|setup| setup.secure = true).await;
    house.team().await;
    let fields = [("email", SARA), ("password", PASSWORD)];

    let entered =
        post(house.gateways[0], "/login", ("__Host-meydan-form", "nobody"), &fields).await;

    let session = cookie(&entered, "__Host-meydan").expect("she is logged in");
    let mut said = session.split("; ").collect::<Vec<_>>();
    assert_eq!(said.remove(0).len(), 43, "256 bits");
    said.sort_unstable();
    assert_eq!(said, ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]);
}

#[tokio::test]
async fn what_is_exchanged_within_an_open_page_leaves_it_its_token() {
    let house = House::open().await;
    let team = house.team().await;
    let session = house.log_in().await;
    house.promote(&team).await;

    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    let part = client.get(format!("http://{}/c/tehran/inbox", house.gateways[0]));
    let part = part.header("HX-Request", "true").header("Cookie", format!("meydan={session}"));
    let part = part.send().await.expect("it is answered");

    assert_eq!((part.status().as_u16(), brought(&part)), (200, None));
    let page = get(house.gateways[0], "/c/tehran/inbox", &session).await;
    assert_eq!(page.status(), 200);
    assert!(brought(&page).is_some(), "the next whole page brings another one");
}

#[tokio::test]
async fn of_two_pages_opened_at_once_the_slower_is_opened_anew_with_the_token_of_the_other() {
    let mut house = House::open().await;
    let team = house.team().await;
    // Nobody tells the gateways anything: each goes by what it has heard itself.
    house.nats.kill().await;
    let before = house.log_in().await;
    house.promote(&team).await;
    let (one, other) = (house.gateways[0], house.gateways[1]);
    assert_eq!(get(other, "/c/tehran/inbox/list", &before).await.status(), 200);

    let quick = get(one, "/c/tehran/team?at=0", &before).await;
    let after = brought(&quick).expect("it is another one");
    let slow = get(other, "/c/tehran/team?at=0", &before).await;

    assert_eq!(slow.status(), 303, "no page with forms for a token that is dead");
    assert_eq!(slow.headers()["location"], "/c/tehran/team?at=0");
    assert_eq!(get(other, "/c/tehran/team?at=0", &after).await.status(), 200);
    let led = get(other, "/c/tehran/team?at=0", &before).await;
    let to = led.headers()["location"].to_str().expect("an address");
    assert!(to.starts_with("/login?next="), "not in a circle: {to}");
}

#[tokio::test]
async fn a_page_that_is_none_brings_the_other_token_as_well() {
    let house = House::open().await;
    let team = house.team().await;
    let before = house.log_in().await;
    house.promote(&team).await;

    let refused = get(house.gateways[0], "/c/tehran/team?at=x", &before).await;

    assert_eq!(refused.status(), 400);
    let after = brought(&refused).expect("whoever loses it is logged out");
    assert_eq!(get(house.gateways[0], "/c/tehran/team", &after).await.status(), 200);
    let page = refused.text().await.expect("it arrives");
    let token = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let token = token.expect("one may choose another language there");
    assert!(gateway::csrf::is_genuine(&after, token), "its form is good for the new token");
}
