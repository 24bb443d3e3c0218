//! Keys in their database: made once, found again, destroyed for good.

use std::sync::Arc;

use meydan_event_log::prepare_database;
use meydan_keyring::{KeyError, KeyFile, Keyring, MIGRATOR, Place, Sealed};
use meydan_testkit::servers::{folder, postgres, prefix};
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(1);
const SARA: Uuid = Uuid::from_u128(2);
const PLACE: Place = Place::new(TENANT, "test", Uuid::from_u128(3), "text");

struct Bench {
    url: String,
    secrets: tempfile::TempDir,
}

impl Bench {
    async fn prepare() -> Self {
        let url = prepare_database(postgres(), &format!("{}keys", prefix()), &[&MIGRATOR]).await;
        Self { url: url.expect("the database can be made"), secrets: folder() }
    }

    /// A keyring with caches of its own, as another process would have.
    async fn keyring(&self) -> Keyring {
        let pool = PgPoolOptions::new().max_connections(4).connect(&self.url).await;
        let key = KeyFile::open(&self.secrets.path().join("platform.key"));
        Keyring::new(pool.expect("it answers"), Arc::new(key.expect("the key can be made")))
    }
}

#[tokio::test]
async fn what_one_process_sealed_another_opens() {
    let bench = Bench::prepare().await;
    let sealer = bench.keyring().await.sealer(TENANT, SARA).await.expect("a key is made");
    let sealed: Sealed<String> = sealer.seal(&PLACE, "سلام");

    let opened = bench.keyring().await.reveal(&sealed, TENANT, &PLACE).await;

    assert_eq!(opened.expect("the keys are there"), Some("سلام".to_owned()));
}

#[tokio::test]
async fn processes_that_make_a_key_at_once_end_up_with_the_same() {
    let bench = Bench::prepare().await;
    let mut keys = Vec::new();
    for _ in 0..8 {
        let keyring = bench.keyring().await;
        keys.push(tokio::spawn(async move { keyring.sealer(TENANT, SARA).await }));
    }
    let reader = bench.keyring().await;

    for key in keys {
        let sealer = key.await.expect("no task breaks").expect("a key is made");
        let sealed: Sealed<String> = sealer.seal(&PLACE, "x");
        let opened = reader.reveal(&sealed, TENANT, &PLACE).await.expect("the keys are there");
        assert_eq!(opened, Some("x".to_owned()));
    }
}

#[tokio::test]
async fn a_destroyed_key_opens_nothing_and_is_never_made_again() {
    let bench = Bench::prepare().await;
    let keyring = bench.keyring().await;
    let sealer = keyring.sealer(TENANT, SARA).await.expect("a key is made");
    let sealed: Sealed<String> = sealer.seal(&PLACE, "x");

    let destroyed = keyring.destroy(TENANT, SARA).await.expect("it can be destroyed");

    assert_eq!(destroyed, Some(sealed.key_id()));
    let opened = keyring.reveal(&sealed, TENANT, &PLACE).await.expect("the database answers");
    assert_eq!(opened, None);
    assert!(matches!(keyring.sealer(TENANT, SARA).await, Err(KeyError::Destroyed)));
    let elsewhere = bench.keyring().await;
    assert!(matches!(elsewhere.sealer(TENANT, SARA).await, Err(KeyError::Destroyed)));
}

#[tokio::test]
async fn another_campaign_neither_opens_nor_compares() {
    let bench = Bench::prepare().await;
    let keyring = bench.keyring().await;
    let other = Uuid::from_u128(9);
    let sealer = keyring.sealer(TENANT, SARA).await.expect("a key is made");
    let sealed: Sealed<String> = sealer.seal(&PLACE, "x");

    let opened = keyring.reveal(&sealed, other, &PLACE).await.expect("the database answers");
    assert_eq!(opened, None);
    let index = |tenant, purpose| keyring.blind_index(tenant, purpose, b"0912");
    let ours = index(TENANT, "phone").await.expect("a key is there");
    assert_eq!(ours, index(TENANT, "phone").await.expect("a key is there"));
    assert_ne!(ours, index(other, "phone").await.expect("a key is there"));
    assert_ne!(ours, index(TENANT, "email").await.expect("a key is there"));
}

#[tokio::test]
async fn a_platform_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = folder.path().join("platform.key");
    KeyFile::open(&path).expect("it can be made");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("it is ours");

    let refused = KeyFile::open(&path).expect_err("others can read it");

    assert!(refused.to_string().contains("chmod it to 600"), "{refused}");
}
