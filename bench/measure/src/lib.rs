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
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::Parser;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

pub use self::closed::Figures;
use self::closed::{Work, closed, draw};

/// Events that an aggregate has before the cases on existing ones.
pub const BEFORE: usize = 10;
/// Most aggregates that are made ready for those cases.
const MOST: usize = 20_000;
/// Clients that make them ready, whatever number is measured.
const MAKERS: usize = 64;

/// What is measured, and where.
#[derive(Debug, Clone, Parser)]
pub struct Options {
    /// URL of an empty database.
    #[arg(long)]
    pub database: String,
    /// Clients, each of which sends a command as soon as the one before is answered.
    #[arg(long)]
    pub clients: usize,
    /// How long each case takes at most.
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Size of an event's text, in bytes.
    #[arg(long, default_value_t = 256)]
    pub payload: usize,
    /// Also measures replay and projection of all that was written.
    #[arg(long)]
    pub read: bool,
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

    /// Fills a table that counts the events of each aggregate, by the store's own means; the sum of the
    /// table, or `None` when the store has no such means.
    fn project(&self) -> impl Future<Output = Result<Option<u64>>>;

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

/// Measures a store, as the arguments of the process say.
///
/// # Errors
///
/// When the store fails, or does not hold exactly the events of the commands that it answered.
pub async fn run<S: Store>(options: &Options) -> Result<()> {
    S::prepare(&options.database).await?;
    let span = Duration::from_secs_f64(options.seconds);
    let fresh = || Work::Fresh { size: options.payload };
    let mut written = 0;

    let store = S::open(&options.database, options.clients).await?;
    written += closed(&store, options.clients, span / 4, fresh()).await?.events;
    let first = closed(&store, options.clients, span, fresh()).await?;
    tell::<S>(options, "fresh", &first.to_json());
    written += first.events;
    store.close().await;

    let count = first.commands().clamp(options.clients, MOST);
    let aggregates: Arc<[Uuid]> = (0..count).map(|_| Uuid::new_v4()).collect();
    let once =
        |events| Work::Once { aggregates: aggregates.clone(), events, size: options.payload };
    let store = S::open(&options.database, MAKERS).await?;
    let made = closed(&store, MAKERS, Duration::MAX, once(BEFORE)).await?;
    ensure!(made.commands() == count, "only {} of {count} aggregates were made", made.commands());
    written += made.events;
    store.close().await;

    // Opened anew: what the store remembers of its own writing does not count as loading.
    let store = S::open(&options.database, options.clients).await?;
    written += closed(&store, options.clients, span / 8, fresh()).await?.events;
    let cold = closed(&store, options.clients, span, once(1)).await?;
    tell::<S>(options, "existing", &cold.to_json());
    written += cold.events;
    let known = cold.commands().max(options.clients).min(count);
    let again = Work::Round {
        aggregates: aggregates.iter().copied().take(known).collect(),
        size: options.payload,
    };
    let again = closed(&store, options.clients, span, again).await?;
    tell::<S>(options, "again", &again.to_json());
    written += again.events;

    let stored = store.stored().await?;
    ensure!(stored == written, "{written} events were acknowledged, and {stored} are stored");
    if options.read {
        read(&store, options, stored).await?;
    }
    tell::<S>(options, "stored", &json!({ "events": stored }));
    store.close().await;
    Ok(())
}

/// Times replay and projection.
async fn read<S: Store>(store: &S, options: &Options, stored: u64) -> Result<()> {
    let began = Instant::now();
    let seen = store.replay().await?;
    ensure!(seen == stored, "{stored} events are stored, and {seen} were replayed");
    tell::<S>(options, "replay", &rate(seen, began.elapsed()));
    let began = Instant::now();
    if let Some(seen) = store.project().await? {
        ensure!(seen == stored, "{stored} events are stored, and {seen} were projected");
        tell::<S>(options, "projection", &rate(seen, began.elapsed()));
    }
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
