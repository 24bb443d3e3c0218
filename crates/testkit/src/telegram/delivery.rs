//! Delivering updates to webhooks, by Telegram's rules.
//!
//! Updates of one chat go one after another: the next waits until the one
//! before it got 2xx. Chats go beside each other, as many as `max_connections`.
//! A failure is repeated after 1 s, 2 s, 4 s and so on up to a random 60 to
//! 120 s, or after what `Retry-After` says, up to an hour. What would be
//! repeated 24 h after it happened is dropped. 410 for 23 h ends the webhook.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::sync::Semaphore;

use super::state::{Bot, Delivery, Pending, Shared};

/// How long an update lives.
pub(super) const EXPIRY: Duration = Duration::from_hours(24);
const GONE_LIMIT: Duration = Duration::from_hours(23);
const RETRY_AFTER_LIMIT: u64 = 3600;
/// How long a webhook may take for its answer, in real time.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// One update, ready to be posted.
struct Job {
    url: String,
    secret: Option<String>,
    permits: Arc<Semaphore>,
    update: Pending,
}

/// What a webhook answered.
struct Answer {
    status: Option<u16>,
    retry_after: Option<u64>,
    body: String,
}

/// Names the deliveries of one chat to one webhook.
#[derive(Clone)]
struct Lane {
    token: String,
    chat: i64,
    generation: u64,
}

/// Starts a lane for every chat that has something to deliver and none yet.
pub(super) fn start(shared: &Arc<Shared>, token: &str) {
    let lanes = shared.change(|state| {
        let Some(bot) = state.bots.get_mut(token) else { return Vec::new() };
        let Bot { webhook: Some(webhook), pending, .. } = bot else { return Vec::new() };
        let fresh = pending.iter().map(|update| update.chat);
        let fresh: Vec<i64> = fresh.filter(|chat| webhook.active.insert(*chat)).collect();
        let generation = webhook.generation;
        fresh.into_iter().map(|chat| Lane { token: token.to_owned(), chat, generation }).collect()
    });
    for lane in lanes {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let stop = shared.stop.clone();
            stop.run_until_cancelled(run(&shared, &lane)).await;
        });
    }
}

/// Delivers a chat's updates until there are none, or the webhook is another.
async fn run(shared: &Shared, lane: &Lane) {
    let mut failures = 0;
    while let Some(job) = next(shared, lane) {
        let Ok(permit) = Arc::clone(&job.permits).acquire_owned().await else { return };
        let answer = post(shared, &job).await;
        drop(permit);
        match record(shared, lane, &job.update, &answer, failures) {
            None => failures = 0,
            Some(due) => {
                failures += 1;
                pause(shared, lane, due).await;
            }
        }
    }
}

/// The chat's first update, unless the webhook was changed. Ends the lane when
/// there is nothing, under the same lock under which updates are added.
fn next(shared: &Shared, lane: &Lane) -> Option<Job> {
    let mut state = shared.look();
    let bot = state.bots.get_mut(&lane.token)?;
    let webhook = bot.webhook.as_mut().filter(|hook| hook.generation == lane.generation)?;
    let Some(update) = bot.pending.iter().find(|update| update.chat == lane.chat) else {
        webhook.active.remove(&lane.chat);
        return None;
    };
    Some(Job {
        url: webhook.url.clone(),
        secret: webhook.secret.clone(),
        permits: Arc::clone(&webhook.permits),
        update: update.clone(),
    })
}

async fn post(shared: &Shared, job: &Job) -> Answer {
    let mut request = shared.http.post(&job.url).timeout(ANSWER_LIMIT).json(&job.update.body);
    if let Some(secret) = &job.secret {
        request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
    }
    let Ok(response) = request.send().await else {
        return Answer { status: None, retry_after: None, body: String::new() };
    };
    let status = Some(response.status().as_u16());
    let header = response.headers().get("retry-after");
    let retry_after = header.and_then(|after| after.to_str().ok()?.trim().parse().ok());
    match response.text().await {
        Ok(body) => Answer { status, retry_after, body },
        Err(_) => Answer { status: None, retry_after: None, body: String::new() },
    }
}

/// Notes an attempt. Returns when the next one is due, or `None` to go on with
/// the next update.
fn record(
    shared: &Shared,
    lane: &Lane,
    update: &Pending,
    answer: &Answer,
    failures: u32,
) -> Option<Duration> {
    let (now, date) = (shared.clock.now(), shared.clock.date());
    let accepted = answer.status.is_some_and(|status| (200..300).contains(&status));
    let wait = (!accepted).then(|| back_off(failures, answer.retry_after));
    let wait = wait.filter(|wait| now + *wait < update.created + EXPIRY);
    shared.change(|state| {
        if accepted && executes_method(&answer.body) {
            state.executed_replies.push(answer.body.clone());
        }
        state.deliveries.push(Delivery {
            token: lane.token.clone(),
            chat: lane.chat,
            update_id: update.update_id,
            at: now,
            status: answer.status,
            retry_in: wait,
        });
        let Some(bot) = state.bots.get_mut(&lane.token) else { return };
        if wait.is_none() {
            bot.pending.retain(|pending| pending.update_id != update.update_id);
        }
        if !accepted && let Some(webhook) = &mut bot.webhook {
            webhook.last_error = Some((date, problem(answer)));
        }
        count_gone(bot, answer.status, now);
    });
    wait.map(|wait| now + wait)
}

/// Ends a webhook that has answered 410 for 23 hours.
fn count_gone(bot: &mut Bot, status: Option<u16>, now: Duration) {
    if status != Some(410) {
        bot.gone_since = None;
        return;
    }
    let since = *bot.gone_since.get_or_insert(now);
    if now.saturating_sub(since) >= GONE_LIMIT {
        bot.webhook = None;
        bot.gone_since = None;
    }
}

fn problem(answer: &Answer) -> String {
    match answer.status {
        Some(status) => format!("Wrong response from the webhook: {status}"),
        None => "Connection failed".to_owned(),
    }
}

/// How long to wait after so many failures before this one.
fn back_off(failures: u32, retry_after: Option<u64>) -> Duration {
    if let Some(seconds) = retry_after {
        return Duration::from_secs(seconds.clamp(1, RETRY_AFTER_LIMIT));
    }
    let cap = 60 + RandomState::new().build_hasher().finish() % 61;
    Duration::from_secs(1_u64.checked_shl(failures.min(32)).unwrap_or(cap).min(cap))
}

/// Whether Telegram would take a webhook's answer for a call.
fn executes_method(body: &str) -> bool {
    let json = serde_json::from_str::<Value>(body).is_ok_and(|value| value.get("method").is_some());
    json || body.split('&').any(|pair| pair.starts_with("method="))
}

/// Waits until the next attempt is due, or the webhook was changed.
async fn pause(shared: &Shared, lane: &Lane, due: Duration) {
    let mut changed = shared.changed.subscribe();
    let is_current = || {
        let state = shared.look();
        let webhook = state.bots.get(&lane.token).and_then(|bot| bot.webhook.as_ref());
        webhook.is_some_and(|webhook| webhook.generation == lane.generation)
    };
    let replaced = async {
        while is_current() {
            if changed.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = shared.clock.sleep_until(due) => {}
        () = replaced => {}
    }
}
