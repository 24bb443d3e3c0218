//! What the keeper remembers of one campaign: the job at hand, and when the next is due.

use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::projections::bots::BotRow;

/// Pause after the first failure; doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// What is done for a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Try its token, and set or remove its webhook.
    Connect,
    /// See whether its webhook is what it should be.
    Check,
    /// Ask for its updates.
    Poll,
    /// Only take away the webhooks of bots that were replaced or forgotten.
    Leave,
}

/// What follows a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Whatever the table then shows.
    Settled,
    /// Nothing for so long.
    After(Duration),
    /// Nothing until then.
    At(OffsetDateTime),
    /// Again, later each time.
    Failed,
}

/// What is remembered.
#[derive(Debug)]
pub(super) struct Desk {
    /// The webhook of the token that was last seen.
    hook_id: String,
    /// Whether it was being connected then.
    connecting: bool,
    job: Option<(Work, CancellationToken)>,
    due: OffsetDateTime,
    failures: u32,
}

impl Desk {
    pub(super) const fn new(now: OffsetDateTime) -> Self {
        Self { hook_id: String::new(), connecting: false, job: None, due: now, failures: 0 }
    }

    /// Takes note of how the bot stands: another token, or another try, is due at once, and a job that is
    /// not wanted any more ends.
    pub(super) fn look(&mut self, bot: Option<&BotRow>, wanted: Option<Work>, now: OffsetDateTime) {
        let hook_id = bot.map(|bot| bot.hook_id.as_str()).unwrap_or_default();
        let connecting = bot.is_some_and(|bot| bot.state == "connecting");
        let other = hook_id != self.hook_id;
        if other || (connecting && !self.connecting) {
            (self.due, self.failures) = (now, 0);
        }
        if let Some((work, end)) = &self.job
            && (other || wanted != Some(*work))
        {
            end.cancel();
        }
        hook_id.clone_into(&mut self.hook_id);
        self.connecting = connecting;
    }

    /// Whether a job is at hand.
    pub(super) const fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// Whether a job may begin.
    pub(super) fn is_free(&self, now: OffsetDateTime) -> bool {
        self.job.is_none() && self.due <= now
    }

    pub(super) fn begin(&mut self, work: Work, end: CancellationToken) {
        self.job = Some((work, end));
    }

    /// Takes note of how a job ended; one that was cancelled says nothing of what follows.
    pub(super) fn end(&mut self, next: Next, now: OffsetDateTime) {
        let cancelled = self.job.take().is_some_and(|(_, end)| end.is_cancelled());
        match next {
            _ if cancelled => {}
            Next::Settled => (self.due, self.failures) = (now, 0),
            Next::After(pause) => (self.due, self.failures) = (now + pause, 0),
            Next::At(due) => (self.due, self.failures) = (due, 0),
            Next::Failed => {
                let pause = FIRST_PAUSE * (1 << self.failures.min(10));
                self.due = now + pause.min(LONGEST_PAUSE);
                self.failures += 1;
            }
        }
    }
}
