//! Commands and the facts they become, against a real PostgreSQL.

use crate::counter::{
    Add, Counted, Counter, TooMuch, database, key, log, log_with, meta, owner, target,
};
use cqrs_es::Aggregate;
use meydan_event_log::{Elsewhere, EventLog, ExecuteError, Options, PLATFORM, Target};
use uuid::Uuid;

#[tokio::test]
async fn a_command_sent_again_changes_nothing_and_gets_the_first_answer() {
    let log = log().await;

    let first = log.execute::<Counter>(target(1), Add(3), &meta(10)).await.expect("it fits");
    log.execute::<Counter>(target(1), Add(3), &meta(11)).await.expect("it fits");
    let again = log.execute::<Counter>(target(1), Add(3), &meta(10)).await.expect("it is known");

    assert_eq!((first.position, first.sequence, first.repeated), (1, 1, false));
    assert_eq!((again.position, again.sequence, again.repeated), (1, 1, true));
    let loaded = log.load::<Counter>(target(1)).await.expect("it can be read");
    assert_eq!((loaded.aggregate.sum, loaded.sequence), (6, 2));
}

#[tokio::test]
async fn an_id_of_another_aggregates_command_is_refused_whatever_is_known_of_the_two() {
    let log = log().await;
    let tenant = target(1).tenant;
    let first = log.execute::<Counter>(target(1), Add(3), &meta(10)).await.expect("it fits");
    log.execute::<Counter>(target(2), Add(1), &meta(11)).await.expect("it fits");

    // 2 is in memory, 3 was never heard of; 1001 would be refused on its own.
    let one = log.execute::<Counter>(target(2), Add(3), &meta(10)).await;
    let strange = log.execute::<Counter>(target(3), Add(1_001), &meta(10)).await;
    let group = log.group(tenant).ask::<Counter>(target(2).id, Add(1));
    let group = group.ask::<Counter>(target(3).id, Add(1)).execute(&meta(10)).await;
    let with_it = log.group(tenant).ask::<Counter>(target(2).id, Add(1));
    let with_it = with_it.ask::<Counter>(target(1).id, Add(1)).execute(&meta(10)).await;

    let told = [one.map_err(taken), strange.map_err(taken), group.map_err(taken)];
    for told in told {
        let Elsewhere { aggregate_id, committed, .. } = told.expect_err("it is not done");
        assert_eq!((aggregate_id, committed.position), (target(1).id, first.position));
    }
    assert_eq!(with_it.expect("it is asked as well").position, first.position);
    assert_eq!(log.last_position(0).await.expect("it can be read"), 2);
}

fn taken<R: std::fmt::Debug>(error: ExecuteError<R>) -> Elsewhere {
    let ExecuteError::CommandIdTaken(elsewhere) = error else { panic!("{error:?}") };
    elsewhere
}

#[tokio::test]
async fn a_refusal_is_told_apart_and_writes_nothing() {
    let log = log().await;

    let refused = log.execute::<Counter>(target(1), Add(1_001), &meta(1)).await;

    assert!(matches!(refused, Err(ExecuteError::Refused(TooMuch))));
    assert_eq!(log.after(0, 0, 10).await.expect("it can be read").len(), 0);
}

#[tokio::test]
async fn positions_are_gapless_and_every_aggregate_keeps_its_order_under_load() {
    let log = log().await;

    let commands = (0..400_u128).map(|n| {
        let log = log.clone();
        tokio::spawn(async move {
            // Ten aggregates, so that commands collide.
            log.execute::<Counter>(target(n % 10), Add(1), &meta(1_000 + n)).await
        })
    });
    for command in commands.collect::<Vec<_>>() {
        command.await.expect("no task breaks").expect("they wait for their turn");
    }

    let events = log.after(0, 0, 1_000).await.expect("it can be read");
    let positions = events.iter().map(|event| event.position).collect::<Vec<_>>();
    assert_eq!(positions, (1..=400).collect::<Vec<i64>>());
    for id in 0..10 {
        let of_one = events.iter().filter(|event| event.aggregate_id == Uuid::from_u128(id));
        let sequences = of_one.map(|event| event.sequence).collect::<Vec<_>>();
        let count = i64::try_from(sequences.len()).expect("few");
        assert_eq!(sequences, (1..=count).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn one_command_in_a_hundred_copies_is_carried_out_once() {
    let log = log().await;

    let copies = (0..100).map(|_| {
        let log = log.clone();
        tokio::spawn(async move { log.execute::<Counter>(target(1), Add(5), &meta(7)).await })
    });
    let mut fresh = 0;
    for copy in copies.collect::<Vec<_>>() {
        let committed = copy.await.expect("no task breaks").expect("each is answered");
        assert_eq!(committed.position, 1);
        fresh += u32::from(!committed.repeated);
    }

    assert_eq!(fresh, 1);
    assert_eq!(log.load::<Counter>(target(1)).await.expect("it can be read").aggregate.sum, 5);
}

#[tokio::test]
async fn a_unique_key_belongs_to_the_aggregate_that_took_it_first() {
    let log = log().await;
    let keys = [key("sara")];

    let first = log.execute_with::<Counter>(target(1), Add(1), &meta(1), &keys).await;
    let same = log.execute_with::<Counter>(target(1), Add(1), &meta(2), &keys).await;
    let other = log.execute_with::<Counter>(target(2), Add(1), &meta(3), &keys).await;

    assert!(first.is_ok() && same.is_ok());
    assert!(matches!(other, Err(ExecuteError::KeyTaken)));
    let holder = log.holder(&key("sara")).await.expect("it can be asked");
    assert_eq!(holder, Some(target(1).id));
    assert_eq!(log.after(0, 0, 10).await.expect("it can be read").len(), 2);
}

#[tokio::test]
async fn the_newest_key_of_a_prefix_is_found_and_no_other_prefix_is() {
    let log = log().await;
    for (id, name) in [(1, "a\u{1}"), (2, "a\u{2}"), (3, "b\u{9}")] {
        let keys = [key(name)];
        let done = log.execute_with::<Counter>(target(id), Add(1), &meta(id), &keys).await;
        done.expect("the key is free");
    }

    let newest = log.last_holder(PLATFORM, "counter.name", b"a").await.expect("it can be asked");

    assert_eq!(newest, Some((b"a\x02".to_vec(), target(2).id)));
    let none = log.last_holder(PLATFORM, "counter.name", b"c").await.expect("it can be asked");
    assert_eq!(none, None);
}

#[tokio::test]
async fn the_service_cannot_change_a_fact_and_the_owner_not_by_mistake() {
    let log = log().await;
    log.execute::<Counter>(target(1), Add(1), &meta(1)).await.expect("it fits");

    for statement in
        ["UPDATE es.events SET event_type = 'x'", "DELETE FROM es.events", "TRUNCATE es.events"]
    {
        let error = sqlx::raw_sql(statement).execute(log.pool()).await.expect_err("it is refused");
        let code =
            error.as_database_error().and_then(|error| error.code().map(|code| code.to_string()));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
    }

    let mut owner = owner(&log).await;
    for statement in ["UPDATE es.events SET event_type = 'x'", "DELETE FROM es.events"] {
        let error = sqlx::raw_sql(statement).execute(&mut owner).await.expect_err("it is refused");
        assert!(error.to_string().contains("events are never changed"), "{error}");
    }
}

#[tokio::test]
async fn two_processes_lose_no_command_to_each_other() {
    let url = database().await;
    let [one, two] = [(); 2].map(|()| EventLog::open("counter", &url, 4));
    let logs = [one.await.expect("it opens"), two.await.expect("it opens")];

    let mut sum = 0;
    for n in 0..40 {
        // In turns, so that each time the other one's memory is old.
        let log = &logs[usize::try_from(n % 2).expect("small")];
        let done = log.execute::<Counter>(target(1), Add(1), &meta(n)).await;
        sum = done.expect("it is judged again").sequence;
    }

    assert_eq!(sum, 40);
    for log in &logs {
        let loaded = log.load::<Counter>(target(1)).await.expect("it can be read");
        assert_eq!((loaded.aggregate.sum, loaded.sequence), (40, 40));
    }
}

#[tokio::test]
async fn a_group_changes_all_its_aggregates_or_none() {
    let log = log().await;
    let tenant = target(1).tenant;
    let add = |n, by| log.group(tenant).ask::<Counter>(target(n).id, Add(by));

    let both = add(1, 2).ask::<Counter>(target(2).id, Add(3)).execute(&meta(1)).await;
    assert_eq!(both.expect("both fit").position, 2);
    let again = add(1, 2).ask::<Counter>(target(2).id, Add(3)).execute(&meta(1)).await;
    assert!(again.expect("it is known").repeated);
    let refused = add(1, 2).ask::<Counter>(target(2).id, Add(1_001)).execute(&meta(2)).await;
    let Err(ExecuteError::Refused(refusal)) = refused else { panic!("the second one refuses") };
    assert_eq!(refusal.downcast_ref(), Some(&TooMuch));

    for (n, sum) in [(1, 2), (2, 3)] {
        let loaded = log.load::<Counter>(target(n)).await.expect("it can be read");
        assert_eq!(loaded.aggregate.sum, sum);
    }
    assert_eq!(log.after(0, 0, 10).await.expect("it can be read").len(), 2);
}

#[tokio::test]
async fn groups_that_cross_each_other_all_get_their_turn() {
    let log = log().await;

    let groups = (0..200_u128).map(|n| {
        let log = log.clone();
        tokio::spawn(async move {
            let (one, other) = (target(n % 7).id, target(7 + n % 5).id);
            let (first, second) = if n % 2 == 0 { (one, other) } else { (other, one) };
            let group = log.group(target(0).tenant).ask::<Counter>(first, Add(1));
            group.ask::<Counter>(second, Add(1)).execute(&meta(100 + n)).await
        })
    });
    for group in groups.collect::<Vec<_>>() {
        group.await.expect("no task breaks").expect("it is carried out");
    }

    assert_eq!(log.last_position(0).await.expect("it answers"), 400);
}

#[tokio::test]
async fn a_session_that_dies_costs_no_command() {
    let log = log().await;
    log.execute::<Counter>(target(1), Add(1), &meta(1)).await.expect("it fits");
    let mut owner = owner(&log).await;

    for n in 2..12 {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::raw_sql(others).execute(&mut owner).await.expect("the owner may");
        log.execute::<Counter>(target(1), Add(1), &meta(n)).await.expect("it is tried again");
    }

    assert_eq!(log.last_position(0).await.expect("it answers"), 11);
}

#[tokio::test]
async fn a_snapshot_is_read_by_the_build_and_the_type_that_wrote_it_and_by_no_other() {
    let url = database().await;
    let log = EventLog::open("counter", &url, 4).await.expect("it opens");
    while snapshots(&log).await == 0 {
        // Enough for some hundred events; the first snapshots wait until the build is known.
        for _ in 0..150 {
            let command = meta(Uuid::new_v4().as_u128());
            log.execute::<Counter>(target(1), Add(1), &command).await.expect("it fits");
        }
    }
    // As if the snapshot knew better, to see who reads it.
    let mut owner = owner(&log).await;
    let forge = "UPDATE es.snapshots SET state = '{\"sum\": 1000000}'";
    sqlx::raw_sql(forge).execute(&mut owner).await.expect("it is a cache");

    let fresh = EventLog::open("counter", &url, 4).await.expect("it opens");
    let same = fresh.load::<Counter>(target(1)).await.expect("it can be read");
    let other = fresh.load::<Tally>(target(1)).await.expect("it can be read");

    assert!(same.aggregate.sum >= 1_000_000, "{}", same.aggregate.sum);
    assert_eq!(other.aggregate.0.sum, other.sequence);
    assert_eq!(same.sequence, other.sequence);

    let rebuilt =
        "UPDATE es.snapshots SET state_version = 'f' || left(split_part(state_version, ' ', 1), -1)
                   || ' ' || split_part(state_version, ' ', 2)";
    sqlx::raw_sql(rebuilt).execute(&mut owner).await.expect("it is a cache");
    let fresh = EventLog::open("counter", &url, 4).await.expect("it opens");
    let rebuilt = fresh.load::<Counter>(target(1)).await.expect("it can be read");
    assert_eq!(rebuilt.aggregate.sum, rebuilt.sequence);
}

async fn snapshots(log: &EventLog) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM es.snapshots");
    count.fetch_one(log.pool()).await.expect("it answers")
}

/// The counter after a change of its state's type.
#[derive(Debug, Default, Clone, serde::Serialize, serde::Deserialize)]
struct Tally(Counter);

impl Aggregate for Tally {
    const TYPE: &'static str = "counter";

    type Command = Add;
    type Event = Counted;
    type Error = TooMuch;
    type Services = ();

    async fn handle(
        &mut self,
        _: Add,
        (): &(),
        _: &cqrs_es::event_sink::EventSink<Self>,
    ) -> Result<(), TooMuch> {
        Ok(())
    }

    fn apply(&mut self, event: Counted) {
        self.0.apply(event);
    }
}

#[tokio::test]
async fn each_tenant_has_its_partition_and_each_partition_its_positions() {
    let log = log_with(3).await;
    for n in 0..30 {
        let target = Target { tenant: Uuid::from_u128(n % 6), id: Uuid::from_u128(n) };
        log.execute::<Counter>(target, Add(1), &meta(n)).await.expect("it fits");
    }

    for part in log.parts() {
        let events = log.after(part, 0, 100).await.expect("it can be read");
        let positions = events.iter().map(|event| event.position).collect::<Vec<_>>();
        assert_eq!(positions, (1..=10).collect::<Vec<_>>());
        assert!(events.iter().all(|event| log.part_of(event.tenant) == part));
    }
}

#[tokio::test]
async fn a_key_that_two_partitions_want_at_once_goes_to_one() {
    let log = log_with(4).await;

    let wishes = (0..40_u128).map(|n| {
        let log = log.clone();
        tokio::spawn(async move {
            let target = Target { tenant: Uuid::from_u128(n), id: Uuid::from_u128(n) };
            let keys = [key(if n < 20 { "first" } else { "second" })];
            log.execute_with::<Counter>(target, Add(1), &meta(n), &keys).await
        })
    });
    let mut got = 0;
    for wish in wishes.collect::<Vec<_>>() {
        match wish.await.expect("no task breaks") {
            Ok(_) => got += 1,
            Err(ExecuteError::KeyTaken | ExecuteError::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }

    assert_eq!(got, 2);
}

#[tokio::test]
async fn that_aggregates_are_forgotten_is_not_noticed() {
    let options = Options { hot_bytes: 4_096, ..Options::default() };
    let log = EventLog::open_with("counter", &database().await, options).await.expect("it opens");
    for round in 0..3_u128 {
        for n in 0..60 {
            let command = meta(1 + round * 100 + n);
            log.execute::<Counter>(target(n), Add(1), &command).await.expect("it fits");
        }
    }

    for n in 0..60 {
        let loaded = log.load::<Counter>(target(n)).await.expect("it can be read");
        assert_eq!((loaded.aggregate.sum, loaded.sequence), (3, 3));
    }
}

#[tokio::test]
async fn what_is_written_after_somebody_gave_up_beginning_a_transaction_stays() {
    let options = Options { connections: 1, ..Options::default() };
    let log = EventLog::open_with("counter", &database().await, options).await;
    let log = log.expect("the log opens");
    // As it is left by whoever is cancelled while the server begins it.
    let mut session = log.pool().acquire().await.expect("it is free");
    sqlx::raw_sql("BEGIN").execute(&mut *session).await.expect("it begins");
    drop(session);

    let noted = "INSERT INTO es.checkpoints (reader, part, position) VALUES ('somebody', 0, 7)";
    sqlx::query(noted).execute(log.pool()).await.expect("it is written");

    let seen = "SELECT position FROM es.checkpoints WHERE reader = 'somebody'";
    let seen = sqlx::query_scalar::<_, i64>(seen).fetch_all(&mut owner(&log).await).await;
    assert_eq!(seen.expect("it can be read"), [7]);
}
