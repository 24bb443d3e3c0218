//! Bare limits: what the machine does when nothing but the unavoidable is done.

use std::time::Duration;

use anyhow::{Result, ensure};
use async_nats::jetstream;
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use meydan_testkit::{
    process::Ground,
    servers::{durable, folder, workspace},
};
use tokio::process::Command;

use crate::{
    SPAN,
    load::{self, Figures, Target},
};

/// An HTTP handler that publishes its body to JetStream and waits for the acknowledgement: at so many updates a
/// second, and with as many as 64 clients can send.
pub(crate) async fn publish(ground: &Ground, a_second: u32) -> Result<[Figures; 2]> {
    let context = jetstream::new(ground.nats().connect().await);
    let config = jetstream::stream::Config {
        name: "BARE".to_owned(),
        subjects: vec!["bare".to_owned()],
        ..Default::default()
    };
    context.create_stream(config).await?;
    let handler = |State(context): State<jetstream::Context>, body: Bytes| async move {
        let Ok(ack) = context.publish("bare", body).await else {
            return StatusCode::SERVICE_UNAVAILABLE;
        };
        ack.await.map_or(StatusCode::SERVICE_UNAVAILABLE, |_| StatusCode::OK)
    };
    let router = Router::new().route("/", post(handler)).with_state(context);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let target = Target::new(url, None)?;
    let paced = load::open(&target, a_second, SPAN, 0).await?;
    let most = load::closed(&target, 64, SPAN, 0).await?;
    serving.abort();
    Ok([paced, most])
}

/// pgbench: clients that insert one row at a time, with the payload of an event.
pub(crate) async fn insert(clients: u32) -> Result<Figures> {
    let programs = workspace().join(".meydan/runtime/postgres/pginstall/bin");
    let folder = folder();
    let script = folder.path().join("insert.sql");
    std::fs::write(
        &script,
        format!("INSERT INTO bare (payload) VALUES ('{}');\n", "x".repeat(256)),
    )?;
    let psql = Command::new(programs.join("psql"))
        .args(["--quiet", "--dbname", durable()])
        .args(["--command", "CREATE TABLE bare (id bigserial PRIMARY KEY, payload text NOT NULL)"])
        .status()
        .await?;
    ensure!(psql.success(), "the table cannot be made");
    let pgbench = Command::new(programs.join("pgbench"))
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--log"])
        .arg(format!("--log-prefix={}/log", folder.path().display()))
        .args([format!("--client={clients}"), format!("--time={}", SPAN.as_secs())])
        .arg(format!("--file={}", script.display()))
        .arg(durable())
        .output()
        .await?;
    ensure!(pgbench.status.success(), "{}", String::from_utf8_lossy(&pgbench.stderr));
    let mut times = Vec::new();
    for file in std::fs::read_dir(folder.path())? {
        let path = file?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log")) {
            let text = std::fs::read_to_string(&path)?;
            let third =
                |line: &str| line.split(' ').nth(2)?.parse().ok().map(Duration::from_micros);
            times.extend(text.lines().filter_map(third));
        }
    }
    Ok(Figures::new(times, SPAN))
}
