//! What somebody with every right in PostgreSQL may try, and what is found.

use audit::{
    entry::Entry,
    merkle::leaf_hash,
    note::{Checkpoint, Notary},
};
use serde_json::{Value, json};
use sqlx::Row;

use super::ground::Copy;

/// What a backup does to the table of checkpoints.
const WITHOUT_THE_NEWEST: &str = "DELETE FROM checkpoints WHERE tree_id = $CAMPAIGN
    AND size = (SELECT max(size) FROM checkpoints WHERE tree_id = $CAMPAIGN)";

/// The kinds of findings, in order, and the entry of the first.
fn first(findings: &[Value]) -> (Vec<&str>, Option<u64>) {
    let kinds = findings.iter().filter_map(|finding| finding["wrong"].as_str()).collect();
    (kinds, findings.first().and_then(|finding| finding["leaf"].as_u64()))
}

#[tokio::test]
async fn what_nobody_touched_is_as_it_was_signed() {
    let copy = Copy::new().await;

    let report = copy.verify(&[]).await;

    assert_eq!(report["findings"], json!([]));
    assert_eq!((&report["behind"], &report["unsigned"]), (&json!(0), &json!(0)), "{report}");
    assert_eq!(report["trees"], 2, "the platform and a campaign");
    assert_eq!(report["entries"], report["events"]);
    assert!(
        report["checkpoints"].as_u64() >= Some(8),
        "four at least, in the table and the file: {report}"
    );
    let one = copy.verify(&["--campaign", &copy.campaign.to_string()]).await;
    assert_eq!(one["trees"], 1);
    assert_eq!(copy.verify(&["--campaign", "tehran"]).await, one, "its name leads there, too");
    assert!(one["entries"].as_u64() < report["entries"].as_u64());
}

#[tokio::test]
async fn a_restore_that_was_put_on_record_is_told_for_ever_and_apart_from_new_damage() {
    let copy = Copy::new().await;
    copy.harm("audit", WITHOUT_THE_NEWEST).await;
    let end = async |arguments: &[&str]| {
        let output = copy.run(arguments).await;
        (output.status.code(), String::from_utf8(output.stderr).expect("it writes text"))
    };
    let (code, told) = end(&["audit", "verify"]).await;
    assert!(code == Some(1) && told.contains("in the file and not in the table"), "{told}");
    assert!(told.contains("`meydan audit let-go`"), "{told}");

    let let_go = ["audit", "let-go", "--why", "the backup of the morning\nwas restored"];
    assert_eq!(end(&let_go).await, (Some(0), String::new()));
    assert_eq!(copy.let_go_on_record().await, 1);

    let (code, told) = end(&["audit", "verify"]).await;
    assert!(code == Some(3) && told.contains("let go of after a restore: 1, of up to"), "{told}");
    assert_eq!(first(&copy.findings().await).0, ["let_go"]);
    let kept = copy.file();
    let report = copy.verify(&["--notes", kept.to_str().expect("a plain path")]).await;
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "{report}");
    let (_, told) = end(&let_go).await;
    assert!(told.contains("nothing is to be let go of"), "{told}");
    assert_eq!(copy.let_go_on_record().await, 1);

    let altered = "UPDATE entries SET action = 'x' WHERE tree_id = $CAMPAIGN AND leaf = 2";
    copy.harm("audit", altered).await;
    assert_eq!(end(&["audit", "verify"]).await.0, Some(1));
    let findings = copy.findings().await;
    assert_eq!(first(&findings), (vec!["altered", "differs_from_event", "let_go"], Some(2)));
}

#[tokio::test]
async fn what_cannot_be_put_on_record_is_not_let_go_of() {
    let mut copy = Copy::new().await;
    copy.harm("audit", WITHOUT_THE_NEWEST).await;
    let before = copy.findings().await;
    let broker = copy.without_broker();

    let refused = copy.run(&["audit", "let-go", "--why", "the backup was restored"]).await;

    let told = String::from_utf8(refused.stderr).expect("it writes text");
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("nothing was done, because it could not be put on record"), "{told}");
    copy.with_broker(broker);
    assert_eq!((copy.findings().await, copy.let_go_on_record().await), (before, 0));
}

#[tokio::test]
async fn what_was_let_go_of_and_could_not_be_put_on_record_is_put_there_the_next_time() {
    let copy = Copy::new().await;
    copy.harm("audit", WITHOUT_THE_NEWEST).await;
    let mut identity = copy.session("identity").await;
    let refuse = "ALTER TABLE es.events ADD CONSTRAINT broken
                  CHECK (event_type <> 'operation.checkpoints_let_go') NOT VALID";
    sqlx::raw_sql(refuse).execute(&mut identity).await.expect("a superuser may");
    let let_go = async || {
        let output = copy.run(&["audit", "let-go", "--why", "the backup was restored"]).await;
        (output.status.code(), String::from_utf8(output.stderr).expect("it writes text"))
    };
    let (code, told) = let_go().await;
    assert!(code == Some(1) && told.contains("it is done, but could not be put"), "{told}");
    let take = "ALTER TABLE es.events DROP CONSTRAINT broken";
    sqlx::raw_sql(take).execute(&mut identity).await.expect("a superuser may");

    assert_eq!(let_go().await, (Some(0), String::new()));

    assert_eq!(copy.let_go_on_record().await, 1);
    let (_, told) = let_go().await;
    assert!(told.contains("nothing is to be let go of"), "{told}");
    assert_eq!(copy.let_go_on_record().await, 1, "once");
}

#[tokio::test]
async fn what_was_cut_from_the_file_is_missed_also_beside_one_of_its_size_that_was_let_go_of() {
    let copy = Copy::new().await;
    let mut session = copy.session("audit").await;
    let size = "SELECT max(size) FROM checkpoints WHERE tree_id = $1";
    let size: i64 = sqlx::query_scalar(size)
        .bind(copy.campaign)
        .fetch_one(&mut session)
        .await
        .expect("there are some");
    // As when the tree has grown anew after a restore.
    let at = time::OffsetDateTime::UNIX_EPOCH;
    let anew = Checkpoint { tree: copy.campaign, size: size.unsigned_abs(), root: [7; 32], at };
    let anew = copy.notary().sign(&anew);
    let sign = "UPDATE checkpoints SET note = $1, filed = true WHERE tree_id = $2 AND size = $3";
    let sign = sqlx::query(sign).bind(&anew).bind(copy.campaign).bind(size);
    sign.execute(&mut session).await.expect("a superuser may");
    let let_go = copy.run(&["audit", "let-go", "--why", "the backup was restored"]).await;
    assert!(let_go.status.success(), "{let_go:?}");

    let findings = copy.findings().await;

    let cut = findings.iter().find(|finding| finding["wrong"] == "file");
    assert_eq!(cut.map(|finding| &finding["leaf"]), Some(&json!(size)), "{findings:?}");
    let known = std::fs::read_to_string(copy.file()).expect("it is text");
    std::fs::write(copy.file(), format!("{known}{anew}\n")).expect("it is ours");
    assert!(copy.findings().await.iter().all(|finding| finding["wrong"] != "file"), "it is there");
}

#[tokio::test]
async fn an_altered_field_is_named() {
    for change in [
        "at = at + interval '1 day'",
        "actor_id = gen_random_uuid()",
        "details = '{}x'",
        "arrival = arrival + 100000",
    ] {
        let copy = Copy::new().await;
        copy.harm(
            "audit",
            &format!("UPDATE entries SET {change} WHERE tree_id = $CAMPAIGN AND leaf = 2"),
        )
        .await;

        let findings = copy.findings().await;

        let (kinds, leaf) = first(&findings);
        assert_eq!((kinds[0], leaf), ("altered", Some(2)), "{change}");
        // The log knows nothing of the order in which entries arrived.
        assert_eq!(kinds.len(), if change.starts_with("arrival") { 1 } else { 2 }, "{findings:?}");
    }
}

#[tokio::test]
async fn an_altered_entry_with_a_hash_that_fits_is_not_what_was_signed() {
    let copy = Copy::new().await;
    let mut session = copy.session("audit").await;
    let asked = sqlx::query_as::<_, Entry>("SELECT * FROM entries WHERE tree_id = $1 AND leaf = 4");
    let entry = asked.bind(copy.campaign).fetch_one(&mut session).await.expect("it is there");
    let forged = Entry { action: "campaign.edited".to_owned(), ..entry };
    let hash = leaf_hash(forged.leaf().expect("it is an entry").as_bytes());
    sqlx::query("UPDATE entries SET action = $1, leaf_sha256 = $2 WHERE tree_id = $3 AND leaf = 4")
        .bind(&forged.action)
        .bind(hash.to_vec())
        .bind(copy.campaign)
        .execute(&mut session)
        .await
        .expect("a superuser may");

    let findings = copy.findings().await;

    let (kinds, leaf) = first(&findings);
    assert_eq!(kinds, ["not_as_signed", "differs_from_event"]);
    assert!(leaf <= Some(4), "{findings:?}");
    assert_eq!(findings[1]["leaf"], 4, "the log tells which one");
}

#[tokio::test]
async fn a_removed_row_is_named() {
    let copy = Copy::new().await;
    copy.harm("audit", "DELETE FROM entries WHERE tree_id = $CAMPAIGN AND leaf = 3").await;

    let findings = copy.findings().await;

    assert_eq!(first(&findings), (vec!["removed", "event_without_entry"], Some(3)));
}

#[tokio::test]
async fn a_removed_row_is_named_when_the_others_close_ranks() {
    let copy = Copy::new().await;
    copy.harm("audit", "DELETE FROM entries WHERE tree_id = $CAMPAIGN AND leaf = 3").await;
    // In two steps, as no two may have one place.
    copy.harm("audit", "UPDATE entries SET leaf = -leaf WHERE tree_id = $CAMPAIGN AND leaf > 3")
        .await;
    copy.harm(
        "audit",
        "UPDATE entries SET leaf = -leaf - 1 WHERE tree_id = $CAMPAIGN AND leaf < 0",
    )
    .await;

    let findings = copy.findings().await;

    assert_eq!(findings[0]["leaf"], 3, "{findings:?}");
    assert!(findings.iter().any(|finding| finding["wrong"] == "event_without_entry"));
}

#[tokio::test]
async fn two_exchanged_rows_are_named() {
    let copy = Copy::new().await;
    for (from, to) in [(2, 1_000), (5, 2), (1_000, 5)] {
        let sql =
            format!("UPDATE entries SET leaf = {to} WHERE tree_id = $CAMPAIGN AND leaf = {from}");
        copy.harm("audit", &sql).await;
    }

    let findings = copy.findings().await;

    let moved = findings.iter().filter(|finding| finding["wrong"] == "moved");
    assert_eq!(moved.map(|finding| &finding["leaf"]).collect::<Vec<_>>(), [2, 5]);
}

#[tokio::test]
async fn the_newest_rows_are_missed_even_when_everything_in_the_database_fits() {
    let copy = Copy::new().await;
    let mut session = copy.session("audit").await;
    let kept = sqlx::query(
        "SELECT note, size FROM checkpoints WHERE tree_id = $1 ORDER BY size DESC OFFSET 1 LIMIT 1",
    );
    let kept = kept.bind(copy.campaign).fetch_one(&mut session).await.expect("there are some");
    let size: i64 = kept.get("size");
    let hashes = "SELECT leaf_sha256 FROM entries WHERE tree_id = $1 AND leaf < $2 ORDER BY leaf";
    let hashes = sqlx::query_scalar::<_, Vec<u8>>(hashes).bind(copy.campaign).bind(size);
    let mut tree = audit::merkle::Frontier::default();
    for hash in hashes.fetch_all(&mut session).await.expect("they are there") {
        tree.push(hash.try_into().expect("it is a hash"));
    }
    let back = "UPDATE trees SET size = $2, signed = $2, frontier = $3 WHERE tree_id = $1";
    let back = sqlx::query(back).bind(copy.campaign).bind(size).bind(tree.bytes());
    back.execute(&mut session).await.expect("a superuser may");
    for table in ["DELETE FROM entries WHERE leaf >=", "DELETE FROM checkpoints WHERE size >"] {
        copy.harm("audit", &format!("{table} {size} AND tree_id = $CAMPAIGN")).await;
    }
    let readers = "UPDATE es.checkpoints SET position = coalesce((SELECT max(position) FROM entries \
                   WHERE reader = 'entries_' || log), 0)";
    copy.harm("audit", readers).await;

    let findings = copy.findings().await;

    let newest = findings.iter().find(|finding| finding["wrong"] == "newest_missing");
    assert_eq!(newest.map(|finding| &finding["leaf"]), Some(&json!(size)), "{findings:?}");
}

#[tokio::test]
async fn a_checkpoint_with_a_wrong_signature_is_found_in_the_file_and_in_the_table() {
    let copy = Copy::new().await;
    let other = Notary::open(&copy.file().with_file_name("other.pem")).expect("it can be made");
    copy.harm("audit", "UPDATE checkpoints SET note = replace(note, '2026', '2027') WHERE size = 3 AND tree_id = $CAMPAIGN \
                        OR (tree_id = $CAMPAIGN AND size = (SELECT min(size) FROM checkpoints WHERE tree_id = $CAMPAIGN))").await;
    let table = copy.findings().await;
    assert!(
        table.iter().any(|finding| {
            finding["wrong"] == "checkpoint"
                && finding["words"]
                    .as_str()
                    .is_some_and(|words| words.contains("in the table: its signature is wrong"))
        }),
        "{table:?}"
    );

    let copy = Copy::new().await;
    let known = std::fs::read_to_string(copy.file()).expect("it is text");
    let at = time::OffsetDateTime::UNIX_EPOCH;
    let forged = Checkpoint { tree: copy.campaign, size: 1, root: [0; 32], at };
    std::fs::write(copy.file(), format!("{}\n{known}", other.sign(&forged))).expect("it is ours");
    let file = copy.findings().await;
    assert_eq!(first(&file).0, ["checkpoint"]);
    assert!(
        file[0]["words"].as_str().is_some_and(|words| words.contains("its signature is wrong"))
    );
}

#[tokio::test]
async fn a_file_whose_size_went_back_is_found() {
    let copy = Copy::new().await;
    let known = std::fs::read_to_string(copy.file()).expect("it is text");
    let middle = known[..known.len() / 2].rfind("\n\nmeydan").expect("there are several") + 2;

    std::fs::write(copy.file(), &known[..middle]).expect("it is ours");
    let shorter = copy.findings().await;
    assert!(
        !shorter.is_empty() && first(&shorter).0.iter().all(|kind| *kind == "file"),
        "{shorter:?}"
    );

    std::fs::remove_file(copy.file()).expect("it is ours");
    let gone = copy.findings().await;
    assert!(gone.len() > shorter.len());

    // A note is two paragraphs: what is signed, and the signature.
    let paragraphs: Vec<_> = known.split_inclusive("\n\n").collect();
    let campaign = copy.campaign.to_string();
    let oldest = paragraphs.chunks(2).find(|note| note[0].contains(&campaign));
    let oldest = oldest.expect("the campaign was signed").concat();
    std::fs::write(copy.file(), format!("{known}{oldest}")).expect("it is ours");
    assert_eq!(first(&copy.findings().await).0, ["file"], "an older one after newer ones");
}

#[tokio::test]
async fn a_fact_without_an_entry_and_an_entry_without_a_fact_are_named() {
    let copy = Copy::new().await;
    copy.harm("crm", "INSERT INTO es.events SELECT part, position + 1, tenant_id, aggregate_type, aggregate_id, sequence + 1, \
                      gen_random_uuid(), event_type, event_version, payload, meta, recorded_at FROM es.events \
                      ORDER BY position DESC LIMIT 1").await;
    assert_eq!(copy.verify(&[]).await["behind"], 1, "it may still come");
    copy.harm(
        "audit",
        "UPDATE es.checkpoints SET position = position + 1 WHERE reader = 'entries_crm'",
    )
    .await;
    let findings = copy.findings().await;
    assert_eq!(first(&findings).0, ["event_without_entry"], "the reader was there");

    let copy = Copy::new().await;
    copy.harm(
        "bot_hub",
        "DELETE FROM es.events WHERE position = (SELECT max(position) FROM es.events)",
    )
    .await;
    let findings = copy.findings().await;
    assert_eq!(first(&findings).0, ["entry_without_event"]);
}

#[tokio::test]
async fn a_fact_that_was_altered_in_its_log_is_named_also_where_it_is_sealed() {
    let copy = Copy::new().await;
    copy.harm("crm", "UPDATE es.events SET payload = replace(payload::text, 's1.', 's1.0')::json WHERE position = 2").await;

    let findings = copy.findings().await;

    assert_eq!(first(&findings).0, ["differs_from_event"]);
    assert!(
        findings[0]["words"].as_str().is_some_and(|words| words.contains("log of crm, position 2"))
    );
}
