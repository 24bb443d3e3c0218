//! The gateway towards clients who take their time, come in masses, stand behind a proxy, or ask for what is not there.

mod headers;
mod refusals;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use gateway::{Patience, Setup, limits::Rates, run};
use meydan_event_log::Clock;
use meydan_intake::Intake;
use meydan_keyring::{KeyFile, Keyring};
use meydan_rpc::{
    caller::Assertions,
    client::Dial,
    pb::bot_hub::{
        GetHookRequest, GetHookResponse,
        hooks_server::{Hooks, HooksServer},
    },
};
use meydan_testkit::servers::{Nats, folder, postgres};
use sqlx::postgres::PgPoolOptions;
use time::macros::datetime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// A hub that knows no webhook, and counts how often it is asked.
#[derive(Clone, Default)]
struct Hub(Arc<AtomicUsize>);

#[tonic::async_trait]
impl Hooks for Hub {
    async fn get_hook(
        &self,
        _: Request<GetHookRequest>,
    ) -> Result<Response<GetHookResponse>, Status> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(Status::not_found("there is no such webhook"))
    }
}

/// A gateway at noon, whose services but the hub are away.
struct Gate {
    address: SocketAddr,
    hub: Hub,
    stop: CancellationToken,
    running: JoinHandle<()>,
    _nats: Nats,
}

impl Gate {
    async fn open(change: impl FnOnce(&mut Setup)) -> Self {
        let (nats, hub, stop) = (Nats::start().await, Hub::default(), CancellationToken::new());
        let bind = async || TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let (panel, hooks) = (bind().await, bind().await);
        let address = panel.local_addr().expect("it has an address");
        let hub_address = hooks.local_addr().expect("it has an address");
        let serving =
            tonic::transport::Server::builder().add_service(HooksServer::new(hub.clone()));
        tokio::spawn(serving.serve_with_incoming(TcpIncoming::from(hooks)));
        let keys = Assertions::generate();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let dial = |audience, address| Dial::new(audience, address, keys.of("gateway"));
        let client = nats.connect().await;
        let secret = KeyFile::open(&folder().path().join("platform.key"));
        let pool = PgPoolOptions::new().connect_lazy(postgres()).expect("the address is sound");
        let keyring = Keyring::new(pool, Arc::new(secret.expect("a key is made")));
        let mut setup = Setup {
            listener: panel,
            identity: dial("identity", nowhere),
            crm: dial("crm", nowhere),
            bot_hub: dial("bot-hub", hub_address),
            audit: dial("audit", hub_address),
            intake: Intake::new(async_nats::jetstream::new(client.clone()), keyring),
            nats: client,
            clock: Clock::new(|| datetime!(2026-11-21 12:00:00 UTC)),
            rates: Rates { panel: 100, login: 2, live: 100 },
            connections: 100,
            patience: Patience::default(),
            trusted_proxies: vec![],
            admin_networks: vec![],
            cities: meydan_cities::Cities::default(),
            public_url: None,
            passkeys: None,
            secure: false,
            demo: false,
        };
        change(&mut setup);
        let running = tokio::spawn(run(setup, stop.clone()));
        Self { address, hub, stop, running, _nats: nats }
    }

    /// Tries to log in through proxies that say so; how that is answered. No form's token is sent, so a try
    /// that counts is refused with 403.
    async fn log_in(&self, forwarded: &str) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
        let request = client
            .post(format!("http://{}/login", self.address))
            .header("X-Forwarded-For", forwarded)
            .body("");
        request.send().await.expect("it is answered").status().as_u16()
    }

    /// Calls a webhook.
    async fn call(&self, hook: u32) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
        let url = format!("http://{}/telegram/{hook:032x}", self.address);
        client.post(url).body("{}").send().await.expect("it is answered").status().as_u16()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }
}

/// What comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut said));
    reading.await.expect("it is closed").expect("it is closed in order");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn behind_trusted_proxies_clients_are_told_apart_by_what_the_last_of_them_says() {
    let proxies = ["127.0.0.0/8", "10.0.0.0/8"].map(|network| network.parse().expect("networks"));
    let gate = Gate::open(|setup| setup.trusted_proxies = proxies.to_vec()).await;

    assert_eq!(gate.log_in("203.0.113.7").await, 403);
    assert_eq!(gate.log_in("203.0.113.7, 10.1.1.1").await, 403);
    assert_eq!(gate.log_in("198.51.100.1, 203.0.113.7").await, 429, "an invented name is no help");
    assert_eq!(gate.log_in("203.0.113.8").await, 403, "the neighbour has tries of their own");
}

#[tokio::test]
async fn without_trusted_proxies_nobody_is_believed() {
    let gate = Gate::open(|_| {}).await;

    assert_eq!(gate.log_in("203.0.113.7").await, 403);
    assert_eq!(gate.log_in("203.0.113.8").await, 403);
    assert_eq!(gate.log_in("203.0.113.9").await, 429);
}

#[tokio::test]
async fn the_hub_is_asked_for_an_unknown_webhook_once_and_for_many_of_them_not_often() {
    let gate = Gate::open(|setup| setup.rates.panel = 3).await;

    for _ in 0..5 {
        assert_eq!(gate.call(1).await, 404);
    }
    assert_eq!(gate.hub.0.load(Ordering::Relaxed), 1);

    assert_eq!((gate.call(2).await, gate.call(3).await), (404, 404));
    assert_eq!((gate.call(4).await, gate.call(5).await), (429, 429));
    assert_eq!(gate.hub.0.load(Ordering::Relaxed), 3);
    assert_eq!(gate.call(1).await, 404, "what is known to be unknown costs nothing");
}

#[tokio::test]
async fn a_request_that_does_not_arrive_is_not_waited_for() {
    let patience = Patience { head: Duration::from_millis(300), body: Duration::from_millis(300) };
    let gate = Gate::open(|setup| setup.patience = patience).await;

    let mut head = gate.connect().await;
    head.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow").await.expect("it is sent");
    let said = rest(&mut head).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");

    let mut body = gate.connect().await;
    let begun = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nemail=";
    body.write_all(begun).await.expect("it is sent");
    let said = rest(&mut body).await;
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
}

#[tokio::test]
async fn there_are_only_so_many_connections_at_a_time() {
    let patience = Patience { head: Duration::from_millis(500), ..Patience::default() };
    let gate = Gate::open(|setup| (setup.connections, setup.patience) = (1, patience)).await;
    let mut first = gate.connect().await;
    first.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it is sent");
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.expect("it is answered");
    assert_eq!(&answer, b"HTTP/1.1 200");

    let mut second = gate.connect().await;
    second.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it is sent");
    second.read_exact(&mut answer).await.expect("it is answered");

    assert_eq!(&answer, b"HTTP/1.1 200");
    // Nothing but its remaining bytes and its end can be read of the first: the second had its place.
    let mut left = Vec::new();
    while first.try_read_buf(&mut left).expect("it has ended, nothing is waited for") > 0 {}
}

#[tokio::test]
async fn half_a_request_does_not_hold_up_the_end() {
    let gate = Gate::open(|_| {}).await;
    let mut half = gate.connect().await;
    // A whole request first: then the connection is certainly taken up.
    half.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /").await.expect("it is sent");
    let mut answer = [0; 12];
    half.read_exact(&mut answer).await.expect("it is answered");

    let began = Instant::now();
    gate.stop.cancel();
    gate.running.await.expect("it ends");

    assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
    rest(&mut half).await;
}

#[tokio::test]
async fn a_request_whose_length_is_told_in_two_ways_smuggles_no_other_one_in() {
    let gate = Gate::open(|_| {}).await;
    let hidden = "GET /livez HTTP/1.1\r\nHost: meydan\r\nConnection: close\r\n\r\n";
    let head = "POST /login HTTP/1.1\r\nHost: meydan\r\n";
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let lengths = format!("Content-Length: 0\r\nContent-Length: {}\r\n\r\n", hidden.len());
    let last = "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n";
    // Chunks count, and not the length beside them; and whatever comes after them is not read (RFC 9112, 6.1).
    let said = told(&gate, &format!("{head}{both}{hidden}")).await;
    assert_eq!(statuses(&said), ["403"]);
    for unclear in [lengths.as_str(), last, "Transfer-Encoding: x\r\n\r\n0\r\n\r\n"] {
        let said = told(&gate, &format!("{head}{unclear}{hidden}")).await;
        assert_eq!(statuses(&said), ["400"], "{unclear}");
    }
}

/// What is answered to these bytes.
async fn told(gate: &Gate, bytes: &str) -> String {
    let mut stream = gate.connect().await;
    stream.write_all(bytes.as_bytes()).await.expect("it is sent");
    rest(&mut stream).await
}

fn statuses(said: &str) -> Vec<&str> {
    said.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.split(' ').next()).collect()
}

#[tokio::test]
async fn there_are_no_folders_no_files_but_our_own_and_no_versions() {
    let gate = Gate::open(|_| {}).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    for path in [
        "/static/",
        "/static/..%2f..%2fCargo.toml",
        "/static/%2e%2e/app.js",
        "/.git/config",
        "/.env",
        "/meydan.toml",
        "/server-status",
        "/debug/pprof",
    ] {
        let answer = client.get(format!("http://{}{path}", gate.address)).send().await;
        let answer = answer.expect("it is answered");
        assert_eq!(answer.status(), 404, "{path}");
        for name in ["server", "x-powered-by", "via"] {
            assert!(answer.headers().get(name).is_none(), "{path} says what it is");
        }
        let page = answer.text().await.expect("it arrives");
        for word in ["axum", "hyper", env!("CARGO_PKG_VERSION"), "Index of"] {
            assert!(!page.contains(word), "{path} says {word}");
        }
    }
}
