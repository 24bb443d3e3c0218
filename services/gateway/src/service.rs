//! Starts the gateway, and ends it in order.

use std::{sync::Arc, time::Duration};

use axum::middleware;
use ipnet::IpNet;
use meydan_cities::Cities;
use meydan_event_log::Clock;
use meydan_intake::Intake;
use meydan_rpc::client::Dial;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::{
    CompressionLayer,
    predicate::{DefaultPredicate, NotForContentType, Predicate},
};

use url::Url;

use crate::{
    access::Routes,
    app::App,
    changes::{self, Changes},
    headers,
    limits::{Limits, Rates, shared::Shared},
    live::Streams,
    routes,
    serve::{Patience, serve},
};

/// Name of the service: the issuer of its calls.
pub const NAME: &str = "gateway";

/// How long the counters of all gateways are waited for before anybody is served.
const PREPARING: Duration = Duration::from_secs(3);

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
    /// Reaches the audit.
    pub audit: Dial,
    /// Where updates go.
    pub intake: Intake,
    /// Where changes are told.
    pub nats: async_nats::Client,
    /// Tells the time.
    pub clock: Clock,
    /// How often clients may ask.
    pub rates: Rates,
    /// How many connections there may be at a time; others wait.
    pub connections: usize,
    /// How long a request may take to arrive.
    pub patience: Patience,
    /// The proxies whose word on who asks is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The networks from which alone admins work; empty for everywhere.
    pub admin_networks: Vec<IpNet>,
    /// In which city an address is.
    pub cities: Cities,
    /// How the panel is reached from outside, when that is set.
    pub public_url: Option<Url>,
    /// The origin at which people use passkeys, if there is one.
    pub passkeys: Option<Url>,
    /// Whether the panel is reached through https.
    pub secure: bool,
    /// Whether the panel shows invented people.
    pub demo: bool,
}

/// Runs until `stop`, and answers what is in flight. Open live streams are ended.
pub async fn run(setup: Setup, stop: CancellationToken) {
    let app = App {
        identity: setup.identity,
        crm: setup.crm,
        bot_hub: setup.bot_hub,
        audit: setup.audit,
        rates: Shared::new(setup.nats.clone(), setup.intake.keyring().clone()),
        intake: setup.intake,
        nats: setup.nats,
        clock: setup.clock,
        limits: Arc::new(Limits::new(setup.rates)),
        trusted_proxies: setup.trusted_proxies.into(),
        admin_networks: setup.admin_networks.into(),
        cities: setup.cities,
        public_url: setup.public_url,
        passkeys: setup.passkeys,
        patience: setup.patience,
        secure: setup.secure,
        demo: setup.demo,
        zone: meydan_web::Zone::default(),
        sessions: App::session_cache(),
        looks: App::look_cache(),
        changes: Changes::default(),
        hooks: App::hook_cache(),
        strange_hooks: App::strange_hook_cache(),
        streams: Streams::default(),
        stop: stop.clone(),
    };
    // Without the broker it goes on, and each gateway counts for itself.
    let _ = tokio::time::timeout(PREPARING, app.rates.prepare()).await;
    let following = tokio::spawn(changes::follow(app.clone()));
    let Routes { pages, machines, .. } = routes::all(app.clone());
    let worth_it = DefaultPredicate::new().and(NotForContentType::new("text/event-stream"));
    let router = pages
        .layer(CompressionLayer::new().compress_when(worth_it))
        .merge(machines)
        .layer(middleware::from_fn_with_state(app.clone(), headers::protect))
        .with_state(app);
    serve(setup.listener, router, (setup.connections, setup.patience.head), stop).await;
    // It ends with the gateway, and has nothing to finish.
    following.abort();
}
