//! `meydan up`: everything on one machine, until Ctrl-C or SIGTERM.

use std::{
    io::IsTerminal,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{InviteFirstAdminRequest, sessions_client::SessionsClient},
};
use meydan_runtime::terminated;
use meydan_settings::Settings;
use meydan_telemetry::TelemetryOptions;
use uuid::Uuid;

use crate::{demo, platform::Platform, servers::Servers};

/// How long identity may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs until it is told to stop, or something fails.
pub(crate) async fn run(settings: Settings, runtime: &Path, demo: bool) -> Result<()> {
    let started = Instant::now();
    let telemetry = meydan_telemetry::init(&TelemetryOptions {
        service: "meydan".to_owned(),
        otlp_endpoint: settings.otlp_endpoint.clone(),
        log_format: settings.log_format.parse().map_err(|error| anyhow!("log-format {error}"))?,
        log_level: settings.log_level.clone(),
    })?;
    meydan_telemetry::metrics::serve(settings.metrics_listen)?;
    let servers = Servers::open(&settings, runtime, say).await?;
    say("starting the services");
    let ended = tokio::select! {
        platform = Platform::start(&settings, &servers, demo) => match platform {
            Ok(platform) => serve(&settings, platform, started, demo).await,
            Err(error) => Err(error),
        },
        stopped = terminated() => stopped.context("signals cannot be heard"),
    };
    let Servers { local, nats, .. } = servers;
    let _ = nats.drain().await;
    if let Some(local) = local {
        local.stop().await;
    }
    say("stopped");
    telemetry.shutdown();
    ended
}

async fn serve(
    settings: &Settings,
    mut platform: Platform,
    started: Instant,
    demo: bool,
) -> Result<()> {
    let first = first_link(&platform).await?;
    welcome(settings, &platform, first.as_deref(), started);
    if demo {
        let played = tokio::select! {
            played = demo::play(settings, &platform, say) => played,
            stopped = terminated() => return stopped.context("signals cannot be heard"),
        };
        for (candidate, link) in played? {
            println!("  {candidate}: {}/welcome/{link}", panel(settings, &platform));
        }
        println!();
    }
    let ended = tokio::select! {
        error = platform.failed() => Err(error),
        stopped = terminated() => stopped.context("signals cannot be heard"),
    };
    say("stopping");
    platform.stop().await;
    ended
}

/// The one-time link of the first admin; `None` when there is an admin.
async fn first_link(platform: &Platform) -> Result<Option<String>> {
    let caller = Caller::service("meydan", None);
    let dial = &platform.identity;
    let mut sessions = SessionsClient::new(dial.channel());
    let began = Instant::now();
    loop {
        let request = dial.command(&caller, Uuid::now_v7(), InviteFirstAdminRequest {});
        match sessions.invite_first_admin(request).await.map_err(Failure::from) {
            Ok(answer) => return Ok(Some(answer.into_inner().token)),
            Err(Failure::Refused(_)) => return Ok(None),
            // After a start its tables may have to catch up first.
            Err(Failure::Unavailable) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(failure) => return Err(anyhow!("identity does not answer: {failure:?}")),
        }
    }
}

fn welcome(settings: &Settings, platform: &Platform, first: Option<&str>, started: Instant) {
    let panel = panel(settings, platform);
    println!();
    println!("  Meydan runs: {panel}   (started in {:.1} s)", started.elapsed().as_secs_f32());
    match first {
        Some(token) => {
            println!();
            println!("  Nobody can log in yet. Open this link once to become the first admin:");
            println!("  {panel}/welcome/{token}");
        }
        None => println!("  Log in at {panel}/login"),
    }
    println!();
    println!(
        "  Data, keys and logs are in {}. Ctrl-C stops everything.",
        settings.data_dir.display()
    );
    println!();
}

/// How people reach the panel.
fn panel(settings: &Settings, platform: &Platform) -> String {
    settings.public_url.as_ref().map_or_else(
        || format!("http://{}", platform.address),
        |url| url.as_str().trim_end_matches('/').to_owned(),
    )
}

/// Tells a person what is going on.
fn say(what: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("  \u{2022} {what} \u{2026}");
    } else {
        eprintln!("meydan: {what}");
    }
}
