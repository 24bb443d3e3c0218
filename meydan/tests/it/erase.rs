//! A person is erased while everything runs: nothing of them can be read again, and a certificate says so.

use std::{process::Stdio, time::Duration};

use meydan_keyring::{KeyFile, Keyring, Sealed};
use meydan_testkit::{
    ports,
    process::{Ground, Meydan},
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::{
    damage::end,
    office::{Office, PROGRAM, Reach, TOKEN, telegram},
    operate::{found, meydan},
};

const SARA: i64 = 4_200_000_000_000_001;
const NAVID: i64 = 4_200_000_000_000_002;
const PATIENCE: Duration = Duration::from_secs(30);

/// One of the platform's databases.
pub(crate) async fn database(ground: &Ground, name: &str) -> PgPool {
    let server = ground.settings.get("MEYDAN_DATABASE_URL").expect("tests name a server");
    let mut url = url::Url::parse(server).expect("it is a URL");
    url.set_path(&format!("{}{name}", ground.prefix()));
    let pool = PgPoolOptions::new().max_connections(2).connect(url.as_str()).await;
    pool.expect("the database answers")
}

/// The campaign and the citizen who opened a ticket.
pub(crate) async fn who_opened(ground: &Ground, number: i64) -> (Uuid, Uuid) {
    let found = sqlx::query_as("SELECT tenant_id, citizen_id FROM tickets WHERE number = $1");
    found.bind(number).fetch_one(&database(ground, "crm").await).await.expect("the ticket is there")
}

async fn count(ground: &Ground, name: &str, query: &'static str, citizen: Uuid) -> i64 {
    let counted = sqlx::query_scalar(query).bind(citizen);
    counted.fetch_one(&database(ground, name).await).await.expect("the database answers")
}

/// An office with a conversation with Sara: what she wrote is `1001`, what Navid wrote `1002`.
async fn talk(office: &Office, telegram: &meydan_testkit::telegram::TelegramSimulator) {
    telegram.say(TOKEN, SARA, "راز سارا").expect("she writes");
    office.owner.until("/c/tehran/inbox/1001/messages", "راز سارا").await;
    office.answer(1001, "پاسخ به سارا").await;
    office.owner.until("/c/tehran/inbox/1001/messages", "delivery is-sent").await;
    telegram.say(TOKEN, NAVID, "حرف نوید").expect("he writes");
    office.owner.until("/c/tehran/inbox/1002/messages", "حرف نوید").await;
}

/// Every sealed value below the databases that hold any, which names one of these keys.
async fn sealed_under(ground: &Ground, keys: &[Uuid]) -> Vec<Sealed<serde_json::Value>> {
    let mut found = Vec::new();
    for name in ["identity", "crm", "bot_hub"] {
        let pool = database(ground, name).await;
        let facts: Vec<String> = sqlx::query_scalar("SELECT payload::text FROM es.events")
            .fetch_all(&pool)
            .await
            .expect("the log can be read");
        for fact in facts {
            let parts = fact.split('"').filter_map(|part| part.parse::<Sealed<_>>().ok());
            found.extend(parts.filter(|sealed| keys.contains(&sealed.key_id())));
        }
    }
    found
}

async fn rows_of(ground: &Ground, citizen: Uuid) -> i64 {
    count(
        ground,
        "crm",
        "SELECT (SELECT count(*) FROM citizens WHERE citizen_id = $1 AND person_sealed IS NOT NULL)
              + (SELECT count(*) FROM tickets WHERE citizen_id = $1 AND subject_sealed IS NOT NULL)
              + (SELECT count(*) FROM messages m JOIN tickets t USING (tenant_id, ticket_id)
                 WHERE t.citizen_id = $1 AND (body_sealed IS NOT NULL OR earlier_sealed <> '{}'))",
        citizen,
    )
    .await
        + count(
            ground,
            "bot_hub",
            "SELECT (SELECT count(*) FROM dialogues WHERE citizen_id = $1)
                  + (SELECT count(*) FROM outbound WHERE citizen_id = $1 AND body_sealed IS NOT NULL)
                  + (SELECT count(*) FROM es.unique_keys WHERE aggregate_id = $1 AND scope = 'telegram.user')",
            citizen,
        )
        .await
}

#[tokio::test]
async fn an_erased_person_cannot_be_read_again_and_a_certificate_proves_it() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    talk(&office, &telegram).await;
    let ground = &office.ground;
    let (campaign, sara) = who_opened(ground, 1001).await;
    let (campaign_id, sara_id) = (campaign.to_string(), sara.to_string());
    let erase = ["erase", "--campaign", &campaign_id, "--subject", &sara_id, "--yes", "--json"];
    assert!(rows_of(ground, sara).await >= 6, "there is something to forget");

    let certificate = meydan(ground, &erase).await.expect("she is erased");

    // No page says it, and no row holds it.
    assert_eq!(rows_of(ground, sara).await, 0);
    for path in ["/c/tehran/inbox", "/c/tehran/inbox/1001", "/c/tehran/inbox/1001/messages"] {
        let page = office.owner.open(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.says("راز سارا") && !page.says("پاسخ به سارا"), "{path}");
    }
    let other = office.owner.open("/c/tehran/inbox/1002").await;
    assert!(other.says("حرف نوید"), "others are as they were");

    // The log keeps ciphertext that nothing opens.
    let read: serde_json::Value = serde_json::from_str(&certificate).expect("it is JSON");
    let statement = &read["statement"];
    let keys = statement["keys"].as_array().expect("keys are listed");
    let id = |key: &serde_json::Value| key["key_id"].as_str().and_then(|id| id.parse().ok());
    let keys: Vec<Uuid> = keys.iter().filter_map(id).collect();
    assert_eq!(keys.len(), 1);
    let sealed = sealed_under(ground, &keys).await;
    assert!(sealed.len() >= 6, "the log holds what she said: {}", sealed.len());
    let key = KeyFile::open(&ground.data().join("secrets/platform.key")).expect("it is there");
    let keyring = Keyring::new(database(ground, "keys").await, std::sync::Arc::new(key));
    let openers = keyring.openers(campaign, keys.iter().copied()).await.expect("keys answer");
    assert_eq!(format!("{openers:?}"), "Openers { keys: {} }");

    // The certificate names who acknowledged, and is the same for whoever asks again.
    let contexts = statement["contexts"].as_array().expect("contexts are listed");
    let names: Vec<_> = contexts.iter().filter_map(|by| by["context"].as_str()).collect();
    assert_eq!(names, ["bot_hub", "crm", "identity"]);
    assert!(contexts.iter().all(|by| by["position"].as_i64() > Some(0)));
    assert_eq!(meydan(ground, &erase).await.expect("it is given again"), certificate);
    for text in ["راز", "سارا", "4200000000000001"] {
        assert!(!certificate.contains(text), "it says nothing personal");
    }
    verified(ground, &certificate).await;

    // Whoever comes back is a stranger.
    telegram.say(TOKEN, SARA, "باز هم من").expect("she writes again");
    office.owner.until("/c/tehran/inbox/1003/messages", "باز هم من").await;
    assert_ne!(who_opened(ground, 1003).await.1, sara);
}

async fn verified(ground: &Ground, certificate: &str) {
    let file = ground.data().join("certificate.json");
    let name = file.to_str().expect("a plain path");
    std::fs::write(&file, certificate).expect("there is room");
    let said = meydan(ground, &["erase", "--verify", name]).await.expect("it is genuine");
    assert!(said.starts_with("genuine"), "{said}");
    let key = said.lines().next().and_then(|line| line.rsplit(' ').next()).expect("it says whose");
    assert_eq!(with_openssl(key, certificate).await, Ok(()));

    let changed = certificate.replace("crm", "crn");
    assert!(with_openssl(key, &changed).await.is_err(), "it was changed");
    std::fs::write(&file, changed).expect("there is room");
    let said = meydan(ground, &["erase", "--verify", name]).await.expect_err("it was changed");
    assert!(said.contains("changed, or is forged"), "{said}");
}

/// What other people's programs say of a certificate.
async fn with_openssl(key: &str, certificate: &str) -> Result<(), String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/check-certificate");
    let mut checking = tokio::process::Command::new(script);
    let checking =
        checking.arg(key).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut checking = checking.spawn().expect("Python is there");
    let mut input = checking.stdin.take().expect("it is piped");
    input.write_all(certificate.as_bytes()).await.expect("it reads");
    drop(input);
    let ended = checking.wait_with_output().await.expect("it ends");
    if ended.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&ended.stderr).into()) }
}

#[tokio::test]
async fn an_erasure_that_is_cut_short_is_completed_by_the_contexts_and_certified_later() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    talk(&office, &telegram).await;
    let (campaign, sara) = who_opened(&office.ground, 1001).await;
    let (campaign_id, sara_id) = (campaign.to_string(), sara.to_string());
    let erase = ["erase", "--campaign", &campaign_id, "--subject", &sara_id, "--yes"];
    let Office { ground, meydan: program, owner, .. } = office;
    program.kill().await;

    // Nobody is there to forget; the key is destroyed all the same.
    let said = meydan(&ground, &[&erase[..], &["--patience", "0"]].concat()).await;
    let said = said.expect_err("nobody has acknowledged");
    assert!(said.contains("bot_hub, crm, identity did not answer yet"), "{said}");
    let living = "SELECT count(*) FROM subject_keys WHERE subject_id = $1 AND wrapped IS NOT NULL";
    assert_eq!(count(&ground, "keys", living, sara).await, 0);

    let program = Meydan::start(PROGRAM, &ground).await;
    let forgotten = async { while rows_of(&ground, sara).await > 0 {} };
    tokio::time::timeout(PATIENCE, forgotten).await.expect("the contexts forget by themselves");
    let page = owner.at(&program.url).open("/c/tehran/inbox/1001").await;
    assert!(!page.says("راز سارا"));
    let said = meydan(&ground, &erase).await.expect("it is certified");
    assert!(said.contains("forgotten by: crm"), "{said}");
    for what in [") at ", "may hold it until: ", "at most until: "] {
        let at = said.lines().find_map(|line| Some(line.split_once(what)?.1)).expect(what);
        assert!(OffsetDateTime::parse(at, &Rfc3339).is_ok(), "{at}");
    }
}

#[tokio::test]
async fn nobody_is_erased_while_the_broker_cannot_say_what_the_streams_have() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    talk(&office, &telegram).await;
    let Office { mut ground, meydan: _program, owner, .. } = office;
    let (_, sara) = who_opened(&ground, 1001).await;
    let before = rows_of(&ground, sara).await;
    let nowhere = format!("nats://127.0.0.1:{}", ports::free());
    ground.settings.insert("MEYDAN_NATS_URL", nowhere);

    let erase = ["erase", "--campaign", "tehran", "--ticket", "1001", "--yes"];
    let (code, printed, told) = end(&ground, &erase).await;

    assert_eq!((code, printed), (1, String::new()), "{told}");
    assert!(
        told.contains("nobody was erased: streams may have facts that the logs lack"),
        "{told}"
    );
    assert!(told.contains("NATS cannot be reached"), "{told}");
    let living = "SELECT count(*) FROM subject_keys WHERE subject_id = $1 AND wrapped IS NOT NULL";
    assert_eq!(count(&ground, "keys", living, sara).await, 1);
    let facts =
        "SELECT count(*) FROM es.events WHERE event_type = 'subject.erased' AND aggregate_id = $1";
    assert_eq!(count(&ground, "identity", facts, sara).await, 0);
    assert_eq!(rows_of(&ground, sara).await, before);
    assert!(owner.open("/c/tehran/inbox/1001").await.says("راز سارا"), "she can be read");
}

#[tokio::test]
async fn an_account_is_erased_in_all_campaigns_and_its_address_may_be_used_again() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    talk(&office, &telegram).await;
    let ground = &office.ground;
    let crm = database(ground, "crm").await;
    let author: Uuid = sqlx::query_scalar("SELECT author FROM messages WHERE author IS NOT NULL")
        .fetch_one(&crm)
        .await
        .expect("there is an answer");

    let erase = ["erase", "--email", "Tehran@meydan.example ", "--asked-by", &author.to_string()];
    let would = meydan(ground, &[&erase[..], &["--dry-run"]].concat()).await.expect("it looks");
    assert_eq!(would, format!("{author}: an account at work in tehran\n"));
    let said = meydan(ground, &[&erase[..], &["--yes", "--json"]].concat()).await;
    let said = said.expect("it is erased");

    let certificate: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
    let keys = certificate["statement"]["keys"].as_array().map(Vec::len);
    assert_eq!(keys, Some(2), "one of the platform, one of the campaign");
    let left = "SELECT (SELECT count(*) FROM accounts WHERE account_id = $1)
                     + (SELECT count(*) FROM members WHERE account_id = $1)
                     + (SELECT count(*) FROM sessions WHERE account_id = $1)
                     + (SELECT count(*) FROM credentials WHERE account_id = $1)
                     + (SELECT count(*) FROM es.unique_keys WHERE aggregate_id = $1)";
    assert_eq!(count(ground, "identity", left, author).await, 0);
    let named =
        "SELECT count(*) FROM messages WHERE author = $1 AND author_name_sealed IS NOT NULL";
    assert_eq!(count(ground, "crm", named, author).await, 0);
    // The gateway believes for some seconds what it heard of a session.
    let page = office.owner.until("/c/tehran/inbox", "name=\"password\"").await;
    assert!(page.url.contains("/login"), "{}", page.url);
    let unknown = ["erase", "--subject", &Uuid::new_v4().to_string()];
    let said = meydan(ground, &unknown).await.expect_err("there is nobody like that");
    assert!(said.contains("there is no such subject"), "{said}");
}

#[tokio::test]
async fn a_citizen_is_found_by_a_ticket_and_nobody_is_erased_who_was_not_meant() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    talk(&office, &telegram).await;
    let ground = &office.ground;
    let (campaign, sara) = who_opened(ground, 1001).await;
    let (campaign, sara) = (campaign.to_string(), sara.to_string());
    let ticket = ["erase", "--campaign", "tehran", "--ticket", "1001"];

    let would = meydan(ground, &[&ticket[..], &["--dry-run", "--json"]].concat()).await;
    let would: serde_json::Value =
        serde_json::from_str(&would.expect("it looks")).expect("it is JSON");
    assert_eq!(would["subject"], sara);
    assert_eq!(would["campaign"], campaign);
    assert_eq!(would["is"], "a citizen of campaign tehran, who opened the tickets 1001");

    for (arguments, refusal) in [
        (&ticket[..], "nobody is there to be asked"),
        (&["erase", "--yes"], "say whom"),
        (&["erase", "--subject", &sara, "--yes"], &format!("add --campaign {campaign}")),
        (&["erase", "--campaign", "shiraz", "--ticket", "1001", "--yes"], "no campaign shiraz"),
        (&["erase", "--campaign", "tehran", "--ticket", "7", "--yes"], "tehran has no ticket 7"),
        (&["erase", "--email", "sara@meydan.example", "--yes"], "no account logs in"),
    ] {
        let said = meydan(ground, arguments).await.expect_err("nobody is erased");
        assert!(said.contains(refusal), "{said}");
    }
    let page = office.owner.open("/c/tehran/inbox/1001").await;
    assert!(page.says("راز سارا"), "she can be read");

    meydan(ground, &[&ticket[..], &["--yes"]].concat()).await.expect("she is erased");
    let page = office.owner.open("/c/tehran/inbox/1001").await;
    assert!(!page.says("راز سارا"), "she cannot be read again");
}

#[tokio::test]
async fn the_servers_of_the_program_beside_us_are_found() {
    let telegram = telegram().await;
    let mut ground = Ground::prepare(&telegram.url()).await;
    ground.settings.remove("MEYDAN_DATABASE_URL");
    ground.settings.remove("MEYDAN_NATS_URL");
    let erase = ["erase", "--subject", &Uuid::new_v4().to_string()];

    let said = meydan(&ground, &erase).await.expect_err("nothing runs");
    assert!(said.contains("start meydan up"), "{said}");
    let _program = Meydan::start(PROGRAM, &ground).await;
    let said = meydan(&ground, &erase).await.expect_err("there is nobody like that");
    assert!(said.contains("there is no such subject"), "{said}");
    let said = meydan(&ground, &["keys", "rotate", "--platform", "--campaigns"]).await;
    assert!(said.expect("keys are exchanged").starts_with("the platform's newest key"));
}

#[tokio::test]
async fn a_platform_key_from_before_a_rotation_is_refused_at_once_and_in_words() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let ground = &office.ground;
    let key = ground.data().join("secrets/platform.key");
    let before = std::fs::read(&key).expect("it is there");

    let before_it = found(ground, &["keys", "list"]).await;
    let rotated = found(ground, &["keys", "rotate", "--campaigns"]).await;
    let after_it = found(ground, &["keys", "list"]).await;
    let listed = before_it["keys"].as_array().expect("keys are listed");
    assert_eq!(listed[0]["campaign"], serde_json::Value::Null, "the platform's came first");
    assert_eq!(
        (&listed[1]["name"], &before_it["platform"]["versions"]),
        (&"tehran".into(), &1.into())
    );
    for (place, keys) in listed.iter().enumerate() {
        assert_eq!(rotated["campaigns"][place]["keys"], keys["living"]);
        assert_eq!(keys["version"], 1);
        assert_eq!(after_it["keys"][place]["version"], 2);
    }

    let said = meydan(ground, &["keys", "rotate", "--platform"]).await.expect("it is rotated");
    assert!(said.contains("keep a copy of"), "{said}");
    assert_eq!(found(ground, &["keys", "list"]).await["platform"]["versions"], 2);
    let named = found(ground, &["keys", "rotate", "--campaign", "tehran"]).await;
    assert_eq!(named["campaigns"][0]["campaign"], listed[1]["campaign"]);
    let newest = std::fs::read(&key).expect("it is there");
    std::fs::write(&key, before).expect("a copy is put back");

    let said = meydan(ground, &["keys", "rotate", "--campaigns"]).await.expect_err("it is old");
    assert!(said.contains("does not open the keys in the database"), "{said}");
    assert!(said.contains("then put the newest copy there"), "{said}");
    let nobody = Uuid::new_v4().to_string();
    let said = meydan(ground, &["keys", "rotate", "--campaign", &nobody]).await;
    assert!(said.is_err(), "nor is there such a campaign");

    // The other way round: the database is from before, and the file has forgotten what wrapped its keys then.
    std::fs::write(&key, newest).expect("the newest is put back");
    let keys = database(ground, "keys").await;
    let backup = sqlx::raw_sql("CREATE TABLE backup AS SELECT * FROM campaign_keys");
    backup.execute(&keys).await.expect("the owner may");
    let rotate = ["keys", "rotate", "--platform", "--forget-older"];
    let said = meydan(ground, &rotate).await.expect("it is rotated");
    assert!(said.contains("keep the last copy that has them"), "{said}");
    let restore = "UPDATE campaign_keys c SET wrapped = b.wrapped FROM backup b
                   WHERE b.tenant_id = c.tenant_id AND b.version = c.version";
    sqlx::raw_sql(restore).execute(&keys).await.expect("the owner may");

    let said = meydan(ground, &["keys", "list"]).await.expect_err("nothing opens");
    assert!(said.contains("--forget-older: then put the copy there"), "{said}");
    assert!(said.contains("platform.key (written at 2") && said.contains("in it: 1)"), "{said}");
}
