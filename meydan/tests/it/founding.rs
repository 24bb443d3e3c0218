//! How campaigns begin in the panel: what their form says, and how an owner who lost the link gets another one.

use meydan_testkit::process::{Page, Person};

use crate::office::{Office, PASSWORD, Reach, telegram};

const FORM: &str = "/admin/campaigns/new";
const CAMPAIGNS: &str = "/admin/campaigns";

async fn office() -> Office {
    Office::open(&telegram().await.url(), Reach::Polling).await
}

fn fields(slug: &str) -> [(&str, &str); 8] {
    [
        ("candidate_name", "بهرام رستمی"),
        ("slug", slug),
        ("office", "شورای شهر"),
        ("constituency", "اصفهان"),
        ("home_region", "IR-10"),
        ("locale", "fa"),
        ("owner_name", "بهرام رستمی"),
        ("owner_email", "bahram@meydan.example"),
    ]
}

/// The link that a page shows.
fn link(page: &Page) -> Option<String> {
    let token = page.html.split("/welcome/").nth(1)?;
    Some(format!("/welcome/{}", token.split('"').next()?))
}

/// Where somebody comes to with a link.
async fn accept(office: &Office, link: &str) -> String {
    let owner = Person::visiting(&office.meydan.url);
    let welcome = owner.open(link).await;
    let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
    owner.send(&welcome, link, &passwords).await.url
}

#[tokio::test]
async fn a_form_that_comes_again_shows_a_link_until_the_owner_has_come_and_then_none() {
    let office = office().await;
    let form = office.admin.open(FORM).await;
    let sent = async || office.admin.send(&form, CAMPAIGNS, &fields("isfahan")).await;

    let lost = link(&sent().await).expect("it is shown");
    let good = link(&sent().await).expect("whoever did not see it is shown another one");
    assert_ne!(lost, good);
    assert!(accept(&office, &good).await.ends_with("/c/isfahan"));
    let late = sent().await;

    assert_eq!(late.status, 200);
    assert!(link(&late).is_none() && late.says("ستاد ساخته شد."), "{}", late.html);
    assert!(!late.says("به ایمیل او فرستاده می‌شود"), "there is no mail: {}", late.html);
}

#[tokio::test]
async fn an_owner_who_lost_their_link_gets_another_one_from_the_page_of_the_campaign() {
    let office = office().await;
    let form = office.admin.open(FORM).await;
    let lost = office.admin.send(&form, CAMPAIGNS, &fields("isfahan")).await;
    let lost = link(&lost).expect("it is shown");
    let path = "/admin/campaigns/isfahan";

    let page = office.admin.open(path).await;
    let action = page.html.split("action=\"").find(|action| action.contains("/invitation\""));
    let action = action.and_then(|action| action.split('"').next()).expect("there is a button");
    let campaign = page.field("campaign_id");
    let renewed = office.admin.send(&page, action, &[("campaign_id", campaign.as_str())]).await;

    let good = link(&renewed).expect("it is shown");
    assert!(accept(&office, &good).await.ends_with("/c/isfahan"));
    let over = Person::visiting(&office.meydan.url).open(&lost).await;
    assert!(!over.says("name=\"password\""), "{}", over.html);
    assert!(!office.admin.open(path).await.says("/invitation\""), "they have come");
}

#[tokio::test]
async fn an_address_that_the_platform_needs_and_a_token_that_is_none_are_told_as_that() {
    let office = office().await;
    let form = office.admin.open(FORM).await;

    let reserved = office.admin.send(&form, CAMPAIGNS, &fields("admin")).await;
    assert_eq!(reserved.status, 422);
    assert!(reserved.says("سامانه این نشانی را برای خودش لازم دارد"), "{}", reserved.html);

    let created = office.admin.send(&form, CAMPAIGNS, &fields("isfahan")).await;
    let path = "/admin/campaigns/isfahan/bot";
    let wrong = office.admin.send(&created, path, &[("token", "nonsense")]).await;
    assert_eq!(wrong.status, 422);
    let summed_up = wrong.says("data-focus") && wrong.says("یک مورد باید اصلاح شود");
    assert!(summed_up && wrong.says("id=\"bot-token-problem\""), "{}", wrong.html);
}
