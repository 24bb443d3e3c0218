//! One-time links as their holders meet them: with an account from before, in a session of their own, and in
//! somebody else's.

use meydan_testkit::process::{Meydan, Person};

use crate::office::{Office, PASSWORD, PROGRAM, Reach, ground, telegram};

/// An office in which an admin has founded a second campaign for the owner of the first; the link to it.
async fn invited_again() -> (Office, String) {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let form = office.admin.open("/admin/campaigns/new").await;
    let fields = [
        ("candidate_name", "سارا امیدی"),
        ("slug", "isfahan"),
        ("office", "شورای شهر"),
        ("constituency", "اصفهان"),
        ("locale", "fa"),
        ("owner_name", "نرگس زاینده"),
        ("owner_email", "tehran@meydan.example"),
    ];
    let created = office.admin.send(&form, "/admin/campaigns", &fields).await;
    let link = created.html.split("/welcome/").nth(1).expect("the link is shown");
    let link = format!("/welcome/{}", link.split('"').next().expect("it ends"));
    (office, link)
}

/// Whether this person can open the second campaign. Strangers are led to the login.
async fn is_in(person: &Person) -> bool {
    let page = person.open("/c/isfahan").await;
    page.status == 200 && page.url.ends_with("/c/isfahan")
}

#[tokio::test]
async fn who_is_logged_in_accepts_with_one_click_and_not_before() {
    let (office, link) = invited_again().await;
    assert!(!is_in(&office.owner).await, "nobody joins by being asked");

    let form = office.owner.open(&link).await;
    assert!(form.says("سارا امیدی") && !form.says("type=\"password\""), "{}", form.html);
    let home = office.owner.send(&form, &link, &[]).await;

    assert_eq!(home.status, 200, "{}", home.html);
    assert!(is_in(&office.owner).await);
    assert_eq!(office.owner.open(&link).await.status, 404, "it is used up");
}

#[tokio::test]
async fn who_has_an_account_logs_in_and_comes_back_to_the_link() {
    let (office, link) = invited_again().await;
    let person = Person::visiting(&office.meydan.url);
    let page = person.open(&link).await;
    assert!(page.says(&format!("/login?next={link}")) && !page.says("type=\"password\""));
    assert!(!is_in(&person).await, "a link alone opens nothing");

    let form = person.open(&format!("/login?next={link}")).await;
    let back =
        [("email", "tehran@meydan.example"), ("password", PASSWORD), ("next", link.as_str())];
    let form = person.send(&form, "/login", &back).await;
    assert!(!is_in(&person).await, "logging in is not accepting");
    let home = person.send(&form, &link, &[]).await;

    assert_eq!(home.status, 200, "{}", home.html);
    assert!(is_in(&person).await);
}

#[tokio::test]
async fn a_link_that_is_for_somebody_else_gives_its_finder_nothing() {
    let (office, link) = invited_again().await;

    // The admin is logged in, but the link is the owner's.
    let page = office.admin.open(&link).await;
    assert!(page.says("action=\"/logout\"") && !page.says("action=\"/welcome/"), "{}", page.html);
    office.admin.send(&page, &link, &[]).await;

    assert!(!is_in(&office.admin).await);
    // And the owner can still use it.
    let form = office.owner.open(&link).await;
    office.owner.send(&form, &link, &[]).await;
    assert!(is_in(&office.owner).await);
}

#[tokio::test]
async fn a_form_is_told_all_that_is_wrong_with_it_at_once_and_mistakes_use_nothing_up() {
    let ground = ground("http://127.0.0.1:9").await;
    let meydan = Meydan::start(PROGRAM, &ground).await;
    let link = meydan.first_link.clone().expect("nobody can log in yet");
    let admin = Person::visiting(&meydan.url);
    let mut form = admin.open(&link).await;
    let (nobody, differ) = (
        [("display_name", ""), ("email", "nobody")],
        [("password", PASSWORD), ("password_again", "x")],
    );

    for _ in 0..6 {
        form = admin.send(&form, &link, &[nobody, differ].concat()).await;
        assert_eq!(form.status, 422, "{}", form.html);
        assert_eq!(form.html.matches("aria-invalid=\"true\"").count(), 3, "{}", form.html);
    }

    let names = [("display_name", "مدیر"), ("email", "admin@meydan.example")];
    let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
    let factors = admin.send(&form, &link, &[names, passwords].concat()).await;
    assert!(factors.url.ends_with("/account/factors"), "{} {}", factors.url, factors.html);
}
