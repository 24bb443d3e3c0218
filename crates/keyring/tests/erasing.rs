//! Erasing: keys go at once in every process, and the ledger keeps what became of it.

use std::{sync::Arc, time::Duration};

use meydan_event_log::{PLATFORM, prepare_database};
use meydan_keyring::{Acknowledgement, KeyError, KeyFile, Keyring, MIGRATOR, Place, Sealed};
use meydan_testkit::servers::{Nats, folder, postgres, prefix};
use sqlx::{PgPool, postgres::PgPoolOptions};
use time::macros::datetime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const SARA: Uuid = Uuid::from_u128(3);
const PLACE: Place = Place::new(TENANT, "test", Uuid::from_u128(4), "text");
const NOON: time::OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
/// Far less than the minute for which keys are remembered.
const AT_ONCE: Duration = Duration::from_secs(20);

struct Bench {
    pool: PgPool,
    key: Arc<KeyFile>,
    _secrets: tempfile::TempDir,
}

impl Bench {
    async fn prepare() -> Self {
        let url = prepare_database(postgres(), &format!("{}keys", prefix()), &[&MIGRATOR]).await;
        let url = url.expect("the database can be made");
        let pool = PgPoolOptions::new().max_connections(4).connect(&url).await;
        let secrets = folder();
        let key = KeyFile::open(&secrets.path().join("platform.key")).expect("it can be made");
        Self { pool: pool.expect("it answers"), key: Arc::new(key), _secrets: secrets }
    }

    /// A keyring with caches of its own, as another process would have.
    fn keyring(&self) -> Keyring {
        Keyring::new(self.pool.clone(), self.key.clone())
    }
}

#[tokio::test]
async fn other_processes_forget_a_destroyed_key_at_once() {
    let (bench, nats) = (Bench::prepare().await, Nats::start().await);
    let eraser = bench.keyring().announcing(nats.connect().await);
    let reader = bench.keyring().announcing(nats.connect().await);
    let stop = CancellationToken::new();
    let listening = tokio::spawn(reader.clone().listen(stop.clone()));
    let sealer = reader.sealer(TENANT, SARA).await.expect("a key is made");
    let sealed: Sealed<String> = sealer.seal(&PLACE, "راز");
    let read = async || reader.reveal(&sealed, TENANT, &PLACE).await.expect("keys answer");
    assert_eq!(read().await, Some("راز".to_owned()));

    // Told again until the other one listens: it may have begun only now.
    let erased = async {
        while read().await.is_some() {
            restore(&bench, TENANT, SARA).await;
            eraser.erase(TENANT, SARA, ("test", NOON)).await.expect("it is destroyed");
        }
    };

    tokio::time::timeout(AT_ONCE, erased).await.expect("long before its minute is over");
    assert!(matches!(reader.sealer(TENANT, SARA).await, Err(KeyError::Destroyed)));
    stop.cancel();
    listening.await.expect("it ends");
}

/// Puts something where the key was, so that destroying it is news again.
async fn restore(bench: &Bench, tenant: Uuid, subject: Uuid) {
    let restored = sqlx::query(
        "UPDATE subject_keys SET wrapped = '\\x00', campaign_version = 1, destroyed_at = NULL
         WHERE tenant_id = $1 AND subject_id = $2",
    );
    let restored = restored.bind(tenant).bind(subject).execute(&bench.pool).await;
    restored.expect("it answers");
}

#[tokio::test]
async fn the_ledger_keeps_the_first_word_of_everybody() {
    let bench = Bench::prepare().await;
    let keyring = bench.keyring();
    let sealer = keyring.sealer(TENANT, SARA).await.expect("a key is made");
    let sealed: Sealed<String> = sealer.seal(&PLACE, "راز");
    assert!(keyring.knows(TENANT, SARA).await.expect("keys answer"));
    assert!(!keyring.knows(OTHER, SARA).await.expect("keys answer"));
    assert_eq!(keyring.erasure(TENANT, SARA).await.expect("keys answer"), None);

    keyring.erase(TENANT, SARA, ("sara", NOON)).await.expect("it is destroyed");
    let first = keyring.erasure(TENANT, SARA).await.expect("keys answer").expect("it is noted");
    keyring.erase(TENANT, SARA, ("navid", NOON + Duration::from_secs(9))).await.expect("again");
    let by = |position| Acknowledgement { context: "crm".to_owned(), position, at: NOON };
    for position in [7, 8] {
        keyring.acknowledge(TENANT, SARA, &by(position)).await.expect("it is noted");
    }
    for certificate in ["one", "two"] {
        let kept = keyring.keep_certificate(TENANT, SARA, certificate).await;
        assert_eq!(kept.expect("keys answer"), Some("one".to_owned()));
    }

    let erasure = keyring.erasure(TENANT, SARA).await.expect("keys answer").expect("it is noted");
    assert_eq!((erasure.asked_by.as_str(), erasure.asked_at), ("sara", NOON));
    assert_eq!(erasure.keys, first.keys);
    assert_eq!(erasure.keys[0].key_id, sealed.key_id());
    assert_eq!(erasure.keys[0].fingerprint.as_ref().map(String::len), Some(32));
    assert_eq!(erasure.acknowledgements, [by(7)]);
    assert_eq!(erasure.certificate.as_deref(), Some("one"));
    assert!(keyring.knows(TENANT, SARA).await.expect("keys answer"));
}

#[tokio::test]
async fn the_platform_erases_in_all_campaigns_and_a_campaign_in_itself_alone() {
    let bench = Bench::prepare().await;
    let keyring = bench.keyring();
    for tenant in [PLATFORM, TENANT, OTHER] {
        keyring.sealer(tenant, SARA).await.expect("a key is made");
    }

    keyring.erase(OTHER, SARA, ("test", NOON)).await.expect("it is destroyed");
    assert!(matches!(keyring.sealer(OTHER, SARA).await, Err(KeyError::Destroyed)));
    keyring.sealer(TENANT, SARA).await.expect("elsewhere they are known");

    keyring.erase(PLATFORM, SARA, ("test", NOON)).await.expect("it is destroyed");
    for tenant in [PLATFORM, TENANT, OTHER] {
        assert!(matches!(keyring.sealer(tenant, SARA).await, Err(KeyError::Destroyed)));
    }
    let erasure = keyring.erasure(PLATFORM, SARA).await.expect("keys answer").expect("noted");
    assert_eq!(erasure.keys.len(), 3);
}

#[tokio::test]
async fn a_fingerprint_compares_what_one_person_said_and_nothing_else() {
    let bench = Bench::prepare().await;
    let keyring = bench.keyring();
    let sara = keyring.sealer(TENANT, SARA).await.expect("a key is made");
    let other = keyring.sealer(TENANT, OTHER).await.expect("a key is made");

    assert_eq!(sara.fingerprint("person", b"x"), sara.fingerprint("person", b"x"));
    assert_ne!(sara.fingerprint("person", b"x"), sara.fingerprint("person", b"y"));
    assert_ne!(sara.fingerprint("person", b"x"), sara.fingerprint("name", b"x"));
    assert_ne!(sara.fingerprint("person", b"x"), other.fingerprint("person", b"x"));
}

#[tokio::test]
async fn a_campaign_that_is_erased_takes_all_its_keys_with_it_and_no_other_campaigns() {
    let bench = Bench::prepare().await;
    let keyring = bench.keyring();
    let seal = async |tenant, subject| -> Sealed<String> {
        let sealer = keyring.sealer(tenant, subject).await.expect("a key is made");
        sealer.seal(&Place::new(tenant, "test", subject, "text"), "راز")
    };
    let (omid, everybody) = (Uuid::from_u128(5), [TENANT, OTHER, PLATFORM]);
    let gone = [seal(TENANT, SARA).await, seal(TENANT, omid).await];
    let stays = [(OTHER, seal(OTHER, SARA).await), (PLATFORM, seal(PLATFORM, SARA).await)];
    for tenant in everybody {
        keyring.blind_index(tenant, "test", b"x").await.expect("a secret is made");
    }

    assert!(keyring.knows(TENANT, TENANT).await.expect("it answers"));
    assert!(!keyring.knows(PLATFORM, PLATFORM).await.expect("it answers"), "it is no campaign");
    keyring.erase(PLATFORM, PLATFORM, ("test", NOON)).await.expect("there is nothing to destroy");
    keyring.erase(TENANT, TENANT, ("test", NOON)).await.expect("they are destroyed");
    keyring.erase(TENANT, TENANT, ("test", NOON)).await.expect("once more changes nothing");

    let fresh = bench.keyring();
    for (sealed, subject) in gone.iter().zip([SARA, omid]) {
        let place = Place::new(TENANT, "test", subject, "text");
        assert_eq!(fresh.reveal(sealed, TENANT, &place).await.expect("keys answer"), None);
    }
    for (tenant, sealed) in &stays {
        let place = Place::new(*tenant, "test", SARA, "text");
        let read = fresh.reveal(sealed, *tenant, &place).await.expect("keys answer");
        assert_eq!(read.as_deref(), Some("راز"));
    }
    let ledger = keyring.erasure(TENANT, TENANT).await.expect("it answers").expect("it is kept");
    assert_eq!(ledger.keys.len(), 2);
    for table in ["campaign_keys", "hash_secrets"] {
        let left = format!("SELECT count(*) FROM {table} WHERE tenant_id = $1");
        let left =
            sqlx::query_scalar(sqlx::AssertSqlSafe(left)).bind(TENANT).fetch_one(&bench.pool);
        assert_eq!(left.await.map_or(-1, |left: i64| left), 0, "{table}");
    }
}
