//! `meydan projection`: read models, grown anew while the old ones serve.

use std::error::Error;

use anyhow::{Result, bail, ensure};
use bot_hub::projections::Hub;
use crm::projections::Inbox;
use identity::projections::Directory;
use identity_domain::OperationEvent;
use meydan_event_log::{
    Difference, EventLog, PLATFORM, Rebuild, RebuildError, parked, retry_parked,
};
use meydan_settings::Settings;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::{Context, ON_RECORD, Output, Platform, Record, advance, columns, holes, readers};

/// Looks after read models and the other readers of the logs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Lists every reader: whose log it reads, how far it is behind that, and what it has parked.
    List {
        /// Whose; all without one, and those of the audit.
        context: Option<Context>,
    },
    /// Grows the tables of a context anew beside those in use. Going on after an interruption is
    /// `--resume`; `switch` puts them in place.
    #[command(after_help = SWITCH_ON_RECORD)]
    Rebuild {
        /// Whose.
        context: Context,
        /// Goes on where an earlier rebuild stopped, or makes up what has happened since it ended.
        #[arg(long)]
        resume: bool,
        /// Puts the new tables in place at once.
        #[arg(long)]
        switch: bool,
        /// Grows them even though the log lacks facts: what those said will be missing from the tables.
        #[arg(long)]
        over_gaps: bool,
        /// With `--switch`: even though the new tables lack aggregates that the old ones have.
        #[arg(long, requires = "switch")]
        over_parked: bool,
    },
    /// Puts tables that were grown anew to the end of the log in the place of the old ones, which are kept.
    #[command(after_help = ON_RECORD)]
    Switch {
        /// Whose.
        context: Context,
        /// Even though the new tables lack aggregates that the old ones have, because they could not be digested.
        #[arg(long)]
        over_parked: bool,
    },
    /// Puts back the tables that were replaced last, and keeps those that were in use in their place: once more
    /// is back again.
    #[command(after_help = ON_RECORD)]
    Rollback {
        /// Whose.
        context: Context,
    },
    /// Lists aggregates whose events wait, because a reader could not digest one of them.
    Parked {
        /// Whose; all without one.
        context: Option<Context>,
    },
    /// Has readers try again with what they parked; those that run do so within a second.
    Retry {
        /// Whose.
        context: Context,
        /// One reader instead of all.
        #[arg(long)]
        reader: Option<String>,
        /// One aggregate instead of all.
        #[arg(long)]
        aggregate: Option<Uuid>,
    },
}

/// What the help of a rebuild says, which opens the record to put tables in place.
const SWITCH_ON_RECORD: &str = "With --switch, this is put on record, or not done: the broker has to answer, and the \
                                log of identity has to have all that its stream has.";
/// What is said of tables that were put in place.
const IN_USE: &str = "in use; meydan projection rollback goes back";

/// Carries it out.
pub(crate) async fn run(settings: Settings, output: Output, command: Command) -> Result<()> {
    let platform = Platform::find(&settings)?;
    match command {
        Command::List { context } => readers::list(&platform, output, context).await,
        Command::Parked { context } => list_parked(&platform, output, context).await,
        Command::Rebuild { context, resume, switch, over_gaps, over_parked } => {
            let log = platform.log(context).await?;
            let record = if switch { Some(platform.record().await?) } else { None };
            if !over_gaps {
                refuse_gaps(&log, context, output).await?;
            }
            if !resume {
                rebuild(&log, context).begin().await?;
            }
            grow(&log, context, output).await?;
            if let Some(record) = record {
                put_in_place(&record, &log, (context, over_parked)).await?;
                return done(output, context, IN_USE);
            }
            let lacks = rebuild(&log, context).lacks().await?;
            if !lacks.is_empty() {
                return Err(RebuildError::Lacks(context.name(), lacks).into());
            }
            let name = context.name();
            done(
                output,
                context,
                &format!("ready; `meydan projection switch {name}` puts them in use"),
            )
        }
        Command::Switch { context, over_parked } => {
            let log = platform.log(context).await?;
            let record = platform.record().await?;
            put_in_place(&record, &log, (context, over_parked)).await?;
            done(output, context, IN_USE)
        }
        Command::Rollback { context } => {
            let record = platform.record().await?;
            let rebuild = rebuild(&platform.log(context).await?, context);
            rebuild.roll_back(async || announce_exchange(&record, context).await).await?;
            let kept = "the replaced ones are in use again; those that were in use are kept, and the same command \
                        swaps them back";
            done(output, context, kept)
        }
        Command::Retry { context, reader, aggregate } => {
            let log = platform.log(context).await?;
            let asked = retry_parked(log.pool(), reader.as_deref(), aggregate).await?;
            if asked == 0 && (reader.is_some() || aggregate.is_some()) {
                let name = context.name();
                bail!("nothing of that is parked; `meydan projection parked {name}` lists what is");
            }
            output.print(&json!({"aggregates": asked}), |_| {
                format!("{asked} aggregates are tried again\n")
            })
        }
    }
}

/// Puts on record that other tables are in use, as the last step before they are.
async fn announce_exchange(
    record: &Record,
    context: Context,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (kind, at) = (context.name().to_owned(), OffsetDateTime::now_utc());
    Ok(record.announce(PLATFORM, OperationEvent::TablesExchanged { kind, at }).await?)
}

fn done(output: Output, context: Context, what: &str) -> Result<()> {
    let name = context.name();
    output.print(&json!({"context": name, "tables": what}), |_| {
        format!("the tables of {name}: {what}\n")
    })
}

/// The rebuild of a context's only projection.
fn rebuild(log: &EventLog, context: Context) -> Rebuild {
    match context {
        Context::Identity => Rebuild::of::<Directory>(log.clone()),
        Context::Crm => Rebuild::of::<Inbox>(log.clone()),
        Context::BotHub => Rebuild::of::<Hub>(log.clone()),
    }
}

/// Fails when the log lacks facts, for the tables would lack them, too.
async fn refuse_gaps(log: &EventLog, context: Context, output: Output) -> Result<()> {
    let (holes, name) = (holes(log, context, output).await?, context.name());
    ensure!(
        holes.is_empty(),
        "the log of {name} lacks facts, and tables that are grown from it would lack them, too: {}; see `meydan relay \
         repair {name}`, or grow them even so with --over-gaps",
        holes.join("; ")
    );
    Ok(())
}

async fn put_in_place(
    record: &Record,
    log: &EventLog,
    (context, over): (Context, bool),
) -> Result<(), RebuildError> {
    let rebuild = rebuild(log, context);
    let before = async || announce_exchange(record, context).await;
    match context {
        Context::Identity => rebuild.switch(Directory { changes: None }, over, before).await,
        Context::Crm => rebuild.switch(inbox(log), over, before).await,
        Context::BotHub => rebuild.switch(Hub::default(), over, before).await,
    }
}

/// The inbox without anybody to tell.
fn inbox(log: &EventLog) -> Inbox {
    Inbox { nats: None, pool: log.pool().clone() }
}

async fn grow(log: &EventLog, context: Context, output: Output) -> Result<(), RebuildError> {
    let bar = output.bar(format!("growing the tables of {}", context.name()));
    let (rebuild, progress) = (rebuild(log, context), advance(&bar));
    match context {
        Context::Identity => rebuild.catch_up(Directory { changes: None }, progress).await?,
        Context::Crm => rebuild.catch_up(inbox(log), progress).await?,
        Context::BotHub => rebuild.catch_up(Hub::default(), progress).await?,
    }
    bar.finish_and_clear();
    Ok(())
}

/// Compares a context's tables with its log.
pub(super) async fn compare(
    log: &EventLog,
    context: Context,
    output: Output,
) -> Result<Vec<Difference>, RebuildError> {
    let bar = output.bar(format!("replaying the tables of {}", context.name()));
    let (rebuild, progress) = (rebuild(log, context), advance(&bar));
    let found = match context {
        Context::Identity => {
            rebuild
                .verify([Directory { changes: None }, Directory { changes: None }], progress)
                .await?
        }
        Context::Crm => rebuild.verify([inbox(log), inbox(log)], progress).await?,
        Context::BotHub => rebuild.verify([Hub::default(), Hub::default()], progress).await?,
    };
    bar.finish_and_clear();
    Ok(found)
}

async fn list_parked(platform: &Platform, output: Output, context: Option<Context>) -> Result<()> {
    let mut found = Vec::new();
    for context in Context::or_all(context) {
        let log = platform.log(context).await?;
        for one in parked(log.pool(), None).await? {
            let at = one.parked_at.format(&Rfc3339)?;
            found.push((context.name(), one, at));
        }
    }
    let document = found
        .iter()
        .map(|(context, one, at)| {
            json!({
                "context": context, "reader": one.reader, "part": one.part, "tenant": one.tenant,
                "aggregate_type": one.aggregate_type, "aggregate_id": one.aggregate_id,
                "position": one.position, "reason": one.reason, "parked_at": at, "retry": one.retry,
            })
        })
        .collect::<Vec<_>>();
    output.print(&document, |_| {
        let row = |(context, one, at): &(&str, meydan_event_log::Parked, String)| {
            vec![
                (*context).to_owned(),
                one.reader.clone(),
                format!("{} {}", one.aggregate_type, one.aggregate_id),
                one.position.to_string(),
                at.clone(),
                one.reason.clone(),
            ]
        };
        let head = ["context", "reader", "aggregate", "from", "since", "why"];
        columns(&head, &found.iter().map(row).collect::<Vec<_>>())
    })
}
