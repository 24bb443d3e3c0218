//! Publishes updates: those that arrive while the broker flushes go to it as one message.
//!
//! One message is in flight at a time, so updates keep the order of their arrival, and a disk that hesitates
//! makes the next message larger, not the queue longer.

use async_nats::jetstream;
use tokio::sync::{mpsc, oneshot};

use crate::LARGEST_MESSAGE;

/// Where updates are published.
const SUBJECT: &str = "tg.in.updates";
/// Updates that may wait; whoever brings more waits with them.
const QUEUE: usize = 4_096;

type Said = Result<(), String>;

/// An update as it is written in a message, and who waits for it.
struct Job {
    update: String,
    reply: oneshot::Sender<Said>,
}

/// Hands updates to the task that publishes.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    jobs: mpsc::Sender<Job>,
}

impl Publisher {
    /// Starts the task, which ends when the last handle is dropped.
    pub(crate) fn start(jetstream: jetstream::Context) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(run(jetstream, queue));
        Self { jobs }
    }

    /// Returns when the broker has it.
    pub(crate) async fn publish(&self, update: String) -> Said {
        let (reply, answer) = oneshot::channel();
        let ended = || "the publisher has ended".to_owned();
        self.jobs.send(Job { update, reply }).await.map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}

async fn run(jetstream: jetstream::Context, mut queue: mpsc::Receiver<Job>) {
    let mut next = None;
    loop {
        let Some(first) = (match next.take() {
            Some(job) => Some(job),
            None => queue.recv().await,
        }) else {
            return;
        };
        let mut bundle = Bundle::of(first);
        while let Ok(job) = queue.try_recv() {
            if job.reply.is_closed() {
                // Whoever asked has given up, so nothing was promised; Telegram brings it again.
                continue;
            }
            if !bundle.has_room_for(&job) {
                next = Some(job);
                break;
            }
            bundle.add(job);
        }
        bundle.publish(&jetstream).await;
    }
}

/// Updates of one message: an array.
struct Bundle {
    message: String,
    replies: Vec<oneshot::Sender<Said>>,
}

impl Bundle {
    fn of(Job { update, reply }: Job) -> Self {
        Self { message: format!("[{update}"), replies: vec![reply] }
    }

    fn has_room_for(&self, job: &Job) -> bool {
        self.message.len() + job.update.len() + 2 <= LARGEST_MESSAGE
    }

    fn add(&mut self, Job { update, reply }: Job) {
        self.message.push(',');
        self.message.push_str(&update);
        self.replies.push(reply);
    }

    async fn publish(mut self, jetstream: &jetstream::Context) {
        self.message.push(']');
        let updates = u32::try_from(self.replies.len()).unwrap_or(u32::MAX);
        metrics::histogram!("intake_bundle_updates").record(f64::from(updates));
        let said = put(jetstream, self.message).await;
        for reply in self.replies {
            // Whoever asked may have gone away. What is in the stream stays there.
            let _ = reply.send(said.clone());
        }
    }
}

async fn put(jetstream: &jetstream::Context, message: String) -> Said {
    let ack = jetstream.publish(SUBJECT, message.into()).await;
    let told = ack.map_err(|error| error.to_string())?.await;
    told.map(|_| ()).map_err(|error| error.to_string())
}
