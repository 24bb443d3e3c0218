//! A collector of traces, as far as tests need one: it takes OTLP over gRPC and lets one look.

use std::{collections::BTreeSet, net::SocketAddr, sync::Mutex, time::Duration};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// How long a test waits for spans, which come in batches.
const PATIENCE: Duration = Duration::from_secs(30);

/// A span that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its trace, hexadecimal.
    pub trace: String,
    /// What it is called.
    pub name: String,
}

#[derive(Debug, Default)]
struct Store {
    spans: Mutex<Vec<Span>>,
    more: Notify,
}

struct Collector(std::sync::Arc<Store>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let spans =
            resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
        let spans = spans.map(|span| Span {
            trace: span
                .trace_id
                .iter()
                .fold(String::new(), |text, byte| format!("{text}{byte:02x}")),
            name: span.name,
        });
        self.0.spans.lock().expect("no test panics here").extend(spans);
        self.0.more.notify_waiters();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A running collector. It stops when it is dropped.
#[derive(Debug)]
pub struct OtlpSink {
    store: std::sync::Arc<Store>,
    address: SocketAddr,
    _stop: DropGuard,
}

impl OtlpSink {
    /// Starts on a free port.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let store = std::sync::Arc::new(Store::default());
        let stop = CancellationToken::new();
        let service = TraceServiceServer::new(Collector(store.clone()));
        let serving =
            tonic::transport::Server::builder().add_service(service).serve_with_incoming_shutdown(
                TcpIncoming::from(listener),
                stop.clone().cancelled_owned(),
            );
        tokio::spawn(serving);
        Self { store, address, _stop: stop.drop_guard() }
    }

    /// Where it takes spans.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for a trace that holds spans of all these names, and returns the names of all its spans.
    ///
    /// # Panics
    ///
    /// When there never is one; says what came instead.
    pub async fn wait_for_trace(&self, names: &[&str]) -> BTreeSet<String> {
        let looking = async {
            loop {
                let more = self.store.more.notified();
                if let Some(found) = self.trace_with(names) {
                    return found;
                }
                more.await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, looking).await;
        found.unwrap_or_else(|_| {
            panic!("no trace holds {names:?}; the traces are {:#?}", self.traces())
        })
    }

    fn traces(&self) -> std::collections::BTreeMap<String, BTreeSet<String>> {
        let mut traces = std::collections::BTreeMap::<String, BTreeSet<String>>::new();
        for span in self.store.spans.lock().expect("no test panics here").iter() {
            traces.entry(span.trace.clone()).or_default().insert(span.name.clone());
        }
        traces
    }

    fn trace_with(&self, names: &[&str]) -> Option<BTreeSet<String>> {
        self.traces().into_values().find(|trace| names.iter().all(|name| trace.contains(*name)))
    }
}
