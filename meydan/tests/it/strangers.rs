//! What people may not do.

use meydan_testkit::process::Person;

use crate::office::{Office, PASSWORD, Reach, TOKEN, telegram};

#[tokio::test]
async fn another_campaigns_pages_are_not_found() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let other = Office::found_campaign(&office.admin, &office.meydan.url, "isfahan").await;
    telegram.say(TOKEN, 7, "راز").expect("a citizen writes");
    office.owner.until("/c/tehran/inbox", "راز").await;

    for path in [
        "/c/tehran",
        "/c/tehran/inbox",
        "/c/tehran/inbox/list",
        "/c/tehran/inbox/1001",
        "/c/tehran/inbox/1001/messages",
        "/c/tehran/figures",
        "/c/tehran/team",
        "/c/tehran/live",
        "/c/tehran/files/00000000-0000-0000-0000-000000000000",
        "/admin/campaigns",
        "/admin/campaigns/tehran",
        "/c/nowhere",
        // The same number in their own campaign, where there is none.
        "/c/isfahan/inbox/1001",
    ] {
        let page = other.open(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert!(!page.says("راز"), "{path}");
    }
    let own = other.open("/c/isfahan/inbox").await;
    let forged = [("csrf", own.field("csrf")), ("text", "سلام".to_owned())];
    let sent = other.post("/c/tehran/inbox/1001/reply", &forged).await;
    assert_eq!(sent.status, 404);
}

#[tokio::test]
async fn forms_without_their_token_and_visitors_without_a_session_are_turned_away() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;

    let forged = office.owner.post("/c/tehran/inbox/1001/reply", &[("text", "x")]).await;
    assert_eq!(forged.status, 403);
    let login = office.owner.post("/logout", &[("csrf", "AAAA")]).await;
    assert_eq!(login.status, 403);
    assert_eq!(office.owner.open("/c/tehran").await.status, 200, "they are still logged in");

    let stranger = Person::visiting(&office.meydan.url);
    assert!(stranger.open("/c/tehran/inbox").await.url.contains("/login?next="));
    let form = stranger.open("/login").await;
    let wrong = [("email", "tehran@meydan.example"), ("password", "not the password at all")];
    let refused = stranger.send(&form, "/login", &wrong).await;
    assert_eq!(refused.status, 422);
    let unknown = [("email", "nobody@meydan.example"), ("password", "not the password at all")];
    let same = stranger.send(&refused, "/login", &unknown).await;
    assert_eq!(same.status, 422);
}

#[tokio::test]
async fn a_webhook_without_its_secret_is_turned_away() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    let hook = telegram.webhook(TOKEN).expect("the hub has set one");
    let client = reqwest::Client::new();
    let update = r#"{"update_id":1,"message":{}}"#;

    let post = |url: String, secret: Option<&'static str>, body: String| {
        let mut request = client.post(url).body(body);
        if let Some(secret) = secret {
            request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
        }
        async move { request.send().await.expect("it is answered").status().as_u16() }
    };
    assert_eq!(post(hook.clone(), None, update.to_owned()).await, 401);
    assert_eq!(post(hook.clone(), Some("wrong"), update.to_owned()).await, 401);
    let unknown = format!("{}/telegram/{}", office.meydan.url, "0".repeat(32));
    assert_eq!(post(unknown, Some("wrong"), update.to_owned()).await, 404);
}

#[tokio::test]
async fn a_one_time_link_leads_where_the_operator_says_whatever_the_visitor_calls_the_panel() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    let elsewhere = office.meydan.url.replace("127.0.0.1", "localhost");
    let admin = Person::visiting(&elsewhere);
    let form = admin.open("/login").await;
    let who = [("email", "admin@meydan.example"), ("password", PASSWORD)];
    let step = admin.send(&form, "/login", &who).await;
    let code = [("code", office.enrolled.codes[0].as_str())];
    assert_eq!(admin.send(&step, "/login/factor", &code).await.status, 200);

    let form = admin.open("/admin/campaigns/new").await;
    let fields = [
        ("candidate_name", "سارا"),
        ("slug", "isfahan"),
        ("office", "شورا"),
        ("constituency", "اصفهان"),
        ("locale", "fa"),
        ("owner_name", "سارا"),
        ("owner_email", "sara@meydan.example"),
    ];
    let created = admin.send(&form, "/admin/campaigns", &fields).await;

    assert!(created.url.starts_with(&elsewhere), "they are at {}", created.url);
    assert!(created.says(&format!("\"{}/welcome/", office.meydan.url)), "{}", created.html);
}
