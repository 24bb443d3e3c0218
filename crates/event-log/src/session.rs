//! Sessions of the log with PostgreSQL: under the service role, and never waiting for ever.

use std::time::{Duration, Instant};

use sqlx::{
    ConnectOptions, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

const SETTINGS: &str = "SET ROLE meydan_service; SET lock_timeout = '2s'; SET statement_timeout = '10s'; \
                        SET idle_in_transaction_session_timeout = '10s'";

/// How long to wait for a session.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait for the first one: a machine on which everything starts at once is slow for a while.
const OPENING: Duration = Duration::from_secs(10);

/// A session outside the pool, for what asks so often that the pool's own round trips would count: it asks
/// each session whether it lives, before and after every use.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connect = async {
        let mut session = options.connect().await?;
        sqlx::raw_sql(SETTINGS).execute(&mut session).await?;
        Ok(session)
    };
    tokio::time::timeout(PATIENCE, connect).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// A pool for everything else, and for services that keep tables without a log of their own.
///
/// # Errors
///
/// Fails if PostgreSQL cannot be reached or the log's migrations have not been run.
pub async fn service_pool(
    options: PgConnectOptions,
    connections: u32,
) -> Result<PgPool, sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(connections).after_connect(|session, _| {
        Box::pin(async move { sqlx::raw_sql(SETTINGS).execute(session).await.map(|_| ()) })
    });
    open_pool(pool, options).await
}

/// Opens a pool: with patience for its first session, and with less for each that is asked for later.
///
/// Whoever gives up while a transaction begins leaves it open in a session that goes back to the pool, and whatever
/// the next one writes there would never be committed. So the look whether a session lives, which comes before every
/// use, is a rollback. It costs as much as any other look.
///
/// # Errors
///
/// Fails if PostgreSQL cannot be reached.
pub async fn open_pool(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) -> Result<PgPool, sqlx::Error> {
    let began = Instant::now();
    // There is mostly nothing to roll back, and no need to be warned of that.
    let options = options.options([("client_min_messages", "error")]);
    let pool = pool
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .before_acquire(|session, _| {
            Box::pin(async move { sqlx::raw_sql("ROLLBACK").execute(session).await.map(|_| true) })
        })
        .connect_lazy_with(options);
    loop {
        match pool.acquire().await {
            Err(sqlx::Error::PoolTimedOut) if began.elapsed() < OPENING => {}
            opened => {
                drop(opened?);
                return Ok(pool);
            }
        }
    }
}
