//! A gRPC server with health, a guard, and an orderly end, together with the workers of its service.

use std::{net::SocketAddr, time::Duration};

use sqlx::PgPool;
use tokio::{
    net::TcpListener,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::guard::Guard;

/// Longest that any call may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often to look whether the database answers.
const LOOK: Duration = Duration::from_secs(1);
/// How long it may take. Under load a connection is waited for, which is no illness.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The transport failed.
    #[error("the gRPC server failed")]
    Transport(#[from] tonic::transport::Error),
    /// A reader or worker ended by itself, or panicked. What it did is not done any more, so the service
    /// ends as well, and whoever watches over it starts it again.
    #[error("a worker of the service ended by itself")]
    Worker(#[source] Option<JoinError>),
}

/// Listens on `address`; port 0 takes any free one.
///
/// # Errors
///
/// [`ServeError::Listen`]
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen(address, error))
}

/// What a service does besides answering calls.
#[derive(Debug)]
pub struct Workers {
    /// Its readers and workers. Each runs until `end` says so: one that ends before is a failure.
    pub tasks: JoinSet<()>,
    /// Ends them.
    pub end: CancellationToken,
    /// The database without which the service is not well.
    pub database: PgPool,
}

/// Serves `routes` until `stop`, then finishes what is in flight and ends the workers. While it serves, its
/// health follows the database's.
///
/// # Errors
///
/// See [`ServeError`].
pub async fn serve(
    listener: TcpListener,
    guard: Guard,
    routes: Routes,
    workers: Workers,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let Workers { mut tasks, end, database } = workers;
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status("", ServingStatus::Serving).await;
    let stopped = health.clone();
    let serving = Server::builder()
        .timeout(DEADLINE)
        .layer(guard)
        .add_routes(routes.add_service(health_service))
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            async move {
                stop.cancelled_owned().await;
                stopped.set_service_status("", ServingStatus::NotServing).await;
            },
        );
    let served = tokio::select! {
        served = serving => served.map_err(ServeError::from),
        Some(ended) = tasks.join_next() => Err(ServeError::Worker(ended.err())),
        () = follow(&database, &health) => Ok(()),
    };
    end.cancel();
    while tasks.join_next().await.is_some() {}
    served
}

/// Says that the service is well while its database answers.
async fn follow(database: &PgPool, health: &HealthReporter) {
    let mut well = true;
    loop {
        tokio::time::sleep(LOOK).await;
        let asked = sqlx::raw_sql("SELECT 1").execute(database);
        let answers = matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(_)));
        if answers != well {
            well = answers;
            tracing::warn!(answers, "the database");
            let status = if well { ServingStatus::Serving } else { ServingStatus::NotServing };
            health.set_service_status("", status).await;
        }
    }
}
