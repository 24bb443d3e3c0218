//! The control door, for a simulator that runs in another process: JSON in,
//! JSON out, under `/control`. It does what [`super::TelegramSimulator`]'s
//! methods do.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    faults::FaultRule,
    inject,
    state::{Bot, Shared, State as Remembered},
};

type Answer = Result<Json<Value>, (StatusCode, String)>;
type Access = State<Arc<Shared>>;

#[derive(Deserialize)]
struct NewBot {
    token: String,
    username: String,
}

#[derive(Deserialize)]
struct Said {
    token: String,
    chat: i64,
    #[serde(default)]
    text: Option<String>,
    /// Fields of the message, instead of or besides the text.
    #[serde(default)]
    fields: Value,
}

#[derive(Deserialize)]
struct RawUpdate {
    token: String,
    update: Value,
}

#[derive(Deserialize)]
struct Blocking {
    token: String,
    chat: i64,
    blocked: bool,
}

#[derive(Deserialize)]
struct Step {
    seconds: u64,
}

#[derive(Deserialize)]
struct OfChat {
    #[serde(default)]
    chat: Option<i64>,
}

/// The routes of the control door.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/bots", post(add_bot))
        .route("/say", post(say))
        .route("/update", post(update))
        .route("/block", post(block))
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/advance", post(advance))
        .route("/sent", get(sent))
        .route(
            "/calls",
            get(|State(shared): Access| async move { Json(json!(shared.look().calls)) }),
        )
        .route(
            "/deliveries",
            get(|State(shared): Access| async move { Json(json!(shared.look().deliveries)) }),
        )
        .route(
            "/executed-replies",
            get(|State(shared): Access| async move { Json(json!(shared.look().executed_replies)) }),
        )
}

/// Registers a bot; one that is there already stays as it is.
pub(super) fn register(state: &mut Remembered, token: &str, username: &str) {
    let serial = state.bots.len() + 1;
    let bot = || Bot::new(token, username, serial);
    state.bots.entry(token.to_owned()).or_insert_with(bot);
}

fn refused(error: &anyhow::Error) -> (StatusCode, String) {
    (StatusCode::NOT_FOUND, error.to_string())
}

async fn add_bot(State(shared): Access, Json(new): Json<NewBot>) -> Json<Value> {
    shared.change(|state| register(state, &new.token, &new.username));
    Json(json!(true))
}

async fn say(State(shared): Access, Json(said): Json<Said>) -> Answer {
    let mut fields = if said.fields.is_object() { said.fields } else { json!({}) };
    if let Some(text) = said.text {
        fields["text"] = json!(text);
    }
    let injected = inject::message(&shared, &said.token, said.chat, &fields);
    let injected = injected.map_err(|e| refused(&e))?;
    Ok(Json(json!({"update_id": injected.update_id, "message_id": injected.message_id})))
}

async fn update(State(shared): Access, Json(raw): Json<RawUpdate>) -> Answer {
    let id = inject::update(&shared, &raw.token, raw.update).map_err(|e| refused(&e))?;
    Ok(Json(json!({"update_id": id})))
}

async fn block(State(shared): Access, Json(wish): Json<Blocking>) -> Answer {
    let id = inject::block(&shared, &wish.token, wish.chat, wish.blocked);
    Ok(Json(json!({"update_id": id.map_err(|e| refused(&e))?})))
}

async fn add_fault(State(shared): Access, Json(rule): Json<FaultRule>) -> Json<Value> {
    shared.change(|state| state.faults.push(rule));
    Json(json!(true))
}

async fn clear_faults(State(shared): Access) -> Json<Value> {
    shared.change(|state| state.faults.clear());
    Json(json!(true))
}

async fn advance(State(shared): Access, Json(step): Json<Step>) -> Json<Value> {
    shared.clock.advance(Duration::from_secs(step.seconds));
    Json(json!(true))
}

async fn sent(State(shared): Access, Query(of): Query<OfChat>) -> Json<Value> {
    let state = shared.look();
    let of_chat = state.sent.iter().filter(|sent| of.chat.is_none_or(|chat| sent.chat == chat));
    Json(json!(of_chat.collect::<Vec<_>>()))
}
