//! Databases that were restored beside newer streams: nothing starts before an operator has said what holds.
//!
//! Whatever would be recorded now would take the places of facts that only the streams have, and these could not come
//! back any more.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use async_nats::jetstream;
use meydan_event_log::{Finding, beyond, compare, published};
use meydan_settings::Settings;

use crate::{
    operate::{Context, Platform, stream},
    servers::Servers,
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until no stream is beyond its log, and tells what has to be done until then.
pub(crate) async fn wait_until_whole(settings: &Settings, servers: &Servers) -> Result<()> {
    let nats = Some(servers.nats_url.clone());
    let platform = Platform::at(&servers.database, nats, settings)?;
    let jetstream = jetstream::new(servers.nats.clone());
    tell_lost_streams(&platform, &jetstream).await?;
    let (mut told, mut known) = (String::new(), Known::new());
    loop {
        let lacking = lacking(&platform, &jetstream, &Context::ALL, &mut known).await?;
        if lacking.is_empty() {
            return Ok(());
        }
        if lacking != told {
            eprint!(
                "meydan: nothing starts yet, because streams are further than the logs in the database\n{lacking}"
            );
            told = lacking;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Says so once when facts were recorded and the broker knows nothing of them: before anything starts, that is no
/// stream which has yet to be filled for the first time.
async fn tell_lost_streams(platform: &Platform, jetstream: &jetstream::Context) -> Result<()> {
    let mut lost = Vec::new();
    for context in Context::ALL {
        let log = platform.log(context).await?;
        let (end, published) = (log.last_position(0).await?, published(&log, jetstream, 0).await?);
        if end > 0 && published == 0 {
            lost.push(stream(context));
        }
    }
    if !lost.is_empty() {
        let streams = lost.join(", ");
        tracing::warn!(
            streams,
            "the broker has lost its streams; they are made again from the logs, and messages of citizens that it had \
             taken and nobody had read yet are gone"
        );
    }
    Ok(())
}

/// Fails when the stream of one of `contexts` is beyond its log: whatever is recorded then takes the place of a fact that the stream has, which
/// cannot be given back any more.
pub(crate) async fn refuse_beside_newer_streams(
    platform: &Platform,
    jetstream: &jetstream::Context,
    contexts: &[Context],
) -> Result<()> {
    let lacking = lacking(platform, jetstream, contexts, &mut Known::new()).await?;
    ensure!(
        lacking.is_empty(),
        "streams are further than the logs in the database, and what is recorded now would take the places of what only \
         they have. Say first what holds:\n{}",
        lacking.trim_end()
    );
    Ok(())
}

/// By how much each log was behind its stream at the last look, and the words for it: to find them, both are read whole.
type Known = BTreeMap<&'static str, (i64, String)>;

/// What each log lacks that its stream has, and what can be done; empty when no log lacks anything.
async fn lacking(
    platform: &Platform,
    jetstream: &jetstream::Context,
    contexts: &[Context],
    known: &mut Known,
) -> Result<String> {
    let mut lacking = String::new();
    for &context in contexts {
        let (name, log) = (context.name(), platform.log(context).await?);
        let facts = beyond(&log, jetstream, 0).await?;
        if facts == 0 {
            continue;
        }
        if known.get(name).is_none_or(|(before, _)| *before != facts) {
            let standing = compare(&log, jetstream, 0, |_, _| {}).await?;
            let said = match standing.finding() {
                Some(finding @ Finding::Foreign(..)) => foreign(context, finding),
                _ => words(name, facts),
            };
            known.insert(name, (facts, said));
        }
        lacking.push_str(&known[name].1);
    }
    Ok(lacking)
}

fn foreign(context: Context, finding: Finding) -> String {
    let (name, stream) = (context.name(), stream(context));
    format!(
        "  {stream} {finding}.\n    {name} lacks nothing by that, but its facts have no place behind them: see who else \
         may publish to {stream}, then\n    `meydan relay repair {name} --discard-stream` makes it again from the log.\n"
    )
}

fn words(context: &str, facts: i64) -> String {
    format!(
        "  {context} lacks {facts} facts at its end that its stream has: the database is from before it.\n    \
         `meydan relay repair {context}` gives them back;\n    \
         `meydan relay repair {context} --discard-stream --force` goes on without them.\n"
    )
}
