//! What leaves a line in the log: whoever is turned away, with what they wanted and who they are when that is known; and
//! what breaks, of which people are told nothing but its number.

use std::path::PathBuf;

use meydan_testkit::{
    process::{Ground, Meydan, Person},
    servers::postgres,
    telegram::TelegramSimulator,
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::office::{self, Office, PASSWORD, PROGRAM};

/// A platform that writes its log where a test reads it.
struct House {
    ground: Ground,
    log: PathBuf,
    meydan: Meydan,
    admin: Person,
    _telegram: TelegramSimulator,
}

impl House {
    async fn open() -> Self {
        let telegram = TelegramSimulator::start_flowing().await.expect("it starts");
        let ground = office::ground(&telegram.url()).await;
        let log = ground.data().join("meydan.log");
        let meydan = Meydan::start_logging(PROGRAM, &ground, &log).await;
        let admin = Person::visiting(&meydan.url);
        let link = meydan.first_link.clone().expect("nobody can log in yet");
        let welcome = admin.open(&link).await;
        let names = [("display_name", "مدیر"), ("email", "admin@meydan.example")];
        let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
        admin.send(&welcome, &link, &[names, passwords].concat()).await;
        admin.enrol().await;
        Self { ground, log, meydan, admin, _telegram: telegram }
    }

    async fn found(&self, slug: &str) -> Person {
        Office::found_campaign(&self.admin, &self.meydan.url, slug).await
    }
}

/// The lines of a log, each of which is JSON; beside them stands what people are told.
fn lines(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| !line.starts_with("meydan: "));
    lines.map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[tokio::test]
async fn whoever_is_turned_away_is_a_line_of_the_log_with_the_trace_and_without_a_secret() {
    let house = House::open().await;
    let owner = house.found("tehran").await;
    house.found("isfahan").await;

    assert_eq!(owner.open("/admin").await.status, 404, "no page of theirs");
    assert_eq!(owner.open("/c/isfahan/inbox").await.status, 404, "no campaign of theirs");
    assert_eq!(owner.post("/logout", &[("csrf", "made up")]).await.status, 403, "no form of ours");
    assert_eq!(owner.open("/api/v1/tickets").await.status, 401, "no key");
    let stranger = Person::visiting(&house.meydan.url);
    let login = stranger.open("/login").await;
    let tried = stranger.post("/login", &[("csrf", "made up"), ("email", "sara@x.example")]).await;
    assert_eq!((login.status.as_u16(), tried.status.as_u16()), (200, 403));
    house.meydan.stop().await;

    let said = std::fs::read_to_string(&house.log).expect("it is there");
    let mut away = lines(&said);
    away.retain(|line| line["message"] == "somebody was turned away");
    let of = |line: &Value| {
        let route = line["route"].as_str().expect("it says from what").to_owned();
        (route, line["status"].as_u64().expect("it says how"))
    };
    let met = away.iter().map(of).collect::<Vec<_>>();
    let expected = [
        ("/admin", 404),
        ("/c/{slug}/inbox", 404),
        ("/logout", 403),
        ("/api/v1/tickets", 401),
        ("/login", 403),
    ];
    assert_eq!(met, expected.map(|(route, status)| (route.to_owned(), status)));
    let owner = away[0]["account"].as_str().expect("it says who");
    assert!(!owner.is_empty() && away[1]["account"] == owner && away[2]["account"] == owner);
    assert_eq!(away[4]["account"], "", "nobody knows who that was");
    for line in &away {
        assert_eq!(line["level"], "WARN");
        assert!(line["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
        assert_eq!(line["trace_id"].as_str().map(str::len), Some(32), "{line}");
    }
    assert!(!said.contains("made up") && !said.contains("sara@") && !said.contains(PASSWORD));
}

#[tokio::test]
async fn what_breaks_is_a_page_with_its_number_and_the_cause_is_in_the_log_under_it() {
    let house = House::open().await;
    let owner = house.found("tehran").await;
    let crm = format!("{}crm", house.ground.prefix());
    let mut url: url::Url = postgres().parse().expect("an address");
    url.set_path(&crm);
    let mut database = PgConnection::connect(url.as_str()).await.expect("it answers");
    let away = "ALTER TABLE tickets RENAME TO tickets_that_are_away";
    sqlx::raw_sql(AssertSqlSafe(away)).execute(&mut database).await.expect("the owner may");

    let page = owner.open("/c/tehran/inbox").await;

    assert!(page.status.is_server_error(), "{}", page.status);
    for inside in ["relation", "does not exist", "SELECT", "sqlx", "PgDatabaseError", "postgres"] {
        assert!(!page.says(inside), "it says {inside}: {}", page.html);
    }
    let said = std::fs::read_to_string(&house.log).expect("it is there");
    let cause = lines(&said).into_iter().find(|line| line.to_string().contains("does not exist"));
    let cause = cause.unwrap_or_else(|| panic!("the cause is in the log: {said}"));
    let trace = cause["trace_id"].as_str().expect("it names its trace");
    assert!(page.says(trace), "{trace} is what the page shows: {}", page.html);
    house.meydan.stop().await;
}
