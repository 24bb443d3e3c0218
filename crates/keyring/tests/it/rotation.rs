//! Rotation: everything stays readable and findable, before, after, and when it is cut short.

use std::{path::PathBuf, sync::Arc};

use meydan_event_log::prepare_database;
use meydan_keyring::{KeyFile, Keyring, MIGRATOR, Place, Sealed};
use meydan_testkit::servers::{folder, postgres, prefix};
use sqlx::{PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(1);
const PLACE: Place = Place::new(TENANT, "test", Uuid::from_u128(3), "text");

struct Bench {
    pool: PgPool,
    secrets: tempfile::TempDir,
}

/// What was sealed and hashed before, to be found again.
struct Before {
    sealed: Vec<Sealed<String>>,
    index: [u8; 16],
    words: Vec<i64>,
}

impl Bench {
    async fn prepare() -> Self {
        let url = prepare_database(postgres(), &format!("{}keys", prefix()), &[&MIGRATOR]).await;
        let url = url.expect("the database can be made");
        let pool = PgPoolOptions::new().max_connections(4).connect(&url).await;
        Self { pool: pool.expect("it answers"), secrets: folder() }
    }

    fn file(&self) -> PathBuf {
        self.secrets.path().join("platform.key")
    }

    /// A keyring with caches of its own, as another process would have.
    fn keyring(&self) -> Keyring {
        let key = KeyFile::open(&self.file()).expect("the key can be made");
        Keyring::new(self.pool.clone(), Arc::new(key))
    }

    async fn begin(&self, people: u128) -> Before {
        let keyring = self.keyring();
        let mut sealed = Vec::new();
        for person in 0..people {
            let subject = Uuid::from_u128(100 + person);
            let sealer = keyring.sealer(TENANT, subject).await.expect("a key is made");
            sealed.push(sealer.seal(&PLACE, &format!("راز {person}")));
        }
        let index = keyring.blind_index(TENANT, "phone", b"0912").await.expect("a key is there");
        let words = keyring.blind_words(TENANT, "text", "سلام").await.expect("a key is there");
        Before { sealed, index, words }
    }

    /// Another process reads, finds, and seals for somebody new.
    async fn all_is_there(&self, keyring: &Keyring, before: &Before) {
        for (person, sealed) in before.sealed.iter().enumerate() {
            let opened = keyring.reveal(sealed, TENANT, &PLACE).await.expect("keys answer");
            assert_eq!(opened, Some(format!("راز {person}")));
        }
        let index = keyring.blind_index(TENANT, "phone", b"0912").await;
        assert_eq!(index.expect("keys answer"), before.index);
        let words = keyring.blind_words(TENANT, "text", "سلام").await;
        assert_eq!(words.expect("keys answer"), before.words);
        let sealer = keyring.sealer(TENANT, Uuid::new_v4()).await.expect("a key is made");
        let sealed: Sealed<String> = sealer.seal(&PLACE, "نو");
        let opened = self.keyring().reveal(&sealed, TENANT, &PLACE).await.expect("keys answer");
        assert_eq!(opened, Some("نو".to_owned()));
    }

    async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.expect("it answers")
    }
}

#[tokio::test]
async fn a_campaigns_key_is_exchanged_under_running_processes_and_the_old_one_is_gone() {
    let bench = Bench::prepare().await;
    let before = bench.begin(25).await;
    let running = bench.keyring();
    bench.all_is_there(&running, &before).await;

    let count = bench.keyring().rotate_campaign(TENANT, async || {}).await.expect("it is rotated");

    assert_eq!(count, 26);
    assert_eq!(bench.number("SELECT count(*) FROM campaign_keys").await, 1);
    assert_eq!(bench.number("SELECT max(version)::bigint FROM campaign_keys").await, 2);
    bench.all_is_there(&bench.keyring(), &before).await;
    // It has the old version at hand, which nothing may be wrapped by any more.
    bench.all_is_there(&running, &before).await;
    assert_eq!(bench.number("SELECT min(campaign_version)::bigint FROM subject_keys").await, 2);
}

#[tokio::test]
async fn a_rotation_cut_short_at_any_step_leaves_all_readable_and_the_next_completes_it() {
    // The statements of the rotation in turn; a trigger ends it where the program would have been killed.
    for (table, operation) in [
        ("campaign_keys", "INSERT"),
        ("subject_keys", "UPDATE"),
        ("hash_secrets", "UPDATE"),
        ("campaign_keys", "DELETE"),
    ] {
        let bench = Bench::prepare().await;
        let before = bench.begin(5).await;
        let stop = format!(
            "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'killed'; END $$;
             CREATE TRIGGER stop BEFORE {operation} ON {table} EXECUTE FUNCTION stop()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(stop)).execute(&bench.pool).await.expect("a trap is set");

        let mut begun = false;
        let cut_short = bench.keyring().rotate_campaign(TENANT, async || begun = true).await;
        cut_short.expect_err("it is cut short");
        assert_eq!(begun, operation != "INSERT", "{table} {operation}: there is a new key or not");

        let free = format!("DROP TRIGGER stop ON {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(free)).execute(&bench.pool).await.expect("it is lifted");
        bench.all_is_there(&bench.keyring(), &before).await;
        bench.keyring().rotate_campaign(TENANT, async || {}).await.expect("it is completed");
        bench.all_is_there(&bench.keyring(), &before).await;
        assert_eq!(
            bench.number("SELECT count(*) FROM campaign_keys").await,
            1,
            "{table} {operation}"
        );
    }
}

#[tokio::test]
async fn a_key_destroyed_during_a_rotation_stays_destroyed() {
    let bench = Bench::prepare().await;
    let before = bench.begin(3).await;
    let keyring = bench.keyring();
    keyring.destroy(TENANT, Uuid::from_u128(100)).await.expect("it can be destroyed");

    assert_eq!(keyring.rotate_campaign(TENANT, async || {}).await.expect("it is rotated"), 2);

    let opened = keyring.reveal(&before.sealed[0], TENANT, &PLACE).await;
    assert_eq!(opened.expect("keys answer"), None);
    let opened = keyring.reveal(&before.sealed[1], TENANT, &PLACE).await;
    assert_eq!(opened.expect("keys answer"), Some("راز 1".to_owned()));
}

#[tokio::test]
async fn the_platforms_key_gets_versions_and_an_old_one_can_be_forgotten() {
    let bench = Bench::prepare().await;
    let before = bench.begin(3).await;
    let running = bench.keyring();
    let first = std::fs::read(bench.file()).expect("it is there");

    // A new version that nobody wraps by yet, as when the program is killed here.
    KeyFile::add_version(&bench.file()).expect("there is room");
    bench.all_is_there(&bench.keyring(), &before).await;
    bench.keyring().rewrap_campaigns().await.expect("they are wrapped anew");
    KeyFile::remove_older(&bench.file()).expect("the old one is forgotten");

    let now = std::fs::read(bench.file()).expect("it is there");
    assert_eq!(now.len(), first.len());
    assert_ne!(now, first);
    bench.all_is_there(&bench.keyring(), &before).await;
    // It read the file before any of this.
    bench.all_is_there(&running, &before).await;
    let other = Uuid::from_u128(9);
    running.sealer(other, other).await.expect("a new campaign is wrapped by the newest");
    bench.keyring().sealer(other, other).await.expect("which others have");
}

#[tokio::test]
async fn what_was_hashed_before_hashes_had_a_secret_of_their_own_is_still_found() {
    let bench = Bench::prepare().await;
    let keyring = bench.keyring();
    keyring.sealer(TENANT, Uuid::from_u128(100)).await.expect("a key is made");
    // As the migration leaves a campaign that is older than it.
    let old = sqlx::query("UPDATE campaign_keys SET hashes = true").execute(&bench.pool).await;
    old.expect("it answers");
    let index = keyring.blind_index(TENANT, "phone", b"0912").await.expect("a key is there");

    bench.keyring().rotate_campaign(TENANT, async || {}).await.expect("it is rotated");

    let again = bench.keyring().blind_index(TENANT, "phone", b"0912").await;
    assert_eq!(again.expect("a key is there"), index);
}
