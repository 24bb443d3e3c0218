//! One trace, from the webhook to the open page.

use meydan_testkit::otlp::OtlpSink;

use crate::office::{Office, Reach, TOKEN, telegram};

#[tokio::test]
async fn one_trace_leads_from_the_webhook_to_the_open_page() {
    let (telegram, sink) = (telegram().await, OtlpSink::start().await);
    let settings = [("MEYDAN_OTLP_ENDPOINT", sink.url()), ("MEYDAN_LOG_LEVEL", "info".to_owned())];
    let office = Office::open_with(&telegram.url(), Reach::Webhook, &settings).await;
    let mut live = office.owner.listen("/c/tehran/live", None).await;
    live.chunk().await.expect("it is open");

    telegram.say(TOKEN, 7, "سلام").expect("a citizen writes");
    live.chunk().await.expect("it goes on").expect("the page is told");

    let trace = sink
        .wait_for_trace(&[
            "telegram.webhook",
            "intake.accept",
            "intake.carry_out",
            "log.execute",
            "policy.react",
            "grpc",
            "relay.publish",
            "projection.apply",
            "live.tell",
        ])
        .await;
    assert!(trace.len() >= 9, "{trace:?}");
}
