//! `bench pipeline`: from a command to those who read of it, on the platform's own PostgreSQL and NATS.
//!
//! How fast a backlog gets into the stream, how long until a table shows a command while the relay works
//! beside it, and how much memory a million aggregates take when the cache may have 256 MB.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use async_nats::jetstream;
use bench_measure::{Store, draw};
use futures::{StreamExt, TryStreamExt, future::OptionFuture, stream};
use meydan_event_log::{
    Actor, EventLog, Meta, Options, Progress, ProjectionRunner, Relay, Source, Target, stream_name,
};
use meydan_testkit::{
    memory::resident,
    servers::{Nats, durable},
};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Log, Notebook, TENANT, Take, commit, projection::Totals};
use crate::{SPAN, load::Figures, row};

/// Events that wait for the relay.
const BACKLOG: u32 = 300_000;
/// Events of one command of the backlog.
const AT_ONCE: u32 = 100;
/// Commands a second, while tables are watched.
const PACE: u32 = 5_000;
/// Aggregates that are commanded at that pace.
const ACTIVE: u64 = 10_000;
/// Aggregates that together do not fit into the cache.
const MANY: u64 = 1_000_000;
/// What the cache may take, in bytes.
const CACHE: u64 = 256 << 20;
/// Commands in flight where the pace is as fast as it goes.
const CLIENTS: usize = 256;
/// Size of an event's text, in bytes.
pub(super) const TEXT: usize = 256;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures, and prints the table.
pub(crate) async fn run() -> Result<()> {
    let nats = Nats::start().await;
    let jetstream = jetstream::new(nats.connect().await);
    println!("\n| the log | a second | p50 ms | p99 ms |\n|---|---:|---:|---:|");
    let published = backlog(&jetstream).await?;
    println!("| a backlog of {BACKLOG} events into JetStream | {published:.0} | | |");
    // What the backlog has left unwritten would be written in the middle of what is measured now.
    nix::unistd::sync();
    for (relay, beside) in [(None, ""), (Some(jetstream.clone()), ", a relay beside it")] {
        let [answered, shown] = shown(relay).await?;
        row(&format!("command to its answer, {PACE} a second{beside}"), &answered);
        row(&format!("command to the table that shows it, {PACE} a second{beside}"), &shown);
    }
    commit::measure(CACHE).await?;
    println!(
        "\n| aggregates commanded, cache of 256 MB | memory of the process, MB |\n|---:|---:|"
    );
    many().await
}

/// A log of its own.
pub(super) async fn log(name: &str, hot_bytes: u64) -> Result<EventLog> {
    let url = url_of(name)?;
    Log::prepare(url.as_str()).await?;
    let options = Options { hot_bytes, ..Options::default() };
    Ok(EventLog::open_with("bench", url.as_str(), options).await?)
}

/// Where it is.
pub(super) fn url_of(name: &str) -> Result<url::Url> {
    let mut url = url::Url::parse(durable())?;
    url.set_path(name);
    Ok(url)
}

pub(super) fn target(number: u64) -> Target {
    Target { tenant: TENANT, id: Uuid::new_v5(&TENANT, &number.to_be_bytes()) }
}

pub(super) async fn take(log: &EventLog, number: u64, texts: Vec<String>) -> Result<i64> {
    let meta = Meta::new(Uuid::now_v7(), Actor::Service { name: "bench".to_owned() });
    Ok(log.execute::<Notebook>(target(number), Take(texts), &meta).await?.position)
}

/// How many events a second a relay publishes that finds many.
async fn backlog(jetstream: &jetstream::Context) -> Result<f64> {
    let log = log("backlog", CACHE).await?;
    let texts = || (0..AT_ONCE).map(|_| draw(TEXT)).collect();
    let commands = u64::from(BACKLOG / AT_ONCE);
    let made = stream::iter(0..commands).map(|number| take(&log, number, texts()));
    made.buffer_unordered(CLIENTS).try_for_each(async |_| Ok(())).await?;
    let stop = CancellationToken::new();
    let began = Instant::now();
    let relay = tokio::spawn(Relay::new(log, jetstream.clone(), 0).run(stop.clone()));
    let all = async {
        while published(jetstream).await < u64::from(BACKLOG) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.context("the relay does not come to the end")?;
    let took = began.elapsed();
    stop.cancel();
    relay.await?;
    jetstream.delete_stream(stream_name("bench", 0)).await?;
    Ok(f64::from(BACKLOG) / took.as_secs_f64())
}

/// How many events are in the stream.
async fn published(jetstream: &jetstream::Context) -> u64 {
    match jetstream.get_stream(stream_name("bench", 0)).await {
        Ok(stream) => stream.cached_info().state.last_sequence,
        Err(_) => 0,
    }
}

/// How long after a command was given it is answered, and a table shows it; while all is published through
/// `jetstream`, if it is there.
async fn shown(jetstream: Option<jetstream::Context>) -> Result<[Figures; 2]> {
    let name = if jetstream.is_some() { "published" } else { "shown" };
    let log = log(name, CACHE).await?;
    let stop = CancellationToken::new();
    let runner = ProjectionRunner::new(Totals, Source::Log(log.clone(), 0), log.pool().clone());
    let progress = runner.progress();
    let projection = tokio::spawn(runner.run(stop.clone()));
    let relay = jetstream.map(|jetstream| Relay::new(log.clone(), jetstream, 0).run(stop.clone()));
    let relay = tokio::spawn(OptionFuture::from(relay));
    // A first round makes the aggregates, as those of a campaign are there already.
    let made = stream::iter(0..ACTIVE).map(|number| take(&log, number, vec![draw(TEXT)]));
    made.buffer_unordered(CLIENTS).try_for_each(async |_| Ok(())).await?;
    let figures = watch(&log, &progress).await?;
    stop.cancel();
    projection.await?;
    relay.await?;
    Ok(figures)
}

/// Gives commands at an even pace, however long the answers take.
async fn watch(log: &EventLog, progress: &Progress) -> Result<[Figures; 2]> {
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (began, mut number, mut asked) = (Instant::now(), 0, JoinSet::new());
    while began.elapsed() < SPAN {
        let due = ticks.tick().await;
        for _ in 0..PACE / 1_000 {
            number += 1;
            let (log, progress) = (log.clone(), progress.clone());
            asked.spawn(async move {
                let position = take(&log, number % ACTIVE, vec![draw(TEXT)]).await?;
                // From when it was due, so that waiting in line counts.
                let answered = due.elapsed();
                ensure!(progress.wait_for(position, PATIENCE).await, "it is never shown");
                Ok((answered, due.elapsed()))
            });
        }
    }
    let span = began.elapsed();
    let times = asked.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    let (answered, shown) = times.into_iter().unzip();
    Ok([Figures::new(answered, span), Figures::new(shown, span)])
}

/// How much memory this process takes after each quarter of many aggregates, and after half of them again.
async fn many() -> Result<()> {
    let log = log("many", CACHE).await?;
    let (next, me) = (AtomicU64::new(0), std::process::id());
    let quarter = MANY / 4;
    for upto in (1..=6).map(|quarters| quarters * quarter) {
        let one = || async {
            let number = next.fetch_add(1, Ordering::Relaxed) % MANY;
            take(&log, number, vec![draw(TEXT)]).await.map(drop)
        };
        let commands = stream::iter(0..quarter).map(|_| one());
        commands.buffer_unordered(CLIENTS).try_for_each(async |()| Ok(())).await?;
        println!("| {upto} | {:.0} |", resident(me).unwrap_or_default());
    }
    Ok(())
}
