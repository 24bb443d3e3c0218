//! The yardstick of `make bench-peers`: what is asked of every event store, ours and its peers, and how it is
//! timed.
//!
//! A store implements [`Store`] in its own idiom and hands itself to [`run`]; each figure leaves as one line
//! of JSON. Whether the store has what it says is counted at the end, because one that loses events is not
//! fast. The Python and the JavaScript peer follow the same course in their own languages.
#![expect(clippy::print_stdout, reason = "figures leave on standard output")]

mod closed;

use std::{
    future::Future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

pub use self::closed::draw;
use self::closed::{Work, closed};

/// Events that an aggregate is made with.
pub const BEFORE: usize = 10;
/// Clients that make aggregates, whatever number is measured.
const MAKERS: usize = 64;
/// Reading goes on for at least so long: fast stores read all there is in a blink.
const READING: Duration = Duration::from_secs(1);
/// Longer than any projection takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Makes the tables and the aggregates, with ten events each, in an empty database.
    Make,
    /// Times commands, where that was done.
    Write,
    /// Times replay and projection, where that was done.
    Read,
}

/// What is measured, and where.
#[derive(Debug, Clone, Parser)]
pub struct Options {
    /// What is to be done.
    pub task: Task,
    /// URL of the database.
    #[arg(long)]
    pub database: String,
    /// A file with the ids of the aggregates, one a line.
    #[arg(long)]
    pub aggregates: PathBuf,
    /// Clients, each of which sends a command as soon as the one before is answered.
    #[arg(long)]
    pub clients: usize,
    /// How long each case takes at most.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Size of an event's text, in bytes.
    #[arg(long, default_value_t = 256)]
    pub payload: usize,
}

/// What a command writes: so many events, each with a text of its own.
#[derive(Debug, Clone)]
pub struct Command {
    /// The aggregate that judges it.
    pub aggregate: Uuid,
    /// One text for each event that is to be.
    pub texts: Vec<String>,
}

/// An event store under measurement, used as its documentation says.
pub trait Store: Clone + Send + Sync + 'static {
    /// What people call it.
    const PEER: &'static str;
    /// Which version it is.
    const VERSION: &'static str;

    /// Makes the tables.
    fn prepare(database: &str) -> impl Future<Output = Result<()>>;

    /// Opens the store for so many clients, with nothing remembered.
    fn open(database: &str, clients: usize) -> impl Future<Output = Result<Self>>;

    /// Closes all connections.
    fn close(self) -> impl Future<Output = ()>;

    /// Carries out a command: load, decide, append. Returns when the events are durable.
    fn execute(&self, command: Command) -> impl Future<Output = Result<()>> + Send;

    /// Reads all events in the store's own order and decodes them; how many there were.
    fn replay(&self) -> impl Future<Output = Result<u64>>;

    /// Fills a table that counts the events of each aggregate, by the store's own means, until its sum is
    /// `events`.
    fn project(&self, events: u64) -> impl Future<Output = Result<()>>;

    /// How many events the tables hold.
    fn stored(&self) -> impl Future<Output = Result<u64>>;
}

/// One line of the report.
#[derive(Serialize)]
struct Line<'a> {
    peer: &'a str,
    version: &'a str,
    clients: usize,
    case: &'a str,
    #[serde(flatten)]
    figures: serde_json::Value,
}

/// Measures a store, as the options say.
///
/// # Errors
///
/// When the store fails, or does not hold exactly the events of the commands that it answered.
pub async fn run<S: Store>(options: &Options) -> Result<()> {
    let ids = std::fs::read_to_string(&options.aggregates)
        .with_context(|| format!("{} cannot be read", options.aggregates.display()))?;
    let aggregates = ids.lines().map(Uuid::try_parse).collect::<Result<Arc<[_]>, _>>()?;
    match options.task {
        Task::Make => make::<S>(options, aggregates).await,
        Task::Write => write::<S>(options, aggregates).await,
        Task::Read => read::<S>(options).await,
    }
}

/// Makes the tables, and gives each aggregate its first events.
async fn make<S: Store>(options: &Options, aggregates: Arc<[Uuid]>) -> Result<()> {
    S::prepare(&options.database).await?;
    let store = S::open(&options.database, MAKERS).await?;
    let all = aggregates.len();
    let work = Work::Once { aggregates, events: BEFORE, size: options.payload };
    let made = closed(&store, MAKERS, Duration::MAX, work).await?.commands();
    let stored = store.stored().await?;
    store.close().await;
    ensure!(made == all, "only {made} of {all} aggregates were made");
    ensure!(stored == (all * BEFORE) as u64, "{all} aggregates were made of {stored} events");
    Ok(())
}

/// Times commands: on new aggregates, on old ones of which the store remembers nothing, on those again.
async fn write<S: Store>(options: &Options, aggregates: Arc<[Uuid]>) -> Result<()> {
    let (clients, size) = (options.clients, options.payload);
    let span = Duration::from_secs_f64(options.seconds);

    let store = S::open(&options.database, clients).await?;
    let before = store.stored().await?;
    let warm = closed(&store, clients, span / 4, Work::Fresh { size }).await?;
    let fresh = closed(&store, clients, span, Work::Fresh { size }).await?;
    tell::<S>(options, "fresh", &fresh.to_json());
    let once = Work::Once { aggregates: aggregates.clone(), events: 1, size };
    let existing = closed(&store, clients, span, once).await?;
    tell::<S>(options, "existing", &existing.to_json());
    let met = existing.commands().max(clients).min(aggregates.len());
    let round = Work::Round { aggregates: aggregates.iter().copied().take(met).collect(), size };
    let again = closed(&store, clients, span, round).await?;
    tell::<S>(options, "again", &again.to_json());

    let written: u64 = [warm, fresh, existing, again].iter().map(|figures| figures.events).sum();
    let stored = store.stored().await? - before;
    ensure!(stored == written, "{written} events were acknowledged, and {stored} are stored");
    tell::<S>(options, "stored", &json!({ "events": stored }));
    store.close().await;
    Ok(())
}

/// Times replay and projection.
async fn read<S: Store>(options: &Options) -> Result<()> {
    let store = S::open(&options.database, options.clients).await?;
    let stored = store.stored().await?;
    let (began, mut seen) = (Instant::now(), 0);
    while began.elapsed() < READING {
        let now = store.replay().await?;
        ensure!(now == stored, "{stored} events are stored, and {now} were replayed");
        seen += now;
    }
    tell::<S>(options, "replay", &rate(seen, began.elapsed()));
    let began = Instant::now();
    let projected = tokio::time::timeout(PATIENCE, store.project(stored)).await;
    projected.with_context(|| format!("the projection does not reach {stored} events"))??;
    tell::<S>(options, "projection", &rate(stored, began.elapsed()));
    store.close().await;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn rate(events: u64, took: Duration) -> serde_json::Value {
    json!({ "events": events, "events_per_s": events as f64 / took.as_secs_f64() })
}

fn tell<S: Store>(options: &Options, case: &str, figures: &serde_json::Value) {
    let line = Line {
        peer: S::PEER,
        version: S::VERSION,
        clients: options.clients,
        case,
        figures: figures.clone(),
    };
    println!("{}", serde_json::to_string(&line).expect("figures are plain data"));
}

/// A command of one event for an aggregate that is not there yet.
pub(crate) fn command(aggregate: Uuid, events: usize, size: usize) -> Command {
    Command { aggregate, texts: (0..events).map(|_| draw(size)).collect() }
}
