//! `/healthz` says whether all is up, `/livez` whether this process is; neither says anything more.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use meydan_rpc::client::Dial;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::app::App;

/// How long a service may take to say that it is well.
const PATIENCE: Duration = Duration::from_secs(1);

/// 200 when every service and the broker answer, else 503.
pub(super) async fn healthz(State(app): State<App>) -> StatusCode {
    let connected = app.nats.connection_state() == async_nats::connection::State::Connected;
    let well =
        futures::future::join_all([&app.identity, &app.crm, &app.bot_hub, &app.audit].map(is_well))
            .await;
    if connected && well.into_iter().all(|well| well) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

async fn is_well(service: &Dial) -> bool {
    let mut client = HealthClient::new(service.channel());
    let asked = client.check(HealthCheckRequest { service: String::new() });
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    matches!(answer, Ok(Ok(answer)) if answer.get_ref().status == 1)
}

/// 200: the process answers.
pub(super) async fn livez() -> StatusCode {
    StatusCode::OK
}

/// Any other address.
pub(super) async fn nothing_here() -> StatusCode {
    StatusCode::NOT_FOUND
}
