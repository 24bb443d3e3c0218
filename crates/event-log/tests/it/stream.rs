//! The stream: every fact once, in order, and whole again after whatever happens to it.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    counter::{Add, Counter, PATIENCE, database, log, log_with, meta, owner, target},
    told::Told,
};
use async_nats::jetstream::{self, stream::Stream};
use meydan_event_log::{
    EventLog, Projection, ProjectionError, ProjectionRunner, Recorded, Relay, RepairError, Source,
    SourceError, Subscription, Target, compare, discard_stream, gaps, recover_from_stream,
    stream_name,
};
use meydan_testkit::servers::Nats;
use sqlx::PgConnection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[tokio::test]
async fn the_stream_carries_every_fact_once_at_its_own_position() {
    let (log, nats) = (log().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let stop = CancellationToken::new();
    // Two relays at once, as two replicas would have.
    let relays = [(); 2]
        .map(|()| tokio::spawn(Relay::new(log.clone(), jetstream.clone(), 0).run(stop.clone())));

    for n in 0..50 {
        log.execute::<Counter>(target(n % 5), Add(1), &meta(100 + n)).await.expect("it fits");
    }

    let mut seen = Vec::new();
    let read = Source::Stream { jetstream: jetstream.clone(), context: "counter", part: 0 };
    let runner = ProjectionRunner::new(Nothing, read, log.pool().clone());
    let progress = runner.progress();
    let reader = tokio::spawn(runner.run(stop.clone()));
    assert!(progress.wait_for(50, PATIENCE).await, "the reader comes to the end");
    let stream = jetstream.get_stream(stream_name("counter", 0)).await.expect("there is a stream");
    for sequence in 1..=50 {
        let message = stream.get_raw_message(sequence).await.expect("there is no gap");
        let position = message.headers.get("Es-Position").expect("it says where it stands");
        assert_eq!(position.as_str(), sequence.to_string());
        seen.push(message.headers.get("Nats-Msg-Id").expect("it has a name").to_string());
    }
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 50);
    let last = stream.get_info().await.expect("it answers").state.last_sequence;
    assert_eq!(last, 50);

    stop.cancel();
    for relay in relays {
        relay.await.expect("no relay breaks");
    }
    reader.await.expect("the reader does not break");
}

/// Reads past everything.
struct Nothing;

impl Projection for Nothing {
    const NAME: &'static str = "nothing";
    const TABLES: &'static [&'static str] = &[];

    async fn apply(&self, _: &mut PgConnection, _: &Recorded) -> Result<(), ProjectionError> {
        Ok(())
    }
}

pub(crate) struct Publishing {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Publishing {
    pub(crate) fn start(log: &EventLog, jetstream: &jetstream::Context, part: i16) -> Self {
        let stop = CancellationToken::new();
        let relay = Relay::new(log.clone(), jetstream.clone(), part);
        Self { task: tokio::spawn(relay.run(stop.clone())), stop }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("no relay breaks");
    }
}

async fn add(log: &EventLog, commands: std::ops::Range<u128>) {
    for n in commands {
        log.execute::<Counter>(target(n % 5), Add(1), &meta(n)).await.expect("it fits");
    }
}

/// The same, all at once.
pub(crate) async fn add_at_once(log: &EventLog, commands: std::ops::Range<u128>) {
    let many = commands.map(|n| {
        let log = log.clone();
        tokio::spawn(async move { log.execute::<Counter>(target(n % 90), Add(1), &meta(n)).await })
    });
    for one in many.collect::<Vec<_>>() {
        one.await.expect("no task breaks").expect("it fits");
    }
}

/// Waits until the stream has as many facts as the log, and compares them one by one.
pub(crate) async fn agree(log: &EventLog, jetstream: &jetstream::Context, part: i16) {
    let recorded = log.last_position(part).await.expect("it answers");
    let agreed = async {
        loop {
            let standing = compare(log, jetstream, part, |_, _| {}).await;
            // While the stream is being made again there is a moment without it.
            let Ok(standing) = standing else { continue };
            assert_eq!(standing.differs_at, None);
            if standing.finding().is_none()
                && standing.recorded >= recorded
                && standing.behind() == 0
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, agreed).await.expect("the stream comes to the end");
}

async fn stream(jetstream: &jetstream::Context) -> Stream {
    jetstream.get_stream(stream_name("counter", 0)).await.expect("there is a stream")
}

#[tokio::test]
async fn a_stream_that_is_lost_is_made_again_with_the_same_numbers() {
    let (log, nats) = (log().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let publishing = Publishing::start(&log, &jetstream, 0);
    add(&log, 0..120).await;
    agree(&log, &jetstream, 0).await;
    let before = stream(&jetstream).await.get_raw_message(77).await.expect("it is there");

    jetstream.delete_stream(stream_name("counter", 0)).await.expect("it can be lost");
    add(&log, 120..130).await;
    agree(&log, &jetstream, 0).await;

    let after = stream(&jetstream).await.get_raw_message(77).await.expect("it is there");
    assert_eq!(before.headers.get("Nats-Msg-Id"), after.headers.get("Nats-Msg-Id"));
    publishing.end().await;
}

#[tokio::test]
async fn a_long_backlog_is_published_in_batches_that_a_rival_cannot_break() {
    let (log, nats) = (log().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    add_at_once(&log, 0..1_300).await;

    // Leaders that come and go in the middle of it.
    for _ in 0..3 {
        let (one, two) =
            (Publishing::start(&log, &jetstream, 0), Publishing::start(&log, &jetstream, 0));
        one.end().await;
        two.end().await;
    }
    let publishing = Publishing::start(&log, &jetstream, 0);
    agree(&log, &jetstream, 0).await;
    publishing.end().await;
}

#[tokio::test]
async fn a_stream_that_is_far_behind_is_told_of_and_so_is_the_end_of_it() {
    let (log, nats) = (log().await, Nats::start().await);
    let (told, _listening) = Told::listen();
    let waiting = "INSERT INTO es.events VALUES (0, 1, $1, 'counter', $2, 1, gen_random_uuid(), \
                   'counter.added', 1, '{\"type\":\"counter.added\",\"by\":1}', $3, now() - interval '1 hour')";
    let origin = sqlx::types::Json(meta(1));
    let waiting = sqlx::query(waiting).bind(target(1).tenant).bind(target(1).id).bind(origin);
    waiting.execute(&mut owner(&log).await).await.expect("the owner may add");
    assert!(!told.has("behind its log"));

    let stop = CancellationToken::new();
    let jetstream = jetstream::new(nats.connect().await);
    let relay = tokio::spawn(Relay::new(log.clone(), jetstream, 0).run(stop.clone()));
    let said = async {
        while !told.has("caught up with its log") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, said).await.expect("it is told");
    stop.cancel();
    relay.await.expect("it does not break");

    assert!(told.has("behind its log"));
}

#[tokio::test]
async fn each_partition_has_a_stream_of_its_own() {
    let (log, nats) = (log_with(2).await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let relays = [0, 1].map(|part| Publishing::start(&log, &jetstream, part));
    for n in 0..40 {
        let target = Target { tenant: Uuid::from_u128(n % 4), id: Uuid::from_u128(n) };
        log.execute::<Counter>(target, Add(1), &meta(n)).await.expect("it fits");
    }

    for part in [0, 1] {
        agree(&log, &jetstream, part).await;
        let stream = jetstream.get_stream(stream_name("counter", part)).await.expect("it is there");
        assert_eq!(stream.cached_info().state.last_sequence, 20);
    }
    for relay in relays {
        relay.end().await;
    }
}

/// As a restore from a backup leaves it: the facts after `position` never happened.
pub(crate) async fn restore(log: &EventLog, position: i64) {
    let mut owner = crate::counter::owner(log).await;
    let forget = format!(
        "SET session_replication_role = replica; DELETE FROM es.events WHERE position > {position};
         DELETE FROM es.commands WHERE last_position > {position}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(forget)).execute(&mut owner).await.expect("the owner may");
}

#[tokio::test]
async fn a_restored_database_gets_back_from_the_stream_what_the_backup_lacks() {
    let (url, nats) = (database().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    let publishing = Publishing::start(&log, &jetstream, 0);
    add(&log, 0..60).await;
    agree(&log, &jetstream, 0).await;
    publishing.end().await;
    restore(&log, 41).await;

    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    let publishing = Publishing::start(&log, &jetstream, 0);
    let standing = compare(&log, &jetstream, 0, |_, _| {}).await.expect("both answer");
    assert_eq!((standing.recorded, standing.published), (41, Some(60)));
    let back =
        recover_from_stream(&log, &jetstream, 0, async |_| Ok(vec![]), |_, _| {}, async || Ok(()))
            .await;

    assert_eq!(back.expect("nothing differs"), 19);
    let again =
        log.execute::<Counter>(target(59 % 5), Add(1), &meta(59)).await.expect("it is known");
    assert!(again.repeated);
    add(&log, 60..70).await;
    agree(&log, &jetstream, 0).await;
    assert_eq!(gaps(&log, |_, _| {}).await.expect("it answers"), Vec::<String>::new());
    publishing.end().await;
}

#[tokio::test]
async fn a_restored_database_that_went_another_way_is_not_mixed_with_the_stream() {
    let (url, nats) = (database().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    let publishing = Publishing::start(&log, &jetstream, 0);
    add(&log, 0..60).await;
    agree(&log, &jetstream, 0).await;
    publishing.end().await;
    restore(&log, 41).await;
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    add(&log, 100..140).await;
    let publishing = Publishing::start(&log, &jetstream, 0);

    let refused =
        recover_from_stream(&log, &jetstream, 0, async |_| Ok(vec![]), |_, _| {}, async || Ok(()))
            .await;
    assert!(matches!(refused, Err(RepairError::Diverged(42))), "{refused:?}");
    let standing = compare(&log, &jetstream, 0, |_, _| {}).await.expect("both answer");
    assert_eq!((standing.published, standing.differs_at), (Some(60), Some(42)));
    assert_eq!((standing.recorded, standing.behind()), (81, 40), "what has no place waits, too");

    discard_stream(&log, &jetstream, 0).await.expect("an operator may");
    agree(&log, &jetstream, 0).await;
    publishing.end().await;
}

#[tokio::test]
async fn a_damaged_stream_that_is_the_last_copy_of_a_fact_is_never_thrown_away_by_a_relay() {
    let (log, nats) = (log().await, Nats::start().await);
    let (told, _listening) = Told::listen();
    let jetstream = jetstream::new(nats.connect().await);
    let publishing = Publishing::start(&log, &jetstream, 0);
    add(&log, 0..40).await;
    agree(&log, &jetstream, 0).await;
    let forget =
        "SET session_replication_role = replica; DELETE FROM es.events WHERE position = 17";
    sqlx::raw_sql(forget).execute(&mut owner(&log).await).await.expect("the owner may");
    stream(&jetstream).await.delete_message(30).await.expect("it can be deleted");

    let halted = async {
        while !told.has("lacks the fact at 17") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, halted).await.expect("it is told");
    assert!(told.has("relay stands still"));
    stream(&jetstream).await.get_raw_message(17).await.expect("it is kept");

    let never_lost = async |_: &Recorded| unreachable!("its keys are there");
    let back =
        recover_from_stream(&log, &jetstream, 0, never_lost, |_, _| {}, async || Ok(())).await;
    assert_eq!(back.expect("it has it"), 1);
    agree(&log, &jetstream, 0).await;
    stream(&jetstream).await.get_raw_message(30).await.expect("it is there again");
    publishing.end().await;
}

#[tokio::test]
async fn what_a_stream_has_lost_is_read_from_the_log_or_waited_for_and_never_passed_over() {
    let (log, nats) = (log().await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let publishing = Publishing::start(&log, &jetstream, 0);
    add(&log, 0..10).await;
    agree(&log, &jetstream, 0).await;
    let both = Source::LogThenStream(log.clone(), jetstream.clone(), 0);
    let alone = Source::Stream { jetstream: jetstream.clone(), context: "counter", part: 0 };
    let (mut both, mut alone) = (Subscription::new(both), Subscription::new(alone));
    let patience = Duration::from_millis(50);
    // At the end of the log, where both wait for the stream.
    for reader in [&mut both, &mut alone] {
        assert_eq!(reader.next(0, 100, patience).await.expect("it answers").len(), 10);
        assert!(reader.next(10, 100, patience).await.expect("it answers").is_empty());
    }
    // More than they are sent before they ask for more, so the message is gone when they come to it.
    add_at_once(&log, 10..1_200).await;
    agree(&log, &jetstream, 0).await;
    publishing.end().await;
    stream(&jetstream).await.delete_message(1_001).await.expect("it can be deleted");

    let (mut seen, mut lost) = (vec![10], None);
    while seen.last() < Some(&1_200) {
        let after = seen[seen.len() - 1];
        let facts = both.next(after, 100, patience).await.expect("the log has all");
        seen.extend(facts.iter().map(|fact| fact.position));
    }
    assert_eq!(seen, (10..=1_200).collect::<Vec<_>>());

    let mut seen = vec![10];
    let mut publishing = None;
    let reading = async {
        while seen.last() < Some(&1_200) {
            match alone.next(seen[seen.len() - 1], 100, patience).await {
                Ok(facts) => seen.extend(facts.iter().map(|fact| fact.position)),
                Err(SourceError::Hole { after, found }) => {
                    lost = Some((after, found));
                    publishing.get_or_insert_with(|| Publishing::start(&log, &jetstream, 0));
                }
                // While it is made again there is a moment without a stream.
                Err(SourceError::Stream(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the stream is made again");
    assert_eq!((lost, seen), (Some((1_000, 1_002)), (10..=1_200).collect()));
    publishing.expect("it was needed").end().await;
}
