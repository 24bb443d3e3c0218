//! The simulator's clock: it stands still in tests and moves when it is told
//! to, or flows with the real time when the simulator runs as a program.

use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::watch;

/// Time since the simulator began.
#[derive(Debug)]
pub(super) struct Clock {
    began: OffsetDateTime,
    flows_since: Option<Instant>,
    moved: watch::Sender<Duration>,
}

impl Clock {
    /// A clock that moves only when it is moved.
    pub(super) fn still(began: OffsetDateTime) -> Self {
        Self { began, flows_since: None, moved: watch::Sender::new(Duration::ZERO) }
    }

    /// A clock that flows, and can be moved ahead.
    pub(super) fn flowing() -> Self {
        let moved = watch::Sender::new(Duration::ZERO);
        Self { began: OffsetDateTime::now_utc(), flows_since: Some(Instant::now()), moved }
    }

    /// Time since the beginning.
    pub(super) fn now(&self) -> Duration {
        let flowed = self.flows_since.map_or(Duration::ZERO, |since| since.elapsed());
        *self.moved.borrow() + flowed
    }

    /// The same as a date, in seconds since 1970.
    pub(super) fn date(&self) -> i64 {
        (self.began + self.now()).unix_timestamp()
    }

    /// Moves the clock ahead and wakes who waits for that.
    pub(super) fn advance(&self, by: Duration) {
        self.moved.send_modify(|moved| *moved += by);
    }

    /// Waits until the clock shows `due`.
    pub(super) async fn sleep_until(&self, due: Duration) {
        let mut moved = self.moved.subscribe();
        loop {
            moved.borrow_and_update();
            let left = due.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            let flows = self.flows_since.is_some();
            tokio::select! {
                _ = moved.changed() => {}
                () = tokio::time::sleep(left), if flows => {}
            }
        }
    }
}
