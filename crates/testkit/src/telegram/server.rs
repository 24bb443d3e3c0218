//! The simulator's HTTP side: `/bot<token>/<method>`, `/file/bot<token>/<path>`
//! and the control door.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    control,
    faults::{Fault, strike},
    methods::{Invocation, Refusal, bad, carry_out},
    request::Parameters,
    state::{Call, Shared},
    wire::{CuttableListener, Wire},
};

/// Serves until the simulator is stopped.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) -> std::io::Result<()> {
    let stop = shared.stop.clone();
    let router = Router::new()
        .nest("/control", control::router())
        .route("/file/{bot}/{*path}", get(download))
        .route("/{bot}/{method}", any(call))
        .layer(DefaultBodyLimit::disable())
        .with_state(shared);
    let service = router.into_make_service_with_connect_info::<Wire>();
    let serving = axum::serve(CuttableListener(listener), service).into_future();
    // Calls that wait are let go: a stop is never held up by a long poll.
    stop.run_until_cancelled(serving).await.unwrap_or(Ok(()))
}

/// What happens to the connection after a call.
enum After {
    Answer(Result<Value, Refusal>),
    Cut,
}

async fn call(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    Path((bot, method)): Path<(String, String)>,
    request: Request,
) -> Response {
    let token = bot.strip_prefix("bot").unwrap_or_default().to_owned();
    let (after, parameters) = match Parameters::read(request).await {
        Ok(parameters) => {
            let invocation = Invocation { shared: &shared, token: &token, parameters: &parameters };
            (answer(&invocation, &method).await, parameters.all())
        }
        Err(problem) => (After::Answer(Err(bad(&problem))), Value::Null),
    };
    let status = match &after {
        After::Answer(Ok(_)) => 200,
        After::Answer(Err((status, _))) => *status,
        After::Cut => 0,
    };
    shared.change(|state| state.calls.push(Call { token, method, parameters, status }));
    match after {
        After::Answer(Ok(result)) => Json(json!({"ok": true, "result": result})).into_response(),
        After::Answer(Err((status, description))) => refusal(status, &description),
        After::Cut => {
            wire.cut();
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

/// Carries out a call, or lets the fault strike that is meant for it.
async fn answer(call: &Invocation<'_>, method: &str) -> After {
    if let Err(refusal) = known(call) {
        return After::Answer(Err(refusal));
    }
    let chat = call.parameters.integer("chat_id");
    let fault = call.shared.change(|state| strike(&mut state.faults, call.token, method, chat));
    let refused = |status: u16, description: &str| After::Answer(Err((status, description.into())));
    match fault {
        None => After::Answer(carry_out(call, method).await),
        Some(Fault::TooManyRequests { retry_after }) => {
            refused(429, &format!("Too Many Requests: retry after {retry_after}"))
        }
        Some(Fault::Blocked) => refused(403, "Forbidden: bot was blocked by the user"),
        Some(Fault::Revoked) => refused(401, "Unauthorized"),
        Some(Fault::ChatNotFound) => refused(400, "Bad Request: chat not found"),
        Some(Fault::ServerError { status }) => refused(status, "Internal Server Error"),
        Some(Fault::Refused { status, description }) => refused(status, &description),
        Some(Fault::Unreachable) => After::Cut,
        Some(Fault::AnswerLost) => match carry_out(call, method).await {
            Ok(_) => After::Cut,
            Err(refusal) => After::Answer(Err(refusal)),
        },
        Some(Fault::Slow { seconds }) => {
            hold(call.shared, Duration::from_secs(seconds)).await;
            After::Answer(carry_out(call, method).await)
        }
    }
}

/// Counts a call as held for as long as it lives, also when its caller leaves.
struct Held<'a>(&'a Shared);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.held -= 1);
    }
}

/// Waits on the simulator's clock.
async fn hold(shared: &Shared, time: Duration) {
    let due = shared.clock.now() + time;
    shared.change(|state| state.held += 1);
    let held = Held(shared);
    shared.clock.sleep_until(due).await;
    drop(held);
}

/// Whether the token is a bot's. What is no token at all gets 404.
fn known(call: &Invocation<'_>) -> Result<(), Refusal> {
    let state = call.shared.look();
    match state.bots.get(call.token) {
        Some(bot) if !bot.revoked => Ok(()),
        None if !call.token.contains(':') => Err((404, "Not Found".to_owned())),
        _ => Err((401, "Unauthorized".to_owned())),
    }
}

fn refusal(status: u16, description: &str) -> Response {
    let mut body = json!({"ok": false, "error_code": status, "description": description});
    let seconds = description.strip_prefix("Too Many Requests: retry after ");
    if let Some(seconds) = seconds.and_then(|seconds| seconds.parse::<u32>().ok()) {
        body["parameters"] = json!({ "retry_after": seconds });
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

async fn download(
    State(shared): State<Arc<Shared>>,
    Path((bot, path)): Path<(String, String)>,
) -> Response {
    let state = shared.look();
    let token = bot.strip_prefix("bot").unwrap_or_default();
    let bot = state.bots.get(token).filter(|bot| !bot.revoked);
    let file = bot.and_then(|bot| bot.files.values().find(|file| file.path == path));
    file.map_or_else(|| refusal(404, "Not Found"), |file| file.bytes.clone().into_response())
}
