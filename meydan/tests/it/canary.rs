//! Personal data is ciphertext wherever it lies: database files, write-ahead log, streams, logs.

use std::path::Path;

use meydan_testkit::process::{Ground, Meydan, Person};

use crate::office::{PASSWORD, PROGRAM, TOKEN, telegram};

const CANARIES: [&str; 7] = [
    "canary-message-text",
    "canary-answer-text",
    "canaryfirstname",
    "canary_handle",
    "98900555canary",
    "canary-admin@meydan.example",
    TOKEN,
];

/// Which canaries lie in the files below a folder.
fn found(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            self::found(&path, found);
        } else if let Ok(content) = std::fs::read(&path) {
            for canary in CANARIES {
                let there = content.windows(canary.len()).any(|part| part == canary.as_bytes());
                if there {
                    found.push(format!("{canary} in {}", path.display()));
                }
            }
        }
    }
}

#[tokio::test]
async fn nothing_that_people_said_or_are_called_lies_open_on_the_disk() {
    let telegram = telegram().await;
    let mut ground = Ground::prepare(&telegram.url()).await;
    // Servers of its own, so that all their files are at hand.
    ground.settings.remove("MEYDAN_DATABASE_URL");
    ground.settings.remove("MEYDAN_NATS_URL");
    ground.settings.insert("MEYDAN_LOG_LEVEL", "debug".to_owned());
    let log = ground.data().join("program.log");
    let meydan = Meydan::start_logging(PROGRAM, &ground, &log).await;
    let admin = Person::visiting(&meydan.url);
    let link = meydan.first_link.clone().expect("nobody can log in yet");
    let form = admin.open(&link).await;
    let names = [("display_name", "Admin"), ("email", "canary-admin@meydan.example")];
    let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
    admin.send(&form, &link, &[names, passwords].concat()).await;
    admin.enrol().await;
    let owner = crate::office::Office::found_campaign(&admin, &meydan.url, "tehran").await;
    let page = admin.open("/admin/campaigns/tehran").await;
    admin.send(&page, "/admin/campaigns/tehran/bot", &[("token", TOKEN)]).await;
    admin.until("/admin/campaigns/tehran/bot", "tone-good").await;
    let update = serde_json::json!({ "message": {
        "message_id": 900, "date": 1_790_000_000,
        "chat": { "id": 77, "type": "private", "first_name": "canaryfirstname" },
        "from": { "id": 77, "is_bot": false, "first_name": "canaryfirstname", "username": "canary_handle" },
        "contact": { "phone_number": "98900555canary", "first_name": "canaryfirstname", "user_id": 77 },
    }});
    telegram.update(TOKEN, update).expect("a citizen shares their number");
    telegram.say(TOKEN, 77, "canary-message-text").expect("a citizen writes");
    let page = owner.until("/c/tehran/inbox/1001", "canary-message-text").await;
    owner.send(&page, "/c/tehran/inbox/1001/reply", &[("text", "canary-answer-text")]).await;
    owner.until("/c/tehran/inbox/1001", "delivery is-sent").await;

    meydan.kill().await;

    // Where no mail server is named, this is the mailbox, which has whom a letter is to.
    let _ = std::fs::remove_file(ground.data().join("letters.txt"));
    let mut seen = Vec::new();
    found(ground.data(), &mut seen);
    assert!(
        ground.data().join("data/postgres/pg_wal").is_dir(),
        "the write-ahead log is looked through"
    );
    assert!(ground.data().join("data/nats/jetstream").is_dir(), "the streams are looked through");
    assert!(
        std::fs::metadata(&log).is_ok_and(|log| log.len() > 1_000),
        "the log is looked through"
    );
    assert_eq!(seen, Vec::<String>::new());
}
