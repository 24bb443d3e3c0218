//! `meydan up`: everything on one machine, until Ctrl-C or SIGTERM.

use std::{
    io::IsTerminal,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use meydan_rpc::{
    caller::Caller,
    client::Dial,
    outcome::Failure,
    pb::identity::{InviteFirstAdminRequest, sessions_client::SessionsClient},
};
use meydan_runtime::{LocalServers, Running, Signals, raise_open_files};
use meydan_settings::Settings;
use meydan_telemetry::TelemetryOptions;
use uuid::Uuid;

use crate::{
    demo,
    platform::Platform,
    post::{self, SINK},
    servers::Servers,
};

/// How long the services may take until they answer for the first time.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs until it is told to stop, or something fails.
pub(crate) async fn run(settings: Settings, runtime: &Path, demo: bool) -> Result<()> {
    let started = Instant::now();
    let mut signals = Signals::listen().context("signals cannot be heard")?;
    let telemetry = meydan_telemetry::init(&TelemetryOptions {
        service: "meydan".to_owned(),
        otlp_endpoint: settings.otlp_endpoint.clone(),
        log_format: settings.log_format.parse().map_err(|error| anyhow!("log-format {error}"))?,
        log_level: settings.log_level.clone(),
    })?;
    raise_open_files();
    let ended = tokio::select! {
        opened = open(&settings, runtime) => match opened {
            Ok(servers) => on(servers, &settings, (started, demo), &mut signals).await,
            Err(error) => Err(error),
        },
        // Servers that were being started end with the future that started them.
        () = signals.terminated() => {
            say("stopped");
            Ok(())
        }
    };
    telemetry.shutdown();
    ended
}

/// Serves metrics, and opens the servers: whoever has to choose another port for metrics does not wait for that.
async fn open(settings: &Settings, runtime: &Path) -> Result<Servers> {
    let metrics = meydan_telemetry::metrics::serve(settings.metrics_listen);
    match metrics {
        Err(taken) if Running::on(&settings.data_dir).is_none() => Err(taken.into()),
        // A second program in the same folder is told that, by its servers, and not that a port is taken.
        metrics => {
            let servers = Servers::open(settings, runtime, say).await?;
            metrics?;
            Ok(servers)
        }
    }
}

/// Runs on these servers, and stops everything in order, however it comes to its end.
async fn on(
    mut servers: Servers,
    settings: &Settings,
    (started, demo): (Instant, bool),
    signals: &mut Signals,
) -> Result<()> {
    say("starting the services");
    let mut local = servers.local.take();
    let platform = tokio::select! {
        platform = Platform::start(settings, &servers, demo) => platform.map(Some),
        () = signals.terminated() => Ok(None),
        error = failed(&mut local, settings) => Err(error),
    };
    let ended = match platform {
        Ok(Some(mut platform)) => {
            let ended = tokio::select! {
                error = serve(settings, &mut platform, (started, demo)) => Err(error),
                () = signals.terminated() => Ok(()),
                error = failed(&mut local, settings) => Err(error),
            };
            say("stopping");
            platform.stop().await;
            ended
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    let _ = servers.nats.drain().await;
    if let Some(local) = local {
        local.stop().await;
    }
    say("stopped");
    ended
}

/// Waits until a server that was started here has ended by itself. Whoever watches over the program starts
/// it again, and the server with it.
async fn failed(local: &mut Option<LocalServers>, settings: &Settings) -> anyhow::Error {
    let Some(local) = local else { return std::future::pending().await };
    let server = local.failed().await;
    let data = settings.data_dir.join("data");
    anyhow!("{server} ended by itself; why is in its log in {}", data.display())
}

/// Tells people how to come in, plays the demo, and waits until something fails.
async fn serve(
    settings: &Settings,
    platform: &mut Platform,
    (started, demo): (Instant, bool),
) -> anyhow::Error {
    let greeted = async {
        let identity = platform.identity.clone();
        let first = tokio::select! {
            first = first_link(&identity) => first?,
            error = platform.failed() => return Err(error),
        };
        welcome(settings, platform, first.as_deref(), (started, demo));
        if demo {
            for (candidate, link) in demo::play(settings, platform, say).await? {
                let panel = post::panel(settings, platform.address);
                println!("  {candidate}: {panel}/welcome/{link}");
            }
            println!();
        }
        anyhow::Ok(())
    };
    match greeted.await {
        Ok(()) => platform.failed().await,
        Err(error) => error,
    }
}

/// The one-time link of the first admin; `None` when there is an admin. Identity may still be opening its
/// log, on a machine that is busy for a while; one that fails ends the platform.
async fn first_link(identity: &Dial) -> Result<Option<String>> {
    let (caller, command) = (Caller::service("meydan", None), Uuid::now_v7());
    let mut sessions = SessionsClient::new(identity.channel());
    let began = Instant::now();
    loop {
        let request = identity.command(&caller, command, InviteFirstAdminRequest {});
        match sessions.invite_first_admin(request).await.map_err(Failure::from) {
            Ok(answer) => return Ok(Some(answer.into_inner().token)),
            Err(Failure::Refused(_)) => return Ok(None),
            Err(Failure::Unavailable) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(failure) => return Err(anyhow!("identity does not answer: {failure:?}")),
        }
    }
}

fn welcome(
    settings: &Settings,
    platform: &Platform,
    first: Option<&str>,
    (started, demo): (Instant, bool),
) {
    let panel = post::panel(settings, platform.address);
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
    if settings.smtp_url.is_none() || demo {
        let sink = settings.data_dir.join(SINK);
        println!("  Letters go to nobody, but into {}.", sink.display());
    }
    println!();
}

/// Tells a person what is going on.
fn say(what: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("  \u{2022} {what} \u{2026}");
    } else {
        eprintln!("meydan: {what}");
    }
}
