//! Starts the service, and ends it in order.

use std::{path::PathBuf, str::FromStr};

use meydan_event_log::{Clock, PrepareError, prepare_database, service_pool};
use meydan_keyring::Keyring;
use meydan_rpc::{
    caller::Assertions,
    guard::Guard,
    server::{ServeError, Workers, serve},
};
use sqlx::postgres::PgConnectOptions;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    follow::{LOGS, follow},
    grpc,
    note::Notary,
    post::{Poster, Posting},
    sign::{Pace, Signer},
};

/// Name of the context: of its database and its audience.
pub const NAME: &str = "audit";

/// Name of the file of checkpoints, in the folder that the settings name.
pub const FILE: &str = "checkpoints";

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
    /// Opens the addresses of those who act.
    pub keyring: Keyring,
    /// Checks who calls.
    pub assertions: Assertions,
    /// Tells the time.
    pub clock: Clock,
    /// Signs checkpoints.
    pub notary: Notary,
    /// The folder of the file of checkpoints.
    pub folder: PathBuf,
    /// When checkpoints are signed.
    pub pace: Pace,
    /// Where they are posted, if anywhere.
    pub posting: Option<Posting>,
}

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database cannot be opened.
    #[error("the database of {NAME} cannot be opened")]
    Database(#[from] sqlx::Error),
    /// gRPC cannot be served.
    #[error("the gRPC server of {NAME} failed")]
    Serve(#[from] ServeError),
}

/// Makes the service's database on `server` and brings it up to date. It has the tables of a log for its readers'
/// checkpoints; no fact is recorded there.
///
/// # Errors
///
/// See [`PrepareError`].
pub async fn migrate(server: &str, prefix: &str) -> Result<String, PrepareError> {
    let name = format!("{prefix}{NAME}");
    prepare_database(server, &name, &[&meydan_event_log::MIGRATOR, &MIGRATOR]).await
}

/// Runs until `stop`: answers what is in flight, then ends the readers and signs what they made.
///
/// # Errors
///
/// See [`RunError`].
pub async fn run(setup: Setup, stop: CancellationToken) -> Result<(), RunError> {
    let to = PgConnectOptions::from_str(&setup.database_url)?;
    let pool = service_pool(to, setup.connections).await?;
    let jetstream = async_nats::jetstream::new(setup.nats);
    let workers = CancellationToken::new();
    let mut tasks = JoinSet::new();
    for log in LOGS {
        tasks.spawn(follow(pool.clone(), jetstream.clone(), log, workers.clone()));
    }
    let signer = Signer {
        pool: pool.clone(),
        notary: setup.notary,
        file: setup.folder.join(FILE),
        pace: setup.pace,
        clock: setup.clock.clone(),
    };
    tasks.spawn(signer.run(workers.clone()));
    if let Some(posting) = setup.posting {
        let poster = Poster::new(pool.clone(), posting, setup.clock.clone());
        tasks.spawn(poster.run(workers.clone()));
    }
    let guard = Guard::new(NAME, grpc::POLICIES, setup.assertions, setup.clock);
    let workers = Workers { tasks, end: workers, database: pool.clone() };
    Ok(serve(setup.listener, guard, grpc::routes(pool, setup.keyring), workers, stop).await?)
}
