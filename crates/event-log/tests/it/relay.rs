//! A relay that has to wait, and how it is watched.

use async_nats::jetstream;
use metrics_exporter_prometheus::PrometheusBuilder;
use meydan_event_log::{Target, stream_name};
use meydan_testkit::servers::Nats;
use uuid::Uuid;

use crate::{
    counter::{Add, Counter, PATIENCE, log, log_with, meta, owner, target},
    stream::{Publishing, agree},
    told::Told,
};

#[tokio::test]
async fn after_a_failure_has_passed_the_next_one_is_met_with_a_short_rest_again() {
    let (log, nats) = (log().await, Nats::start().await);
    let (told, _listening) = Told::listen();
    let jetstream = jetstream::new(nats.connect().await);
    let publishing = Publishing::start(&log, &jetstream, 0);
    let mut owner = owner(&log).await;
    for n in 1..=2 {
        log.execute::<Counter>(target(1), Add(1), &meta(n)).await.expect("it fits");
        agree(&log, &jetstream, 0).await;

        let away = "ALTER TABLE es.events RENAME TO elsewhere";
        sqlx::raw_sql(away).execute(&mut owner).await.expect("the owner may");
        // Each hiccup begins with the shortest rest, and the rests grow.
        let n = usize::try_from(n).expect("small");
        told.until(n, "again_in=400ms").await;
        let rests = ["100ms", "200ms", "400ms"].map(|rest| told.lines(&format!("again_in={rest}")));
        assert_eq!(rests, [n; 3]);
        let back = "ALTER TABLE es.elsewhere RENAME TO events";
        sqlx::raw_sql(back).execute(&mut owner).await.expect("the owner may");
    }
    publishing.end().await;
}

#[tokio::test]
async fn a_relay_that_stands_still_is_shown_with_its_partition_as_long_as_it_leads() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let shows = |line: &str| recorder.handle().render().lines().any(|shown| shown == line);
    let until = async |line: &str| {
        let shown = async {
            while !shows(line) {
                tokio::task::yield_now().await;
            }
        };
        let shown = tokio::time::timeout(PATIENCE, shown).await;
        shown.unwrap_or_else(|_| panic!("it is not shown: {line}\n{}", recorder.handle().render()));
    };
    let (log, nats) = (log_with(2).await, Nats::start().await);
    let jetstream = jetstream::new(nats.connect().await);
    let add = async |part: u128, n| {
        let target = Target { tenant: Uuid::from_u128(part), id: Uuid::from_u128(1) };
        log.execute::<Counter>(target, Add(1), &meta(n)).await.expect("it fits");
    };
    // The second stream knows a fact that its log lacks.
    let publishing = Publishing::start(&log, &jetstream, 1);
    add(1, 1).await;
    agree(&log, &jetstream, 1).await;
    publishing.end().await;
    let forget = "SET session_replication_role = replica; DELETE FROM es.events";
    sqlx::raw_sql(forget).execute(&mut owner(&log).await).await.expect("the owner may");

    let halted = Publishing::start(&log, &jetstream, 1);
    until(r#"relay_halted{context="counter",part="1"} 1"#).await;
    let healthy = Publishing::start(&log, &jetstream, 0);
    add(0, 2).await;
    agree(&log, &jetstream, 0).await;

    let published = jetstream.get_stream(stream_name("counter", 0)).await.expect("it is there");
    assert_eq!(published.cached_info().state.last_sequence, 1);
    until(r#"relay_halted{context="counter",part="0"} 0"#).await;
    assert!(
        shows(r#"relay_halted{context="counter",part="1"} 1"#),
        "the other one changes nothing"
    );
    let failures = r#"relay_failures{context="counter",part="1"}"#;
    assert!(recorder.handle().render().lines().any(|shown| shown.starts_with(failures)));
    halted.end().await;
    assert!(shows(r#"relay_halted{context="counter",part="1"} 0"#), "it is no alarm of its own");
    healthy.end().await;
}
