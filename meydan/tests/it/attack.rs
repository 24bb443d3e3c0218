//! What comes in by the front door in masses: the short form of `make attack`.

use futures::future::join_all;
use meydan_testkit::{
    process::Person,
    servers::postgres,
    telegram::TelegramSimulator,
    visitor::{Answer, Visitor, network},
};
use sqlx::postgres::PgPoolOptions;

use crate::office::{Office, PASSWORD, Reach, telegram};

const OWNER: &str = "tehran@meydan.example";
/// Guesses, each network five times: so many that the account is closed to it.
const GUESSES: usize = 150;
/// As many strangers' tries as an account is good for in a day.
const JUDGED: i64 = 50;
/// Guesses at the same time.
const AT_ONCE: usize = 30;

/// An office behind a proxy, which the test plays.
async fn office() -> (TelegramSimulator, Office) {
    let telegram = telegram().await;
    let proxies = [("MEYDAN_TRUSTED_PROXIES", "127.0.0.1/32".to_owned())];
    let office = Office::open_with(&telegram.url(), Reach::Polling, &proxies).await;
    (telegram, office)
}

/// How many facts of a kind identity has recorded, once it has ended.
async fn facts(office: Office, kind: &str) -> i64 {
    let (server, _) = postgres().rsplit_once('/').expect("it names a database");
    let database = format!("{server}/{}identity", office.ground.prefix());
    office.meydan.stop().await;
    let pool = PgPoolOptions::new().connect(&database).await.expect("it answers");
    let count = sqlx::query_scalar("SELECT count(*) FROM es.events WHERE event_type = $1");
    count.bind(kind).fetch_one(&pool).await.expect("it answers")
}

async fn log_in(owner: &Person) {
    let home = owner.open("/account").await;
    owner.send(&home, "/logout", &[]).await;
    let form = owner.open("/login").await;
    let fields = [("email", OWNER), ("password", PASSWORD), ("next", "")];
    let entered = owner.send(&form, "/login", &fields).await;
    assert!(entered.url.ends_with("/c/tehran"), "{} {}", entered.status, entered.url);
}

#[tokio::test]
async fn while_many_networks_guess_few_guesses_are_judged_and_the_owner_comes_in() {
    let (_telegram, office) = office().await;
    let visitor = Visitor::at(&office.meydan.url).await.expect("the panel answers");

    for first in (0..GUESSES).step_by(AT_ONCE) {
        let guess = |number: usize| {
            let visitor = &visitor;
            async move { visitor.log_in(OWNER, "wrong", &network(number / 5)).await }
        };
        let guesses = join_all((first..first + AT_ONCE).map(guess));
        let (answers, ()) = tokio::join!(guesses, log_in(&office.owner));
        for answer in answers {
            let status = answer.expect("it is answered").status.as_u16();
            assert!([422, 503].contains(&status), "a guess is answered with {status}");
        }
    }

    let right = visitor.log_in(OWNER, PASSWORD, &network(1_000)).await.expect("it is answered");
    assert_eq!(right.status, 422, "strangers are closed out, whatever they know");
    let judged = facts(office, "account.log_in_failed").await;
    assert!((1..=JUDGED).contains(&judged), "{judged} guesses were judged");
}

/// What an answer says, without what is another in each, and without the address.
fn said(answer: &Answer, email: &str) -> (u16, String, Vec<String>) {
    let lines = answer.page.lines().filter(|line| !line.contains("name=\"csrf\""));
    let lines = lines.filter(|line| !line.contains("data-now")).map(|line| line.replace(email, ""));
    (answer.status.as_u16(), answer.location.clone(), lines.collect())
}

#[tokio::test]
async fn known_and_unknown_addresses_read_the_same_at_the_login_and_where_passwords_are_recovered()
{
    let (_telegram, office) = office().await;
    let visitor = Visitor::at(&office.meydan.url).await.expect("the panel answers");
    let unknown = "nobody@meydan.example";

    let [one, two] = [(OWNER, 1), (unknown, 2)].map(|(email, from)| {
        let visitor = &visitor;
        async move {
            let answer = visitor.log_in(email, "wrong", &network(from)).await;
            let login = said(&answer.expect("it is answered"), email);
            let answer = visitor.send("/recover", &[("email", email)], &network(from)).await;
            (login, said(&answer.expect("it is answered"), email))
        }
    });
    let (one, two) = (one.await, two.await);

    assert_eq!(one, two);
    assert_eq!((one.0.0, one.1.0), (422, 200));
}

#[tokio::test]
async fn logins_that_are_too_many_are_told_when_to_come_again_and_pages_go_on() {
    let (_telegram, office) = office().await;
    let visitor = Visitor::at(&office.meydan.url).await.expect("the panel answers");

    let rush = (0..260).map(|number| {
        let (visitor, email) = (&visitor, format!("guest{number}@meydan.example"));
        async move { visitor.log_in(&email, "wrong", &network(number)).await }
    });
    let (answers, page) = tokio::join!(join_all(rush), office.owner.open("/c/tehran/inbox"));

    assert_eq!(page.status, 200);
    let answers = answers.into_iter().map(|answer| answer.expect("it is answered"));
    let (later, judged): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 503);
    assert!(!later.is_empty(), "some are too many");
    assert!(later.iter().all(|answer| answer.retry_after.is_some()));
    assert!(judged.iter().all(|answer| answer.status == 422));
}
