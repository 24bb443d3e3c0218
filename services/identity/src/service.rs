//! Starts the service, and ends it in order.

use meydan_erasure::Forgetting;
use meydan_event_log::{
    Clock, EventLog, Policy, PrepareError, ProjectionRunner, Relay, Source, prepare_database,
    run_policy,
};
use meydan_keyring::Keyring;
use meydan_rpc::{
    caller::Assertions,
    guard::Guard,
    server::{ServeError, Workers, serve},
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    app::Identity,
    changes::Changes,
    grpc,
    letters::Post,
    password::Parameters,
    policies::{
        when_campaign_deleted_erase::WhenCampaignDeletedErase,
        when_campaign_leaves_tell::WhenCampaignLeavesTell,
        when_deletion_requested_delete::WhenDeletionRequestedDelete,
        when_maker_goes_revoke_keys::WhenMakerGoesRevokeKeys,
        when_subject_erased_forget::WhenSubjectErasedForget,
    },
    projections::Directory,
    relying_party::RelyingParty,
};

/// Name of the context: of its database, its stream and its audience.
pub const NAME: &str = "identity";

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
    /// Keys of accounts.
    pub keyring: Keyring,
    /// Checks who calls.
    pub assertions: Assertions,
    /// Tells the time.
    pub clock: Clock,
    /// How letters leave.
    pub post: Post,
    /// The origin at which people use passkeys, if there is one.
    pub passkeys: Option<Url>,
    /// How much work the hash of a password is.
    pub passwords: Parameters,
    /// Logins that an account takes a minute: of each browser that it knows, and of all others together.
    pub login_limit: i32,
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
    let changes = Changes { nats: setup.nats, pool: log.pool().clone() };
    let directory = Directory { changes: Some(changes.clone()) };
    let directory =
        ProjectionRunner::new(directory, Source::Log(log.clone(), 0), log.pool().clone());
    let clock = setup.clock;
    let guard = Guard::new(NAME, grpc::POLICIES, setup.assertions, clock.clone())
        .sealing(setup.keyring.clone());
    let forgetting = Forgetting {
        log: log.clone(),
        tables: directory.progress(),
        keyring: setup.keyring.clone(),
        clock: clock.clone(),
    };
    let identity = Identity::new(
        (log.clone(), setup.keyring),
        (directory.progress(), changes),
        clock.clone(),
        setup.post,
        (setup.passwords, setup.login_limit),
        setup.passkeys.as_ref().and_then(RelyingParty::at),
    );
    let database = log.pool().clone();
    let readers = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let own = (&log, &clock, &readers);
    tasks.spawn(directory.run(readers.clone()));
    tasks.spawn(Relay::new(log.clone(), jetstream, 0).run(readers.clone()));
    tasks.spawn(answering(WhenSubjectErasedForget(forgetting), own));
    tasks.spawn(answering(
        WhenDeletionRequestedDelete { identity: identity.clone(), pool: log.pool().clone() },
        own,
    ));
    tasks.spawn(answering(WhenCampaignLeavesTell(identity.clone()), own));
    tasks.spawn(answering(WhenCampaignDeletedErase(log.clone()), own));
    tasks.spawn(answering(WhenMakerGoesRevokeKeys(identity.clone()), own));
    tasks.spawn(identity.clone().record_failures(readers.clone()));
    tasks.spawn(identity.clone().answer_recoveries(readers.clone()));
    tasks.spawn(identity.sender().run(readers.clone()));
    let routes = grpc::routes(identity);
    let workers = Workers { tasks, end: readers, database };
    Ok(serve(setup.listener, guard, routes, workers, stop).await?)
}

/// Runs a policy that answers to what identity itself records.
fn answering<P: Policy>(
    policy: P,
    (log, clock, end): (&EventLog, &Clock, &CancellationToken),
) -> impl Future<Output = ()> + use<P> {
    let (own, pool) = (Source::Log(log.clone(), 0), log.pool().clone());
    run_policy(policy, own, pool, clock.clone(), end.clone())
}
