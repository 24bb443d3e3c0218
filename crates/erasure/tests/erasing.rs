//! The steps of an erasure, each cut off after the one before.

use std::{sync::Arc, time::Duration};

use meydan_erasure::{
    CertificateKey, EraseError, Eraser, Forgetting, OWNER, Subject, SubjectCommand,
};
use meydan_event_log::{
    Actor, Clock, EventLog, Meta, Outcome, Projection, ProjectionError, ProjectionRunner, Recorded,
    Source, Target, prepare_database,
};
use meydan_keyring::{KeyFile, Keyring, Place, Sealed};
use meydan_testkit::servers::{folder, postgres, prefix};
use sqlx::{PgConnection, postgres::PgPoolOptions};
use time::{OffsetDateTime, macros::datetime};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

const CAMPAIGN: Uuid = Uuid::from_u128(1);
const SARA: Uuid = Uuid::from_u128(2);
const NAVID: Uuid = Uuid::from_u128(4);
const PLACE: Place = Place::new(CAMPAIGN, "test", Uuid::from_u128(3), "text");
const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const CONTEXTS: [&str; 3] = ["identity", "crm", "bot_hub"];

/// Tables of a context that has none: only how far they have come matters.
struct Nothing;

impl Projection for Nothing {
    const NAME: &'static str = "nothing";
    const TABLES: &'static [&'static str] = &[];

    async fn apply(&self, _: &mut PgConnection, _: &Recorded) -> Result<(), ProjectionError> {
        Ok(())
    }
}

/// Three contexts with logs of their own, and the keys.
struct Bench {
    contexts: Vec<Forgetting>,
    eraser: Eraser,
    _secrets: tempfile::TempDir,
    _stop: DropGuard,
}

impl Bench {
    async fn prepare() -> Self {
        let (prefix, secrets) = (prefix(), folder());
        let keys =
            prepare_database(postgres(), &format!("{prefix}keys"), &[&meydan_keyring::MIGRATOR])
                .await;
        let pool = PgPoolOptions::new().max_connections(4).connect(&keys.expect("made")).await;
        let key = KeyFile::open(&secrets.path().join("platform.key")).expect("a key");
        let keyring = Keyring::new(pool.expect("it answers"), Arc::new(key));
        Self::with_keys(keyring, secrets).await
    }

    /// Empty logs beside keys that there are.
    async fn with_keys(keyring: Keyring, secrets: tempfile::TempDir) -> Self {
        let (prefix, stop) = (prefix(), CancellationToken::new());
        let clock = Clock::new(|| NOON);
        let mut contexts = Vec::new();
        for context in CONTEXTS {
            let migrators = [&meydan_event_log::MIGRATOR];
            let url = prepare_database(postgres(), &format!("{prefix}{context}"), &migrators).await;
            let log = EventLog::open(context, &url.expect("made"), 4).await.expect("it opens");
            let runner =
                ProjectionRunner::new(Nothing, Source::Log(log.clone(), 0), log.pool().clone());
            let (keyring, clock) = (keyring.clone(), clock.clone());
            contexts.push(Forgetting { log, tables: runner.progress(), keyring, clock });
            tokio::spawn(runner.run(stop.clone()));
        }
        let certificates = CertificateKey::open(&secrets.path().join("certificate.pem"));
        let eraser = Eraser {
            log: contexts[0].log.clone(),
            logs: contexts.iter().map(|context| context.log.clone()).collect(),
            keyring,
            key: certificates.expect("a key"),
            backups: time::Duration::days(30),
            clock,
        };
        Self { contexts, eraser, _secrets: secrets, _stop: stop.drop_guard() }
    }

    fn keyring(&self) -> &Keyring {
        &self.eraser.keyring
    }

    async fn facts(&self) -> Vec<Recorded> {
        self.eraser.log.after(0, 0, 100).await.expect("the log answers")
    }

    /// Lets contexts hear the facts of identity, as their policies would.
    async fn hear(&self, contexts: &[Forgetting]) {
        for context in contexts {
            for event in self.facts().await {
                let name = context.log.context();
                let command = Uuid::new_v5(&event.event_id, name.as_bytes());
                let meta = Meta::new(command, Actor::Service { name: name.to_owned() });
                let outcome = context.react(&event, &meta).await;
                assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
            }
        }
    }

    /// Records in every log that somebody else is erased, so that their first place is taken.
    async fn forget_navid(&self) {
        for context in &self.contexts {
            self.record(context, NAVID, 20).await;
        }
    }

    /// Records in a log that somebody is erased.
    async fn record(&self, context: &Forgetting, subject: Uuid, command: u128) {
        let target = Target { tenant: CAMPAIGN, id: subject };
        let meta = Meta::new(Uuid::from_u128(command), by());
        let erase = SubjectCommand::Erase { at: NOON };
        context.log.execute::<Subject>(target, erase, &meta).await.expect("it is recorded");
    }

    async fn certify(&self) -> Result<meydan_erasure::Certificate, EraseError> {
        self.eraser.certify(CAMPAIGN, SARA, Duration::ZERO).await
    }
}

fn by() -> Actor {
    Actor::Account { id: Uuid::from_u128(7), session: None }
}

#[tokio::test]
async fn a_certificate_waits_for_every_context_and_says_what_each_did() {
    let bench = Bench::prepare().await;
    bench.keyring().sealer(CAMPAIGN, SARA).await.expect("a key is made");

    bench.eraser.erase(CAMPAIGN, SARA, &by()).await.expect("it is asked for");
    let waiting = bench.certify().await.expect_err("nobody has heard");
    assert!(matches!(waiting, EraseError::Waiting(who) if who.len() == 3));
    bench.hear(&bench.contexts[..2]).await;
    let waiting = bench.certify().await.expect_err("the hub has not heard");
    assert!(matches!(waiting, EraseError::Waiting(who) if who == ["bot_hub"]));
    bench.hear(&bench.contexts).await;
    let certificate = bench.certify().await.expect("all have heard");

    let said = &certificate.statement;
    assert_eq!((said.campaign, said.subject), (CAMPAIGN, SARA));
    assert_eq!((&said.asked_by, said.asked_at), (&by(), NOON));
    assert_eq!(said.keys.len(), 1);
    assert_eq!(said.key_backups_until, said.keys[0].destroyed_at + time::Duration::days(30));
    let positions: Vec<_> = said.contexts.iter().map(|by| by.position).collect();
    assert_eq!(positions, [1, 1, 1]);
    certificate.verify(&bench.eraser.key.public()).expect("it is genuine");
}

/// At which position of each context's log a certificate says that the person was forgotten.
fn positions(certificate: &meydan_erasure::Certificate) -> Vec<(&str, i64)> {
    let contexts = certificate.statement.contexts.iter();
    contexts.map(|by| (by.context.as_str(), by.position)).collect()
}

#[tokio::test]
async fn a_context_that_forgot_a_person_before_names_that_fact_and_not_somebody_elses() {
    let bench = Bench::prepare().await;
    bench.keyring().sealer(CAMPAIGN, SARA).await.expect("a key is made");
    // As when the log of identity was restored, and that of crm has the fact still.
    bench.record(&bench.contexts[1], SARA, 10).await;
    bench.record(&bench.contexts[1], NAVID, 11).await;

    bench.eraser.erase(CAMPAIGN, SARA, &by()).await.expect("it is asked for");
    bench.hear(&bench.contexts).await;

    let certificate = bench.certify().await.expect("all have heard");
    assert_eq!(positions(&certificate), [("bot_hub", 1), ("crm", 1), ("identity", 1)]);
}

#[tokio::test]
async fn after_a_restore_a_certificate_names_nobody_elses_facts() {
    let before = Bench::prepare().await;
    before.keyring().sealer(CAMPAIGN, SARA).await.expect("a key is made");
    before.eraser.erase(CAMPAIGN, SARA, &by()).await.expect("it is asked for");
    before.hear(&before.contexts).await;
    let given = before.certify().await.expect("all have heard");
    // The logs are from before it, and something else stands in the same places; the keys are not.
    let Bench { eraser, _secrets: secrets, .. } = before;
    let bench = Bench::with_keys(eraser.keyring, secrets).await;
    bench.forget_navid().await;

    bench.eraser.erase(CAMPAIGN, SARA, &by()).await.expect("it is asked for again");
    let waiting = bench.certify().await.expect_err("what it names is not hers any more");
    assert!(matches!(waiting, EraseError::Waiting(who) if who.len() == 3));
    bench.hear(&bench.contexts).await;

    let certificate = bench.certify().await.expect("all have heard");
    assert_eq!(positions(&certificate), [("bot_hub", 2), ("crm", 2), ("identity", 2)]);
    assert_eq!(certificate.statement.keys, given.statement.keys);
    certificate.verify(&bench.eraser.key.public()).expect("it is genuine");
    assert_eq!(bench.certify().await.expect("it is given again"), certificate);
}

#[tokio::test]
async fn whoever_was_killed_after_the_fact_is_completed_by_the_contexts() {
    let bench = Bench::prepare().await;
    let sealer = bench.keyring().sealer(CAMPAIGN, SARA).await.expect("a key is made");
    let sealed: Sealed<String> = sealer.seal(&PLACE, "راز");
    let target = Target { tenant: CAMPAIGN, id: SARA };
    let command = SubjectCommand::Erase { at: NOON };
    let meta = Meta::new(Uuid::from_u128(9), by());
    // The fact, and then nothing more.
    bench.eraser.log.execute::<Subject>(target, command, &meta).await.expect("it is recorded");
    let open = bench.keyring().reveal(&sealed, CAMPAIGN, &PLACE).await;
    assert!(open.expect("keys answer").is_some());

    bench.hear(&bench.contexts[1..2]).await;

    let gone = bench.keyring().reveal(&sealed, CAMPAIGN, &PLACE).await.expect("keys answer");
    assert_eq!(gone, None);
    bench.hear(&bench.contexts).await;
    let certificate = bench.certify().await.expect("all have heard");
    assert_eq!(certificate.statement.asked_by, by());
}

#[tokio::test]
async fn asking_and_hearing_again_changes_nothing() {
    let bench = Bench::prepare().await;
    bench.keyring().sealer(CAMPAIGN, SARA).await.expect("a key is made");
    bench.eraser.erase(CAMPAIGN, SARA, &by()).await.expect("it is asked for");
    bench.hear(&bench.contexts).await;
    let first = bench.certify().await.expect("all have heard");

    let other = Actor::Service { name: "another".to_owned() };
    bench.eraser.erase(CAMPAIGN, SARA, &other).await.expect("it is asked for again");
    bench.hear(&bench.contexts).await;

    assert_eq!(bench.certify().await.expect("it was given"), first);
    for context in &bench.contexts {
        let facts = context.log.after(0, 0, 100).await.expect("the log answers");
        assert_eq!(facts.len(), 1, "{}", context.log.context());
        assert_eq!(facts[0].event_type, "subject.erased");
    }
    assert_eq!(bench.contexts[0].log.context(), OWNER);
}

#[tokio::test]
async fn nobody_is_not_erased() {
    let bench = Bench::prepare().await;

    let unknown = bench.eraser.erase(CAMPAIGN, SARA, &by()).await.expect_err("nobody is there");

    assert!(matches!(unknown, EraseError::Unknown));
    assert!(bench.facts().await.is_empty());
}
