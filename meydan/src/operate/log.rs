//! `meydan log`: what is in the logs.

use std::{io, time::Duration};

use anyhow::{Result, bail};
use meydan_event_log::{Actor, EventLog, Recorded, Source, Subscription};
use meydan_runtime::{Signals, is_unread};
use meydan_settings::Settings;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::{Context, Output, Platform, columns, write};

/// Facts read at a time.
const PAGE: usize = 500;
/// How long to wait for the next fact before looking again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads a log. What is sealed stays sealed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Prints the newest facts of a context, a line each; with --json, a document a line.
    Tail {
        /// Whose log.
        context: Context,
        /// How many.
        #[arg(long, default_value_t = 20)]
        lines: i64,
        /// Goes on with each new fact until it is stopped.
        #[arg(long, short)]
        follow: bool,
    },
    /// Prints one fact whole, or the history of one aggregate.
    Show {
        /// Whose log.
        context: Context,
        /// The position of a fact, or the id of an aggregate.
        what: String,
    },
    /// Counts facts, aggregates and commands, and tells their size.
    Stats {
        /// Whose log; all without one.
        context: Option<Context>,
    },
}

/// Carries it out.
pub(crate) async fn run(settings: Settings, output: Output, command: Command) -> Result<()> {
    let platform = Platform::find(&settings)?;
    match command {
        Command::Tail { context, lines, follow } => {
            tail(&platform.log(context).await?, output, lines, follow).await
        }
        Command::Show { context, what } => show(&platform.log(context).await?, output, &what).await,
        Command::Stats { context } => {
            let mut stats = Vec::new();
            for context in Context::or_all(context) {
                stats.push(platform.log(context).await?.stats().await?);
            }
            output.print(&stats, |stats| {
                let mut rows = Vec::new();
                for one in stats {
                    let size = format!("{} kB", one.bytes / 1_024);
                    let counts = [one.events, one.aggregates, one.commands, one.snapshots];
                    let mut row = vec![one.context.to_owned()];
                    row.extend(counts.map(|count| count.to_string()));
                    row.push(size);
                    rows.push(row);
                    for (kind, count) in &one.types {
                        rows.push(vec![format!("  {kind}"), count.to_string()]);
                    }
                }
                columns(&["context", "facts", "aggregates", "commands", "snapshots", "size"], &rows)
            })
        }
    }
}

async fn tail(log: &EventLog, output: Output, lines: i64, follow: bool) -> Result<()> {
    let last = log.last_position(0).await?;
    let mut at = (last - lines).max(0);
    for fact in log.after(0, at, lines).await? {
        at = fact.position;
        line(&fact, output)?;
    }
    if !follow {
        return Ok(());
    }
    let mut subscription = Subscription::new(Source::Log(log.clone(), 0));
    let mut signals = Signals::listen()?;
    loop {
        let facts = tokio::select! {
            facts = subscription.next(at, PAGE, PATIENCE) => facts?,
            () = signals.terminated() => return Ok(()),
        };
        for fact in &facts {
            at = fact.position;
            line(fact, output)?;
        }
        if facts.is_empty() && is_unread(io::stdout()) {
            return Ok(());
        }
    }
}

/// Prints a fact in a line; fails when nobody reads any more.
fn line(fact: &Recorded, output: Output) -> Result<()> {
    if output.json {
        return write(&format!("{}\n", whole(fact)));
    }
    let (time, actor) = (recorded_at(fact), actor(&fact.meta.actor));
    let (kind, version) = (&fact.event_type, fact.event_version);
    let (aggregate, sequence) = (fact.aggregate_id, fact.sequence);
    let at = fact.position;
    write(&format!("{at:>9}  {time}  {kind} v{version}  {aggregate}#{sequence}  {actor}\n"))
}

async fn show(log: &EventLog, output: Output, what: &str) -> Result<()> {
    let facts = if let Ok(position) = what.parse::<i64>() {
        log.after(0, position - 1, 1)
            .await?
            .into_iter()
            .filter(|fact| fact.position == position)
            .collect()
    } else if let Ok(aggregate) = Uuid::try_parse(what) {
        log.history(aggregate).await?
    } else {
        bail!("{what} is neither a position nor the id of an aggregate");
    };
    if facts.is_empty() {
        bail!("{} has nothing of {what}", log.context());
    }
    let facts = facts.iter().map(whole).collect::<Vec<_>>();
    output.print(&facts, |facts| {
        let text = |fact| serde_json::to_string_pretty(fact).unwrap_or_default() + "\n";
        facts.iter().map(text).collect::<String>()
    })
}

fn whole(fact: &Recorded) -> Value {
    json!({
        "part": fact.part,
        "position": fact.position,
        "recorded_at": recorded_at(fact),
        "tenant": fact.tenant,
        "aggregate_type": fact.aggregate_type,
        "aggregate_id": fact.aggregate_id,
        "sequence": fact.sequence,
        "event_id": fact.event_id,
        "event_type": fact.event_type,
        "event_version": fact.event_version,
        "payload": fact.payload,
        "meta": fact.meta,
    })
}

fn recorded_at(fact: &Recorded) -> String {
    fact.recorded_at.format(&Rfc3339).unwrap_or_default()
}

fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Account { id, .. } => format!("account {id}"),
        Actor::Citizen { id } => format!("citizen {id}"),
        Actor::Service { name } => name.clone(),
    }
}
