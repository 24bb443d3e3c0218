//! Databases that were restored beside newer streams: nothing starts before an operator has said what holds.
//!
//! Whatever would be recorded now would take the places of facts that only the streams have, and these could not come
//! back any more.

use std::time::Duration;

use anyhow::{Result, ensure};
use async_nats::jetstream;
use meydan_event_log::beyond;
use meydan_settings::Settings;

use crate::{
    operate::{Context, Platform},
    servers::Servers,
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until no stream is beyond its log, and tells what has to be done until then.
pub(crate) async fn wait_until_whole(settings: &Settings, servers: &Servers) -> Result<()> {
    let nats = Some(servers.nats_url.clone());
    let platform = Platform::at(&servers.database, nats, settings)?;
    let jetstream = jetstream::new(servers.nats.clone());
    let mut told = String::new();
    loop {
        let lacking = lacking(&platform, &jetstream).await?;
        if lacking.is_empty() {
            return Ok(());
        }
        if lacking != told {
            eprint!(
                "meydan: nothing starts yet, because the database is from before its streams\n{lacking}"
            );
            told = lacking;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Fails when a stream is beyond its log: whatever is recorded then takes the place of a fact that the stream has, which
/// cannot be given back any more.
pub(crate) async fn refuse_beside_newer_streams(
    platform: &Platform,
    jetstream: &jetstream::Context,
) -> Result<()> {
    let lacking = lacking(platform, jetstream).await?;
    ensure!(
        lacking.is_empty(),
        "the database is from before its streams, and what is recorded now would take the places of facts that only \
         they have. Say first what holds:\n{}",
        lacking.trim_end()
    );
    Ok(())
}

/// What each log lacks that its stream has, and what can be done; empty when no log lacks anything.
async fn lacking(platform: &Platform, jetstream: &jetstream::Context) -> Result<String> {
    let mut lacking = String::new();
    for context in Context::ALL {
        let facts = beyond(&platform.log(context).await?, jetstream, 0).await?;
        if facts > 0 {
            lacking.push_str(&words(context.name(), facts));
        }
    }
    Ok(lacking)
}

fn words(context: &str, facts: i64) -> String {
    format!(
        "  {context} lacks {facts} facts at its end that its stream has.\n    \
         `meydan relay repair {context}` gives them back;\n    \
         `meydan relay repair {context} --discard-stream --force` goes on without them.\n"
    )
}
