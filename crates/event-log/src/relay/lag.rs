//! How far a stream is behind its log: a metric always, and an event when it becomes much and when that is over.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use time::{Duration, OffsetDateTime};

/// From here on somebody should look.
const LATE: Duration = Duration::seconds(10);

/// What a relay knows of its lag.
#[derive(Debug)]
pub(super) struct Lag {
    context: &'static str,
    part: i16,
    late: AtomicBool,
    /// When that was recorded which waits longest.
    oldest: Mutex<Option<OffsetDateTime>>,
}

impl Lag {
    pub(super) const fn new(context: &'static str, part: i16) -> Self {
        Self { context, part, late: AtomicBool::new(false), oldest: Mutex::new(None) }
    }

    /// What waits longest was recorded at this moment; or nothing waits.
    pub(super) fn since(&self, oldest: Option<OffsetDateTime>) {
        *self.oldest.lock().expect("nobody panics while holding it") = oldest;
        self.note();
    }

    /// Nothing goes out any more: what is recorded from now on waits, if nothing is known to wait for longer.
    pub(super) fn stuck(&self) {
        let now = OffsetDateTime::now_utc();
        self.oldest.lock().expect("nobody panics while holding it").get_or_insert(now);
        self.note();
    }

    /// Another one leads, and knows it from here on.
    pub(super) fn forget(&self) {
        *self.oldest.lock().expect("nobody panics while holding it") = None;
        self.late.store(false, Ordering::Relaxed);
        self.show(0.0);
    }

    fn show(&self, seconds: f64) {
        let (context, part) = (self.context, self.part.to_string());
        metrics::gauge!("relay_lag_seconds", "context" => context, "part" => part).set(seconds);
    }

    /// Time has passed, and what waited may wait still.
    pub(super) fn note(&self) {
        let oldest = *self.oldest.lock().expect("nobody panics while holding it");
        let lag = oldest.map_or(Duration::ZERO, |oldest| OffsetDateTime::now_utc() - oldest);
        let (context, part, seconds) = (self.context, self.part, lag.as_seconds_f64());
        self.show(seconds);
        let late = lag > LATE;
        if self.late.swap(late, Ordering::Relaxed) == late {
            return;
        }
        if late {
            tracing::warn!(context, part, seconds, "the stream is behind its log");
        } else {
            tracing::info!(context, part, "the stream has caught up with its log");
        }
    }
}
