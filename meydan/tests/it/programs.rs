//! Programs of a campaign's own: what opens with a key, and everything that does not.

use crate::{
    erase::database,
    office::{Office, Reach, TOKEN, telegram},
};

/// What is said to a program, and how.
async fn ask(url: &str, header: Option<(&str, String)>) -> (u16, serde_json::Value) {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let mut request = client.build().expect("a client can be made").get(url);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let answer = request.send().await.expect("it is answered");
    assert!(answer.headers().get("set-cookie").is_none(), "programs get no cookies");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("it is read");
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// Makes a key on the campaign's page; the key.
async fn make(office: &Office, person: &meydan_testkit::process::Person, slug: &str) -> String {
    let path = format!("/c/{slug}/api-keys");
    let page = person.open(&path).await;
    assert_eq!(page.status, 200, "{}", office.meydan.url);
    let fields = [("name", "گزارش"), ("may", "crm:ticket.read"), ("days", "30")];
    let made = person.send(&page, &path, &fields).await;
    assert_eq!(made.status, 200, "{}", made.html);
    shown(&made.html).expect("the key is shown")
}

/// The key that a page shows.
fn shown(html: &str) -> Option<String> {
    let key = html.split("value=\"mk_").nth(1)?;
    Some(format!("mk_{}", key.split('"').next()?))
}

#[tokio::test]
async fn a_key_reads_its_own_campaign_in_the_header_and_nowhere_else() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let other = Office::found_campaign(&office.admin, &office.meydan.url, "isfahan").await;
    telegram.say(TOKEN, 7, "راز").expect("a citizen writes");
    office.owner.until("/c/tehran/inbox", "راز").await;
    let key = make(&office, &office.owner, "tehran").await;
    let others = make(&office, &other, "isfahan").await;
    let url = |path: &str| format!("{}/api/v1/{path}", office.meydan.url);
    let bearer = |key: &str| Some(("Authorization", format!("Bearer {key}")));

    let (status, campaign) = ask(&url("campaign"), bearer(&key)).await;
    assert_eq!((status, &campaign["slug"]), (200, &"tehran".into()));
    let (status, tickets) = ask(&url("tickets?status=new&limit=5"), bearer(&key)).await;
    assert_eq!((status, &tickets["tickets"][0]["number"]), (200, &1001.into()), "{tickets}");
    let (status, ticket) = ask(&url("tickets/1001"), bearer(&key)).await;
    assert_eq!((status, &ticket["messages"][0]["text"]), (200, &"راز".into()), "{ticket}");
    assert_eq!(ask(&url("tickets?limit=9999"), bearer(&key)).await.0, 422);

    // Another campaign's key opens its own campaign, which has no such ticket.
    assert_eq!(ask(&url("campaign"), bearer(&others)).await.1["slug"], "isfahan");
    assert_eq!(ask(&url("tickets/1001"), bearer(&others)).await.0, 404);
    assert_eq!(ask(&url("tickets"), bearer(&others)).await.1["tickets"], serde_json::json!([]));

    // Nowhere else: not in an address, not in a cookie, not as a password; and not with another letter.
    for wrong in [
        ask(&url("campaign"), None).await,
        ask(&url(&format!("campaign?key={key}&access_token={key}")), None).await,
        ask(&url("campaign"), Some(("Cookie", format!("meydan={key}")))).await,
        ask(&url("campaign"), Some(("Authorization", format!("Basic {key}")))).await,
        ask(&url("campaign"), bearer(&key.to_uppercase())).await,
        ask(&url("campaign"), bearer("mk_")).await,
    ] {
        assert_eq!(wrong, (401, serde_json::json!({ "error": "unauthorized" })));
    }
    // Nor is a session anything there, or a key anything to the pages.
    assert_eq!(office.owner.open("/api/v1/campaign").await.status, 401);
    let page = format!("{}/c/tehran/inbox", office.meydan.url);
    assert_eq!(ask(&page, bearer(&key)).await.0, 303, "it leads to the login");
    assert_eq!(ask(&page, Some(("Cookie", format!("meydan={key}")))).await.0, 303);
}

#[tokio::test]
async fn a_revoked_key_and_one_whose_maker_left_open_nothing() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let key = make(&office, &office.owner, "tehran").await;
    let url = format!("{}/api/v1/tickets", office.meydan.url);
    let bearer = || Some(("Authorization", format!("Bearer {key}")));
    assert_eq!(ask(&url, bearer()).await.0, 200);

    let page = office.owner.open("/c/tehran/api-keys").await;
    assert!(!page.says(&key), "it is shown once");
    let action = page.html.split("action=\"").find(|action| action.contains("/revoke\""));
    let action = action.and_then(|action| action.split('"').next()).expect("it can be revoked");
    let revoked = office.owner.send(&page, action, &[]).await;
    assert_eq!(revoked.status, 200);
    assert_eq!(ask(&url, bearer()).await.0, 401, "at once");

    // A campaign that does not run has no programs either.
    let key = make(&office, &office.owner, "tehran").await;
    let bearer = || Some(("Authorization", format!("Bearer {key}")));
    assert_eq!(ask(&url, bearer()).await.0, 200);
    let admin = office.admin.open("/admin/campaigns/tehran").await;
    let path = "/admin/campaigns/tehran/status";
    assert_eq!(office.admin.send(&admin, path, &[("status", "suspended")]).await.status, 200);
    assert_eq!(ask(&url, bearer()).await.0, 401);
}

#[tokio::test]
async fn a_form_that_is_sent_again_says_that_its_key_was_made_once_a_program_works_with_it() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let path = "/c/tehran/api-keys";
    let form = office.owner.open(path).await;
    let fields = [("name", "گزارش"), ("may", "crm:ticket.read"), ("days", "30")];
    let made = async || office.owner.send(&form, path, &fields).await;
    let lost = shown(&made().await.html).expect("it is shown");
    let key = shown(&made().await.html).expect("whoever did not see it is shown another one");
    let url = format!("{}/api/v1/tickets", office.meydan.url);
    let opens =
        async |key: &str| ask(&url, Some(("Authorization", format!("Bearer {key}")))).await.0;
    assert_eq!((opens(&lost).await, opens(&key).await), (401, 200));

    let again = made().await;

    assert!(again.status == 200 && again.says("پیش از این ساخته شده است"), "{}", again.html);
    assert!(!again.says("فقط اختیارهایی را می‌توانید بدهید"), "they hold what they gave");
    assert_eq!(shown(&again.html), None);
    assert_eq!(opens(&key).await, 200, "the program goes on");
}

#[tokio::test]
async fn what_is_empty_was_not_asked_and_what_is_wrong_is_told_by_field_with_what_it_may_be() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let key = make(&office, &office.owner, "tehran").await;
    let bearer = || Some(("Authorization", format!("Bearer {key}")));
    let tickets = format!("{}/api/v1/tickets", office.meydan.url);

    let asked = async |query: &str| ask(&format!("{tickets}?{query}"), bearer()).await;
    assert_eq!(asked("status=&before=&limit=").await, ask(&tickets, bearer()).await);
    for (query, field, allowed) in [
        ("status=lost", "status", "must be one of new, in_progress, waiting, resolved, closed"),
        ("limit=many", "limit", "must be a number, at most 100"),
        ("limit=101", "limit", "must be at most 100"),
        ("before=yesterday", "before", "must be the `next` of an earlier page"),
    ] {
        let (status, told) = asked(query).await;
        let fields = serde_json::json!({ field: allowed });
        assert_eq!((status, &told["fields"]), (422, &fields), "{query}: {told}");
    }
    let (_, told) = asked("status=lost&limit=many").await;
    assert_eq!(told["fields"].as_object().map(serde_json::Map::len), Some(2), "{told}");
}

#[tokio::test]
async fn the_command_that_the_page_shows_works_as_it_stands() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let path = "/c/tehran/api-keys";
    let form = office.owner.open(path).await;
    let fields = [("name", "گزارش"), ("may", "crm:ticket.read"), ("days", "30")];
    let made = office.owner.send(&form, path, &fields).await;

    let page = made.html.replace("&#38;", "&").replace("&amp;", "&").replace("&#39;", "'");
    let command = page.split("<code>curl ").nth(1).and_then(|rest| rest.split('<').next());
    let quoted: Vec<_> = command.expect("it is shown").split('\'').collect();
    let header = quoted[1].split_once(": ").map(|(name, value)| (name, value.to_owned()));

    let (status, tickets) = ask(quoted[3], header).await;
    assert_eq!((status, &tickets["tickets"]), (200, &serde_json::json!([])), "{quoted:?}");
    assert!(made.says("aria-labelledby=\"secret-title\""), "the key is called what it is");
}

#[tokio::test]
async fn a_key_that_may_nothing_is_not_made_and_the_field_says_so() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let path = "/c/tehran/api-keys";
    let form = office.owner.open(path).await;

    let refused = office.owner.send(&form, path, &[("name", "گزارش"), ("days", "30")]).await;

    assert_eq!(refused.status, 422);
    assert!(refused.says("id=\"e-permissions\"") && shown(&refused.html).is_none());
}

#[tokio::test]
async fn whoever_shows_a_good_key_is_told_that_its_maker_lacks_a_second_factor_and_nobody_else() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let key = make(&office, &office.owner, "tehran").await;
    let url = format!("{}/api/v1/tickets", office.meydan.url);
    let bearer = |key: &str| Some(("Authorization", format!("Bearer {key}")));
    let identity = database(&office.ground, "identity").await;
    let demand = "UPDATE campaigns SET factor_demanded = true";
    sqlx::raw_sql(demand).execute(&identity).await.expect("a superuser may");

    let (status, told) = ask(&url, bearer(&key)).await;
    assert_eq!((status, &told["reason"]), (401, &"identity.factor.needed".into()), "{told}");
    let stranger = ask(&url, bearer(&format!("{key}x"))).await;
    assert_eq!(stranger, (401, serde_json::json!({ "error": "unauthorized" })));
}
