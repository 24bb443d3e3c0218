//! Every address of the panel, asked in every wrong way: without a session, with a form that is not the visitor's own or
//! comes from another site, with too large a body, with another method, and for what is somebody else's. Each is answered
//! as it has to be, and nothing is written.

use std::{collections::BTreeMap, time::Duration};

use gateway::{
    access::{Need, Route},
    limits::RateClass,
    routes::table,
};
use meydan_testkit::process::Person;
use reqwest::{Client, Method, RequestBuilder, redirect};
use uuid::Uuid;

use crate::tenants::Ground;

/// What is wrong with a request that comes from whoever may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Unsigned,
    AnothersToken,
    Origin,
    OpaqueOrigin,
    CrossSite,
    SameSite,
    TooLarge,
    Method,
}

impl Wrong {
    const ALL: [Self; 8] = [
        Self::Unsigned,
        Self::AnothersToken,
        Self::Origin,
        Self::OpaqueOrigin,
        Self::CrossSite,
        Self::SameSite,
        Self::TooLarge,
        Self::Method,
    ];

    /// The requests of a route that are wrong like this, with the status that each has to get. Pages are asked with
    /// another method alone: nothing is sent to them.
    fn requests(self, visitor: &Visitor, route: &Route) -> Vec<(RequestBuilder, u16)> {
        let sends = route.method == Method::POST;
        let form = [("csrf", visitor.csrf.as_str()), ("text", "x"), ("email", "x@meydan.example")];
        let post = || visitor.ask(Method::POST, route).form(&form);
        match self {
            Self::Method => {
                // Nobody learns of methods before they have shown a key.
                let keyed = matches!(route.access.need, Need::ApiKey(_));
                let status = if keyed { 401 } else { 405 };
                let methods = [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS];
                methods.map(|method| (visitor.ask(method, route).form(&form), status)).into()
            }
            _ if !sends => vec![],
            Self::Unsigned => {
                let unsigned = visitor.ask(Method::POST, route).form(&form[1..]);
                vec![(unsigned, 403), (visitor.ask(Method::POST, route), 403)]
            }
            Self::AnothersToken => {
                let token = gateway::csrf::token("somebody else");
                vec![(visitor.ask(Method::POST, route).form(&[("csrf", token)]), 403)]
            }
            Self::Origin => vec![(post().header("Origin", "https://evil.example"), 403)],
            Self::OpaqueOrigin => vec![(post().header("Origin", "null"), 403)],
            Self::CrossSite => vec![(post().header("Sec-Fetch-Site", "cross-site"), 403)],
            Self::SameSite => vec![(post().header("Sec-Fetch-Site", "same-site"), 403)],
            Self::TooLarge => {
                let large = [("csrf", visitor.csrf.clone()), ("text", "x".repeat(263_000))];
                vec![(visitor.ask(Method::POST, route).form(&large), 413)]
            }
        }
    }
}

/// Somebody with a session, and a token for their forms.
struct Visitor {
    client: Client,
    url: String,
    cookies: String,
    csrf: String,
    things: BTreeMap<&'static str, String>,
}

impl Visitor {
    async fn of(ground: &Ground, person: &Person) -> Self {
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build();
        let csrf = person.open("/account").await.field("csrf");
        Self {
            client: client.expect("a client can be made"),
            url: ground.office.meydan.url.clone(),
            cookies: person.cookies(),
            csrf,
            things: ground.things().await,
        }
    }

    /// An address with things that are there.
    fn address(&self, route: &Route) -> String {
        let mut path = route.path.to_owned();
        for (name, thing) in &self.things {
            path = path.replace(name, thing);
        }
        assert!(!path.contains('{'), "{path} has no thing here");
        format!("{}{path}", self.url)
    }

    fn ask(&self, method: Method, route: &Route) -> RequestBuilder {
        self.client.request(method, self.address(route)).header("Cookie", &self.cookies)
    }
}

impl Ground {
    /// What addresses name: of the first campaign, and of its owner.
    async fn things(&self) -> BTreeMap<&'static str, String> {
        let of_campaign = |name| self.foreign.address(name, "tehran");
        let mut things = BTreeMap::from(
            ["{slug}", "{number}", "{member}", "{message}", "{key}"]
                .map(|name| (name, of_campaign(name))),
        );
        let [factor, _, account] = self.ids_of_the_owner().await;
        things.insert("{id}", factor);
        things.insert("{account}", account);
        things.insert("{token}", "x".repeat(43));
        things
    }

    /// A factor, a session, and the account of the first campaign's owner.
    async fn ids_of_the_owner(&self) -> [String; 3] {
        let account = "SELECT m.account_id FROM members m JOIN campaigns c USING (campaign_id)
                       WHERE c.slug = 'tehran' AND m.role = 'owner'";
        let find = async |query: String| -> String {
            let id = sqlx::query_scalar::<_, Uuid>(sqlx::AssertSqlSafe(query))
                .fetch_one(&self.logs[identity::NAME])
                .await;
            id.expect("it is there").to_string()
        };
        [
            find(format!("SELECT factor_id FROM factors WHERE account_id = ({account})")).await,
            find(format!("SELECT session_id FROM sessions WHERE account_id = ({account})")).await,
            find(account.to_owned()).await,
        ]
    }

    /// How much is written: facts of each context, and the rows of identity that are none.
    async fn written(&self) -> (BTreeMap<&'static str, i64>, BTreeMap<&'static str, i64>) {
        let mut rows = BTreeMap::new();
        for table in [
            "sessions",
            "credentials",
            "invitations",
            "letters",
            "factors",
            "recovery_codes",
            "devices",
            "proofs",
            "recoveries",
            "login_challenges",
            "api_key_secrets",
        ] {
            let query = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            let count = sqlx::query_scalar(query).fetch_one(&self.logs[identity::NAME]).await;
            rows.insert(table, count.expect("it answers"));
        }
        (self.facts().await, rows)
    }

    async fn enrolled() -> Self {
        let ground = Self::prepare().await;
        ground.office.owner.enrol().await;
        ground
    }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.expect("it is answered").status().as_u16()
}

#[tokio::test]
async fn every_address_refuses_what_is_not_its_visitors_own_and_writes_nothing() {
    let ground = Ground::enrolled().await;
    let owner = Visitor::of(&ground, &ground.office.owner).await;
    let admin = Visitor::of(&ground, &ground.office.admin).await;
    let before = ground.written().await;

    for route in table().iter().filter(|route| route.access.rate != RateClass::Free) {
        let visitor = if route.access.need == Need::Admin { &admin } else { &owner };
        for wrong in Wrong::ALL {
            for (request, expected) in wrong.requests(visitor, route) {
                let answered = status(request).await;
                assert_eq!(answered, expected, "{wrong:?}: {} {}", route.method, route.path);
            }
        }
    }

    assert_eq!(ground.written().await, before, "something was written");
    assert_eq!(ground.office.owner.open("/c/tehran").await.status, 200, "they are still in");
}

#[tokio::test]
async fn every_address_that_asks_for_a_session_leads_whoever_has_none_to_the_login() {
    let ground = Ground::enrolled().await;
    let mut nobody = Visitor::of(&ground, &ground.office.owner).await;
    let before = ground.written().await;

    for cookies in ["", "meydan=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        cookies.clone_into(&mut nobody.cookies);
        nobody.csrf = gateway::csrf::token(cookies.trim_start_matches("meydan="));
        for route in table() {
            let expected = match route.access.need {
                Need::Nobody => continue,
                Need::ApiKey(_) => 401,
                _ if route.access.rate == RateClass::Live => 401,
                Need::Session | Need::Admin | Need::Permission(_) => 303,
            };
            let form = [("csrf", nobody.csrf.as_str())];
            let asked = nobody.ask(route.method.clone(), &route);
            let asked = if route.method == Method::POST { asked.form(&form) } else { asked };
            let answer = asked.send().await.expect("it is answered");
            let here = format!("{} {} {cookies}", route.method, route.path);
            assert_eq!(answer.status().as_u16(), expected, "{here}");
            if expected == 303 {
                let to = answer.headers()["location"].to_str().expect("an address");
                assert!(to.starts_with("/login?next="), "{here}: {to}");
            }
        }
    }

    assert_eq!(ground.written().await, before, "something was written");
}

#[tokio::test]
async fn factors_devices_and_links_of_somebody_else_are_not_found() {
    let ground = Ground::enrolled().await;
    let owner = &ground.office.owner;
    let page = owner.open("/account").await;
    owner.send(&page, "/account/email/send", &[]).await;
    let letters = ground.office.ground.data().join("letters.txt");
    let mailed = async {
        loop {
            let said = tokio::fs::read_to_string(&letters).await.unwrap_or_default();
            if let Some(link) = said.split("/account/email/").nth(1) {
                return link.chars().take(43).collect::<String>();
            }
            tokio::task::yield_now().await;
        }
    };
    let mailed = tokio::time::timeout(Duration::from_secs(20), mailed).await.expect("a letter");
    let [factor, session, _] = ground.ids_of_the_owner().await;
    let stranger = Visitor::of(&ground, &ground.stranger).await;
    let before = ground.written().await;

    let mut tried = 0;
    for route in table().iter().filter(|route| route.access.need == Need::Session) {
        let (name, thing) = match route.path {
            path if path.starts_with("/account/factors/") => ("{id}", &factor),
            path if path.starts_with("/account/sessions/") => ("{id}", &session),
            path if path.starts_with("/account/email/") => ("{token}", &mailed),
            _ => continue,
        };
        // Opening a link says nothing and uses nothing up; and what has no thing in it names nobody's.
        if route.method == Method::GET || !route.path.contains(name) {
            continue;
        }
        tried += 1;
        let url = format!("{}{}", stranger.url, route.path.replace(name, thing));
        let form = [("csrf", stranger.csrf.as_str()), ("name", "x"), ("code", "123456")];
        let asked = stranger.client.post(url).header("Cookie", &stranger.cookies).form(&form);
        assert_eq!(status(asked).await, 404, "{}", route.path);
    }

    assert_eq!(tried, 6, "confirm, rename and remove; end and distrust; the mailed link");
    assert_eq!(ground.written().await, before, "something was written");
    let link = format!("/account/email/{mailed}");
    let page = owner.open(&link).await;
    let proved = owner.send(&page, &link, &[]).await;
    assert!(
        proved.url.contains("/account?notice="),
        "the link is good for its own: {}",
        proved.url
    );
}
