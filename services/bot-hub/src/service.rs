//! Starts the service, and ends it in order.

use std::sync::Arc;

use meydan_erasure::Forgetting;
use meydan_event_log::{
    Clock, EventLog, Lock, PrepareError, ProjectionRunner, Relay, Source, lead, prepare_database,
    run_policy,
};
use meydan_intake::Intake;
use meydan_keyring::Keyring;
use meydan_rpc::{
    caller::Assertions,
    client::Dial,
    guard::Guard,
    server::{ServeError, Workers, serve},
};
use meydan_telegram::{BadProxy, Telegram};
use secrecy::SecretString;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    app::BotHub,
    clients::crm::Crm,
    grpc, intake,
    keeper::Keeper,
    outbound::Sender,
    policies::{
        when_campaign_changes_follow::WhenCampaignChangesFollow,
        when_citizen_acted_tell_crm::WhenCitizenActedTellCrm,
        when_reply_written_send::WhenReplyWrittenSend,
        when_subject_erased_forget::WhenSubjectErasedForget,
    },
    projections::Hub,
};

/// Name of the service: its audience, and the actor in the log.
pub const NAME: &str = "bot-hub";

/// Name of the context: of its database and its stream.
const CONTEXT: &str = "bot_hub";

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
    /// Keys of citizens and bots.
    pub keyring: Keyring,
    /// Checks who calls, and says who we are.
    pub assertions: Assertions,
    /// Tells the time.
    pub clock: Clock,
    /// Reaches crm.
    pub crm: Dial,
    /// Where the Bot API is.
    pub telegram_api_url: Url,
    /// Through which proxy it is reached.
    pub telegram_proxy: Option<SecretString>,
    /// Where Telegram can call; without one, the hub asks.
    pub public_url: Option<Url>,
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
    /// Telegram cannot be reached as set.
    #[error(transparent)]
    Proxy(#[from] BadProxy),
}

/// Makes the service's database on `server` and brings it up to date.
///
/// # Errors
///
/// See [`PrepareError`].
pub async fn migrate(server: &str, prefix: &str) -> Result<String, PrepareError> {
    let name = format!("{prefix}{CONTEXT}");
    prepare_database(server, &name, &[&meydan_event_log::MIGRATOR, &MIGRATOR]).await
}

/// Runs until `stop`: answers what is in flight, then ends the readers and the workers.
///
/// # Errors
///
/// See [`RunError`].
pub async fn run(setup: Setup, stop: CancellationToken) -> Result<(), RunError> {
    let telegram = Telegram::new(setup.telegram_api_url, setup.telegram_proxy.as_ref())?;
    let log = EventLog::open(CONTEXT, &setup.database_url, setup.connections).await?;
    let jetstream = async_nats::jetstream::new(setup.nats);
    let pool = log.pool().clone();
    let bots_changed = Arc::new(tokio::sync::Notify::new());
    let tables = Hub { bots_changed: bots_changed.clone() };
    let tables = ProjectionRunner::new(tables, Source::Log(log.clone(), 0), pool.clone());
    let hub = BotHub {
        log: log.clone(),
        keyring: setup.keyring.clone(),
        clock: setup.clock.clone(),
        tables: tables.progress(),
    };
    let planned = Arc::new(tokio::sync::Notify::new());
    let readers = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(tables.run(readers.clone()));
    tasks.spawn(Relay::new(log, jetstream.clone(), 0).run(readers.clone()));
    spawn_policies(&mut tasks, &hub, &jetstream, setup.crm, &planned, &readers);
    let guard = Guard::new(NAME, grpc::POLICIES, setup.assertions, setup.clock.clone())
        .sealing(setup.keyring.clone());
    let intake = Intake::new(jetstream, setup.keyring);
    let keeper = Keeper {
        hub: hub.clone(),
        telegram: telegram.clone(),
        intake,
        public_url: setup.public_url,
        bots_changed,
    };
    let sender = Sender { hub: hub.clone(), telegram: telegram.clone(), planned };
    tasks.spawn(work(hub.clone(), keeper, sender, readers.clone()));
    let routes = grpc::routes(hub, telegram);
    let workers = Workers { tasks, end: readers, database: pool };
    Ok(serve(setup.listener, guard, routes, workers, stop).await?)
}

/// Starts what acts on events: this context's own, crm's, and identity's of campaigns and erasures.
fn spawn_policies(
    tasks: &mut JoinSet<()>,
    hub: &BotHub,
    jetstream: &async_nats::jetstream::Context,
    crm: Dial,
    planned: &Arc<tokio::sync::Notify>,
    stop: &CancellationToken,
) {
    let (pool, clock) = (hub.log.pool(), &hub.clock);
    let stream = |context| Source::Stream { jetstream: jetstream.clone(), context, part: 0 };
    tasks.spawn(run_policy(
        WhenCitizenActedTellCrm { hub: hub.clone(), crm: Crm::new(crm) },
        Source::Log(hub.log.clone(), 0),
        pool.clone(),
        clock.clone(),
        stop.clone(),
    ));
    tasks.spawn(run_policy(
        WhenReplyWrittenSend { hub: hub.clone(), planned: planned.clone() },
        stream("crm"),
        pool.clone(),
        clock.clone(),
        stop.clone(),
    ));
    tasks.spawn(run_policy(
        WhenCampaignChangesFollow(pool.clone()),
        stream(meydan_erasure::OWNER),
        pool.clone(),
        clock.clone(),
        stop.clone(),
    ));
    let forgetting = Forgetting {
        log: hub.log.clone(),
        tables: hub.tables.clone(),
        keyring: hub.keyring.clone(),
        clock: clock.clone(),
    };
    tasks.spawn(run_policy(
        WhenSubjectErasedForget(forgetting),
        stream(meydan_erasure::OWNER),
        pool.clone(),
        clock.clone(),
        stop.clone(),
    ));
}

/// What only one hub does at a time: carries out updates, connects bots, sends answers.
async fn work(hub: BotHub, keeper: Keeper, sender: Sender, stop: CancellationToken) {
    Box::pin(lead(hub.log.pool(), Lock::Worker, &stop, |lease| {
        let (hub, keeper, sender) = (hub.clone(), keeper.clone(), sender.clone());
        async move {
            tokio::join!(
                intake::run(hub.clone(), keeper.intake.clone(), lease.clone()),
                intake::destroy_keys(hub, keeper.intake.clone(), lease.clone()),
                keeper.run(lease.clone()),
                sender.run(lease),
            );
        }
    }))
    .await;
}
