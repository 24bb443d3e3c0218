//! How a bot gets its updates: a webhook or polling, never both.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    delivery::EXPIRY,
    methods::{Invocation, Refusal, bad},
    state::Webhook,
};

const SECONDS_OF_POLL: i64 = 50;

/// Sets the webhook; an empty address removes it.
pub(super) fn set(call: &Invocation<'_>) -> Result<Value, Refusal> {
    let parameters = call.parameters;
    let url = parameters.text("url").unwrap_or_default().to_owned();
    if url.is_empty() {
        return delete(call);
    }
    let local = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    if !url.starts_with("https://") && !local.iter().any(|start| url.starts_with(start)) {
        return Err(bad("bad webhook: An HTTPS URL must be provided for webhook"));
    }
    let secret = parameters.text("secret_token").map(str::to_owned);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if secret.as_ref().is_some_and(|s| s.is_empty() || s.len() > 256 || !s.bytes().all(allowed)) {
        return Err(bad("secret token contains unallowed characters"));
    }
    let connections = parameters.integer("max_connections").unwrap_or(40).clamp(1, 100);
    let max_connections = u32::try_from(connections).unwrap_or(40);
    let drop_pending = parameters.flag("drop_pending_updates");
    let generation = call.shared.change(|state| {
        state.generations += 1;
        state.generations
    });
    call.bot(|bot| {
        wish(bot, parameters.json("allowed_updates"));
        if drop_pending {
            bot.pending.clear();
        }
        bot.gone_since = None;
        bot.poll += 1;
        bot.webhook = Some(Webhook {
            url,
            secret,
            max_connections,
            permits: Arc::new(Semaphore::new(max_connections as usize)),
            generation,
            active: HashSet::new(),
            last_error: None,
        });
        Ok(json!(true))
    })
}

/// Notes which updates are wanted; without a word the wish stays as it was.
fn wish(bot: &mut super::state::Bot, kinds: Option<Value>) {
    let Some(Value::Array(kinds)) = kinds else { return };
    bot.allowed = kinds.iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect();
}

/// Removes the webhook.
pub(super) fn delete(call: &Invocation<'_>) -> Result<Value, Refusal> {
    let drop_pending = call.parameters.flag("drop_pending_updates");
    call.bot(|bot| {
        bot.webhook = None;
        bot.gone_since = None;
        if drop_pending {
            bot.pending.clear();
        }
        Ok(json!(true))
    })
}

/// Tells about the webhook.
pub(super) fn info(call: &Invocation<'_>) -> Result<Value, Refusal> {
    call.bot(|bot| {
        let mut info = json!({
            "url": "",
            "has_custom_certificate": false,
            "pending_update_count": bot.pending.len(),
            "allowed_updates": bot.allowed
        });
        if let Some(webhook) = &bot.webhook {
            info["url"] = json!(webhook.url);
            info["max_connections"] = json!(webhook.max_connections);
            if let Some((date, message)) = &webhook.last_error {
                info["last_error_date"] = json!(date);
                info["last_error_message"] = json!(message);
            }
        }
        Ok(info)
    })
}

/// Waits, in real time, for updates from `offset` on; those before it are done.
pub(super) async fn poll(call: &Invocation<'_>) -> Result<Value, Refusal> {
    let parameters = call.parameters;
    let limit = parameters.integer("limit").unwrap_or(100).clamp(1, 100);
    let limit = usize::try_from(limit).unwrap_or(100);
    let seconds = parameters.integer("timeout").unwrap_or(0).clamp(0, SECONDS_OF_POLL);
    let mut changed = call.shared.changed.subscribe();
    let mine = begin(call)?;
    let give_up = tokio::time::sleep(Duration::from_secs(seconds.unsigned_abs()));
    tokio::pin!(give_up);
    loop {
        changed.borrow_and_update();
        let found = take(call, mine, limit)?;
        if !found.is_empty() {
            return Ok(Value::Array(found));
        }
        tokio::select! {
            _ = changed.changed() => {}
            () = &mut give_up => return Ok(json!([])),
            () = call.shared.stop.cancelled() => return Ok(json!([])),
        }
    }
}

/// Begins a poll, which ends the one before it, and forgets what is done.
fn begin(call: &Invocation<'_>) -> Result<u64, Refusal> {
    let offset = call.parameters.integer("offset").unwrap_or(0);
    let now = call.shared.clock.now();
    call.bot(|bot| {
        if bot.webhook.is_some() {
            return Err(conflict(
                "can't use getUpdates method while webhook is active; use deleteWebhook to delete \
                 the webhook first",
            ));
        }
        wish(bot, call.parameters.json("allowed_updates"));
        bot.pending.retain(|update| now < update.created + EXPIRY);
        if offset < 0 {
            let kept = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            let done = bot.pending.len().saturating_sub(kept);
            bot.pending.drain(..done);
        } else {
            bot.pending.retain(|update| update.update_id >= offset);
        }
        bot.poll += 1;
        Ok(bot.poll)
    })
}

/// The updates that wait, unless another poll or a webhook took over.
///
/// It only looks, so that waiting polls do not wake each other for ever.
fn take(call: &Invocation<'_>, mine: u64, limit: usize) -> Result<Vec<Value>, Refusal> {
    let state = call.shared.look();
    let bot = state.bots.get(call.token).ok_or((401, "Unauthorized".to_owned()))?;
    if bot.poll != mine {
        return Err(conflict(
            "terminated by other getUpdates request; make sure that only one bot instance is \
             running",
        ));
    }
    Ok(bot.pending.iter().take(limit).map(|update| update.body.clone()).collect())
}

fn conflict(why: &str) -> Refusal {
    (409, format!("Conflict: {why}"))
}
