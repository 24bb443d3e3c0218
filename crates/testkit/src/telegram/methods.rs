//! The methods of the Bot API that the simulator knows, with Telegram's own
//! refusals. Everything else is answered as an unknown method.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    delivery,
    request::Parameters,
    state::{Bot, ChatState, Shared},
    webhooks,
};

/// A refusal: status and description.
pub(super) type Refusal = (u16, String);

/// One call of a bot that exists.
pub(super) struct Invocation<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) token: &'a str,
    pub(super) parameters: &'a Parameters,
}

/// Carries out a call.
pub(super) async fn carry_out(call: &Invocation<'_>, method: &str) -> Result<Value, Refusal> {
    match method.to_ascii_lowercase().as_str() {
        "getme" => call.bot(|bot| Ok(me(bot))),
        "setwebhook" => {
            let done = webhooks::set(call)?;
            delivery::start(call.shared, call.token);
            Ok(done)
        }
        "deletewebhook" => webhooks::delete(call),
        "getwebhookinfo" => webhooks::info(call),
        "getupdates" => webhooks::poll(call).await,
        "sendmessage" => send_message(call),
        "editmessagetext" => edit_message(call),
        "deletemessage" => delete_message(call),
        "sendchataction" => {
            let chat = call.chat_id()?;
            call.bot(|bot| writable(bot, chat).map(|()| json!(true)))
        }
        "answercallbackquery" if call.parameters.text("callback_query_id").is_some() => {
            Ok(json!(true))
        }
        "answercallbackquery" => {
            Err(bad("query is too old and response timeout expired or query ID is invalid"))
        }
        "getfile" => get_file(call),
        "setmycommands" if call.parameters.json("commands").is_none() => {
            Err(bad("can't parse commands: expected an Array of BotCommand"))
        }
        "setmycommands"
        | "deletemycommands"
        | "setmyname"
        | "setmydescription"
        | "setmyshortdescription"
        | "setchatmenubutton" => Ok(json!(true)),
        _ => Err((404, "Not Found: method not found".to_owned())),
    }
}

/// A refusal with status 400.
pub(super) fn bad(description: &str) -> Refusal {
    (400, format!("Bad Request: {description}"))
}

impl Invocation<'_> {
    /// Looks at or changes the bot.
    pub(super) fn bot<T>(
        &self,
        change: impl FnOnce(&mut Bot) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.shared.change(|state| {
            let bot = state.bots.get_mut(self.token);
            change(bot.ok_or((401, "Unauthorized".to_owned()))?)
        })
    }

    fn chat_id(&self) -> Result<i64, Refusal> {
        let Some(name) = self.parameters.text("chat_id").and_then(|id| id.strip_prefix('@')) else {
            return self.parameters.integer("chat_id").ok_or_else(|| bad("chat_id is empty"));
        };
        self.bot(|bot| {
            let named = |chat: &ChatState| chat.channel.as_deref() == Some(name);
            let channel = bot.chats.iter().find(|(_, chat)| named(chat));
            channel.map(|(id, _)| *id).ok_or_else(|| bad("chat not found"))
        })
    }

    fn message_id(&self) -> Result<i64, Refusal> {
        self.parameters
            .integer("message_id")
            .ok_or_else(|| bad("message identifier is not specified"))
    }

    /// The text, neither empty nor longer than Telegram allows.
    fn text(&self) -> Result<&str, Refusal> {
        let text = self.parameters.text("text").unwrap_or_default();
        if text.trim().is_empty() {
            return Err(bad("message text is empty"));
        }
        if text.encode_utf16().count() > 4096 {
            return Err(bad("message is too long"));
        }
        Ok(text)
    }
}

fn me(bot: &Bot) -> Value {
    json!({
        "id": bot.id,
        "is_bot": true,
        "first_name": bot.username,
        "username": bot.username,
        "can_join_groups": true,
        "can_read_all_group_messages": false,
        "supports_inline_queries": false,
        "can_connect_to_business": false,
        "has_main_web_app": false
    })
}

/// Whether the bot may write into a chat.
fn writable(bot: &Bot, chat: i64) -> Result<(), Refusal> {
    match bot.chats.get(&chat) {
        None => Err(bad("chat not found")),
        Some(ChatState { blocked: true, channel: Some(_), .. }) => {
            Err((403, "Forbidden: bot is not a member of the channel chat".to_owned()))
        }
        Some(ChatState { blocked: true, .. }) => {
            Err((403, "Forbidden: bot was blocked by the user".to_owned()))
        }
        Some(_) => Ok(()),
    }
}

fn send_message(call: &Invocation<'_>) -> Result<Value, Refusal> {
    let chat = call.chat_id()?;
    let text = call.text()?;
    let date = call.shared.clock.date();
    let (sent, from) = call.bot(|bot| {
        writable(bot, chat)?;
        let message_id = bot.next_message(chat);
        let sent = super::SentMessage {
            bot: bot.username.clone(),
            chat,
            message_id,
            text: text.to_owned(),
            parameters: call.parameters.all(),
            edits: 0,
            deleted: false,
        };
        Ok((sent, me(bot)))
    })?;
    let mut message = shown(&sent, &from, date);
    if let Some(reply) = call.parameters.json("reply_parameters") {
        message["reply_to_message"] = json!({
            "message_id": reply["message_id"], "date": date, "chat": message["chat"],
            "from": from, "text": "…"
        });
    }
    call.shared.change(|state| state.sent.push(sent));
    Ok(message)
}

/// A sent message as the Bot API shows it.
fn shown(sent: &super::SentMessage, from: &Value, date: i64) -> Value {
    let kind = match sent.chat {
        1.. => "private",
        // Channels are numbered from here on; nobody writes there but they themselves.
        ..=-1_000_000_000_000 => {
            let channel = json!({"id": sent.chat, "type": "channel", "title": "Channel"});
            return json!({
                "message_id": sent.message_id, "sender_chat": channel, "chat": channel,
                "date": date, "text": sent.text
            });
        }
        _ => "supergroup",
    };
    json!({
        "message_id": sent.message_id,
        "from": from,
        "chat": {"id": sent.chat, "type": kind, "first_name": "Citizen", "title": "Group"},
        "date": date,
        "text": sent.text
    })
}

fn edit_message(call: &Invocation<'_>) -> Result<Value, Refusal> {
    let (chat, message_id) = (call.chat_id()?, call.message_id()?);
    let text = call.text()?;
    let date = call.shared.clock.date();
    let from = call.bot(|bot| writable(bot, chat).map(|()| me(bot)))?;
    let bot = from["username"].as_str().unwrap_or_default();
    call.shared.change(|state| {
        let mut live = state.sent.iter_mut().filter(|sent| !sent.deleted);
        let mine = |sent: &&mut super::SentMessage| {
            sent.bot == bot && sent.chat == chat && i64::from(sent.message_id) == message_id
        };
        let sent = live.find(mine).ok_or_else(|| bad("message to edit not found"))?;
        if sent.text == text {
            return Err(bad("message is not modified"));
        }
        text.clone_into(&mut sent.text);
        sent.edits += 1;
        let mut message = shown(sent, &from, date);
        message["edit_date"] = json!(date);
        Ok(message)
    })
}

fn delete_message(call: &Invocation<'_>) -> Result<Value, Refusal> {
    let (chat, message_id) = (call.chat_id()?, call.message_id()?);
    let bot = call.bot(|bot| Ok(bot.username.clone()))?;
    call.shared.change(|state| {
        let mut live = state.sent.iter_mut().filter(|sent| !sent.deleted);
        let mine = |sent: &&mut super::SentMessage| {
            sent.bot == bot && sent.chat == chat && i64::from(sent.message_id) == message_id
        };
        let sent = live.find(mine).ok_or_else(|| bad("message to delete not found"))?;
        sent.deleted = true;
        Ok(json!(true))
    })
}

/// Bytes that a bot may fetch.
const FILE_LIMIT: usize = 20 * 1024 * 1024;

fn get_file(call: &Invocation<'_>) -> Result<Value, Refusal> {
    let id = call.parameters.text("file_id").unwrap_or_default();
    call.bot(|bot| {
        let file =
            bot.files.get(id).ok_or_else(|| bad("wrong file_id or the file is unavailable"))?;
        if file.bytes.len() > FILE_LIMIT {
            return Err(bad("file is too big"));
        }
        Ok(json!({
            "file_id": id,
            "file_unique_id": format!("u-{id}"),
            "file_size": file.bytes.len(),
            "file_path": file.path
        }))
    })
}
