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

    /// How many subjects have a key.
    async fn living(&self) -> i64 {
        let living = "SELECT count(*) FROM subject_keys WHERE wrapped IS NOT NULL";
        sqlx::query_scalar(living).fetch_one(&self.pool).await.expect("it answers")
    }

    /// Looks until somebody is kept waiting in this database.
    async fn somebody_waits(&self) {
        let waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
        let look = async {
            while !sqlx::query_scalar::<_, bool>(waiting)
                .fetch_one(&self.pool)
                .await
                .expect("it answers")
            {}
        };
        tokio::time::timeout(AT_ONCE, look).await.expect("one of them waits");
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
    let by = |position, later| {
        let at = NOON + Duration::from_secs(later);
        Acknowledgement { context: "crm".to_owned(), position, at }
    };
    for later in [0, 9] {
        keyring.acknowledge(TENANT, SARA, &by(7, later)).await.expect("it is noted");
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
    assert_eq!(erasure.acknowledgements, [by(7, 0)]);
    assert_eq!(erasure.certificate.as_deref(), Some("one"));

    // The log was restored, and what stands at 7 there is somebody else's.
    keyring.acknowledge(TENANT, SARA, &by(8, 20)).await.expect("it is noted");
    let erasure = keyring.erasure(TENANT, SARA).await.expect("keys answer").expect("it is noted");
    assert_eq!((erasure.acknowledgements, erasure.certificate), (vec![by(8, 20)], None));
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

#[tokio::test]
async fn whoever_was_erased_gets_no_key_where_they_had_none() {
    let bench = Bench::prepare().await;
    let (keyring, omid) = (bench.keyring(), Uuid::from_u128(5));
    for subject in [SARA, omid] {
        keyring.sealer(TENANT, subject).await.expect("a key is made");
    }
    keyring.erase(PLATFORM, SARA, ("test", NOON)).await.expect("it is destroyed");
    keyring.erase(TENANT, omid, ("test", NOON)).await.expect("it is destroyed");
    let ledger = keyring.erasure(PLATFORM, SARA).await.expect("keys answer");

    let elsewhere = bench.keyring().sealer(OTHER, SARA).await;

    assert!(matches!(elsewhere, Err(KeyError::Destroyed)));
    assert_eq!(bench.living().await, 0);
    // The certificate names what there ever was, and it is signed once.
    assert_eq!(keyring.erasure(PLATFORM, SARA).await.expect("keys answer"), ledger);
    keyring.sealer(OTHER, omid).await.expect("one campaign erased him, not the others");
}

#[tokio::test]
async fn a_campaign_that_was_erased_gets_no_key_for_anybody_again() {
    let bench = Bench::prepare().await;
    let (keyring, late) = (bench.keyring(), Uuid::from_u128(5));
    keyring.sealer(TENANT, SARA).await.expect("a key is made");
    // It has the campaign's key at hand, as a service has that was just asked.
    let running = bench.keyring();
    running.sealer(TENANT, SARA).await.expect("a key is there");
    keyring.erase(TENANT, TENANT, ("test", NOON)).await.expect("they are destroyed");

    for keyring in [running, bench.keyring()] {
        assert!(matches!(keyring.sealer(TENANT, late).await, Err(KeyError::Destroyed)));
    }
    let hashed = bench.keyring().blind_index(TENANT, "telegram.user", b"7").await;
    assert!(matches!(hashed, Err(KeyError::Destroyed)));
    let rotated = bench.keyring().rotate_campaign(TENANT, async || {}).await;
    assert!(matches!(rotated, Err(KeyError::Destroyed)));
    assert_eq!(bench.living().await, 0);
    assert!(keyring.campaigns().await.expect("keys answer").is_empty());
    keyring.sealer(OTHER, late).await.expect("the others go on");
}

#[tokio::test]
async fn the_platform_is_no_campaign_that_could_be_erased() {
    let bench = Bench::prepare().await;
    let keyring = bench.keyring();
    keyring.erase(PLATFORM, PLATFORM, ("test", NOON)).await.expect("there is nothing to destroy");

    keyring.sealer(PLATFORM, SARA).await.expect("a key is made");
    keyring.sealer(TENANT, SARA).await.expect("a key is made");
    keyring.rotate_campaign(PLATFORM, async || {}).await.expect("it is rotated");
}

#[tokio::test]
async fn a_key_and_an_erasure_of_the_same_moment_wait_for_each_other() {
    let bench = Bench::prepare().await;
    let (keyring, omid) = (bench.keyring(), Uuid::from_u128(5));
    keyring.sealer(TENANT, Uuid::from_u128(6)).await.expect("the campaign has a key");

    // The key is there, but not to be seen yet.
    let mut making = bench.pool.begin().await.expect("it begins");
    let made = "INSERT INTO subject_keys (tenant_id, subject_id, key_id, campaign_version, wrapped)
                VALUES ($1, $2, $2, 1, '\\x00')";
    let made = sqlx::query(made).bind(TENANT).bind(SARA).execute(&mut *making).await;
    made.expect("it is made");
    let erasing = keyring.erase(PLATFORM, SARA, ("test", NOON));
    let (erased, ()) = tokio::join!(erasing, async {
        bench.somebody_waits().await;
        making.commit().await.expect("it is kept");
    });
    erased.expect("it is destroyed");
    let ledger = keyring.erasure(PLATFORM, SARA).await.expect("keys answer").expect("it is noted");
    assert_eq!(ledger.keys.len(), 1);

    // The erasure is noted, but not to be seen yet.
    let mut erasing = bench.pool.begin().await.expect("it begins");
    let noted = "INSERT INTO erasures (tenant_id, subject_id, asked_by, asked_at)
                 VALUES ($1, $2, 'test', $3)";
    let noted = sqlx::query(noted).bind(PLATFORM).bind(omid).bind(NOON).execute(&mut *erasing);
    noted.await.expect("it is noted");
    let (made, ()) = tokio::join!(keyring.sealer(TENANT, omid), async {
        bench.somebody_waits().await;
        erasing.commit().await.expect("it is kept");
    });
    assert!(matches!(made, Err(KeyError::Destroyed)));
}
