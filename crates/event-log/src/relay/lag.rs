//! How far a stream is behind its log: a metric always, and an event when it becomes much and when that is over.

use std::sync::atomic::{AtomicBool, Ordering};

use time::{Duration, OffsetDateTime};

/// From here on somebody should look.
const LATE: Duration = Duration::seconds(10);

/// What a relay knows of its lag.
#[derive(Debug)]
pub(super) struct Lag {
    context: &'static str,
    part: i16,
    late: AtomicBool,
}

impl Lag {
    pub(super) const fn new(context: &'static str, part: i16) -> Self {
        Self { context, part, late: AtomicBool::new(false) }
    }

    /// Nothing waits.
    pub(super) fn none(&self) {
        self.note(Duration::ZERO);
    }

    /// What waits longest was recorded at this moment.
    pub(super) fn since(&self, oldest: OffsetDateTime) {
        self.note(OffsetDateTime::now_utc() - oldest);
    }

    fn note(&self, lag: Duration) {
        let (context, part, seconds) = (self.context, self.part, lag.as_seconds_f64());
        metrics::gauge!("relay_lag_seconds", "context" => context, "part" => part.to_string())
            .set(seconds);
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
