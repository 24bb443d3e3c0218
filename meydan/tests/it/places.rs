//! Places in a campaign through the panel: where it is at home, who is in its team, who may do what, and what of that
//! admins watch.

use identity_domain::{CATALOGUE, Role};
use meydan_testkit::process::{Page, Person};

use crate::office::{Office, PASSWORD, Reach, telegram};

const TEAM: &str = "/c/tehran/team";
/// What a row of a wrong password says.
const FAILED: &str = "ورود یا تأیید هویت ناموفق</span>";

async fn office() -> Office {
    let telegram = telegram().await;
    Office::open(&telegram.url(), Reach::Polling).await
}

/// Asks somebody to join; their link.
async fn invite(office: &Office, name: &str, email: &str, role: &str) -> String {
    let page = office.owner.open(TEAM).await;
    let fields = [("name", name), ("email", email), ("role", role)];
    let invited = office.owner.send(&page, &format!("{TEAM}/invite"), &fields).await;
    link(&invited)
}

fn link(page: &Page) -> String {
    let link = page.html.split("/welcome/").nth(1).expect("the link is shown");
    format!("/welcome/{}", link.split('"').next().expect("it ends"))
}

async fn accept(office: &Office, link: &str) -> Person {
    let person = Person::visiting(&office.meydan.url);
    let welcome = person.open(link).await;
    let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
    let home = person.send(&welcome, link, &passwords).await;
    assert_eq!(home.status, 200, "{}", home.html);
    person
}

/// The address of a member's page, by their name.
fn member(page: &Page, name: &str) -> String {
    let rows = page.html.split("<tr").filter(|row| row.contains(name));
    let row = rows.last().expect("they are in the team");
    let path = row.split("href=\"").nth(1).and_then(|rest| rest.split('"').next());
    path.expect("their name leads to their page").to_owned()
}

#[tokio::test]
async fn an_admin_says_where_the_candidate_is_at_home_and_corrects_it() {
    let office = office().await;
    let path = "/admin/campaigns/tehran";
    let shown = office.admin.open(path).await;
    assert!(shown.says("<dt>استان نامزد</dt><dd><bdi>تهران"), "{}", shown.html);

    let form = office.admin.open(&format!("{path}/edit")).await;
    assert!(form.says("<option value=\"IR-23\" selected>تهران</option>"));
    assert_eq!(form.html.matches("<option value=\"IR-").count(), 31);
    let fields = |region| {
        [
            ("candidate_name", "نرگس زاینده"),
            ("office", "شورای شهر"),
            ("constituency", "تهران"),
            ("home_region", region),
            ("locale", "fa"),
        ]
    };
    let edit = format!("{path}/edit");
    let saved = office.admin.send(&form, &edit, &fields("IR-10")).await;
    assert!(saved.says("<dt>استان نامزد</dt><dd><bdi>اصفهان"), "{}", saved.html);
    let refused = office.admin.send(&form, &edit, &fields("IR-99")).await;
    assert_eq!(refused.status, 422);
    assert!(refused.says("id=\"e-home_region\""), "{}", refused.html);
}

#[tokio::test]
async fn an_owner_invites_changes_deactivates_and_removes_a_member_in_the_panel() {
    let office = office().await;
    let owner = &office.owner;
    let first = invite(&office, "Sara", "sara@meydan.example", "staff").await;
    let path = member(&owner.open(TEAM).await, "Sara");
    let act = async |form: &str, fields: &[(&str, &str)]| {
        let page = owner.open(&path).await;
        let done = owner.send(&page, &format!("{path}/{form}"), fields).await;
        assert_eq!(done.status, 200, "{form}: {}", done.html);
        done
    };

    // A new link ends the one before; withdrawn, both are over.
    let second = link(&act("renew", &[]).await);
    assert_eq!(Person::visiting(&office.meydan.url).open(&first).await.status, 404);
    act("withdraw", &[]).await;
    assert_eq!(Person::visiting(&office.meydan.url).open(&second).await.status, 404);

    let third = invite(&office, "Sara", "sara@meydan.example", "staff").await;
    let sara = accept(&office, &third).await;
    assert_eq!(sara.open("/c/tehran/inbox").await.status, 200);
    assert_eq!(sara.open("/c/tehran/api-keys").await.status, 403);
    let path = member(&owner.open(TEAM).await, "sara@meydan.example");
    let act = async |form: &str, fields: &[(&str, &str)]| {
        let page = owner.open(&path).await;
        let done = owner.send(&page, &format!("{path}/{form}"), fields).await;
        assert_eq!(done.status, 200, "{form}: {}", done.html);
    };
    act("role", &[("role", "support")]).await;
    assert_eq!(sara.open(TEAM).await.status, 403, "support sees nothing of the team");
    act("permissions", &[("may", "crm:ticket.read"), ("may", "identity:member.read")]).await;
    let shown = sara.until(TEAM, "sara@meydan.example").await;
    assert!(shown.says("با اختیارهای جداگانه"), "{}", shown.html);
    let table = sara.open(&format!("{TEAM}/permissions")).await;
    let row = table.html.split("<tr").filter(|row| row.contains(&path)).last();
    let row = row.expect("the table tells of her");
    assert!(row.contains("افزوده: </span>دیدن اعضای ستاد"), "{row}");
    assert!(row.contains("گرفته‌شده: </span>پاسخ دادن به شهروندان"), "{row}");

    act("deactivate", &[]).await;
    assert!(sara.open("/c/tehran/inbox").await.url.contains("/login"), "their session ended");
    act("reactivate", &[]).await;
    act("remove", &[]).await;
    assert!(!owner.open(TEAM).await.says("sara@meydan.example"));

    let page = owner.open(TEAM).await;
    let refused = owner.send(&page, &format!("{TEAM}/leave"), &[]).await;
    assert_eq!(refused.status, 422, "the last owner stays");
}

#[tokio::test]
async fn the_page_of_who_may_do_what_is_the_catalogue() {
    let office = office().await;
    for (person, path) in [
        (&office.owner, format!("{TEAM}/permissions")),
        (&office.admin, "/admin/permissions".to_owned()),
    ] {
        let page = person.open(&path).await;
        let table = page.html.split("</table>").next().expect("there is a table");
        let rows = table.split("<tr>").filter(|row| row.contains("<code dir=\"ltr\">"));
        let told = rows.map(|row| {
            let name =
                row.split("<code dir=\"ltr\">").nth(1).and_then(|rest| rest.split('<').next());
            let cells = row.split("<td").skip(1).map(|cell| cell.contains("tone-good"));
            (name.expect("each has a name").to_owned(), cells.collect::<Vec<_>>())
        });
        let known = CATALOGUE.iter().map(|permission| {
            let held = Role::ALL.map(|role| permission.is_of(role));
            (permission.name.to_owned(), held.to_vec())
        });
        assert_eq!(told.collect::<Vec<_>>(), known.collect::<Vec<_>>(), "{path}");
    }
}

#[tokio::test]
async fn an_admin_finds_what_happened_to_one_account_among_what_is_watched() {
    let office = office().await;
    let stranger = Person::visiting(&office.meydan.url);
    let login = stranger.open("/login").await;
    let fields = [("email", "tehran@meydan.example"), ("password", "wrong")];
    stranger.send(&login, "/login", &fields).await;

    let watched = "/admin/security";
    let page = office.admin.until(&format!("{watched}?action=account.log_in_failed"), FAILED).await;
    let find = async |email: &str| {
        let fields = [("action", "account.log_in_failed"), ("account", email)];
        office.admin.send(&page, watched, &fields).await
    };
    let found = find("tehran@meydan.example").await;
    assert!(found.says(FAILED) && found.status == 200, "{}", found.html);
    assert!(
        found.url.contains("&target=") && !found.url.contains("meydan.example"),
        "{}",
        found.url
    );
    let other = find("admin@meydan.example").await;
    assert!(!other.says(FAILED) && other.status == 200, "{}", other.html);
    assert!(other.says("چیزی برای نگرانی نیست"));
    let nobody = find("nobody@meydan.example").await;
    assert_eq!(nobody.status, 422);
    assert!(
        nobody.says("حسابی با این نشانی نیست") && nobody.says("value=\"nobody@meydan.example\"")
    );
    assert!(!nobody.says("چیزی برای نگرانی نیست"), "who was looked for is nobody");
    assert!(nobody.url.ends_with(watched), "{}", nobody.url);
}
