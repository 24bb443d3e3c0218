//! What Prometheus reads, and from where only.

use meydan_testkit::{
    ports,
    process::{Ground, Meydan, Person},
    telegram::TelegramSimulator,
};

use crate::office::PROGRAM;

#[tokio::test]
async fn metrics_are_read_on_a_port_of_their_own_and_name_nobody() {
    let telegram = TelegramSimulator::start_flowing().await.expect("it starts");
    let mut ground = Ground::prepare(&telegram.url()).await;
    let address = format!("127.0.0.1:{}", ports::free());
    ground.settings.insert("MEYDAN_METRICS_LISTEN", address.clone());
    let meydan = Meydan::start(PROGRAM, &ground).await;
    let visitor = Person::visiting(&meydan.url);

    let login = visitor.open("/login").await;
    let who = [("email", "sara@meydan.example"), ("password", "not the password at all")];
    visitor.send(&login, "/login", &who).await;
    let metrics = Person::visiting(&format!("http://{address}"));
    // A relay measures when it has begun to lead, which the pages do not wait for.
    let read = metrics.until("/metrics", "relay_lag_seconds{").await.html;
    for log in ["identity", "crm", "bot_hub"] {
        metrics.until("/metrics", &format!("reader=\"entries_{log}\"")).await;
    }

    let counted = |start: &str| read.lines().any(|line| line.starts_with(start));
    assert!(counted("http_requests{") && counted("http_seconds_bucket{"), "{read}");
    assert!(counted("grpc_calls{"), "{read}");
    assert!(!read.contains("sara"), "nobody is named");
    assert_eq!(visitor.open("/metrics").await.status, 404, "not where people come");
    meydan.stop().await;
}
