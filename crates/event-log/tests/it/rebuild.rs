//! Tables that are grown anew while the old ones serve.

use crate::counter::{Add, Counter, PATIENCE, log, meta, owner, target};
use crate::sums::{Sums, SumsAsSet, make_table, sums};
use meydan_event_log::{
    Difference, EventLog, Projection, ProjectionRunner, Rebuild, RebuildError, Source, checkpoint,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Serving {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Serving {
    fn start(log: &EventLog) -> Self {
        let stop = CancellationToken::new();
        let runner = ProjectionRunner::new(Sums, Source::Log(log.clone(), 0), log.pool().clone());
        Self { task: tokio::spawn(runner.run(stop.clone())), stop }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("it does not break");
    }
}

async fn add(log: &EventLog, commands: std::ops::Range<u128>) {
    for n in commands {
        log.execute::<Counter>(target(n % 6), Add(1), &meta(n)).await.expect("it fits");
    }
}

async fn shown(log: &EventLog, position: i64) {
    let shown = async {
        while checkpoint(log.pool(), Sums::NAME, 0).await.expect("a number") < position {}
    };
    tokio::time::timeout(PATIENCE, shown).await.expect("it comes to the end");
}

/// Nothing has to be done before tables are exchanged.
async fn alone() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Ok(())
}

async fn total(log: &EventLog) -> i64 {
    sums(log.pool()).await.iter().map(|(_, sum)| sum).sum()
}

#[tokio::test]
async fn new_tables_take_over_under_load_and_the_old_ones_can_come_back() {
    let log = log().await;
    make_table(&log).await;
    let serving = Serving::start(&log);
    add(&log, 0..60).await;
    shown(&log, 60).await;
    // The old tables are wrong in a way that only a rebuild mends.
    sqlx::raw_sql("UPDATE sums SET sum = sum + 1000").execute(log.pool()).await.expect("ours");
    let writer = tokio::spawn({
        let log = log.clone();
        async move { add(&log, 60..200).await }
    });

    let rebuild = Rebuild::of::<SumsAsSet>(log.clone());
    rebuild.begin().await.expect("there is room");
    rebuild.catch_up(SumsAsSet, |_, _| {}).await.expect("it can be digested");
    assert!(total(&log).await > 6_000, "the old ones still serve");
    rebuild.switch(SumsAsSet, false, alone).await.expect("the new ones are ready");
    writer.await.expect("it does not break");

    shown(&log, 200).await;
    assert_eq!(total(&log).await, 200);
    rebuild.roll_back(alone).await.expect("the old ones are kept");
    shown(&log, 200).await;
    assert_eq!(total(&log).await, 6_200);
    rebuild.roll_back(alone).await.expect("and so are the new ones");
    shown(&log, 200).await;
    assert_eq!(total(&log).await, 200);
    serving.end().await;
}

#[tokio::test]
async fn new_tables_have_the_keys_and_indexes_of_the_old_ones_by_name() {
    let log = log().await;
    make_table(&log).await;
    let names = || async {
        let mut owner = owner(&log).await;
        let names =
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'sums'
                     ORDER BY indexname";
        let rows: Vec<String> =
            sqlx::query_scalar(names).fetch_all(&mut owner).await.expect("a list");
        rows
    };
    let before = names().await;

    let rebuild = Rebuild::of::<Sums>(log.clone());
    rebuild.begin().await.expect("there is room");
    rebuild.catch_up(Sums, |_, _| {}).await.expect("there is nothing yet");
    rebuild.switch(Sums, false, alone).await.expect("the new ones are ready");

    assert_eq!(before.len(), 2);
    assert_eq!(names().await, before);
}

#[tokio::test]
async fn nothing_takes_over_that_was_not_built_or_lacks_too_much() {
    let log = log().await;
    make_table(&log).await;
    let rebuild = Rebuild::of::<Sums>(log.clone());

    assert!(matches!(
        rebuild.switch(Sums, false, alone).await,
        Err(RebuildError::NotBegun("counter"))
    ));
    assert!(matches!(rebuild.roll_back(alone).await, Err(RebuildError::NoneKept("counter"))));
    let refused = rebuild.catch_up(Sums, |_, _| {}).await;
    assert!(matches!(refused, Err(RebuildError::NotBegun("counter"))), "{refused:?}");
    rebuild.begin().await.expect("there is room");
    assert!(matches!(
        rebuild.switch(Sums, false, alone).await,
        Err(RebuildError::Unfinished("counter"))
    ));
    rebuild.catch_up(Sums, |_, _| {}).await.expect("there is nothing yet");
    sqlx::raw_sql("INSERT INTO es.checkpoints (reader, part, position) VALUES ('sums', 0, 6000)")
        .execute(log.pool())
        .await
        .expect("ours");
    let refused = rebuild.switch(Sums, false, alone).await;
    assert!(matches!(refused, Err(RebuildError::Behind("counter", 6_000))), "{refused:?}");
}

#[tokio::test]
async fn new_tables_take_in_what_has_happened_since_they_were_grown_before_they_are_seen() {
    let log = log().await;
    make_table(&log).await;
    let serving = Serving::start(&log);
    add(&log, 0..30).await;
    let rebuild = Rebuild::of::<Sums>(log.clone());
    rebuild.begin().await.expect("there is room");
    rebuild.catch_up(Sums, |_, _| {}).await.expect("they grow");
    add(&log, 30..90).await;
    shown(&log, 90).await;
    serving.end().await;

    rebuild.switch(Sums, false, alone).await.expect("it is not much");

    assert_eq!(total(&log).await, 90);
}

#[tokio::test]
async fn tables_that_stand_still_are_compared_up_to_where_they_are_and_can_be_replaced() {
    let log = log().await;
    make_table(&log).await;
    let serving = Serving::start(&log);
    add(&log, 0..30).await;
    shown(&log, 30).await;
    serving.end().await;
    add(&log, 30..60).await;
    let rebuild = Rebuild::of::<Sums>(log.clone());

    let found = rebuild.verify([Sums, Sums], |_, _| {}).await.expect("it can be compared");
    assert_eq!(found, [Difference { table: "sums", extra: 0, missing: 0 }]);
    rebuild.begin().await.expect("there is room");
    rebuild.catch_up(Sums, |_, _| {}).await.expect("they grow");
    rebuild.switch(Sums, false, alone).await.expect("the new ones are further than the old ones");

    shown(&log, 60).await;
    assert_eq!(total(&log).await, 60);
}

#[tokio::test]
async fn a_read_model_that_differs_from_its_log_is_found_out() {
    let log = log().await;
    make_table(&log).await;
    let serving = Serving::start(&log);
    add(&log, 0..30).await;
    shown(&log, 30).await;
    let rebuild = Rebuild::of::<Sums>(log.clone());
    let same = Difference { table: "sums", extra: 0, missing: 0 };

    let found = rebuild.verify([Sums, Sums], |_, _| {}).await.expect("it can be compared");
    assert_eq!(found, std::slice::from_ref(&same));
    let damage = "UPDATE sums SET sum = 0 WHERE id = '00000000-0000-0000-0000-000000000003';
                  DELETE FROM sums WHERE id = '00000000-0000-0000-0000-000000000004'";
    sqlx::raw_sql(damage).execute(log.pool()).await.expect("ours");
    let found = rebuild.verify([Sums, Sums], |_, _| {}).await.expect("it can be compared");
    assert_eq!(found, [Difference { extra: 1, missing: 2, ..same }]);
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn comparing_takes_in_what_comes_meanwhile_and_leaves_a_rebuild_beside_it_alone() {
    let log = log().await;
    make_table(&log).await;
    let serving = Serving::start(&log);
    add(&log, 0..30).await;
    shown(&log, 30).await;
    let rebuild = Rebuild::of::<Sums>(log.clone());
    rebuild.begin().await.expect("there is room");
    rebuild.catch_up(Sums, |_, _| {}).await.expect("they grow");

    let meanwhile = |at, end| {
        let more = async {
            add(&log, 30..50).await;
            shown(&log, 50).await;
        };
        if at == end {
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(more));
        }
    };
    let compared = tokio::time::timeout(PATIENCE, rebuild.verify([Sums, Sums], meanwhile)).await;

    let found = compared.expect("nobody waits for themselves").expect("it can be compared");
    assert_eq!(found, [Difference { table: "sums", extra: 0, missing: 0 }]);
    rebuild.switch(Sums, false, alone).await.expect("what was grown is still there");
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_goes_on_while_its_rows_are_compared() {
    let log = log().await;
    make_table(&log).await;
    let serving = Serving::start(&log);
    add(&log, 0..30).await;
    shown(&log, 30).await;
    let (held, mut holds) = tokio::sync::mpsc::unbounded_channel();
    let rebuild = Rebuild::of::<Sums>(log.clone());
    let comparing = tokio::spawn({
        let log = log.clone();
        async move {
            // Whoever reads these tables now has to wait.
            let hold = |at, end| {
                let hold = async {
                    let mut session = owner(&log).await;
                    let lock = "BEGIN; LOCK TABLE sums_verify.sums";
                    sqlx::raw_sql(lock).execute(&mut session).await.expect("the owner may");
                    held.send(session).expect("it is awaited");
                };
                if at == end {
                    tokio::task::block_in_place(|| {
                        tokio::runtime::Handle::current().block_on(hold);
                    });
                }
            };
            rebuild.verify([Sums, Sums], hold).await
        }
    });
    let mut holder = holds.recv().await.expect("they have grown");
    let comparison = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'sums_verify.sums'::regclass";
    let waits = async {
        while sqlx::query_scalar::<_, i64>(comparison)
            .fetch_one(&mut holder)
            .await
            .expect("a number")
            == 0
        {}
    };
    tokio::time::timeout(PATIENCE, waits).await.expect("the comparison has begun");

    add(&log, 30..50).await;
    shown(&log, 50).await;

    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.expect("it was begun");
    let found = comparing.await.expect("it does not break").expect("it can be compared");
    assert_eq!(found, [Difference { table: "sums", extra: 0, missing: 0 }]);
    serving.end().await;
}

#[tokio::test]
async fn nothing_takes_over_that_lacks_an_aggregate_from_an_earlier_fact_on_unless_it_is_insisted_on()
 {
    let log = log().await;
    make_table(&log).await;
    add(&log, 0..3).await;
    let known = Rebuild::of::<SumsAsSet>(log.clone());
    known.begin().await.expect("there is room");
    known.catch_up(SumsAsSet, |_, _| {}).await.expect("they grow");
    known.switch(SumsAsSet, false, alone).await.expect("there are none in use");
    // The new program chokes on sevens, and there is none yet.
    let rebuild = Rebuild::of::<Sums>(log.clone());
    rebuild.begin().await.expect("there is room");
    rebuild.catch_up(Sums, |_, _| {}).await.expect("they grow");
    assert_eq!(rebuild.lacks().await.expect("a list"), []);
    log.execute::<Counter>(target(1), Add(7), &meta(7)).await.expect("it fits");
    let ours = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(log.pool()).await.expect("ours");
    };
    ours("UPDATE es.checkpoints SET position = 4 WHERE reader = 'sums'").await;

    let refused = async || match rebuild.switch(Sums, false, alone).await {
        Err(RebuildError::Lacks("counter", lacks)) => lacks.len() == 1 && lacks[0].position == 4,
        _ => false,
    };
    assert!(refused().await, "it is found out at the very end");
    ours("INSERT INTO es.parked (reader, part, tenant_id, aggregate_type, aggregate_id, position, reason)
          SELECT 'sums', part, tenant_id, aggregate_type, aggregate_id, 9, reason FROM es.parked")
        .await;
    assert!(refused().await, "what is in use has more of it");
    assert_eq!(total(&log).await, 3, "and stays in use");

    rebuild.switch(Sums, true, alone).await.expect("it is insisted on");
}

#[tokio::test]
async fn tables_are_exchanged_after_what_has_to_come_first_and_not_without_it() {
    let log = log().await;
    make_table(&log).await;
    add(&log, 0..3).await;
    let rebuild = Rebuild::of::<SumsAsSet>(log.clone());
    rebuild.begin().await.expect("there is room");
    rebuild.catch_up(SumsAsSet, |_, _| {}).await.expect("they grow");

    let refused = rebuild.switch(SumsAsSet, false, async || Err("no".into())).await;
    assert!(matches!(refused, Err(RebuildError::Stay(_))), "{refused:?}");
    assert_eq!(total(&log).await, 0, "nothing reads into the old ones");
    // It may append to the log whose tables they are.
    let note = async || {
        add(&log, 3..4).await;
        Ok(())
    };
    rebuild.switch(SumsAsSet, false, note).await.expect("the new ones are ready");
    assert_eq!(total(&log).await, 3);

    let refused = rebuild.roll_back(async || Err("no".into())).await;
    assert!(matches!(refused, Err(RebuildError::Stay(_))), "{refused:?}");
    assert_eq!(total(&log).await, 3);
    rebuild.roll_back(alone).await.expect("the old ones are kept");
    assert_eq!(total(&log).await, 0);
}
