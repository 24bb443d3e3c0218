//! Campaigns are walls: every method and every address, asked by one campaign's people for another's things.
//!
//! The tables of policies say what there is to ask, so whatever is added without a case here is a failure.

mod calls;

use std::collections::BTreeMap;

use audit::follow::LOGS;
use gateway::{access::Need as Door, routes::table};
use meydan_rpc::guard::Need;
use meydan_testkit::{ports, process::Person, servers::postgres, telegram::TelegramSimulator};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tonic::Code;

pub(crate) use self::calls::Foreign;
use self::calls::{Answer, message};
use crate::{
    methods::SERVICES,
    office::{Office, Reach, TOKEN, telegram},
};

/// Where each service listens, in the order of the table.
const LISTENS: [&str; 4] =
    ["MEYDAN_IDENTITY_LISTEN", "MEYDAN_CRM_LISTEN", "MEYDAN_BOT_HUB_LISTEN", "MEYDAN_AUDIT_LISTEN"];

/// Two campaigns: what is asked for lies in the first one, and the other's owner asks.
pub(crate) struct Ground {
    pub(crate) office: Office,
    pub(crate) stranger: Person,
    pub(crate) foreign: Foreign,
    pub(crate) logs: BTreeMap<&'static str, PgPool>,
    _telegram: TelegramSimulator,
}

impl Ground {
    pub(crate) async fn prepare() -> Self {
        let telegram = telegram().await;
        let ports = LISTENS.map(|name| (name, format!("127.0.0.1:{}", ports::free())));
        let office = Office::open_with(&telegram.url(), Reach::Polling, &ports).await;
        let stranger = Office::found_campaign(&office.admin, &office.meydan.url, "isfahan").await;
        telegram.say(TOKEN, 7, "راز").expect("a citizen writes");
        office.owner.until("/c/tehran/inbox", "راز").await;
        let foreign = Foreign::find(&office, &ports.map(|(_, address)| address)).await;
        let mut logs = BTreeMap::new();
        for log in LOGS {
            let name = format!("{}{log}", office.ground.prefix());
            let (server, _) = postgres().rsplit_once('/').expect("it names a database");
            let pool = PgPoolOptions::new().connect(&format!("{server}/{name}")).await;
            logs.insert(log, pool.expect("it answers"));
        }
        Self { office, stranger, foreign, logs, _telegram: telegram }
    }

    /// How many facts each context has.
    pub(crate) async fn facts(&self) -> BTreeMap<&'static str, i64> {
        let mut facts = BTreeMap::new();
        for (log, pool) in &self.logs {
            let count = sqlx::query_scalar("SELECT count(*) FROM es.events").fetch_one(pool).await;
            facts.insert(*log, count.expect("it answers"));
        }
        facts
    }
}

/// Whether only services of ours, or admins, may call a method.
fn is_closed_to_members(need: Need) -> bool {
    match need {
        Need::Service(_) | Need::Admin | Need::AdminOrService(_) => true,
        Need::Fresh(need) => is_closed_to_members(*need),
        _ => false,
    }
}

#[tokio::test]
async fn no_method_gives_or_changes_anything_of_another_campaign() {
    let ground = Ground::prepare().await;
    let before = ground.facts().await;

    for (service, policies) in SERVICES {
        for (path, need) in policies {
            let (message, expected) = message(path, &ground.foreign);
            if matches!(expected, Answer::Nameless) {
                continue;
            }
            let answered = ground.foreign.ask(service, path, message).await;

            let closed = is_closed_to_members(*need);
            let expected = if closed { Answer::Is(Code::PermissionDenied) } else { expected };
            match (&expected, &answered) {
                (Answer::Is(code), Err(status)) => {
                    assert_eq!(status.code(), *code, "{path}: {status:?}");
                }
                (Answer::Refused, Err(_)) => {}
                (Answer::Own, Ok(bytes)) => {
                    let shown = ground.foreign.shown_in(bytes);
                    assert!(shown.is_empty(), "{path} shows {shown:?}");
                }
                (_, answered) => {
                    panic!("{path} is answered with {answered:?}, not as {expected:?}")
                }
            }
        }
    }

    assert_eq!(ground.facts().await, before, "something was written");
}

#[tokio::test]
async fn no_address_gives_or_changes_anything_of_another_campaign() {
    let ground = Ground::prepare().await;
    let own = ground.stranger.open("/c/isfahan/team").await;
    let forged = [
        ("csrf", own.field("csrf")),
        ("status", "closed".to_owned()),
        ("text", "سلام".to_owned()),
        ("role", "staff".to_owned()),
    ];
    let before = ground.facts().await;

    for route in table() {
        let (theirs, ours) = match route.access.need {
            // They name no campaign: they lead in and out, are one's own, or show who holds a link.
            Door::Nobody | Door::Session => continue,
            Door::Admin | Door::Permission(_) => (
                ground.foreign.address(route.path, "tehran"),
                ground.foreign.address(route.path, "isfahan"),
            ),
            // A session is nothing there; a key of another campaign is tried in `programs`.
            Door::ApiKey(_) => {
                let path = ground.foreign.address(route.path, "");
                assert_eq!(ground.stranger.open(&path).await.status, 401, "{path}");
                continue;
            }
        };
        let ask = async |path: &str| {
            let page = if route.method == "GET" {
                ground.stranger.open(path).await
            } else {
                ground.stranger.post(path, &forged).await
            };
            assert!(!page.says("راز"), "{} {path}", route.method);
            page.status
        };

        assert_eq!(ask(&theirs).await, 404, "{} {theirs}", route.method);
        // The other campaign's things, asked for in one's own.
        let names_a_thing = route.path.replace("{slug}", "").contains('{');
        if names_a_thing && ours.starts_with("/c/") {
            assert_eq!(ask(&ours).await, 404, "{} {ours}", route.method);
        }
    }

    assert_eq!(ground.facts().await, before, "something was written");
    assert_eq!(ground.office.owner.open("/c/tehran/inbox").await.status, 200);
}
