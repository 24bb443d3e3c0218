//! A gRPC server with health, reflection, a guard, and an orderly end.

use std::{net::SocketAddr, time::Duration};

use tokio::net::TcpListener;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};

use crate::{guard::Guard, pb::DESCRIPTORS};

/// Longest that any call may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// A server that does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The transport failed.
    #[error("the gRPC server failed")]
    Transport(#[from] tonic::transport::Error),
    /// The contracts compiled into the program are damaged.
    #[error("reflection cannot be offered")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Listens on `address`; port 0 takes any free one.
///
/// # Errors
///
/// [`ServeError::Listen`]
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen(address, error))
}

/// Serves `routes` until `stop`, then finishes what is in flight.
///
/// # Errors
///
/// See [`ServeError`].
pub async fn serve(
    listener: TcpListener,
    guard: Guard,
    routes: Routes,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    Server::builder()
        .timeout(DEADLINE)
        .layer(guard)
        .add_routes(routes.add_service(health_service).add_service(reflection))
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            async move {
                stop.await;
                health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
            },
        )
        .await?;
    Ok(())
}
