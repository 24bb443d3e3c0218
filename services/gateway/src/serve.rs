//! HTTP/1.1 on a listener, with a limit on whatever a client could hold on to: connections, the time until
//! a request has arrived, and the time that an end of the program waits for it.
//!
//! A proxy that speaks TLS and HTTP/2 to browsers speaks HTTP/1.1 to us.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// How long a client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until the head of a request has arrived, from the end of the one before: also how long a connection
    /// may be silent.
    pub head: Duration,
    /// Until the body of a request has arrived.
    pub body: Duration,
}

impl Default for Patience {
    /// A minute, as proxies keep silent connections; half of it for a body, whose largest is 1 MiB.
    fn default() -> Self {
        Self { head: Duration::from_secs(60), body: Duration::from_secs(30) }
    }
}

/// Lines of a head that are read; the reader of HTTP drops a request with more.
const LINES: usize = 500;
/// How long a connection on which nothing is being answered has to take its last bytes, at the end.
const FAREWELL: Duration = Duration::from_millis(300);
/// How long to wait when the system lets us accept nobody, for instance for lack of file descriptors.
const BREATH: Duration = Duration::from_millis(500);

/// Serves `router` until `stop`, then finishes what is being answered. `most` connections are open at a time,
/// each for at most `head` without a request.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    (most, head): (usize, Duration),
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(most));
    let tasks = TaskTracker::new();
    loop {
        let accepted = async {
            let place = room.clone().acquire_owned().await.expect("the semaphore is never closed");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let (router, stop) = (router.clone(), stop.clone());
        tasks.spawn(async move {
            connection(socket, peer, router, (head, stop)).await;
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    router: Router,
    (head, stop): (Duration, CancellationToken),
) {
    // Answers are whole: waiting for more of them would only delay the last piece.
    let _ = socket.set_nodelay(true);
    let busy = Arc::new(AtomicUsize::new(0));
    let service = service_fn(|request| {
        let busy = Busy::begin(&busy);
        answer(router.clone(), peer, request, busy)
    });
    let mut server = http1::Builder::new();
    // More lines than are looked at, so that whoever sends too many is told so in words.
    server.timer(TokioTimer::new()).header_read_timeout(head).max_headers(LINES);
    let mut connection = pin!(server.serve_connection(TokioIo::new(socket), service));
    tokio::select! {
        done = connection.as_mut() => return told(done),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    loop {
        match tokio::time::timeout(FAREWELL, connection.as_mut()).await {
            Ok(done) => return told(done),
            // Half a request is no request.
            Err(_) if busy.load(Ordering::Relaxed) == 0 => return,
            Err(_) => {}
        }
    }
}

/// Clients that go away in the middle are everyday.
fn told(done: Result<(), hyper::Error>) {
    if let Err(error) = done {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    request: Request<Incoming>,
    busy: Busy,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.oneshot(request).await;
    drop(busy);
    response
}

/// Something that is being answered.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
