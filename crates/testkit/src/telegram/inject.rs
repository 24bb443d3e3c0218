//! What citizens do: tests say it, and it becomes updates as Telegram makes
//! them, numbered for each bot and each chat.

use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    delivery,
    state::{Pending, Shared, State, StoredFile},
};

/// What an injected update and its message were numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected {
    /// The update's number.
    pub update_id: i64,
    /// The message's number in its chat.
    pub message_id: i32,
}

/// The account that a private chat belongs to: both have the same number.
fn citizen(chat: i64) -> Value {
    json!({
        "id": chat,
        "is_bot": false,
        "first_name": format!("Citizen {chat}"),
        "username": format!("citizen_{chat}"),
        "language_code": "fa"
    })
}

fn private_chat(chat: i64) -> Value {
    json!({
        "id": chat,
        "type": "private",
        "first_name": format!("Citizen {chat}"),
        "username": format!("citizen_{chat}")
    })
}

/// Adds a message with these fields. What is not said is filled in.
pub(super) fn message(
    shared: &Arc<Shared>,
    token: &str,
    chat: i64,
    fields: &Value,
) -> Result<Injected> {
    let date = shared.clock.date();
    let message_id = shared.change(|state| {
        let bot = state.bots.get_mut(token).context("no bot has this token")?;
        anyhow::Ok(bot.next_message(chat))
    })?;
    let mut message = json!({
        "message_id": message_id,
        "from": citizen(chat),
        "chat": private_chat(chat),
        "date": date
    });
    merge(&mut message, fields);
    let update_id = update(shared, token, json!({ "message": message }))?;
    Ok(Injected { update_id, message_id })
}

/// Adds a change of a message.
pub(super) fn edit(
    shared: &Arc<Shared>,
    token: &str,
    (chat, message_id): (i64, i32),
    fields: &Value,
) -> Result<i64> {
    let date = shared.clock.date();
    let mut message = json!({
        "message_id": message_id,
        "from": citizen(chat),
        "chat": private_chat(chat),
        "date": date,
        "edit_date": date
    });
    merge(&mut message, fields);
    update(shared, token, json!({ "edited_message": message }))
}

/// Adds a press of a button under a message of the bot.
pub(super) fn press(
    shared: &Arc<Shared>,
    token: &str,
    (chat, message_id): (i64, i32),
    payload: &str,
) -> Result<i64> {
    let date = shared.clock.date();
    let pressed = json!({
        "id": format!("{chat}{message_id}{date}"),
        "from": citizen(chat),
        "chat_instance": chat.to_string(),
        "message": {
            "message_id": message_id, "chat": private_chat(chat), "date": date, "text": "…"
        },
        "data": payload
    });
    update(shared, token, json!({ "callback_query": pressed }))
}

/// Blocks the bot, or allows it again.
pub(super) fn block(shared: &Arc<Shared>, token: &str, chat: i64, blocked: bool) -> Result<i64> {
    let date = shared.clock.date();
    let bot = shared.change(|state| {
        let bot = state.bots.get_mut(token).context("no bot has this token")?;
        bot.chats.entry(chat).or_default().blocked = blocked;
        let user = json!({
            "id": bot.id, "is_bot": true, "first_name": bot.username, "username": bot.username
        });
        anyhow::Ok(user)
    })?;
    let kicked = json!({"user": bot, "status": "kicked", "until_date": 0});
    let member = json!({"user": bot, "status": "member"});
    let (before, after) = if blocked { (member, kicked) } else { (kicked, member) };
    let change = json!({
        "chat": private_chat(chat),
        "from": citizen(chat),
        "date": date,
        "old_chat_member": before,
        "new_chat_member": after
    });
    update(shared, token, json!({ "my_chat_member": change }))
}

/// Keeps a file that bots may fetch, and returns its `file_id`.
pub(super) fn file(shared: &Shared, token: &str, name: &str, bytes: Vec<u8>) -> Result<String> {
    shared.change(|state| {
        let bot = state.bots.get_mut(token).context("no bot has this token")?;
        let number = bot.files.len() + 1;
        let id = format!("file-{}-{number}", bot.id);
        let path = format!("documents/{number}_{name}");
        bot.files.insert(id.clone(), StoredFile { path, bytes });
        Ok(id)
    })
}

/// Adds an update as it stands, with a number when it has none.
///
/// An update whose kind the bot does not want is numbered and forgotten.
pub(super) fn update(shared: &Arc<Shared>, token: &str, mut body: Value) -> Result<i64> {
    anyhow::ensure!(body.is_object(), "an update is a JSON object");
    let created = shared.clock.now();
    let update_id = shared.change(|state| add(state, token, &mut body, created))?;
    delivery::start(shared, token);
    Ok(update_id)
}

fn add(
    state: &mut State,
    token: &str,
    body: &mut Value,
    created: std::time::Duration,
) -> Result<i64> {
    let bot = state.bots.get_mut(token).context("no bot has this token")?;
    let update_id = body["update_id"].as_i64().unwrap_or(bot.next_update);
    bot.next_update = bot.next_update.max(update_id.saturating_add(1));
    body["update_id"] = json!(update_id);
    let kind = body.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let kind = kind.filter(|name| *name != "update_id").min().unwrap_or_default().to_owned();
    let chat = chat_of(&body[&kind]);
    bot.chats.entry(chat).or_default();
    if bot.wants(&kind) {
        bot.pending.push_back(Pending { update_id, chat, created, body: body.clone() });
    }
    Ok(update_id)
}

/// The chat that an update is about, or 0.
fn chat_of(inner: &Value) -> i64 {
    let places = ["/chat/id", "/message/chat/id", "/from/id"];
    places.iter().find_map(|place| inner.pointer(place)?.as_i64()).unwrap_or(0)
}

fn merge(into: &mut Value, fields: &Value) {
    if let (Value::Object(into), Value::Object(fields)) = (into, fields) {
        into.extend(fields.clone());
    }
}
