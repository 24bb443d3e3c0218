//! What works once works once, whichever of three gateways it is shown to. `make attack` plays a thousand rounds.

mod gateways;
mod links;
mod people;
mod post;
mod sessions;

use futures::future::join_all;
use gateway::limits::Rates;
use meydan_testkit::{
    authenticator,
    process::{Page, Person},
};
use sqlx::{Connection, PgConnection};
use time::{Duration, OffsetDateTime};

use crate::revocation::{House, LETTERS, PASSWORD};

const SARA: &str = "sara@meydan.example";

/// How often each is tried.
fn rounds() -> usize {
    let asked = std::env::var("ROUNDS").ok();
    asked.map_or(10, |rounds| rounds.parse().expect("ROUNDS is a number"))
}

/// A thousand rounds within a few minutes of the clock are no flood here.
const RATES: Rates = Rates { panel: 1_000_000, login: 1_000_000, live: 10_000 };

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

    /// What letters say beyond the first `read` bytes of them, once that holds `mark`.
    async fn letters_after(&self, read: usize, mark: &str) -> String {
        let path = self.folder.path().join(LETTERS);
        let found = async {
            let mut looks = tokio::time::interval(std::time::Duration::from_millis(5));
            loop {
                looks.tick().await;
                let letters = std::fs::read_to_string(&path).unwrap_or_default();
                // The last line of a letter may not be there yet.
                if let Some((_, rest)) = letters[read..].split_once(mark)
                    && rest.contains('\n')
                {
                    return rest.to_owned();
                }
            }
        };
        let limit = std::time::Duration::from_secs(30);
        tokio::time::timeout(limit, found).await.expect("the letter comes in the end")
    }

    /// How long the letters are.
    fn letters(&self) -> usize {
        std::fs::read(self.folder.path().join(LETTERS)).map_or(0, |letters| letters.len())
    }

    /// Forgets wrong codes, as a new password would: those that come too late count as such.
    async fn forget_guesses(&self) {
        let mut tables = PgConnection::connect(&self.database_url).await.expect("they are there");
        let forgotten = sqlx::query("DELETE FROM login_tries").execute(&mut tables).await;
        forgotten.expect("their owner may");
    }

    /// A browser at each gateway.
    fn browsers(&self) -> Vec<Person> {
        let browser = |gateway| Person::visiting(&format!("http://{gateway}"));
        self.gateways.iter().map(browser).collect()
    }
}

/// Sends a form at all gateways at once, with what each of them is to be told; where each led.
async fn send_all(
    open: &[(Person, Page)],
    action: &str,
    fields: impl Fn(usize) -> Vec<(&'static str, String)>,
) -> Vec<Page> {
    let sent = open.iter().enumerate().map(|(number, (browser, page))| {
        let fields = fields(number);
        async move {
            let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
            browser.send(page, action, &fields.collect::<Vec<_>>()).await
        }
    });
    join_all(sent).await
}

/// Opens a page at each gateway, each in a browser of its own.
async fn open_all(house: &House, path: &str) -> Vec<(Person, Page)> {
    let opened = house.browsers().into_iter().map(|browser| async {
        let page = browser.open(path).await;
        (browser, page)
    });
    join_all(opened).await
}

/// How many are among these.
fn count(pages: &[Page], good: impl Fn(&Page) -> bool) -> usize {
    pages.iter().filter(|page| good(page)).count()
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
        house.forget_guesses().await;
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
