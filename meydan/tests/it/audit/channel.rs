//! Checkpoints in a channel, against somebody who has the databases, the file and the key.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio};

use meydan_testkit::{
    process::{Ground, Meydan},
    servers,
    telegram::{Fault, TelegramSimulator},
};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{
    erase::database,
    office::{Office, PROGRAM, Reach, TOKEN, telegram},
    operate::meydan,
};

/// The token of the bot that posts.
const WITNESS: &str = "987654321:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1";
const CHANNEL: i64 = -1_001_234_567_890;

/// Checkpoints are signed at a tree's first entry and when the program ends, and posted to a channel.
fn settings(folder: &tempfile::TempDir, channel: &str) -> Vec<(&'static str, String)> {
    let token = folder.path().join("token");
    fs::write(&token, WITNESS).expect("there is room");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("it is ours");
    vec![
        ("MEYDAN_AUDIT_CHECKPOINT_ENTRIES", "1000000".to_owned()),
        ("MEYDAN_AUDIT_CHECKPOINT_SECONDS", "86400".to_owned()),
        ("MEYDAN_AUDIT_CHANNEL", channel.to_owned()),
        ("MEYDAN_AUDIT_CHANNEL_TOKEN_FILE", token.display().to_string()),
    ]
}

fn file(ground: &Ground) -> PathBuf {
    ground.data().join("audit").join(audit::FILE)
}

/// The notes of the file.
fn filed(ground: &Ground) -> Vec<String> {
    let text = fs::read_to_string(file(ground)).expect("it is text");
    // A note is two paragraphs: what is signed, and the signature.
    let paragraphs: Vec<_> = text.split_inclusive("\n\n").map(str::to_owned).collect();
    paragraphs.chunks(2).map(|note| format!("{}\n", note.concat().trim_end())).collect()
}

fn posted(telegram: &TelegramSimulator) -> Vec<String> {
    telegram.sent(CHANNEL).into_iter().map(|sent| sent.text).collect()
}

fn sorted(mut notes: Vec<String>) -> Vec<String> {
    notes.sort();
    notes
}

/// What somebody copied out of the channel.
fn copied(folder: &tempfile::TempDir, notes: &[String]) -> String {
    let text = notes.iter().map(|note| format!("Witness, [21.11.2026 15:30]\n{}\n\n", note.trim()));
    let copies = folder.path().join("copies.txt");
    fs::write(&copies, text.collect::<String>()).expect("there is room");
    copies.display().to_string()
}

/// Whether a program with nothing of Meydan believes what was copied.
async fn checked(key: &str, copies: &str) -> bool {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/check-notes");
    let copies = fs::File::open(copies).expect("it is ours");
    let mut check = tokio::process::Command::new("python3");
    check.args([script, key]).stdin(copies).stdout(Stdio::null()).stderr(Stdio::null());
    check.status().await.expect("python3 is there").success()
}

/// Does something in a database as somebody for whom no trigger fires.
async fn harm(ground: &Ground, name: &str, deeds: &[String]) {
    let options = database(ground, name).await.connect_options();
    let mut session = PgConnection::connect_with(&options).await.expect("it answers");
    let free = "SET session_replication_role = replica; ".to_owned() + &deeds.join("; ");
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(free)).execute(&mut session).await;
    done.expect("a superuser may");
}

/// Makes the newest facts of a campaign, their entries, and whatever counts them, not have been.
async fn cut(ground: &Ground, campaign: Uuid, size: i64) {
    let hashes = "SELECT leaf_sha256 FROM entries WHERE tree_id = $1 AND leaf < $2 ORDER BY leaf";
    let audit = database(ground, "audit").await;
    let hashes = sqlx::query_scalar::<_, Vec<u8>>(hashes).bind(campaign).bind(size);
    let mut tree = audit::merkle::Frontier::default();
    for hash in hashes.fetch_all(&audit).await.expect("they are there") {
        tree.push(hash.try_into().expect("it is a hash"));
    }
    let gone = "SELECT log, position FROM entries WHERE tree_id = $1 AND leaf >= $2";
    let gone = sqlx::query_as::<_, (String, i64)>(gone).bind(campaign).bind(size);
    for (log, position) in gone.fetch_all(&audit).await.expect("they are there") {
        let fact = format!(
            "DELETE FROM es.events WHERE position = {position} AND tenant_id = '{campaign}'"
        );
        harm(ground, &log, &[fact]).await;
    }
    let forged = [
        format!("DELETE FROM entries WHERE tree_id = '{campaign}' AND leaf >= {size}"),
        format!("DELETE FROM checkpoints WHERE tree_id = '{campaign}' AND size > {size}"),
        "UPDATE es.checkpoints SET position = coalesce((SELECT max(position) FROM entries WHERE reader = 'entries_' || log), 0)".to_owned(),
    ];
    harm(ground, "audit", &forged).await;
    let back =
        "UPDATE trees SET size = $2, signed = $2, posted = $2, frontier = $3 WHERE tree_id = $1";
    let back = sqlx::query(back).bind(campaign).bind(size).bind(tree.bytes());
    back.execute(&audit).await.expect("a superuser may");
    let newer = |note: &String| {
        let mut lines = note.lines();
        lines.next().is_some_and(|origin| origin.ends_with(&campaign.to_string()))
            && lines.next().and_then(|told| told.parse().ok()) > Some(size)
    };
    let kept: Vec<_> = filed(ground).into_iter().filter(|note| !newer(note)).collect();
    fs::write(file(ground), kept.join("\n") + "\n").expect("it is ours");
}

#[tokio::test]
async fn what_was_posted_stands_against_who_has_the_databases_the_file_and_the_key() {
    let telegram = telegram().await;
    telegram.add_bot(WITNESS, "witness_bot");
    telegram.add_channel(WITNESS, CHANNEL, "witness");
    let folder = servers::folder();
    let settings = settings(&folder, "@witness");
    let office = Office::open_with(&telegram.url(), Reach::Polling, &settings).await;
    telegram.wait_sent(CHANNEL, 2).await.expect("the platform and the campaign");
    let early = posted(&telegram);

    // Telegram is away: what happens is signed and filed all the same.
    telegram.inject(Fault::Unreachable.always().for_bot(WITNESS));
    telegram.say(TOKEN, 71, "راز").expect("a citizen writes");
    office.owner.until("/c/tehran/inbox", "راز").await;
    let Office { ground, meydan: running, .. } = office;
    running.stop().await;
    assert!(filed(&ground).len() > 2 && posted(&telegram) == early);

    // Afterwards it hears of everything.
    telegram.clear_faults();
    let running = Meydan::start(PROGRAM, &ground).await;
    let all = filed(&ground);
    telegram.wait_sent(CHANNEL, all.len()).await.expect("the rest is posted");
    running.stop().await;
    let notes = posted(&telegram);
    assert_eq!(sorted(notes.clone()), sorted(all));
    let copies = copied(&folder, &notes);
    let clean = ["audit", "verify", "--notes", &copies];
    meydan(&ground, &clean).await.expect("nobody changed anything");

    let key = meydan(&ground, &["audit", "verify", "--json"]).await.expect("it is whole");
    let key: serde_json::Value = serde_json::from_str(&key).expect("it is JSON");
    let key = key["key"].as_str().expect("the key is told");
    assert!(checked(key, &copies).await, "openssl believes them");
    let forged = notes[0].replacen('\n', "\n1", 1);
    let forged = copied(&folder, &[notes[1].clone(), forged]);
    assert!(!checked(key, &forged).await, "and no other");
    assert_eq!(copied(&folder, &notes), copies);

    let crm = database(&ground, "crm").await;
    let campaign = sqlx::query_scalar("SELECT tenant_id FROM tickets LIMIT 1");
    let campaign: Uuid = campaign.fetch_one(&crm).await.expect("there are tickets");
    let of_campaign = early.iter().find(|note| note.contains(&campaign.to_string()));
    let size = of_campaign.and_then(|note| note.lines().nth(1)).and_then(|size| size.parse().ok());
    cut(&ground, campaign, size.expect("the campaign was posted early")).await;

    meydan(&ground, &["audit", "verify"]).await.expect("everything here fits together");
    let told = meydan(&ground, &clean).await.expect_err("the channel knows more");
    assert!(told.contains("is not in the table") && told.contains("were signed"), "{told}");
    fs::write(&copies, "no note").expect("it is ours");
    let told = meydan(&ground, &clean).await.expect_err("nothing was compared");
    assert!(told.contains("no checkpoint among the copied notes"), "{told}");
}
