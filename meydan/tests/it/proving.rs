//! Proving oneself in the panel: the second step of a login, and once more before what is dangerous.

use meydan_testkit::{authenticator, process::Person};
use time::{Duration, OffsetDateTime};

use crate::{
    erase::database,
    office::{Office, PASSWORD, Reach, telegram},
    revocation::{House, get},
};

async fn office() -> Office {
    Office::open(&telegram().await.url(), Reach::Polling).await
}

async fn first_step(person: &Person) -> meydan_testkit::process::Page {
    let form = person.open("/login").await;
    let fields = [("email", "tehran@meydan.example"), ("password", PASSWORD)];
    person.send(&form, "/login", &fields).await
}

#[tokio::test]
async fn with_a_second_factor_a_password_leads_to_the_code_and_no_further() {
    let office = office().await;
    let before = OffsetDateTime::now_utc();
    let secret = office.owner.enrol().await.secret;
    let person = Person::visiting(&office.meydan.url);

    let step = first_step(&person).await;
    assert!(step.url.contains("/login/factor"), "{}", step.url);
    assert!(person.open("/c/tehran").await.url.contains("/login"), "not yet");
    let wrong = person.send(&step, "/login/factor", &[("code", "000000")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.html);
    let future = authenticator::code(&secret, before + Duration::minutes(5));
    let early = person.send(&wrong, "/login/factor", &[("code", &future)]).await;
    assert_eq!(early.status, 422, "a code of the future is none");
    let used = authenticator::code(&secret, before);
    let used = person.send(&early, "/login/factor", &[("code", &used)]).await;
    assert_eq!(
        used.status, 422,
        "the code was used to add the authenticator, or is older than that"
    );
}

#[tokio::test]
async fn a_recovery_code_opens_the_panel_and_is_counted_down() {
    let office = office().await;
    let codes = office.owner.enrol().await.codes;
    assert_eq!(codes.len(), 10);
    let code = &codes[0];

    let person = Person::visiting(&office.meydan.url);
    let step = first_step(&person).await;
    let home = person.send(&step, "/login/factor", &[("code", &code.to_uppercase())]).await;
    assert!(home.url.ends_with("/c/tehran"), "{} {}", home.url, home.html);
    assert!(person.open("/account/factors").await.says("۹"), "nine are left");

    let other = Person::visiting(&office.meydan.url);
    let step = first_step(&other).await;
    let again = other.send(&step, "/login/factor", &[("code", code)]).await;
    assert_eq!(again.status, 422, "once");
}

#[tokio::test]
async fn the_last_recovery_code_leads_to_where_new_ones_are_made_and_nothing_else_opens() {
    let office = office().await;
    let codes = office.owner.enrol().await.codes;
    let mut homes = vec![];
    let mut person = Person::visiting(&office.meydan.url);

    for code in &codes {
        person = Person::visiting(&office.meydan.url);
        let step = first_step(&person).await;
        homes.push(person.send(&step, "/login/factor", &[("code", code)]).await);
    }

    let last = homes.pop().expect("there were ten");
    assert!(homes.iter().all(|home| home.url.ends_with("/c/tehran")));
    assert!(last.url.ends_with("/account/factors?notice=codes-used-up"), "{}", last.url);
    assert!(last.says("آخرین کد بازیابی"), "{}", last.html);
    for path in ["/c/tehran", "/c/tehran/inbox", "/c/tehran/team", "/c/tehran/figures"] {
        let led = person.open(path).await;
        assert!(led.status == 401 || led.url.ends_with("?notice=codes-used-up"), "{}", led.url);
    }
    let sent = person.send(&last, "/c/tehran/inbox/1001/reply", &[("text", "x")]).await;
    assert!(sent.url.ends_with("?notice=codes-used-up"), "{}", sent.url);
    let made = person.send(&last, "/account/recovery-codes", &[]).await;
    assert_eq!(made.html.matches("<li><code>").count(), 10);
    assert!(person.open("/c/tehran/inbox").await.url.ends_with("/inbox"), "it opens again");
}

#[tokio::test]
async fn an_authenticator_gets_another_name_from_its_holder_and_from_nobody_else() {
    let office = office().await;
    office.owner.enrol().await;
    let page = office.owner.open("/account/factors").await;
    let path = page.html.split("action=\"").filter_map(|part| part.split('"').next());
    let path = path.filter(|path| path.ends_with("/rename")).collect::<Vec<_>>()[0].to_owned();
    let renamed = office.owner.send(&page, &path, &[("name", "گوشی تازه")]).await;
    assert!(renamed.says("گوشی تازه"), "{}", renamed.html);

    let nameless = office.owner.send(&renamed, &path, &[("name", " ")]).await;
    assert_eq!(nameless.status, 422);
    let own = office.admin.open("/account/factors").await;
    assert_eq!(office.admin.send(&own, &path, &[("name", "دزد")]).await.status, 404);
    assert!(office.owner.open("/account/factors").await.says("گوشی تازه"));
}

#[tokio::test]
async fn an_admin_reaches_nothing_before_there_is_a_second_factor() {
    let telegram = telegram().await;
    let ground = meydan_testkit::process::Ground::prepare(&telegram.url()).await;
    let meydan = meydan_testkit::process::Meydan::start(crate::office::PROGRAM, &ground).await;
    let admin = Person::visiting(&meydan.url);
    let link = meydan.first_link.clone().expect("nobody can log in yet");
    let form = admin.open(&link).await;
    let fields = [
        ("display_name", "مدیر"),
        ("email", "admin@meydan.example"),
        ("password", PASSWORD),
        ("password_again", PASSWORD),
    ];
    admin.send(&form, &link, &fields).await;

    for path in ["/admin", "/admin/campaigns", "/admin/campaigns/new"] {
        let page = admin.open(path).await;
        assert!(page.url.ends_with("/account/factors"), "{path} {}", page.url);
    }
    let page = admin.open("/account/factors").await;
    let created = admin.send(&page, "/admin/campaigns", &[("slug", "tehran")]).await;
    assert!(created.url.ends_with("/account/factors"), "{}", created.url);
    admin.enrol().await;
    assert!(admin.open("/admin/campaigns/new").await.url.ends_with("/new"));
}

#[tokio::test]
async fn devices_are_listed_and_ended_and_the_history_tells_of_both() {
    let office = office().await;
    let person = Person::visiting(&office.meydan.url);
    first_step(&person).await;
    assert!(person.open("/c/tehran").await.url.ends_with("/c/tehran"));

    let page = office.owner.open("/account/sessions").await;
    assert_eq!(page.html.matches("<tr>").count(), 3, "a head and two devices: {}", page.html);
    let ended = office.owner.send(&page, "/account/sessions/end", &[]).await;
    assert_eq!(ended.html.matches("<tr>").count(), 2, "{}", ended.html);
    person.until("/c/tehran", "name=\"password\"").await;

    let history = office.owner.until("/account/history", "خروج").await;
    assert!(history.says("127.0.0.1"), "{}", history.html);
}

#[tokio::test]
async fn what_was_said_of_the_browser_is_not_forgotten_with_a_wrong_password() {
    let house = House::open().await;
    let person = Person::visiting(&format!("http://{}", house.gateways[0]));
    let form = person.open("/login").await;
    let fields = [("email", "sara@meydan.example"), ("password", "wrong")];

    let plain = person.send(&form, "/login", &fields).await;
    let trusted =
        person.send(&form, "/login", &[&fields[..], &[("trusted", "yes")]].concat()).await;

    let ticked = "name=\"trusted\" value=\"yes\" checked";
    assert_eq!((plain.status.as_u16(), plain.says(ticked)), (422, false));
    assert_eq!((trusted.status.as_u16(), trusted.says(ticked)), (422, true), "{}", trusted.html);
}

/// The owner of the house's campaign, who has logged in at a gateway.
async fn owner_of(house: &House) -> Person {
    house.team().await;
    let owner = Person::visiting(&format!("http://{}", house.gateways[0]));
    let form = owner.open("/login").await;
    let fields = [("email", "owner@meydan.example"), ("password", PASSWORD)];
    owner.send(&form, "/login", &fields).await;
    owner
}

#[tokio::test]
async fn whoever_has_to_prove_themselves_for_a_form_is_told_before_they_fill_it_in() {
    let house = House::open().await;
    let owner = owner_of(&house).await;
    let shown = async || {
        let (account, team) = (owner.open("/account").await, owner.open("/c/tehran/team").await);
        let form = account.says("action=\"/account/phone\"");
        let first = "/account/prove?next=/account\"";
        assert_eq!(form, !account.says(first), "the one or the other: {}", account.html);
        assert!(account.says("action=\"/account/email\""), "that asks for the password itself");
        (form, team.says("/account/prove?next=/c/tehran/team"))
    };
    assert_eq!(shown().await, (true, false), "the login was a proof");

    *house.now.lock().expect("no test panics here") += Duration::minutes(6);

    assert_eq!(shown().await, (false, true));
    let proof = owner.open("/account/prove?next=/account").await;
    owner.send(&proof, "/account/prove", &[("secret", PASSWORD), ("next", "/account")]).await;
    assert_eq!(shown().await, (true, false));
}

#[tokio::test]
async fn a_copy_of_the_record_asks_for_a_proof_and_leads_back_to_what_was_looked_for() {
    let house = House::open().await;
    let owner = owner_of(&house).await;
    let (_, staff) = house.staff().await;
    *house.now.lock().expect("no test panics here") += Duration::minutes(6);

    let asked = "?action=member.&from=1405%2F08%2F01";
    let proof = owner.open(&format!("/c/tehran/audit/export.csv{asked}")).await;
    assert!(proof.url.contains("/account/prove?next="), "{}", proof.url);
    let next = proof.field("next").replace("&#38;", "&").replace("&amp;", "&");
    assert_eq!(next, format!("/c/tehran/audit{asked}&notice=copy-ready"));
    let proved = [("secret", PASSWORD), ("next", next.as_str())];
    let back = owner.send(&proof, "/account/prove", &proved).await;
    assert!(back.url.ends_with(&next), "{}", back.url);
    assert!(back.says("نسخهٔ سابقهٔ کارها آماده است"), "{}", back.html);
    let copy = owner.open(&format!("/c/tehran/audit/export.csv{asked}")).await;
    assert!(copy.url.contains("/export.csv"), "what is asked for comes: {}", copy.url);

    let led = get(house.gateways[0], "/admin/audit/export.csv", &staff).await;
    assert_eq!(
        led.headers()["location"],
        "/account/prove?next=%2Fadmin%2Faudit%3Fnotice%3Dcopy-ready"
    );
}

#[tokio::test]
async fn a_form_that_would_be_refused_for_want_of_a_proof_is_not_shown_but_the_way_to_the_proof() {
    let office = office().await;
    office.owner.enrol().await;
    let (form, way) = ("action=\"/account/email\"", "href=\"/account/prove?next=/account\"");
    let fresh = office.owner.open("/account").await;
    assert!(fresh.says(form) && !fresh.says(way), "{}", fresh.html);

    let identity = database(&office.ground, "identity").await;
    let later = "UPDATE sessions SET proved_at = proved_at - interval '1 hour'";
    sqlx::raw_sql(later).execute(&identity).await.expect("a superuser may");

    let stale = office.owner.until("/account", way).await;
    assert!(!stale.says(form), "{}", stale.html);
}

#[tokio::test]
async fn whoever_is_refused_at_the_login_need_not_say_again_that_the_browser_is_theirs_alone() {
    let office = office().await;
    let person = Person::visiting(&office.meydan.url);
    let form = person.open("/login").await;
    let checked = "name=\"trusted\" value=\"yes\" checked";
    assert!(!form.says(checked));

    let who = [("email", "tehran@meydan.example"), ("password", "wrong"), ("trusted", "yes")];
    let wrong = person.send(&form, "/login", &who).await;
    assert!(wrong.status == 422 && wrong.says(checked), "{}", wrong.html);
    let passkey = [("token", "of nobody"), ("credential", "{}"), ("trusted", "yes")];
    let wrong = person.send(&wrong, "/login/passkey", &passkey).await;
    assert!(wrong.status == 422 && wrong.says(checked), "{}", wrong.html);
}

#[tokio::test]
async fn what_was_said_of_the_browser_is_offered_beside_the_code_and_stands_in_no_address() {
    let office = office().await;
    office.owner.enrol().await;
    let person = Person::visiting(&office.meydan.url);
    let form = person.open("/login").await;
    let who = [("email", "tehran@meydan.example"), ("password", PASSWORD), ("trusted", "yes")];

    let step = person.send(&form, "/login", &who).await;

    let checked = "name=\"trusted\" value=\"yes\" checked";
    assert!(step.url.ends_with("/login/factor?next=%2F"), "{}", step.url);
    assert!(step.says(checked), "{}", step.html);
    assert!(person.open("/login/factor").await.says(checked), "also when it is loaded anew");
}
