//! `meydan verify`: whether everything that is kept twice is the same twice.

use anyhow::Result;
use async_nats::jetstream;
use meydan_event_log::{EventLog, Standing, parked};
use meydan_settings::Settings;
use serde_json::{Value, json};

use super::{
    Context, Output, Platform, holes, judge, not_compared, projection,
    relay::{self, cure},
    stream, words,
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
    if let Some(platform) = found.or_unread("servers", Platform::find(settings)) {
        // Without the broker, logs and tables can be compared all the same.
        let jetstream = found.or_unread("streams", platform.jetstream().await);
        for context in Context::or_all(arguments.context) {
            let log = platform.log(context).await;
            if let Some(log) = found.or_unread(context.name(), log) {
                found.look(&log, jetstream.as_ref(), output, (context, !arguments.no_tables)).await;
            }
        }
    }
    let Findings { contexts, wrong, unread } = &found;
    let document = json!({"contexts": contexts, "wrong": wrong, "not_compared": unread});
    let printed = output.print(&document, |_| {
        let line = |one: &Value| {
            let tables = one["tables"].as_array().map_or(0, Vec::len);
            let stream = if one["stream"].is_null() { "not the stream" } else { "stream" };
            let context = one["context"].as_str().unwrap_or_default();
            format!("{context}: {} facts, {stream} and {tables} tables compared\n", one["facts"])
        };
        contexts.iter().map(line).collect::<String>()
    });
    judge(wrong, unread).and(printed)
}

impl Findings {
    /// Compares what a context keeps twice.
    async fn look(
        &mut self,
        log: &EventLog,
        jetstream: Option<&jetstream::Context>,
        output: Output,
        (context, tables): (Context, bool),
    ) {
        let name = context.name();
        self.look_at_parked(log, name).await;
        let holes = self.or_unread(name, holes(log, context, output).await).unwrap_or_default();
        self.wrong.extend(holes.iter().map(|hole| format!("log of {name}: {hole}")));
        let standing = match jetstream {
            Some(jetstream) => {
                let standing = relay::standing(log, jetstream, output, context).await;
                self.or_unread(&stream(context), standing)
            }
            None => None,
        };
        let facts = self.or_unread(name, log.last_position(0).await);
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
            "context": name, "facts": facts, "gaps": holes,
            "stream": standing.as_ref().map(relay::document), "tables": compared,
        }));
    }

    /// Notes what readers could not digest: a replay parks it as well, and finds the same tables.
    async fn look_at_parked(&mut self, log: &EventLog, name: &str) {
        let parked = parked(log.pool(), None).await;
        for one in self.or_unread(&format!("what is parked in {name}"), parked).unwrap_or_default()
        {
            let (reader, kind, id) = (one.reader, one.aggregate_type, one.aggregate_id);
            // Of tables that are not in use.
            if ["_next", "_previous", "_verify"].iter().any(|kind| reader.ends_with(kind)) {
                continue;
            }
            self.wrong.push(format!(
                "{reader} of {name} has parked {kind} {id} from position {} on: `meydan projection parked {name}` \
                 tells why",
                one.position
            ));
        }
    }

    /// What was read; or a note why not.
    fn or_unread<T, E: Into<anyhow::Error>>(
        &mut self,
        what: &str,
        read: Result<T, E>,
    ) -> Option<T> {
        read.map_err(|error| self.unread.push(format!("{what}: {}", words(&error.into())))).ok()
    }
}
