//! What works once works once, whichever of three gateways it is shown to. `make attack` plays a thousand rounds.

use futures::future::join_all;
use meydan_testkit::{
    authenticator,
    process::{Page, Person},
};
use time::{Duration, OffsetDateTime};

use crate::revocation::{House, PASSWORD};

const SARA: &str = "sara@meydan.example";

/// How often each is tried.
fn rounds() -> usize {
    let asked = std::env::var("ROUNDS").ok();
    asked.map_or(10, |rounds| rounds.parse().expect("ROUNDS is a number"))
}

/// Sara's authenticator, and the recovery codes that are left.
struct Factors {
    secret: String,
    codes: Vec<String>,
}

impl House {
    fn time(&self) -> OffsetDateTime {
        *self.now.lock().expect("no test panics here")
    }

    fn later(&self, by: Duration) {
        *self.now.lock().expect("no test panics here") += by;
    }

    /// A browser at each gateway.
    fn browsers(&self) -> Vec<Person> {
        let browser = |gateway| Person::visiting(&format!("http://{gateway}"));
        self.gateways.iter().map(browser).collect()
    }
}

/// Gives the password; where that leads.
async fn give_password(browser: &Person) -> Page {
    let form = browser.open("/login").await;
    browser.send(&form, "/login", &[("email", SARA), ("password", PASSWORD)]).await
}

fn codes_on(page: &Page) -> Vec<String> {
    let codes = page.html.split("<li><code>").skip(1);
    codes.filter_map(|code| Some(code.split_once('<')?.0.to_owned())).collect()
}

/// Adds an authenticator by way of the first gateway.
async fn enrol(house: &House) -> Factors {
    let sara = &house.browsers()[0];
    give_password(sara).await;
    let page = sara.open("/account/factors").await;
    let shown = sara.send(&page, "/account/factors", &[("name", "phone")]).await;
    let secret = shown.field("secret");
    let confirm = shown.html.split("action=\"").find(|form| form.contains("/confirm\""));
    let confirm = confirm.and_then(|form| form.split('"').next()).expect("it can be confirmed");
    let code = authenticator::code(&secret, house.time());
    let confirmed = sara.send(&shown, confirm, &[("code", &code)]).await;
    Factors { secret, codes: codes_on(&confirmed) }
}

/// Shows a code at all gateways at once, each after a password of its own; who is in.
async fn show(house: &House, code: &str) -> Vec<Person> {
    let mut waiting = vec![];
    for browser in house.browsers() {
        let form = give_password(&browser).await;
        assert!(form.url.contains("/login/factor"), "a password alone opens nothing: {}", form.url);
        waiting.push((browser, form));
    }
    let code = [("code", code)];
    let shown = waiting.iter().map(|(browser, form)| browser.send(form, "/login/factor", &code));
    let answers = join_all(shown).await;
    let entered = waiting.into_iter().zip(answers).filter(|(_, page)| !page.url.contains("/login"));
    entered.map(|((browser, _), _)| browser).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_last_recovery_code_every_gateway_leads_to_new_ones() {
    let house = House::open().await;
    house.team().await;
    let factors = enrol(&house).await;
    let mut last = vec![];
    for code in &factors.codes {
        house.later(Duration::minutes(1));
        last = show(&house, code).await;
    }
    let sara = last.pop().expect("the last code is right");

    for gateway in house.gateways {
        let there = sara.at(&format!("http://{gateway}"));
        let led = there.open("/c/tehran/inbox").await;
        assert!(led.url.ends_with("?notice=codes-used-up"), "{}", led.url);
    }
    let page = sara.open("/account/factors").await;
    let renewed = sara.send(&page, "/account/recovery-codes", &[]).await;
    assert_eq!(codes_on(&renewed).len(), 10);
    for gateway in house.gateways {
        sara.at(&format!("http://{gateway}")).until("/c/tehran/inbox", "list-title").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_lets_one_in_however_many_gateways_it_is_shown_to_at_once() {
    let house = House::open().await;
    house.team().await;
    let mut factors = enrol(&house).await;

    for round in 0..rounds() {
        house.later(Duration::minutes(2));
        let code = authenticator::code(&factors.secret, house.time());
        let entered = show(&house, &code).await;
        assert_eq!(entered.len(), 1, "round {round}: the code of the authenticator");
        assert!(show(&house, &code).await.is_empty(), "round {round}: it is used up");

        let code = factors.codes.pop().expect("there are codes");
        assert_eq!(show(&house, &code).await.len(), 1, "round {round}: the recovery code");
        if factors.codes.is_empty() {
            let page = entered[0].open("/account/factors").await;
            let renewed = entered[0].send(&page, "/account/recovery-codes", &[]).await;
            factors.codes = codes_on(&renewed);
        }
    }
}
