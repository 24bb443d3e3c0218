//! A log that says little, in a process of its own: telemetry is set up once.

use meydan_telemetry::{TelemetryOptions, init, trace_id};

#[test]
fn a_quiet_log_still_has_traces() {
    let options = TelemetryOptions {
        service: "test".to_owned(),
        log_level: "error".to_owned(),
        ..TelemetryOptions::default()
    };
    let telemetry = init(&options).expect("it is set up once");

    let within = tracing::info_span!("http").in_scope(trace_id);

    let id = within.expect("there is a trace");
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(trace_id(), None, "outside there is none");
    telemetry.shutdown();
}
