//! `meydan verify`: whether everything that is kept twice is the same twice.

use anyhow::{Result, bail};
use meydan_event_log::{compare, gaps};
use meydan_settings::Settings;
use serde_json::json;

use super::{Context, Output, Platform, advance, projection, stream};

/// Compares logs, streams and read models.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose; all without one.
    context: Option<Context>,
    /// Leaves the read models out, whose replay takes longest.
    #[arg(long)]
    no_tables: bool,
}

/// Carries it out: fails when anything differs.
pub(crate) async fn run(settings: Settings, output: Output, arguments: Arguments) -> Result<()> {
    let platform = Platform::find(&settings)?;
    let jetstream = platform.jetstream().await?;
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for context in Context::or_all(arguments.context) {
        let (log, name) = (platform.log(context).await?, context.name());
        let events = log.last_position(0).await?;
        let holes = gaps(&log).await?;
        wrong.extend(holes.iter().map(|hole| format!("log of {name}: {hole}")));
        let bar = output.bar(format!("comparing {} with its log", stream(context)));
        let standing = compare(&log, &jetstream, 0, advance(&bar)).await?;
        bar.finish_and_clear();
        if let Some(position) = standing.differs_at {
            wrong.push(format!("{} differs from its log at {position}", stream(context)));
        } else if standing.published > Some(standing.recorded) {
            wrong.push(format!("{} knows more than its log", stream(context)));
        }
        let mut tables = Vec::new();
        if !arguments.no_tables {
            for table in projection::compare(&log, context, output).await? {
                let (extra, missing) = (table.extra, table.missing);
                if extra + missing > 0 {
                    let table = table.table;
                    wrong.push(format!(
                        "table {table} of {name}: {extra} rows too many, {missing} missing"
                    ));
                }
                tables.push(json!({"table": table.table, "extra": extra, "missing": missing}));
            }
        }
        found.push(json!({
            "context": name, "facts": events, "gaps": holes, "published": standing.published,
            "differs_at": standing.differs_at, "tables": tables,
        }));
    }
    let document = json!({"contexts": found, "wrong": wrong});
    output.print(&document, |_| {
        let line = |one: &serde_json::Value| {
            let tables = one["tables"].as_array().map_or(0, Vec::len);
            let context = one["context"].as_str().unwrap_or_default();
            format!("{context}: {} facts, stream and {tables} tables compared\n", one["facts"])
        };
        found.iter().map(line).collect::<String>()
    })?;
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{}", wrong.join("\n"))
}
