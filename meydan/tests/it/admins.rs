//! One admin asks others in the panel: somebody new, and an owner who has an account; and takes the role away again.

use meydan_testkit::process::{Page, Person};
use reqwest::StatusCode;

use crate::office::{Office, PASSWORD, Reach, telegram};

const HERE: &str = "/admin/accounts/admins";

/// Asks somebody; the path of the link that is shown.
async fn ask(admin: &Person, name: &str, email: &str) -> String {
    let page = admin.open(HERE).await;
    let asked = admin.send(&page, HERE, &[("name", name), ("email", email)]).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.html);
    format!("/welcome/{}", between(&asked, "/welcome/", "\""))
}

fn between(page: &Page, before: &str, after: &str) -> String {
    let found = page.html.split(before).nth(1).and_then(|rest| rest.split(after).next());
    found.unwrap_or_else(|| panic!("the page has no {before}: {}", page.html)).to_owned()
}

#[tokio::test]
async fn an_admin_asks_others_in_the_panel_who_accept_and_takes_the_role_from_one_of_them() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let (admin, owner) = (&office.admin, &office.owner);
    let page = admin.open(HERE).await;
    let wrong = admin.send(&page, HERE, &[("name", ""), ("email", "omid")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);

    let link = ask(admin, "امید رستگار", "omid@meydan.example").await;
    let omid = Person::visiting(&office.meydan.url);
    let welcome = omid.open(&link).await;
    assert!(welcome.says("مدیر این سامانه شوید") && welcome.says("omid@meydan.example"));
    let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
    let first = omid.send(&welcome, &link, &passwords).await;
    assert!(first.url.ends_with("/account/factors"), "{} {}", first.url, first.html);
    assert!(omid.open(HERE).await.url.ends_with("/account/factors"), "nothing else opens yet");
    omid.enrol().await;
    assert!(omid.open(HERE).await.says("امید رستگار"));
    assert_eq!(omid.open(&link).await.status, StatusCode::NOT_FOUND, "it works once");

    let link = ask(admin, "نرگس زاینده", "tehran@meydan.example").await;
    let welcome = owner.open(&link).await;
    let refused = owner.send(&welcome, &link, &[("current_password", "something else")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(owner.open(HERE).await.status, StatusCode::NOT_FOUND, "asked is not accepted");
    let accepted = owner.send(&welcome, &link, &[("current_password", PASSWORD)]).await;
    assert!(accepted.url.contains("/login?notice=admin-appointed"), "{}", accepted.url);
    assert!(owner.open("/c/tehran/inbox").await.url.contains("/login"), "they log in once more");

    let listed = admin.open("/admin/accounts?email=omid%40meydan.example").await;
    let id = between(&listed, "<a class=\"row-link\" href=\"/admin/accounts/", "\"");
    let path = format!("/admin/accounts/{id}");
    let page = admin.open(&path).await;
    let done = admin.send(&page, &format!("{path}/admin/dismiss"), &[]).await;
    assert!(done.url.contains("notice=admin-dismissed"), "{} {}", done.url, done.html);
    assert!(omid.open(HERE).await.url.contains("/login"), "they are out at once");
    admin.until("/admin/security?action=account.admin_dismissed", &path).await;
    admin.until("/admin/audit?action=account.admin_appointed", "پذیرفتن نقش مدیر سامانه").await;

    let link = ask(admin, "سارا", "sara@meydan.example").await;
    let listed = admin.open("/admin/accounts?email=sara%40meydan.example").await;
    let id = between(&listed, "<a class=\"row-link\" href=\"/admin/accounts/", "\"");
    let page = admin.open(&format!("/admin/accounts/{id}")).await;
    let withdrawn = format!("/admin/accounts/{id}/admin/withdraw");
    let withdrawn = admin.send(&page, &withdrawn, &[]).await;
    assert!(withdrawn.url.contains("notice=invitation-withdrawn"), "{}", withdrawn.url);
    let sara = Person::visiting(&office.meydan.url);
    assert_eq!(sara.open(&link).await.status, StatusCode::NOT_FOUND);
}
