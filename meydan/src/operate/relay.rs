//! `meydan relay`: the streams, and what to do when one of them and its log disagree.

use anyhow::{Result, bail};
use meydan_event_log::{RepairError, compare, discard_stream, recover_from_stream};
use meydan_settings::Settings;
use serde_json::json;

use super::{Context, Output, Platform, advance, columns, stream};

/// Looks after the copies of the logs on JetStream.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Tells how far each stream is behind its log, and whether they agree fact by fact.
    Status {
        /// Whose; all without one.
        context: Option<Context>,
    },
    /// Makes a log and its stream agree after a database was restored from a backup: gives the log back what
    /// the stream still has.
    Repair {
        /// Whose.
        context: Context,
        /// When the log has gone another way since the restore: throws the stream away, which is then made
        /// again from the log. Readers of other contexts may have seen facts that never happened.
        #[arg(long)]
        discard_stream: bool,
    },
}

/// Carries it out.
pub(crate) async fn run(settings: Settings, output: Output, command: Command) -> Result<()> {
    let platform = Platform::find(&settings)?;
    match command {
        Command::Status { context } => status(&platform, output, context).await,
        Command::Repair { context, discard_stream: false } => {
            recover(&platform, output, context).await
        }
        Command::Repair { context, discard_stream: true } => {
            let (log, jetstream) = (platform.log(context).await?, platform.jetstream().await?);
            discard_stream(&log, &jetstream, 0).await?;
            let stream = stream(context);
            output.print(&json!({"discarded": stream}), |_| {
                format!("{stream} is thrown away; the relay makes it again from the log\n")
            })
        }
    }
}

async fn status(platform: &Platform, output: Output, context: Option<Context>) -> Result<()> {
    let jetstream = platform.jetstream().await?;
    let (mut found, mut rows, mut wrong) = (Vec::new(), Vec::new(), 0);
    for context in Context::or_all(context) {
        let log = platform.log(context).await?;
        let bar = output.bar(format!("comparing {} with its log", stream(context)));
        let standing = compare(&log, &jetstream, 0, advance(&bar)).await?;
        bar.finish_and_clear();
        let published = standing.published.unwrap_or(0);
        let behind = standing.recorded - published;
        let verdict = match standing.differs_at {
            Some(position) => format!("differs from {position} on: meydan relay repair"),
            None if behind < 0 => "the log was restored: meydan relay repair".to_owned(),
            None if standing.published.is_none() => "not there yet".to_owned(),
            None => "agrees".to_owned(),
        };
        wrong += u32::from(standing.differs_at.is_some() || behind < 0);
        rows.push(vec![
            stream(context),
            standing.recorded.to_string(),
            published.to_string(),
            behind.to_string(),
            verdict.clone(),
        ]);
        found.push(json!({
            "stream": stream(context), "recorded": standing.recorded, "published": standing.published,
            "behind": behind, "differs_at": standing.differs_at, "verdict": verdict,
        }));
    }
    output.print(&found, |_| columns(&["stream", "recorded", "published", "behind", ""], &rows))?;
    if wrong > 0 {
        bail!("{wrong} streams need an operator");
    }
    Ok(())
}

async fn recover(platform: &Platform, output: Output, context: Context) -> Result<()> {
    let (log, jetstream) = (platform.log(context).await?, platform.jetstream().await?);
    let bar = output.bar(format!("giving {} back what its stream has", context.name()));
    let recovered = recover_from_stream(&log, &jetstream, 0, advance(&bar)).await;
    bar.finish_and_clear();
    let back = recovered.map_err(|error| match error {
        RepairError::Diverged(_) => anyhow::Error::from(error),
        other => anyhow::Error::from(other).context("nothing is lost: run it again"),
    })?;
    output.print(&json!({"context": context.name(), "recovered": back}), |_| {
        format!("{back} facts were given back to {}\n", context.name())
    })
}
