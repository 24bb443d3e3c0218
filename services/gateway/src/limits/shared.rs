//! Counters that all gateways share: one JetStream stream of counters in the broker's memory, a subject for each asker
//! and minute (NATS 2.12, ADR-49). To add one is one question, whose answer is what all have counted together.
//!
//! Subjects are keyed hashes: the broker learns no address. Whatever goes wrong here, each gateway's own counters hold.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{
    HeaderMap,
    connection::State,
    jetstream::{self, stream},
};
use hmac::{Hmac, KeyInit, Mac};
use meydan_event_log::PLATFORM;
use meydan_keyring::Keyring;
use sha2::Sha256;
use tokio::sync::{Mutex, OnceCell, Semaphore};

use super::{Asker, RateClass};

/// Name of the stream.
const STREAM: &str = "RATES";
/// How long the broker may take. A login waits no longer for it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a counter is kept after it was last added to: its minute, and what clocks differ by.
const KEPT: Duration = Duration::from_secs(150);
/// Most memory of the counters, in bytes. The oldest go first.
const ROOM: i64 = 64 * 1024 * 1024;
/// Additions that are under way at a time; what comes beyond them is counted by this gateway alone.
const UNDER_WAY: usize = 1_000;

/// Counters of all gateways.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    nats: async_nats::Client,
    jetstream: jetstream::Context,
    keyring: Keyring,
    /// What subjects are hashed with: the same in every gateway.
    key: OnceCell<Vec<u8>>,
    /// Whether the stream was there when it was last looked for.
    ready: AtomicBool,
    /// Held by whoever looks for it.
    preparing: Mutex<()>,
    under_way: Semaphore,
}

impl Shared {
    /// Counters in `nats`, named under a key of `keyring`.
    #[must_use]
    pub fn new(nats: async_nats::Client, keyring: Keyring) -> Self {
        let jetstream = jetstream::new(nats.clone());
        Self(Arc::new(Inner {
            nats,
            jetstream,
            keyring,
            key: OnceCell::new(),
            ready: AtomicBool::new(false),
            preparing: Mutex::default(),
            under_way: Semaphore::new(UNDER_WAY),
        }))
    }

    /// Makes the stream, when it is not there. Until it is, each gateway counts for itself.
    pub async fn prepare(&self) {
        let _alone = self.0.preparing.lock().await;
        let away = self.0.nats.connection_state() != State::Connected;
        if away || self.0.ready.load(Ordering::Relaxed) {
            return;
        }
        match self.0.prepare().await {
            Ok(()) => self.0.ready.store(true, Ordering::Relaxed),
            Err(error) => tracing::debug!(error, "requests are counted by this gateway alone"),
        }
    }

    /// Adds one; how much all gateways have counted of this asker in this minute. `None` when that cannot be said in
    /// time.
    pub async fn add(&self, class: RateClass, asker: Asker, minute: i64) -> Option<u32> {
        let inner = &*self.0;
        if inner.nats.connection_state() != State::Connected {
            return None;
        }
        if !inner.ready.load(Ordering::Relaxed) {
            if inner.preparing.try_lock().is_ok() {
                let shared = self.clone();
                tokio::spawn(async move { shared.prepare().await });
            }
            return None;
        }
        let _place = inner.under_way.try_acquire().ok()?;
        match tokio::time::timeout(PATIENCE, inner.add(class, asker, minute)).await {
            Ok(Ok(total)) => return Some(total),
            Ok(Err(error)) => {
                tracing::debug!(error, "a request is counted by this gateway alone");
                // The stream may be gone, with the broker that held it.
                inner.ready.store(false, Ordering::Relaxed);
            }
            Err(_) => tracing::debug!("the broker is slow to count a request"),
        }
        metrics::counter!("rates_not_shared").increment(1);
        None
    }
}

/// Why the others cannot be asked.
type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Inner {
    async fn key(&self) -> Result<&[u8], Failure> {
        let key = self.key.get_or_try_init(|| async {
            let key = self.keyring.blind_index(PLATFORM, "gateway.rates", b"counters").await?;
            Ok::<_, meydan_keyring::KeyError>(key.to_vec())
        });
        Ok(key.await?)
    }

    async fn prepare(&self) -> Result<(), Failure> {
        self.key().await?;
        self.jetstream.get_or_create_stream(config()).await?;
        Ok(())
    }

    async fn add(&self, class: RateClass, asker: Asker, minute: i64) -> Result<u32, Failure> {
        let subject = subject(self.key().await?, class, asker, minute);
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Incr", "1");
        let sent = self.jetstream.publish_with_headers(subject, headers, "".into()).await?;
        Ok(sent.await?.value.ok_or("the stream does not count")?.parse()?)
    }
}

fn config() -> stream::Config {
    stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["gateway.rates.>".to_owned()],
        storage: stream::StorageType::Memory,
        max_age: KEPT,
        max_bytes: ROOM,
        max_messages_per_subject: 1,
        allow_message_counter: true,
        ..Default::default()
    }
}

fn subject(key: &[u8], class: RateClass, asker: Asker, minute: i64) -> String {
    use std::fmt::Write;
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(format!("{class:?}|{asker:?}").as_bytes());
    let mut subject = format!("gateway.rates.{minute}.");
    for byte in &mac.finalize().into_bytes()[..16] {
        write!(subject, "{byte:02x}").expect("a string takes any text");
    }
    subject
}
