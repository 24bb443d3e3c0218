//! Forgeries that fit together: each column of a row, a whole tree and its log, another tree's checkpoint; and keys that are
//! gone, which prove nothing wrong.

use audit::{
    entry::Entry,
    merkle::{Frontier, leaf_hash},
};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::ground::Copy;
use crate::{
    erase::database,
    office::{Office, Reach, telegram},
    operate::meydan,
};

async fn run(session: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(session).await.expect("a superuser may");
}

/// Something else than what a column holds.
fn otherwise(column: &str, kind: &str) -> String {
    match (column, kind) {
        ("details", _) => r#"'{"to":"closed"}'"#.to_owned(),
        (_, "uuid") => "gen_random_uuid()".to_owned(),
        (_, "text") => format!("coalesce({column}, '') || 'x'"),
        (_, "bytea") => format!("sha256({column})"),
        (_, "timestamp with time zone") => format!("{column} + interval '1 microsecond'"),
        (_, "smallint") => format!("{column} + 1::smallint"),
        (_, "bigint") => format!("{column} + 100000"),
        _ => panic!("{column} is a {kind}: say how it could be forged"),
    }
}

#[tokio::test]
async fn no_column_of_an_entry_can_be_changed_unnoticed() {
    let copy = Copy::new().await;
    let mut session = copy.session("audit").await;
    run(&mut session, "CREATE TABLE kept AS SELECT * FROM entries").await;
    let columns = "SELECT column_name::text, data_type::text FROM information_schema.columns
                   WHERE table_name = 'entries' AND table_schema = 'public' ORDER BY ordinal_position";
    let columns: Vec<(String, String)> =
        sqlx::query_as(columns).fetch_all(&mut session).await.expect("it has columns");
    assert!(columns.len() >= 25, "{columns:?}");

    for (column, kind) in columns {
        let to = otherwise(&column, &kind);
        let campaign = copy.campaign;
        let forge =
            format!("UPDATE entries SET {column} = {to} WHERE tree_id = '{campaign}' AND leaf = 2");
        run(&mut session, &forge).await;

        let findings = copy.findings().await;

        let tree = json!(campaign);
        let named = findings.iter().find(|finding| finding["tree"] == tree);
        assert_eq!(
            named.map(|finding| &finding["leaf"]),
            Some(&json!(2)),
            "{column}: {findings:?}"
        );
        run(&mut session, "DELETE FROM entries; INSERT INTO entries SELECT * FROM kept").await;
    }
    assert_eq!(copy.findings().await, Vec::<Value>::new(), "all is as it was");
}

#[tokio::test]
async fn a_tree_that_was_made_anew_with_its_log_is_not_the_one_of_the_file() {
    let copy = Copy::new().await;
    let mut session = copy.session("audit").await;
    let asked = sqlx::query_as::<_, Entry>("SELECT * FROM entries WHERE tree_id = $1 AND leaf = 4");
    let entry = asked.bind(copy.campaign).fetch_one(&mut session).await.expect("it is there");
    let (log, position) = (entry.log.clone(), entry.position);
    let forged = Entry { target_type: "team".to_owned(), ..entry };
    let hash = leaf_hash(forged.leaf().expect("it is an entry").as_bytes());
    sqlx::query(
        "UPDATE entries SET target_type = 'team', leaf_sha256 = $1 WHERE tree_id = $2 AND leaf = 4",
    )
    .bind(hash.to_vec())
    .bind(copy.campaign)
    .execute(&mut session)
    .await
    .expect("a superuser may");
    let fact = format!("UPDATE es.events SET aggregate_type = 'team' WHERE position = {position}");
    copy.harm(&log, &fact).await;
    let hashes = "SELECT leaf_sha256 FROM entries WHERE tree_id = $1 ORDER BY leaf";
    let hashes = sqlx::query_scalar::<_, Vec<u8>>(hashes).bind(copy.campaign);
    let mut tree = Frontier::default();
    for hash in hashes.fetch_all(&mut session).await.expect("they are there") {
        tree.push(hash.try_into().expect("it is a hash"));
    }
    sqlx::query("UPDATE trees SET frontier = $2 WHERE tree_id = $1")
        .bind(copy.campaign)
        .bind(tree.bytes())
        .execute(&mut session)
        .await
        .expect("a superuser may");
    // Nobody without the key signs it, so there is nothing signed in the table that it could differ from.
    copy.harm("audit", "DELETE FROM checkpoints WHERE tree_id = $CAMPAIGN").await;

    let findings = copy.findings().await;

    let kinds: Vec<_> = findings.iter().filter_map(|finding| finding["wrong"].as_str()).collect();
    assert!(!kinds.contains(&"differs_from_event"), "everything in the databases fits: {kinds:?}");
    let signed = findings.iter().find(|finding| finding["wrong"] == "not_as_signed");
    let signed = signed.unwrap_or_else(|| panic!("the file knows better: {findings:?}"));
    assert!(signed["leaf"].as_u64() <= Some(4) && signed["tree"] == json!(copy.campaign));
}

#[tokio::test]
async fn a_checkpoint_of_the_platform_is_none_of_a_campaigns() {
    let copy = Copy::new().await;
    copy.harm(
        "audit",
        "UPDATE checkpoints SET note = (SELECT note FROM checkpoints
         WHERE tree_id = '00000000-0000-0000-0000-000000000000' ORDER BY size LIMIT 1)
         WHERE tree_id = $CAMPAIGN AND size = (SELECT max(size) FROM checkpoints WHERE tree_id = $CAMPAIGN)",
    )
    .await;
    let findings = copy.findings().await;
    let first = &findings[0];
    assert_eq!(first["wrong"], "checkpoint");
    assert!(first["words"].as_str().is_some_and(|words| words.ends_with("is of something else")));

    // Under another name its signature is none.
    let copy = Copy::new().await;
    let known = std::fs::read_to_string(copy.file()).expect("it is text");
    let (campaign, platform) = (copy.campaign.to_string(), uuid::Uuid::nil().to_string());
    let paragraphs: Vec<_> = known.split_inclusive("\n\n").collect();
    let of_platform = paragraphs.chunks(2).find(|note| !note[0].contains(&campaign));
    let of_platform = of_platform.expect("the platform was signed").concat();
    let renamed = of_platform.replace(&platform, &campaign);
    let renamed = if renamed == of_platform {
        of_platform.replacen('\n', &format!("/{campaign}\n"), 1)
    } else {
        renamed
    };
    std::fs::write(copy.file(), format!("{renamed}{known}")).expect("it is ours");
    let findings = copy.findings().await;
    assert!(
        findings[0]["words"].as_str().is_some_and(|words| words.contains("its signature is wrong")),
        "{findings:?}"
    );
}

#[tokio::test]
async fn what_the_erased_did_is_proved_as_before_and_from_where_they_did_it_is_unknown() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let (ground, admin) = (&office.ground, &office.admin);
    let page = "/admin/audit?action=member.joined";
    admin.until("/admin/audit?action=account.logged_in", "از نشانی").await;
    admin.until(page, "نرگس زاینده").await;
    let audit = database(ground, "audit").await;
    let sealed =
        "SELECT count(address_sealed) FROM entries WHERE actor_id = (SELECT actor_id FROM entries
                  WHERE action = 'member.joined')";
    let before: i64 = sqlx::query_scalar(sealed).fetch_one(&audit).await.expect("it answers");
    assert!(before > 0);

    meydan(ground, &["erase", "--email", "tehran@meydan.example", "--yes"])
        .await
        .expect("it is done");

    let seen =
        admin.until("/admin/audit?action=account.logged_in", "شخصی که داده‌هایش پاک شده").await;
    let theirs = seen.html.split("<tr>").filter(|row| row.contains("شخصی که داده‌هایش پاک شده"));
    assert!(theirs.into_iter().all(|row| !row.contains("از نشانی")), "{}", seen.html);
    let after: i64 = sqlx::query_scalar(sealed).fetch_one(&audit).await.expect("it answers");
    assert_eq!(after, before, "the entries are as they were");
    office.admin.until("/admin/audit?action=subject.erased", "پاک کردن داده‌های شخص</span>").await;
    meydan(ground, &["audit", "verify"]).await.expect("nobody changed anything");
    office.meydan.stop().await;
}
