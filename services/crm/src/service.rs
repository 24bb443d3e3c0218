//! Starts the service, and ends it in order.

use meydan_erasure::Forgetting;
use meydan_event_log::{
    Clock, EventLog, PrepareError, ProjectionRunner, Relay, Source, prepare_database, run_policy,
};
use meydan_keyring::Keyring;
use meydan_rpc::{
    caller::Assertions,
    guard::Guard,
    server::{ServeError, Workers, serve},
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    app::Crm,
    grpc,
    policies::{
        when_reply_settled_record::WhenReplySettledRecord,
        when_subject_erased_forget::WhenSubjectErasedForget,
    },
    projections::Inbox,
};

/// Name of the context: of its database, its stream and its audience.
pub const NAME: &str = "crm";

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// What the service needs from whoever starts it.
#[derive(Debug)]
pub struct Setup {
    /// Where gRPC is served.
    pub listener: TcpListener,
    /// The service's own database.
    pub database_url: String,
    /// Connections to it.
    pub connections: u32,
    /// NATS.
    pub nats: async_nats::Client,
    /// Keys of citizens and accounts.
    pub keyring: Keyring,
    /// Checks who calls.
    pub assertions: Assertions,
    /// Tells the time.
    pub clock: Clock,
}

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The log cannot be opened.
    #[error("the log of {NAME} cannot be opened")]
    Log(#[from] sqlx::Error),
    /// gRPC cannot be served.
    #[error("the gRPC server of {NAME} failed")]
    Serve(#[from] ServeError),
}

/// Makes the service's database on `server` and brings it up to date.
///
/// # Errors
///
/// See [`PrepareError`].
pub async fn migrate(server: &str, prefix: &str) -> Result<String, PrepareError> {
    let name = format!("{prefix}{NAME}");
    prepare_database(server, &name, &[&meydan_event_log::MIGRATOR, &MIGRATOR]).await
}

/// Runs until `stop`: answers what is in flight, then ends the readers.
///
/// # Errors
///
/// See [`RunError`].
pub async fn run(setup: Setup, stop: CancellationToken) -> Result<(), RunError> {
    let log = EventLog::open(NAME, &setup.database_url, setup.connections).await?;
    let jetstream = async_nats::jetstream::new(setup.nats.clone());
    let pool = log.pool().clone();
    let inbox = Inbox { nats: Some(setup.nats), pool: pool.clone() };
    let inbox = ProjectionRunner::new(inbox, Source::Log(log.clone(), 0), pool.clone());
    let clock = setup.clock;
    let guard = Guard::new(NAME, grpc::POLICIES, setup.assertions, clock.clone())
        .sealing(setup.keyring.clone());
    let forgetting = Forgetting {
        log: log.clone(),
        tables: inbox.progress(),
        keyring: setup.keyring.clone(),
        clock: clock.clone(),
    };
    let crm = Crm::new(log.clone(), setup.keyring, inbox.progress(), clock.clone());

    let database = log.pool().clone();
    let readers = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(inbox.run(readers.clone()));
    tasks.spawn(Relay::new(log, jetstream.clone(), 0).run(readers.clone()));
    tasks.spawn(run_policy(
        WhenReplySettledRecord::new(crm.clone()),
        Source::Stream { jetstream: jetstream.clone(), context: "bot_hub", part: 0 },
        pool.clone(),
        clock.clone(),
        readers.clone(),
    ));
    tasks.spawn(run_policy(
        WhenSubjectErasedForget(forgetting),
        Source::Stream { jetstream, context: meydan_erasure::OWNER, part: 0 },
        pool,
        clock,
        readers.clone(),
    ));
    let workers = Workers { tasks, end: readers, database };
    Ok(serve(setup.listener, guard, grpc::routes(crm), workers, stop).await?)
}
