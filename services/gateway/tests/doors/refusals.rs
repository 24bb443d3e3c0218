//! Refusals: in words of ours, in both languages, with the headers of every page, and with when to come again.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use gateway::{
    access::{Need, Route},
    csrf,
    limits::{RateClass, Rates},
    routes::table,
};
use meydan_rpc::{caller::Assertions, client::Dial};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap, redirect};
use tokio::net::TcpListener;

use crate::Gate;

pub(crate) const PLENTY: Rates = Rates { panel: 100_000, login: 100_000, live: 100_000 };

pub(crate) fn client() -> Client {
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none());
    client.build().expect("a client can be made")
}

/// An answer that has arrived whole: one of which the rest is left on the way keeps its connection, of which a gateway
/// has only so many.
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    page: String,
}

impl Answer {
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let answer = request.send().await.expect("it is answered");
        let (status, headers) = (answer.status(), answer.headers().clone());
        Self { status, headers, page: answer.text().await.expect("it arrives") }
    }

    pub(crate) fn said(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Asks for a route as somebody whose session nobody can look for, with a form of their own.
pub(crate) async fn ask(client: &Client, gate: &Gate, route: &Route) -> Answer {
    let path = route.path.replace("{hook_id}", &"0".repeat(32)).replace(['{', '}', '*'], "");
    let asked = client.request(route.method.clone(), format!("http://{}{path}", gate.address));
    let asked = asked.header("Cookie", "meydan=nobody").header("Authorization", "Bearer mk_x");
    let asked = if route.method == Method::POST {
        asked.form(&[("csrf", csrf::token("nobody"))])
    } else {
        asked
    };
    Answer::to(asked).await
}

/// Whether an answer says when to come again, if it asks for that.
fn assert_again(answer: &Answer, route: &Route) {
    if matches!(answer.status.as_u16(), 429 | 503) {
        let again: u32 = answer.said("retry-after").parse().unwrap_or_default();
        assert!((1..=3600).contains(&again), "{} {}", route.method, route.path);
    }
}

#[tokio::test]
async fn whoever_is_told_to_wait_is_told_for_how_long_at_every_address() {
    let away = |setup: &mut gateway::Setup| {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        setup.bot_hub = Dial::new("bot-hub", nowhere, Assertions::generate());
        setup.rates = PLENTY;
    };
    let (without, closed) = (
        Gate::open(away).await,
        Gate::open(|setup| setup.rates = Rates { panel: 0, login: 0, live: 0 }).await,
    );

    let (client, mut unavailable) = (client(), vec![]);
    for route in table() {
        let answer = ask(&client, &without, &route).await;
        assert_again(&answer, &route);
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            unavailable.push(route.path);
        }
        let answer = ask(&client, &closed, &route).await;
        assert_again(&answer, &route);
        let counted = route.access.rate != RateClass::Free || route.path.starts_with("/telegram");
        let refused = answer.status == StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(refused, counted, "{} {}: {}", route.method, route.path, answer.status);
    }

    let alone = |route: &Route| matches!(route.access.need, Need::Nobody);
    for route in table().iter().filter(|route| !alone(route)) {
        assert!(unavailable.contains(&route.path), "{} is answered without identity", route.path);
    }
    for path in ["/telegram/{hook_id}", "/healthz", "/login", "/logout", "/recover"] {
        assert!(unavailable.contains(&path), "{path}");
    }
}

#[tokio::test]
async fn whoever_tries_too_often_reads_for_how_long_they_wait_and_is_led_on_to_where_they_went() {
    let gate = Gate::open(|setup| setup.rates.login = 0).await;
    let client = client();
    let inbox = "/c/tehran/inbox?status=new";
    for (path, next, back) in [
        ("/login", inbox, "/login?next=%2Fc%2Ftehran%2Finbox%3Fstatus%3Dnew"),
        ("/login", "https://evil.example/", "/login"),
        ("/login/factor", "", "/login/factor"),
        ("/account/email/abc", "/account", "/account/email/abc?next=%2Faccount"),
        ("/account/password", inbox, "/account"),
    ] {
        let asked = client.post(format!("http://{}{path}", gate.address));
        let asked = asked.header("Accept-Language", "en-GB,en;q=0.7");
        let form = [("email", "sara@meydan.example"), ("password", "hers"), ("next", next)];

        let answer = Answer::to(asked.form(&form)).await;

        assert_eq!((answer.status.as_u16(), answer.said("retry-after")), (429, "60"));
        let page = answer.page.replace(['\u{2068}', '\u{2069}'], "");
        assert!(page.contains("Wait 60 seconds"), "{page}");
        assert!(page.contains(&format!("href=\"{back}\"")), "{path}: {page}");
        assert!(!page.contains("evil") && !page.contains("hers\""), "{page}");
    }
}

#[tokio::test]
async fn a_service_that_is_called_and_says_nothing_is_away_and_nobody_waits_for_it_for_long() {
    // Whoever calls is connected, and hears nothing.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let address = silent.local_addr().expect("it has an address");
    let gate = Gate::open(|setup| {
        setup.identity = Dial::new("identity", address, Assertions::generate());
        setup.rates = PLENTY;
    })
    .await;
    let (client, url) = (client(), format!("http://{}", gate.address));
    let page = client.get(format!("{url}/account")).header("Cookie", "meydan=nobody");
    let csrf = csrf::token("nobody");
    let fields = [("csrf", &*csrf), ("email", "sara@meydan.example"), ("password", "hers")];
    let login = client.post(format!("{url}/login")).header("Cookie", "meydan-form=nobody");

    let began = Instant::now();
    let answers = tokio::join!(Answer::to(page), Answer::to(login.form(&fields)));
    let took = began.elapsed();

    for answer in [answers.0, answers.1] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.said("retry-after"), "2");
    }
    assert!(took < Duration::from_secs(6), "{took:?}");
}

/// What is wrong with a request, as whom it is asked, and how it has to be answered.
type Wrong = (&'static str, fn(Client, String) -> RequestBuilder, u16, [&'static str; 2]);

const WRONG: [Wrong; 8] = [
    (
        "an address that is none",
        |client, url| client.get(format!("{url}/nothing/here")),
        404,
        ["چنین صفحه‌ای نیست", "There is no such page"],
    ),
    (
        "a style that is none",
        |client, url| client.get(format!("{url}/static/nothing.css")),
        404,
        ["چنین صفحه‌ای نیست", "There is no such page"],
    ),
    (
        "another method",
        |client, url| client.delete(format!("{url}/login")),
        405,
        ["این کار این‌جا شدنی نیست", "This does not work here"],
    ),
    (
        "what is said twice",
        |client, url| client.get(format!("{url}/login?next=a&next=b")),
        400,
        ["درخواست خوانده نشد", "The request could not be read"],
    ),
    (
        "what is no form",
        |client, url| {
            let form = format!("csrf={}", csrf::token("nobody"));
            client.post(format!("{url}/login")).header("Content-Type", "text/plain").body(form)
        },
        415,
        ["درخواست خوانده نشد", "The request could not be read"],
    ),
    (
        "too large a form",
        |client, url| client.post(format!("{url}/login")).body("x".repeat(263_000)),
        413,
        ["حجم زیاد است", "Too large"],
    ),
    (
        "too long an address",
        |client, url| client.get(format!("{url}/login?next={}", "a".repeat(9_000))),
        414,
        ["نشانی بیش از اندازه بلند است", "The address is too long"],
    ),
    (
        "too large a head",
        |client, url| client.get(format!("{url}/login")).header("X-Large", "a".repeat(40_000)),
        431,
        ["مرورگر شما بیش از اندازه می‌فرستد", "Your browser sends too much"],
    ),
];

#[tokio::test]
async fn what_no_page_answers_is_told_in_words_of_ours_in_both_languages_under_the_headers_of_pages()
 {
    let gate = Gate::open(|setup| setup.rates = PLENTY).await;
    let (client, url) = (client(), format!("http://{}", gate.address));

    for (wrong, request, status, words) in WRONG {
        for (locale, words) in ["fa", "en"].into_iter().zip(words) {
            let cookies = format!("meydan-form=nobody; meydan-locale={locale}");
            let asked = request(client.clone(), url.clone()).header("Cookie", cookies);
            let answer = Answer::to(asked).await;

            assert_eq!(answer.status.as_u16(), status, "{wrong}");
            assert_eq!(answer.said("content-type"), "text/html; charset=utf-8", "{wrong}");
            assert!(answer.said("content-security-policy").contains("default-src 'none'"));
            assert_eq!(answer.said("x-content-type-options"), "nosniff", "{wrong}");
            assert_eq!(answer.said("cache-control"), "no-store", "{wrong}");
            assert_eq!(answer.said("allow").is_empty(), status != 405, "{wrong}");
            assert!(answer.page.contains(words), "{wrong}: {}", answer.page);
        }
    }
}

#[tokio::test]
async fn programs_are_told_in_codes_and_more_lines_than_are_read_in_words() {
    let gate = Gate::open(|setup| setup.rates = PLENTY).await;
    let (client, url) = (client(), format!("http://{}", gate.address));

    let missing = Answer::to(client.get(format!("{url}/api/v1/nothing"))).await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.page, r#"{"error":"not_found"}"#);
    let method = Answer::to(client.post(format!("{url}/api/v1/tickets"))).await;
    assert_eq!(method.status, 401, "whoever shows no key learns nothing of methods");

    let mut asked = client.get(format!("{url}/login"));
    for line in 0..150 {
        asked = asked.header(format!("X-Line-{line}"), "x");
    }
    let answer = Answer::to(asked).await;
    assert_eq!(answer.status, 431);
    assert!(answer.page.contains("<html"));
}

#[tokio::test]
async fn no_answer_says_what_we_are_built_of() {
    let gate = Gate::open(|setup| setup.rates = PLENTY).await;
    let (client, url) = (client(), format!("http://{}", gate.address));
    let mut answers = vec![];
    for route in table() {
        answers.push((route.path, ask(&client, &gate, &route).await));
    }
    for (wrong, request, ..) in WRONG {
        let asked = request(client.clone(), url.clone()).header("Cookie", "meydan-form=nobody");
        answers.push((wrong, Answer::to(asked).await));
    }
    for path in ["/health", "/ready", "/metrics", "/version", "/.git/config", "/server-status"] {
        let answer = Answer::to(client.get(format!("{url}{path}"))).await;
        assert_eq!(answer.status, 404, "{path}");
        answers.push((path, answer));
    }

    for (path, answer) in answers {
        for name in ["server", "x-powered-by", "via", "x-runtime", "x-version"] {
            assert_eq!(answer.said(name), "", "{path}");
        }
        let kind = answer.said("content-type");
        assert!(!kind.starts_with("text/plain"), "{path} is answered by a library");
        let page = answer.page.to_lowercase();
        for word in ["axum", "hyper", "tonic", "tokio", "sqlx", "postgres", "nats", "rust"] {
            let told =
                page.split(|letter: char| !letter.is_alphanumeric()).any(|said| said == word);
            assert!(!told, "{path} says {word}");
        }
        if path.ends_with('z') {
            assert_eq!(page, "", "{path} says no more than its status");
        }
    }
}

#[tokio::test]
async fn a_form_that_was_open_for_too_long_is_refused_in_words_of_its_own() {
    let gate = Gate::open(|setup| setup.rates = PLENTY).await;
    let client = client();
    let words = ["صفحه زیاد باز مانده بود", "The page was open for too long"];

    for (locale, words) in ["fa", "en"].into_iter().zip(words) {
        for cookie in ["", "meydan-form=another; "] {
            let asked = client.post(format!("http://{}/preferences", gate.address));
            let asked = asked.header("Cookie", format!("{cookie}meydan-locale={locale}"));
            let answer = Answer::to(asked.form(&[("csrf", csrf::token("nobody"))])).await;

            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            assert!(answer.page.contains(words), "{}", answer.page);
        }
    }
}

#[tokio::test]
async fn what_a_page_of_a_refusal_offers_is_good_for_whoever_sees_it() {
    let gate = Gate::open(|setup| setup.rates = PLENTY).await;
    let stranger = Gate::open(|setup| setup.rates = Rates { panel: 0, login: 0, live: 0 }).await;
    let open = async |gate: &Gate, path: &str, cookies: &str| {
        let asked = client().get(format!("http://{}{path}", gate.address));
        Answer::to(asked.header("Cookie", cookies)).await.page
    };

    let page = open(&gate, "/nothing/here", "meydan-form=somebody").await;
    let token = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let token = token.unwrap_or_else(|| panic!("the page has a form: {page}"));
    let chosen = client()
        .post(format!("http://{}/preferences", gate.address))
        .header("Cookie", "meydan-form=somebody")
        .form(&[("csrf", token), ("locale", "en"), ("return_to", "/login")]);
    assert_eq!(Answer::to(chosen).await.status, StatusCode::SEE_OTHER);

    for (gate, path) in [(&gate, "/nothing/here"), (&stranger, "/login")] {
        let page = open(gate, path, "").await;
        assert!(!page.contains("<form"), "a browser that keeps nothing sends no form: {page}");
    }
}
