//! The headers that browsers obey, on every answer, and the cookies of whoever is nobody yet.

use gateway::routes::table;

use crate::{
    Gate,
    refusals::{Answer, PLENTY, ask, client},
};

/// What each answer says, word for word.
const SAID: [(&str, &str); 9] = [
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-permitted-cross-domain-policies", "none"),
    ("strict-transport-security", "max-age=63072000; includeSubDomains; preload"),
    ("access-control-allow-origin", ""),
    ("cache-control", "no-store"),
];

/// What pages may load, run, and be sent from; styles besides, by their hashes.
const POLICY: [&str; 10] = [
    "base-uri 'none'",
    "connect-src 'self'",
    "default-src 'none'",
    "font-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    "media-src 'self'",
    "script-src 'self'",
];

/// What pages may use of a browser, and what they may not.
const OPEN: [&str; 4] = [
    "clipboard-write=(self)",
    "fullscreen=(self)",
    "publickey-credentials-create=(self)",
    "publickey-credentials-get=(self)",
];
const CLOSED: [&str; 28] = [
    "accelerometer=()",
    "bluetooth=()",
    "browsing-topics=()",
    "camera=()",
    "clipboard-read=()",
    "compute-pressure=()",
    "display-capture=()",
    "encrypted-media=()",
    "gamepad=()",
    "geolocation=()",
    "gyroscope=()",
    "hid=()",
    "identity-credentials-get=()",
    "idle-detection=()",
    "keyboard-map=()",
    "local-fonts=()",
    "magnetometer=()",
    "microphone=()",
    "midi=()",
    "payment=()",
    "picture-in-picture=()",
    "screen-wake-lock=()",
    "serial=()",
    "storage-access=()",
    "sync-xhr=()",
    "usb=()",
    "window-management=()",
    "xr-spatial-tracking=()",
];

/// Makes sure that an answer carries what browsers obey.
fn assert_said(answer: &Answer, here: &str) {
    for (name, value) in SAID {
        assert_eq!(answer.said(name), value, "{here}: {name}");
    }
    let mut policy: Vec<_> = answer.said("content-security-policy").split("; ").collect();
    policy.sort_unstable();
    let styles = policy.pop().unwrap_or_default();
    let hashed = |source: &str| source.starts_with("'sha256-");
    let styles = styles.strip_prefix("style-src 'self'").map(str::split_whitespace);
    assert!(styles.is_some_and(|mut styles| styles.all(hashed)), "{here}: {policy:?}");
    assert_eq!(policy, POLICY, "{here}");
    let features = answer.said("permissions-policy").split(", ");
    let (closed, open): (Vec<_>, Vec<_>) = features.partition(|feature| feature.ends_with("=()"));
    assert_eq!((open.as_slice(), closed.as_slice()), (&OPEN[..], &CLOSED[..]), "{here}");
    let kind = answer.said("content-type");
    let words = ["text/html", "text/plain"].iter().any(|text| kind.starts_with(text));
    assert!(!words || kind.contains("charset=utf-8"), "{here}: {kind}");
}

#[tokio::test]
async fn every_answer_carries_what_browsers_obey_and_opens_itself_to_no_other_site() {
    let gate = Gate::open(|setup| (setup.secure, setup.rates) = (true, PLENTY)).await;
    let client = client();

    for route in table() {
        let path = route.path.replace(['{', '}', '*'], "");
        let url = format!("http://{}{path}", gate.address);
        let foreign = client.request(route.method.clone(), url);
        let foreign = foreign.header("Origin", "https://evil.example");
        let here = format!("{} {}", route.method, route.path);
        assert_said(&Answer::to(foreign).await, &here);
        assert_said(&ask(&client, &gate, &route).await, &here);
    }
}

#[tokio::test]
async fn cookies_are_the_hosts_alone_and_no_scripts_and_nobody_traces() {
    let gate = Gate::open(|setup| setup.secure = true).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    let url = format!("http://{}/login", gate.address);

    let page = client.get(&url).send().await.expect("it is answered");
    let cookies = page.headers().get_all("set-cookie").iter();
    let cookies = cookies.filter_map(|cookie| cookie.to_str().ok()).collect::<Vec<_>>();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    assert!(cookies[0].starts_with("__Host-"), "{cookies:?}");
    for part in ["; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/"] {
        assert!(cookies[0].contains(part), "{cookies:?}");
    }
    let trace = client.request(reqwest::Method::TRACE, &url).send().await.expect("it is answered");
    assert_eq!(trace.status(), 405);
}

#[tokio::test]
async fn whoever_has_chosen_no_language_reads_the_first_that_their_browser_asks_for_and_we_speak() {
    let gate = Gate::open(|_| {}).await;
    let client = client();
    let lang = async |path: &str, languages: &str, cookie: &str| {
        let asked = client.get(format!("http://{}{path}", gate.address));
        let asked = asked.header("Accept-Language", languages).header("Cookie", cookie);
        let page = asked.send().await.expect("it is answered").text().await.expect("it arrives");
        let lang = page.split("<html lang=\"").nth(1).and_then(|rest| rest.split('"').next());
        lang.unwrap_or_default().to_owned()
    };

    for path in ["/login", "/recover", "/nothing/here"] {
        assert_eq!(lang(path, "de-DE,en-GB;q=0.8,fa;q=0.5", "").await, "en", "{path}");
        assert_eq!(lang(path, "fa-IR,fa;q=0.9,en;q=0.3", "").await, "fa", "{path}");
        assert_eq!(lang(path, "de", "").await, "fa", "{path}: neither is asked for");
        assert_eq!(lang(path, "en", "meydan-locale=fa").await, "fa", "{path}: it was chosen");
    }
}
