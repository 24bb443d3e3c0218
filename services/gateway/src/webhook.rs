//! `POST /telegram/{hook_id}`: an update from Telegram.
//!
//! 200, with an empty body (Telegram executes a body that holds a method), means that the update survives
//! whatever happens. Nothing but that is done here.

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use hmac::digest::Digest;
use meydan_intake::{Hook, LARGEST};
use meydan_rpc::{caller::Caller, outcome::Failure, pb::bot_hub::GetHookRequest};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    access::asked_by,
    app::{App, KnownHook},
    limits::{self, RateClass},
};

const SECRET: &str = "x-telegram-bot-api-secret-token";

/// Takes an update.
#[tracing::instrument(name = "telegram.webhook", skip_all)]
pub async fn take(
    State(app): State<App>,
    Path(hook_id): Path<String>,
    request: Request,
) -> Response {
    let (status, outcome) = match answer(&app, hook_id, request).await {
        Ok(()) => (StatusCode::OK, "taken"),
        Err(status) => (status, status.canonical_reason().unwrap_or("refused")),
    };
    metrics::counter!("telegram_webhook", "outcome" => outcome).increment(1);
    status.into_response()
}

async fn answer(app: &App, hook_id: String, request: Request) -> Result<(), StatusCode> {
    let (parts, body) = request.into_parts();
    let known = known(app, hook_id, &parts).await?;
    let shown = parts.headers.get(SECRET).map(HeaderValue::as_bytes).unwrap_or_default();
    let shown = Sha256::digest(shown);
    if !bool::from(shown.as_slice().ct_eq(&known.secret_sha256)) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let now = app.clock.now();
    let Ok(read) = tokio::time::timeout(app.patience.body, read(body)).await else {
        return Err(StatusCode::REQUEST_TIMEOUT);
    };
    match read {
        Ok(update) => {
            let taken = app.intake.accept(known.hook, &update, now).await;
            taken.map_err(|error| unavailable(&error))
        }
        Err(Some(bytes)) => {
            let noted = app.intake.note_oversized(known.hook, bytes, now).await;
            noted.map_err(|error| unavailable(&error))?;
            Err(StatusCode::PAYLOAD_TOO_LARGE)
        }
        Err(None) => Err(StatusCode::BAD_REQUEST),
    }
}

fn unavailable(error: &meydan_intake::IntakeError) -> StatusCode {
    tracing::warn!(%error, "update not taken");
    StatusCode::SERVICE_UNAVAILABLE
}

/// Reads a body of at most [`LARGEST`] bytes; of a larger one, how many came before it was given up.
async fn read(body: Body) -> Result<Vec<u8>, Option<u64>> {
    let mut pieces = body.into_data_stream();
    let mut update = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| None)?;
        update.extend_from_slice(&piece);
        if update.len() > LARGEST {
            return Err(u64::try_from(update.len()).ok());
        }
    }
    Ok(update)
}

/// The bot of a hook. That nobody knows it is remembered too, and who asks for many such is not listened to
/// for the rest of the minute: asking the hub costs a call.
async fn known(app: &App, hook_id: String, parts: &Parts) -> Result<KnownHook, StatusCode> {
    let well_formed = hook_id.len() == 32 && hook_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !well_formed {
        return Err(StatusCode::NOT_FOUND);
    }
    if let Some(known) = app.hooks.get(&hook_id).await {
        return Ok(known);
    }
    if app.strange_hooks.contains_key(&hook_id) {
        return Err(StatusCode::NOT_FOUND);
    }
    let client = asked_by(app, &parts.extensions, &parts.headers);
    if limits::admit(app, RateClass::Hook, client.into()).await.is_err() {
        return Err(StatusCode::TOO_MANY_REQUESTS);
    }
    let caller = Caller::service(crate::NAME, None);
    let request = app.bot_hub.ask(&caller, GetHookRequest { hook_id: hook_id.clone() });
    let answer = app.hooks_client().get_hook(request).await.map_err(Failure::from);
    let hook = match answer {
        Ok(hook) => hook.into_inner(),
        Err(Failure::NotFound) => {
            app.strange_hooks.insert(hook_id, ()).await;
            return Err(StatusCode::NOT_FOUND);
        }
        Err(_) => return Err(StatusCode::SERVICE_UNAVAILABLE),
    };
    let id = |text: &str| Uuid::try_parse(text).map_err(|_| StatusCode::SERVICE_UNAVAILABLE);
    let known = KnownHook {
        hook: Hook { bot_id: id(&hook.bot_id)?, campaign: id(&hook.campaign_id)? },
        secret_sha256: hook.secret_sha256,
    };
    app.hooks.insert(hook_id, known.clone()).await;
    Ok(known)
}
