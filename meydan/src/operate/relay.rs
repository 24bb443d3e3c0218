//! `meydan relay`: the streams, and what to do when one of them and its log disagree.

use std::cell::Cell;

use anyhow::{Result, anyhow, ensure};
use async_nats::jetstream;
use identity_domain::OperationEvent;
use meydan_event_log::{
    EventLog, Finding, KeyChange, PLATFORM, Recorded, RepairError, Standing, compare,
    discard_stream, recover_from_stream, refill,
};
use meydan_keyring::Keyring;
use meydan_settings::Settings;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::OnceCell;

use super::{
    Context, Output, Platform, Record, advance, both, columns, judge, not_compared, stream, words,
};
use crate::{keys, servers};

/// Looks after the copies of the logs on JetStream.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Tells how far each stream is behind its log, and whether they agree fact by fact. Ends with 1 when
    /// something is wrong, with 2 when something could not be compared.
    Status {
        /// Whose; all without one.
        context: Option<Context>,
    },
    /// Makes a log and its stream agree: gives the log back the facts that only the stream has, each at its own
    /// position, and publishes what the stream has lost. What neither has, only a backup can give back.
    #[command(after_help = REPAIR_ON_RECORD)]
    Repair {
        /// Whose.
        context: Context,
        /// When the log has gone another way since a restore: throws the stream away, and makes it again from
        /// the log. Readers of other contexts may have seen facts that never happened.
        #[arg(long)]
        discard_stream: bool,
        /// Throws even a stream away that agrees with its log, or has facts that the log could get back.
        #[arg(long, requires = "discard_stream")]
        force: bool,
    },
}

/// What the help of a repair says, which opens the record; that of identity is in the log that may have to be repaired.
const REPAIR_ON_RECORD: &str = "This is put on record, or not done: the broker has to answer, and the log of identity \
                                has to have all that its stream has. A repair of identity itself is put on record as \
                                soon as its log has all of that; one that is killed before is not.";

/// Carries it out.
pub(crate) async fn run(settings: Settings, output: Output, command: Command) -> Result<()> {
    match command {
        Command::Status { context } => {
            status(&settings, output, context).await.map_err(not_compared)
        }
        Command::Repair { context, discard_stream, force } => {
            repair(&settings, output, context, discard_stream.then_some(force)).await
        }
    }
}

/// Compares a context's log with its stream.
pub(super) async fn standing(
    log: &EventLog,
    jetstream: &jetstream::Context,
    output: Output,
    context: Context,
) -> Result<Standing, RepairError> {
    let bar = output.bar(format!("comparing {} with its log", stream(context)));
    let standing = compare(log, jetstream, 0, advance(&bar)).await;
    bar.finish_and_clear();
    standing
}

/// What is to be done about a finding.
pub(super) fn cure(context: Context, finding: Finding) -> String {
    match finding {
        Finding::Foreign(..) => format!(
            "see who else may publish to {}, then run `meydan relay repair {} --discard-stream`",
            stream(context),
            context.name()
        ),
        Finding::Lost(..) => "only a backup of the database can have them".to_owned(),
        _ => format!("run `meydan relay repair {}`", context.name()),
    }
}

/// What a program is told of a standing.
pub(super) fn document(standing: &Standing) -> Value {
    let missing = |missing: &meydan_event_log::Missing| json!({"count": missing.count(), "first": missing.first()});
    json!({
        "recorded": standing.recorded, "published": standing.published, "behind": standing.behind(),
        "differs_at": standing.differs_at, "foreign": missing(&standing.foreign), "stream_lacks": missing(&standing.stream_lacks),
        "log_lacks": missing(&standing.log_lacks), "lost": missing(&standing.lost),
    })
}

async fn status(settings: &Settings, output: Output, context: Option<Context>) -> Result<()> {
    let opened = Platform::with_streams(settings).await;
    let (mut found, mut rows) = (Vec::new(), Vec::new());
    let (mut wrong, mut unread) = (Vec::new(), Vec::new());
    for context in Context::or_all(context) {
        let name = stream(context);
        let compared = async {
            let (platform, jetstream) =
                opened.as_ref().map_err(|error| anyhow!("servers: {}", words(error)))?;
            let log = platform.log(context).await?;
            anyhow::Ok(standing(&log, jetstream, output, context).await?)
        };
        let (verdict, mut row, mut one) = match compared.await {
            Ok(standing) => {
                let verdict = match standing.finding() {
                    None => "agrees".to_owned(),
                    Some(finding) => {
                        let verdict = format!("{finding}; {}", cure(context, finding));
                        wrong.push(format!("{name} {verdict}"));
                        verdict
                    }
                };
                let published = standing.published.map_or("-".to_owned(), |at| at.to_string());
                let row = vec![standing.recorded.to_string(), published];
                let row = [row, vec![standing.behind().to_string()]].concat();
                (verdict, row, document(&standing))
            }
            Err(error) => {
                let why = words(&error);
                unread.push(format!("{name}: {why}"));
                (format!("not compared: {why}"), vec!["-".to_owned(); 3], json!({}))
            }
        };
        row.insert(0, name.clone());
        row.push(verdict.clone());
        rows.push(row);
        (one["stream"], one["verdict"]) = (json!(name), json!(verdict));
        found.push(one);
    }
    let head = ["stream", "recorded", "published", "behind", ""];
    let printed = output.print(&found, |_| columns(&head, &rows));
    judge(&wrong, &unread).and(printed)
}

/// What a fact did to the unique keys of its context.
async fn keys_of(
    context: Context,
    keyring: &Keyring,
    fact: &Recorded,
) -> Result<Vec<KeyChange>, Box<dyn std::error::Error + Send + Sync>> {
    match context {
        Context::Identity => identity::app::keys_of(keyring, fact).await,
        Context::Crm => Ok(crm::app::keys_of(fact)?),
        Context::BotHub => bot_hub::app::keys_of(keyring, fact).await,
    }
}

/// The fact that a log and its stream are made to agree from now on.
fn repaired(context: Context) -> OperationEvent {
    let (kind, at) = (context.name().to_owned(), OffsetDateTime::now_utc());
    OperationEvent::LogRepaired { kind, at }
}

/// A repair of a log and its stream: what it has done, and where that is put on record.
struct Repair<'a> {
    platform: &'a Platform,
    log: EventLog,
    jetstream: jetstream::Context,
    output: Output,
    context: Context,
    /// Not for identity: its log holds the record, and what it lacks itself has to come back first.
    record: Option<Record>,
    /// Facts that the log has again.
    back: i64,
    /// Messages that the stream has again, or has now.
    published: i64,
}

impl Repair<'_> {
    /// Throws a stream away that is wrong, or any when that is insisted on.
    async fn throw_away(&self, force: bool) -> Result<()> {
        let Self { log, jetstream, output, context, .. } = self;
        let (name, stream) = (context.name(), stream(*context));
        let standing = standing(log, jetstream, *output, *context).await?;
        let finding = standing.finding();
        ensure!(
            force || finding.is_some(),
            "{stream} agrees with its log; --force throws it away even so"
        );
        let only_copy = matches!(finding, Some(Finding::LogLacks(..)));
        ensure!(
            force || !only_copy,
            "{stream} has facts that the log lacks and can get back: `meydan relay repair {name}` does that; --force \
             throws them away"
        );
        let gap = standing.lost.first().filter(|&first| first < standing.recorded);
        ensure!(
            force || gap.is_none(),
            "the log of {name} lacks the fact at {}, before which {stream} would end if it were made again; --force \
             throws it away even so",
            gap.unwrap_or_default()
        );
        let (kind, at) = (name.to_owned(), OffsetDateTime::now_utc());
        let act = OperationEvent::StreamDiscarded { kind, at };
        if let Some(record) = &self.record {
            record.announce(PLATFORM, act).await?;
            return Ok(discard_stream(log, jetstream, 0).await?);
        }
        discard_stream(log, jetstream, 0).await?;
        self.platform.record_of_done().await?.note(PLATFORM, act).await
    }

    /// Gives the log back what only the stream has, and publishes what the stream lacks. That this begins is on record
    /// before the first of it is done, and once. What identity lacked itself is on record when it is back.
    async fn make_agree(&mut self, settings: &Settings) -> Result<()> {
        let recovered = self.recover(settings).await;
        let unnoted = self.record.is_none() && self.back > 0;
        let noted = if unnoted { self.note().await } else { Ok(()) };
        if recovered.is_err() {
            return both(recovered, noted);
        }
        both(self.refill().await, noted)
    }

    async fn note(&self) -> Result<()> {
        self.platform.record_of_done().await?.note(PLATFORM, repaired(self.context)).await
    }

    async fn recover(&mut self, settings: &Settings) -> Result<()> {
        let context = self.context;
        let name = context.name();
        let bar = self
            .output
            .bar(format!("comparing {name} with its stream, and giving back what it lacks"));
        let keyring = OnceCell::new();
        let told = async |fact: &Recorded| {
            let open = async || {
                let (server, _) = servers::running(settings)?;
                keys::open(settings, &keys::database(settings, &server, "keys")?).await
            };
            keys_of(context, keyring.get_or_try_init(open).await?, fact).await
        };
        let begin = async || match &self.record {
            Some(record) => Ok(record.announce(PLATFORM, repaired(context)).await?),
            None => Ok(()),
        };
        let (log, jetstream) = (&self.log, &self.jetstream);
        let recovered = recover_from_stream(log, jetstream, 0, told, advance(&bar), begin).await;
        bar.finish_and_clear();
        self.back = match &recovered {
            Ok(back) | Err(RepairError::Partly(back, _)) => *back,
            Err(_) => 0,
        };
        recovered?;
        Ok(())
    }

    async fn refill(&mut self) -> Result<()> {
        let Self { log, jetstream, output, context, .. } = &*self;
        let before = standing(log, jetstream, *output, *context).await?;
        match before.finding() {
            Some(Finding::Foreign(count, first)) => {
                return Err(RepairError::Foreign(count, first).into());
            }
            Some(Finding::Lost(count, first)) => return Err(RepairError::Lost(count, first).into()),
            _ => {}
        }
        let gone = before.stream_lacks.count();
        let (lacked, had) = (gone + before.behind(), before.published.unwrap_or(0) - gone);
        if lacked > 0 && self.back == 0 {
            let act = repaired(*context);
            match &self.record {
                Some(record) => record.announce(PLATFORM, act).await?,
                None => self.platform.record().await?.announce(PLATFORM, act).await?,
            }
        }
        let bar = output.bar(format!("publishing what {} lacks", stream(*context)));
        let (held, show) = (Cell::new(had), advance(&bar));
        let progress = |at, end| {
            held.set(at);
            show(at, end);
        };
        let refilled = refill(log, jetstream, 0, progress).await;
        bar.finish_and_clear();
        // What was published stays, also where no more could be.
        let published = if refilled.is_ok() { lacked } else { (held.get() - had).clamp(0, lacked) };
        self.published = published;
        Ok(refilled?)
    }

    fn print(&self) -> Result<()> {
        let (name, stream) = (self.context.name(), stream(self.context));
        let (back, published) = (self.back, self.published);
        let found = json!({"context": name, "recovered": back, "stream": stream, "published_again": published});
        self.output.print(&found, |_| {
            let told = format!(
                "facts given back to {name}: {back}\nmessages that {stream} lacked and has now: {published}\n"
            );
            let passed = format!(
                "readers may have passed over what came back: `meydan verify {name}` tells, and `meydan projection \
                 rebuild {name}` mends tables\n"
            );
            if back > 0 { told + &passed } else { told }
        })
    }
}

/// Makes a log and its stream agree. With `discard`, the stream is thrown away before: whatever it holds, if that is
/// true.
async fn repair(
    settings: &Settings,
    output: Output,
    context: Context,
    discard: Option<bool>,
) -> Result<()> {
    let platform = &Platform::find(settings)?;
    let record = if context == Context::Identity { None } else { Some(platform.record().await?) };
    let (log, jetstream) = (platform.log(context).await?, platform.jetstream().await?);
    let (back, published) = (0, 0);
    let mut repair = Repair { platform, log, jetstream, output, context, record, back, published };
    if let Some(force) = discard {
        repair.throw_away(force).await?;
    }
    let agree = repair.make_agree(settings).await;
    let told = agree.is_ok() || repair.back + repair.published > 0;
    let told = if told { repair.print() } else { Ok(()) };
    agree.and(told)
}
