//! A service whose parts fail is not said to be well.

use std::{net::SocketAddr, time::Duration};

use meydan_event_log::Clock;
use meydan_rpc::{
    caller::Assertions,
    guard::Guard,
    server::{ServeError, Workers, listen, serve},
};
use meydan_testkit::servers::{Postgres, folder, postgres};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

fn database(url: &str) -> PgPool {
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_secs(1));
    pool.connect_lazy(url).expect("the address is sound")
}

/// A server with nothing but its health.
async fn served(
    workers: Workers,
    stop: CancellationToken,
) -> (SocketAddr, JoinHandle<Result<(), ServeError>>) {
    let folder = folder();
    let keys = Assertions::from_file(&folder.path().join("key.pem")).expect("a key is made");
    let guard = Guard::new("test", &[], keys, Clock::system());
    let listener = listen(([127, 0, 0, 1], 0).into()).await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let serving = tokio::spawn(serve(listener, guard, Routes::default(), workers, stop));
    (address, serving)
}

#[tokio::test]
async fn a_worker_that_panics_ends_the_service_with_an_error() {
    let (end, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let other = end.clone();
    tasks.spawn(async move { other.cancelled().await });
    tasks.spawn(async { panic!("this one is broken") });
    let workers = Workers { tasks, end: end.clone(), database: database(postgres()) };

    let (_, serving) = served(workers, CancellationToken::new()).await;

    let outcome = serving.await.expect("the server itself does not panic");
    assert!(matches!(outcome, Err(ServeError::Worker(Some(_)))), "{outcome:?}");
    assert!(end.is_cancelled(), "the other workers were ended");
}

#[tokio::test]
async fn health_follows_the_database() {
    let mut postgres = Postgres::start().await;
    let (end, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let working = end.clone();
    tasks.spawn(async move { working.cancelled().await });
    let workers = Workers { tasks, end, database: database(&postgres.url()) };
    let stop = CancellationToken::new();
    let (address, serving) = served(workers, stop.clone()).await;
    let channel = Endpoint::from_shared(format!("http://{address}")).expect("it is an address");
    let mut client = HealthClient::new(channel.connect_lazy());
    let request = HealthCheckRequest { service: String::new() };
    let mut health = client.watch(request).await.expect("it is watched").into_inner();
    let mut next =
        async || health.message().await.expect("it is told").expect("it goes on").status();
    assert_eq!(next().await, ServingStatus::Serving);

    postgres.kill().await;
    assert_eq!(next().await, ServingStatus::NotServing);
    postgres.restart().await;
    assert_eq!(next().await, ServingStatus::Serving);

    drop((health, client));
    stop.cancel();
    serving.await.expect("it ends").expect("it ends in order");
}
