//! Starts the gateway, and ends it in order.

use std::{net::SocketAddr, sync::Arc};

use axum::middleware;
use meydan_event_log::Clock;
use meydan_intake::Intake;
use meydan_rpc::client::Dial;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::{
    CompressionLayer,
    predicate::{DefaultPredicate, NotForContentType, Predicate},
};

use crate::{app::App, headers, limits::Limits, routes};

/// Name of the service: the issuer of its calls.
pub const NAME: &str = "gateway";

/// What the gateway needs from whoever starts it.
#[derive(Debug)]
pub struct Setup {
    /// Where the panel is served.
    pub listener: TcpListener,
    /// Reaches identity.
    pub identity: Dial,
    /// Reaches crm.
    pub crm: Dial,
    /// Reaches the hub.
    pub bot_hub: Dial,
    /// Where updates go.
    pub intake: Intake,
    /// Where changes are told.
    pub nats: async_nats::Client,
    /// Tells the time.
    pub clock: Clock,
    /// Requests, and tries to log in, a minute.
    pub limits: (u32, u32),
    /// Whether the panel is reached through https.
    pub secure: bool,
    /// Whether the panel shows invented people.
    pub demo: bool,
}

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// HTTP cannot be served.
    #[error("the panel cannot be served")]
    Serve(#[from] std::io::Error),
}

/// Runs until `stop`, and answers what is in flight. Open live streams are ended.
///
/// # Errors
///
/// See [`RunError`].
pub async fn run(setup: Setup, stop: CancellationToken) -> Result<(), RunError> {
    let app = App {
        identity: setup.identity,
        crm: setup.crm,
        bot_hub: setup.bot_hub,
        intake: setup.intake,
        nats: setup.nats,
        clock: setup.clock,
        limits: Arc::new(Limits::new(setup.limits.0, setup.limits.1)),
        secure: setup.secure,
        demo: setup.demo,
        zone: meydan_web::Zone::default(),
        sessions: App::session_cache(),
        hooks: App::hook_cache(),
        stop: stop.clone(),
    };
    let panel = routes::panel(app.clone());
    let worth_it = DefaultPredicate::new().and(NotForContentType::new("text/event-stream"));
    let router = panel
        .layer(CompressionLayer::new().compress_when(worth_it))
        .merge(routes::machines())
        .layer(middleware::from_fn_with_state(app.clone(), headers::protect))
        .with_state(app);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(setup.listener, service).with_graceful_shutdown(stop.cancelled_owned()).await?;
    Ok(())
}
