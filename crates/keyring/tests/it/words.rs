//! Words however they are typed, and the search for them on a real table.

use std::sync::Arc;

use meydan_event_log::prepare_database;
use meydan_keyring::{KeyFile, Keyring, MIGRATOR, normalise};
use meydan_testkit::servers::{folder, postgres, prefix};
use proptest::prelude::*;
use sqlx::{PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(1);

#[test]
fn a_text_is_written_in_one_way_however_it_was_typed() {
    for (typed, written) in [
        ("", ""),
        ("  …!؟  ", ""),
        ("علي", "علی"),
        ("عيسى", "عیسی"),
        ("كتاب", "کتاب"),
        ("مدرسة", "مدرسه"),
        ("خانۀ ما", "خانه ما"),
        ("مسئول", "مسیول"),
        ("مسؤول", "مسوول"),
        ("آب", "اب"),
        ("أحمد", "احمد"),
        ("سَلامٌ", "سلام"),
        ("بــــه", "به"),
        ("ﻻله", "لاله"),
        ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ("می\u{200c}\u{200c}خواهم\u{200c}", "می\u{200c}خواهم"),
        ("می \u{200c}خواهم", "می خواهم"),
        ("\u{200f}سلام\u{200e}", "سلام"),
        ("کد ۰۱۲۳۴۵۶۷۸۹", "کد 0123456789"),
        ("کد ٠١٢٣٤٥٦٧٨٩", "کد 0123456789"),
        ("Ｃａｆé CAFÉ", "cafe cafe"),
        ("İstanbul", "istanbul"),
        ("سلام،دنیا!چطوری؟", "سلام دنیا چطوری"),
        ("a_b@c.d", "a b c d"),
    ] {
        assert_eq!(normalise(typed), written, "{typed:?}");
    }
}

proptest! {
    #[test]
    fn normalising_twice_is_normalising_once(text in any::<String>()) {
        let once = normalise(&text);
        prop_assert_eq!(normalise(&once), once);
    }

    #[test]
    fn what_is_written_is_words_with_one_space_between_them(text in any::<String>()) {
        let written = normalise(&text);
        prop_assert!(!written.starts_with(' ') && !written.ends_with(' '), "{:?}", written);
        prop_assert!(!written.contains("  "), "{:?}", written);
        let plain = |letter: char| letter.is_alphanumeric() || letter == ' ' || letter == '\u{200c}';
        prop_assert!(written.chars().all(plain), "{:?}", written);
    }
}

async fn keyring() -> (Keyring, PgPool, tempfile::TempDir) {
    let url = prepare_database(postgres(), &format!("{}keys", prefix()), &[&MIGRATOR]).await;
    let pool = PgPoolOptions::new().max_connections(4).connect(&url.expect("it can be made")).await;
    let pool = pool.expect("it answers");
    let secrets = folder();
    let key = KeyFile::open(&secrets.path().join("platform.key")).expect("the key can be made");
    (Keyring::new(pool.clone(), Arc::new(key)), pool, secrets)
}

/// Whether a text is found by what somebody types.
async fn finds(keyring: &Keyring, text: &str, typed: &str) -> bool {
    let words = keyring.blind_words(TENANT, "test", text).await.expect("the keys are there");
    let wanted = keyring.blind_query(TENANT, "test", typed).await.expect("the keys are there");
    !wanted.is_empty() && wanted.iter().all(|word| words.binary_search(word).is_ok())
}

#[tokio::test]
async fn a_text_is_found_by_its_words_and_their_beginnings_and_by_no_others() {
    let (keyring, _, _secrets) = keyring().await;
    let text = "سلام، من كتاب‌های مدرسه‌ي شمارهٔ ۱۲ را می‌خواهم. ABSOLUTELY";

    for typed in [
        "سلام",
        "سلا",
        "کتابهای",
        "کتاب‌های",
        "کتاب های",
        "کتاب",
        "مدرسه",
        "12",
        "١٢",
        "می خواهم",
        "میخواهم",
        "می‌خواهم",
        "خواه",
        "absol",
        "Absolutely",
        "سلام کتاب",
        "کتاب سلام ا",
        "سل سلا",
        "شماره 12 ",
    ] {
        let found = finds(&keyring, text, typed).await;
        // Two letters find a whole word only.
        assert_eq!(found, typed != "سل سلا", "{typed:?}");
    }
    for typed in ["", " ", "؟", "لام", "ab", "سلامت", "کتاب نیست", "1", "123", "solutely"]
    {
        assert!(!finds(&keyring, text, typed).await, "{typed:?}");
    }
}

#[tokio::test]
async fn hashes_of_words_tell_nothing_to_another_campaign_or_purpose() {
    let (keyring, _, _secrets) = keyring().await;
    let hashes = async |tenant, purpose| {
        keyring.blind_words(tenant, purpose, "سلام").await.expect("the keys are there")
    };

    let ours = hashes(TENANT, "message").await;

    assert_eq!(ours.len(), 2);
    assert_eq!(ours, hashes(TENANT, "message").await);
    for other in [hashes(Uuid::from_u128(2), "message").await, hashes(TENANT, "name").await] {
        assert!(ours.iter().all(|hash| !other.contains(hash)));
    }
}

#[tokio::test]
async fn a_search_goes_through_the_gin_index() {
    let (keyring, pool, _secrets) = keyring().await;
    sqlx::raw_sql(
        "CREATE TABLE texts (id bigint PRIMARY KEY, words bigint[] NOT NULL);
         CREATE INDEX texts_words_idx ON texts USING gin (words) WITH (fastupdate = off)",
    )
    .execute(&pool)
    .await
    .expect("a table can be made");
    for id in 0..2_000_i64 {
        let text = format!("پیام شماره {id} درباره {}", if id == 1_405 { "مترو" } else { "پارک" });
        let words = keyring.blind_words(TENANT, "test", &text).await.expect("the keys are there");
        let stored = sqlx::query("INSERT INTO texts VALUES ($1, $2)").bind(id).bind(words);
        stored.execute(&pool).await.expect("it is stored");
    }
    sqlx::raw_sql("ANALYZE texts").execute(&pool).await.expect("it is analysed");
    let wanted = keyring.blind_query(TENANT, "test", "متر").await.expect("the keys are there");

    let found: Vec<i64> = sqlx::query_scalar("SELECT id FROM texts WHERE words @> $1")
        .bind(&wanted)
        .fetch_all(&pool)
        .await
        .expect("it answers");
    let plan: Vec<String> = sqlx::query_scalar("EXPLAIN SELECT id FROM texts WHERE words @> $1")
        .bind(&wanted)
        .fetch_all(&pool)
        .await
        .expect("it answers");

    assert_eq!(found, [1_405]);
    assert!(plan.join("\n").contains("Bitmap Index Scan on texts_words_idx"), "{plan:#?}");
}
