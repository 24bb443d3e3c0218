//! What operators do to a platform that runs, or to its databases while it rests.
//!
//! Everything goes to the servers that the settings name, or to those of the `meydan up` beside us. People
//! read tables; `--json` prints one JSON document, or one a line where there is no end.

pub(crate) mod audit;
pub(crate) mod log;
pub(crate) mod projection;
mod readers;
pub(crate) mod relay;
pub(crate) mod verify;

use std::io::{self, Write};

use anyhow::{Context as _, Result, anyhow, bail};
use async_nats::jetstream;
use identity::app::note_operation;
use identity_domain::OperationEvent;
use indicatif::{ProgressBar, ProgressStyle};
use meydan_event_log::{EventLog, gaps, stream_name};
use meydan_keyring::Keyring;
use meydan_settings::Settings;
use serde::Serialize;
use sqlx::{PgPool, postgres::PgPoolOptions};
use url::Url;
use uuid::Uuid;

use crate::{reach::Origin, restored, servers};

/// Sessions of a command; most work with one.
const CONNECTIONS: u32 = 4;
/// What the help of each command says that opens the record.
pub(crate) const ON_RECORD: &str = "This is put on record, or not done: the broker has to answer, and the log of \
                                    identity has to have all that its stream has.";
/// What is said of acts that cannot be put on record before they are done.
const NOT_DONE: &str = "nothing was done, because it could not be put on record";
/// What is said of acts that cannot be put on record any more.
const NOT_ON_RECORD: &str = "it is done, but could not be put on record";

/// A bounded context with a log of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Context {
    /// Accounts, campaigns, teams.
    Identity,
    /// Citizens and their tickets.
    Crm,
    /// Bots and what citizens do in them.
    #[value(name = "bot_hub", alias = "bot-hub")]
    BotHub,
}

impl Context {
    pub(crate) const ALL: [Self; 3] = [Self::Identity, Self::Crm, Self::BotHub];

    /// Its name in databases, streams and subjects.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Crm => "crm",
            Self::BotHub => "bot_hub",
        }
    }

    /// The chosen one, or all.
    pub(crate) fn or_all(chosen: Option<Self>) -> Vec<Self> {
        chosen.map_or_else(|| Self::ALL.to_vec(), |one| vec![one])
    }
}

/// Where the platform keeps things.
pub(crate) struct Platform {
    server: Url,
    prefix: String,
    nats: Option<String>,
    origin: Origin,
}

impl Platform {
    pub(crate) fn find(settings: &Settings) -> Result<Self> {
        let (server, nats) = servers::running(settings)?;
        Self::at(&server, nats, settings)
    }

    /// The platform, and its streams.
    pub(crate) async fn with_streams(settings: &Settings) -> Result<(Self, jetstream::Context)> {
        let platform = Self::find(settings)?;
        let jetstream = platform.jetstream().await?;
        Ok((platform, jetstream))
    }

    /// The platform whose databases are on `server`.
    pub(crate) fn at(server: &str, nats: Option<String>, settings: &Settings) -> Result<Self> {
        let server = Url::parse(server).context("database-url is not a URL")?;
        let (prefix, origin) = (settings.database_prefix.clone(), Origin::of(settings));
        Ok(Self { server, prefix, nats, origin })
    }

    /// The log of a context.
    pub(crate) async fn log(&self, context: Context) -> Result<EventLog> {
        let name = context.name();
        let url = self.url(name);
        let log = EventLog::open(name, &url, CONNECTIONS).await;
        log.map_err(|error| self.origin.database(&url, error))
            .with_context(|| format!("the log of {name} cannot be opened"))
    }

    /// One of the databases as its owner sees it, for looking at more than services may.
    pub(crate) async fn database(&self, name: &str) -> Result<PgPool> {
        let url = self.url(name);
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&url).await;
        pool.map_err(|error| self.origin.database(&url, error))
            .with_context(|| format!("the database of {name} cannot be opened"))
    }

    fn url(&self, name: &str) -> String {
        let mut url = self.server.clone();
        url.set_path(&format!("{}{name}", self.prefix));
        url.into()
    }

    /// Opens the record of what operators do, before they do it: what could not be put on record is not done.
    pub(crate) async fn record(&self) -> Result<Record> {
        self.open_record().await.context(NOT_DONE)
    }

    /// Opens it for what was done already, because the record itself had to be mended first.
    pub(crate) async fn record_of_done(&self) -> Result<Record> {
        self.open_record().await.context(NOT_ON_RECORD)
    }

    async fn open_record(&self) -> Result<Record> {
        let (identity, jetstream) = (self.log(Context::Identity).await?, self.jetstream().await?);
        restored::refuse_beside_newer_streams(self, &jetstream, &[Context::Identity]).await?;
        Ok(Record(identity))
    }

    pub(crate) async fn jetstream(&self) -> Result<jetstream::Context> {
        Ok(jetstream::new(self.nats().await?))
    }

    /// The broker.
    pub(crate) async fn nats(&self) -> Result<async_nats::Client> {
        let url =
            self.nats.as_deref().context("NATS does not run beside us, and nats-url is not set")?;
        servers::connect_nats(url, &self.origin).await
    }
}

/// Where it is put on record what operators do past the panel.
pub(crate) struct Record(EventLog);

impl Record {
    /// Puts on record what is done next, with a campaign, or with the platform by its own id: whoever is killed from
    /// here on has it on record. When this fails, it is not to be done.
    pub(crate) async fn announce(&self, tenant: Uuid, act: OperationEvent) -> Result<()> {
        let announced = note_operation(&self.0, (tenant, Uuid::now_v7()), act).await;
        announced.map(drop).context(NOT_DONE)
    }

    /// Puts on record what was done this moment. It is done when this fails, and whoever did it hears that it is not on
    /// record.
    pub(crate) async fn note(&self, tenant: Uuid, act: OperationEvent) -> Result<()> {
        self.note_once((tenant, Uuid::now_v7()), act).await.map(drop)
    }

    /// Puts an act on record that has an id of its own, with its campaign. Says whether it was not there yet.
    pub(crate) async fn note_once(&self, whose: (Uuid, Uuid), act: OperationEvent) -> Result<bool> {
        note_operation(&self.0, whose, act).await.context(NOT_ON_RECORD)
    }
}

/// How an act ended that failed, and is not on record either: both are told.
pub(crate) fn both(done: Result<()>, noted: Result<()>) -> Result<()> {
    match (done, noted) {
        (Err(failed), Err(unnoted)) => Err(anyhow!("{}\n{}", words(&failed), words(&unnoted))),
        (done, noted) => done.and(noted),
    }
}

/// Something that was compared is not the same twice: the program ends with 1.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Differs(pub(crate) String);

/// What differs is all known, and an operator has let go of it: the program ends with 3.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LetGo(pub(crate) String);

/// Something could not be compared: the program ends with 2.
#[derive(Debug, thiserror::Error)]
#[error("could not compare everything")]
pub(crate) struct NotCompared;

/// Nobody reads any more what is printed: they have seen enough, and the program ends with 0.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads any more")]
pub(crate) struct Unread;

/// How a command ends that compares: what differs counts more than what could not be compared.
pub(crate) fn judge(wrong: &[String], unread: &[String]) -> Result<()> {
    let all = [wrong, unread].concat().join("\n");
    match (wrong, unread) {
        ([], []) => Ok(()),
        ([], _) => bail!(all),
        _ => Err(Differs(all).into()),
    }
}

/// Tells whatever else went wrong apart from [`Differs`], [`LetGo`] and [`Unread`].
pub(crate) fn not_compared(error: anyhow::Error) -> anyhow::Error {
    let known = error.is::<Differs>() || error.is::<LetGo>() || error.is::<Unread>();
    if known { error } else { error.context(NotCompared) }
}

/// With what the program ends after this error.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Unread>() {
        0
    } else if error.is::<NotCompared>() {
        2
    } else if error.is::<LetGo>() {
        3
    } else {
        1
    }
}

/// An error with its causes. A cause that the words before it hold already is not told again: many errors, those of
/// the database's driver among them, quote what caused them.
pub(crate) fn words(error: &anyhow::Error) -> String {
    let mut said = Vec::<String>::new();
    for cause in error.chain().map(ToString::to_string) {
        if !said.iter().any(|before| before.contains(&cause)) {
            said.push(cause);
        }
    }
    said.join(": ")
}

/// How a command answers.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Output {
    /// Prints JSON instead of tables.
    #[arg(long, global = true)]
    json: bool,
}

impl Output {
    /// Prints what was found: as JSON, or as `table` lays it out. What was done is on record before, and what was compared
    /// is judged all the same when nobody reads.
    pub(crate) fn print<T: Serialize>(
        self,
        found: &T,
        table: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        let text =
            if self.json { serde_json::to_string_pretty(found)? + "\n" } else { table(found) };
        write(&text)
    }

    /// A bar on the terminal while something takes long; nothing when JSON is wanted or nobody looks.
    pub(crate) fn bar(self, what: String) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta}");
        let bar = ProgressBar::no_length().with_message(what);
        bar.set_style(style.expect("the template is well-formed"));
        bar
    }
}

/// Writes to whoever reads, and fails with [`Unread`] when nobody does.
fn write(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Unread.into(),
        _ => error.into(),
    })
}

/// Tells a bar how far something is.
pub(crate) fn advance(bar: &ProgressBar) -> impl Fn(i64, i64) + '_ {
    |at, end| {
        bar.set_length(u64::try_from(end).unwrap_or(0));
        bar.set_position(u64::try_from(at).unwrap_or(0));
    }
}

/// What is wrong inside a context's log.
async fn holes(
    log: &EventLog,
    context: Context,
    output: Output,
) -> Result<Vec<String>, sqlx::Error> {
    let bar = output.bar(format!("reading the log of {}", context.name()));
    let holes = gaps(log, advance(&bar)).await;
    bar.finish_and_clear();
    holes
}

/// Lays rows out in columns.
pub(crate) fn columns(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths = head.iter().map(|cell| cell.chars().count()).collect::<Vec<_>>();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let head = head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The id of a campaign, by that or by its name in addresses. One that is gone from the tables of identity may still
/// be named by its id.
pub(crate) async fn campaign_of(
    identity: &EventLog,
    keyring: &Keyring,
    name: &str,
) -> Result<Uuid> {
    let id = name.parse::<Uuid>().ok();
    let found = identity::projections::campaigns::find(identity.pool(), id, Some(name)).await;
    if let Some(campaign) = found.context("the campaigns cannot be read")? {
        return Ok(campaign.campaign_id);
    }
    match id {
        Some(id) if keyring.campaigns().await?.contains(&id) => Ok(id),
        _ => bail!("there is no campaign {name}"),
    }
}

/// Name of the stream of a context's only partition.
pub(crate) fn stream(context: Context) -> String {
    stream_name(context.name(), 0)
}
