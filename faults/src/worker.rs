//! A worker: one replica of a service, with relay, read models, policy and many clients in one process.
//!
//! It is made to be killed. What its clients were told is in a journal; everything else it knows is lost.

mod load;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use clap::Args;
use meydan_event_log::{
    Clock, EventLog, Options as LogOptions, Projection, ProjectionRunner, Relay, Source, run_policy,
};
use meydan_runtime::Signals;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    broker,
    journal::Journal,
    mirror::WhenAddedMirror,
    sums::{Copies, Sums},
};

/// The context whose log it is; the stream is named after it.
pub(crate) const CONTEXT: &str = "faults";

/// Where a worker is told of addresses, which hold passwords.
pub(crate) const DATABASE: &str = "FAULTS_DATABASE";
pub(crate) const NATS: &str = "FAULTS_NATS";

/// What a worker is told.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The database with the log.
    #[arg(long, env = DATABASE, hide_env_values = true)]
    database: String,
    /// NATS.
    #[arg(long, env = NATS, hide_env_values = true)]
    nats: String,
    /// Where to note what clients were told.
    #[arg(long)]
    journal: PathBuf,
    /// How many clients; none lets the readers come to the end.
    #[arg(long, default_value_t = 256)]
    clients: usize,
    /// From which the clients' commands are made; the same seed makes the same commands.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// From which the order of the clients' commands is made.
    #[arg(long, default_value_t = 0)]
    order: u64,
    /// Publishes, and does nothing that could write.
    #[arg(long)]
    relay_only: bool,
    /// Position from which on clients rest, so that copies need not run after the log for ever.
    #[arg(long, default_value_t = i64::MAX)]
    enough: i64,
}

/// Works until it is terminated, or killed.
pub(crate) async fn work(options: Options) -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let signals = Signals::listen()?;
    std::thread::spawn(end_with_the_referee);
    let log = open(&options.database).await;
    let jetstream = broker::connect(&options.nats).await?;
    let journal = Arc::new(Journal::create(&options.journal)?);
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(Relay::new(log.clone(), jetstream.clone(), 0).run(stop.clone()));
    if options.relay_only {
        return end(signals, tasks, &stop).await;
    }
    tasks.spawn(read(&log, Sums, Source::Log(log.clone(), 0), &stop));
    let stream = Source::Stream { jetstream, context: CONTEXT, part: 0 };
    tasks.spawn(read(&log, Copies, stream, &stop));
    let (policy, own, pool) =
        (WhenAddedMirror(log.clone()), Source::Log(log.clone(), 0), log.pool().clone());
    tasks.spawn(run_policy(policy, own, pool, Clock::system(), stop.clone()));
    for number in 0..options.clients {
        let client = load::Client::new(&log, &journal, &options, number);
        tasks.spawn(client.run(stop.clone()));
    }
    end(signals, tasks, &stop).await
}

/// Waits for the signal, and lets all tasks come to their ends.
async fn end(mut signals: Signals, tasks: JoinSet<()>, stop: &CancellationToken) -> Result<()> {
    signals.terminated().await;
    stop.cancel();
    // What hangs on a server that is gone is of no use to anybody.
    let _ = tokio::time::timeout(Duration::from_secs(5), tasks.join_all()).await;
    Ok(())
}

/// Without a referee nobody would ever end it.
fn end_with_the_referee() {
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    std::process::exit(1);
}

/// Opens the log, however long PostgreSQL is away.
async fn open(database: &str) -> EventLog {
    loop {
        match EventLog::open_with(CONTEXT, database, LogOptions::default()).await {
            Ok(log) => return log,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn read<P: Projection>(
    log: &EventLog,
    projection: P,
    source: Source,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + use<P> {
    ProjectionRunner::new(projection, source, log.pool().clone()).run(stop.clone())
}
