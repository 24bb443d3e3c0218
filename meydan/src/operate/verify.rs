//! `meydan verify`: whether everything that is kept twice is the same twice.

use anyhow::Result;
use async_nats::jetstream;
use meydan_event_log::{EventLog, Standing};
use meydan_settings::Settings;
use serde_json::{Value, json};

use super::{
    Context, Output, Platform, holes, judge, not_compared, projection,
    relay::{self, cure},
    stream,
};

/// Compares logs, streams and read models.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose; all without one.
    context: Option<Context>,
    /// Leaves the read models out, whose replay takes longest.
    #[arg(long)]
    no_tables: bool,
}

/// What was found.
#[derive(Default)]
struct Findings {
    contexts: Vec<Value>,
    wrong: Vec<String>,
    /// What could not be compared, and why.
    unread: Vec<String>,
}

/// Carries it out: fails when anything differs, or could not be compared.
pub(crate) async fn run(settings: Settings, output: Output, arguments: Arguments) -> Result<()> {
    verify(&settings, output, arguments).await.map_err(not_compared)
}

async fn verify(settings: &Settings, output: Output, arguments: Arguments) -> Result<()> {
    let mut found = Findings::default();
    // Also a program that reads JSON is told why nothing was compared.
    if let Some((platform, jetstream)) =
        found.or_unread("servers", Platform::with_streams(settings).await)
    {
        for context in Context::or_all(arguments.context) {
            let log = platform.log(context).await;
            if let Some(log) = found.or_unread(context.name(), log) {
                found.look(&log, &jetstream, output, (context, !arguments.no_tables)).await;
            }
        }
    }
    let Findings { contexts, wrong, unread } = &found;
    let document = json!({"contexts": contexts, "wrong": wrong, "not_compared": unread});
    output.print(&document, |_| {
        let line = |one: &Value| {
            let tables = one["tables"].as_array().map_or(0, Vec::len);
            let stream = if one["stream"].is_null() { "not the stream" } else { "stream" };
            let context = one["context"].as_str().unwrap_or_default();
            format!("{context}: {} facts, {stream} and {tables} tables compared\n", one["facts"])
        };
        contexts.iter().map(line).collect::<String>()
    })?;
    judge(wrong, unread)
}

impl Findings {
    /// Compares what a context keeps twice.
    async fn look(
        &mut self,
        log: &EventLog,
        jetstream: &jetstream::Context,
        output: Output,
        (context, tables): (Context, bool),
    ) {
        let name = context.name();
        let holes = self.or_unread(name, holes(log, context, output).await).unwrap_or_default();
        self.wrong.extend(holes.iter().map(|hole| format!("log of {name}: {hole}")));
        let standing = relay::standing(log, jetstream, output, context).await;
        let standing = self.or_unread(&stream(context), standing);
        if let Some(finding) = standing.as_ref().and_then(Standing::finding) {
            self.wrong.push(format!("{} {finding}; {}", stream(context), cure(context, finding)));
        }
        let mut compared = Vec::new();
        if tables {
            let found = projection::compare(log, context, output).await;
            let cure = if holes.is_empty() {
                format!("run `meydan projection rebuild {name}`")
            } else {
                "they were compared with a log that lacks facts, which comes first".to_owned()
            };
            for table in self.or_unread(&format!("tables of {name}"), found).unwrap_or_default() {
                let (extra, missing) = (table.extra, table.missing);
                if extra + missing > 0 {
                    self.wrong.push(format!(
                        "table {} of {name}: {extra} rows too many, {missing} missing; {cure}",
                        table.table
                    ));
                }
                compared.push(json!({"table": table.table, "extra": extra, "missing": missing}));
            }
        }
        self.contexts.push(json!({
            "context": name, "facts": standing.as_ref().map(|standing| standing.recorded), "gaps": holes,
            "stream": standing.as_ref().map(relay::document), "tables": compared,
        }));
    }

    /// What was read; or a note why not.
    fn or_unread<T, E: Into<anyhow::Error>>(
        &mut self,
        what: &str,
        read: Result<T, E>,
    ) -> Option<T> {
        read.map_err(|error| self.unread.push(format!("{what}: {:#}", error.into()))).ok()
    }
}
