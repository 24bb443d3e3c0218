//! Metrics for Prometheus, on a port of their own that is never public.

use std::net::SocketAddr;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder};

/// Bounds of the buckets for times, in seconds.
const SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Metrics that cannot be served.
#[derive(Debug, thiserror::Error)]
#[error(
    "metrics cannot be served on {listen}, which is in use or not ours: set metrics-listen to another"
)]
pub struct MetricsError {
    /// The address, of the setting `metrics-listen`.
    pub listen: SocketAddr,
    /// Why.
    pub source: BuildError,
}

/// Serves `/metrics` on `listen` from now on.
///
/// # Errors
///
/// [`MetricsError`] when the address cannot be used.
pub fn serve(listen: SocketAddr) -> Result<(), MetricsError> {
    PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .and_then(|builder| builder.with_http_listener(listen).install())
        .map_err(|source| MetricsError { listen, source })
}
