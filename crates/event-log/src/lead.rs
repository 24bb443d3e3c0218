//! One leader among replicas, by a lock that lives as long as a database session.
//!
//! A leader that was asleep while its session ended may act a moment longer than it leads. Whoever works
//! here bears that: the stream refuses a second relay, and a checkpoint moves only from where it was.

use std::{future::Future, time::Duration};

use sqlx::{
    Connection, PgPool,
    pool::PoolConnection,
    postgres::{PgConnection, Postgres},
};
use tokio_util::sync::CancellationToken;

/// Pause of a replica that does not lead, and of a leader between looks at its session.
const LOOK: Duration = Duration::from_secs(1);

/// The locks of a context's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Publishing a partition of the log.
    Relay(i16),
    /// Whatever else only one replica does.
    Worker,
}

impl Lock {
    const fn key(self) -> (i32, i32) {
        match self {
            Self::Relay(part) => (7101, part as i32),
            Self::Worker => (7102, 0),
        }
    }
}

/// Runs `work` while this replica leads, again and again until `stop`. `work` ends when its token says so.
pub async fn lead<W, F>(pool: &PgPool, lock: Lock, stop: &CancellationToken, work: W)
where
    W: Fn(CancellationToken) -> F,
    F: Future<Output = ()> + Send,
{
    while !stop.is_cancelled() {
        if let Some(session) = acquire(pool, lock).await {
            let lease = stop.child_token();
            tokio::join!(work(lease.clone()), watch(session, &lease));
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// A session that holds the lock, if nobody else does. It never goes back to the pool: when it ends, the
/// lock is free.
async fn acquire(pool: &PgPool, lock: Lock) -> Option<PgConnection> {
    let mut session = pool.acquire().await.ok()?;
    let (kind, part) = lock.key();
    let locked = sqlx::query_scalar!("SELECT pg_try_advisory_lock($1, $2)", kind, part)
        .fetch_one(&mut *session)
        .await;
    matches!(locked, Ok(Some(true))).then(|| PoolConnection::<Postgres>::detach(session))
}

/// Ends the lease when the session does, and the session when the lease does.
async fn watch(mut session: PgConnection, lease: &CancellationToken) {
    loop {
        tokio::select! {
            () = lease.cancelled() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        if session.ping().await.is_err() {
            tracing::warn!("the session that holds the lead was lost");
            lease.cancel();
            return;
        }
    }
    let _ = session.close().await;
}
