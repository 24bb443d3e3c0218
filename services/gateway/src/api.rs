//! Programs of a campaign's own: who asks with a key, and what they are told when they may not.
//!
//! A key comes in the `Authorization` header and nowhere else (RFC 6750): not in an address, where logs and
//! proxies would keep it, and not in a cookie, which browsers send by themselves. For the same reason a session
//! is nothing here, and there are no forms to protect.

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use meydan_rpc::{
    caller::{Caller, Who},
    outcome::Failure,
    pb::identity::AuthenticateKeyRequest,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::App,
    limits::{self, Asker, RateClass},
};

/// What identity says of a good key whose maker lacks the second factor that the campaign demands.
const FACTOR_NEEDED: &str = "identity.factor.needed";

/// A program with a good key: who calls other services on its behalf.
#[derive(Debug, Clone)]
pub struct Program(pub Caller);

/// The program that the guard of the route has let in.
impl<S: Sync> FromRequestParts<S> for Program {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Who asks, when they may do `permission`. Counted by address before the key is looked at, and by key then.
///
/// # Errors
///
/// The whole answer when they may not.
pub async fn admit(
    app: &App,
    (rate, permission): (RateClass, &str),
    (client, headers): (std::net::IpAddr, &HeaderMap),
) -> Result<Program, Response> {
    count(app, rate, client.into()).await?;
    let key = bearer(headers).ok_or_else(unknown)?;
    let caller = Caller::service(crate::NAME, None);
    let request = app.identity.ask(&caller, AuthenticateKeyRequest { key });
    let opened = match app.sessions_client().authenticate_key(request).await.map_err(Failure::from)
    {
        Ok(opened) => opened.into_inner(),
        Err(Failure::NotFound) => return Err(unknown()),
        Err(Failure::Refused(code)) if code == FACTOR_NEEDED => return Err(closed()),
        Err(failure) => return Err(failed(&failure)),
    };
    let (Ok(id), Ok(campaign)) =
        (Uuid::try_parse(&opened.api_key_id), Uuid::try_parse(&opened.campaign_id))
    else {
        return Err(failed(&Failure::Broken));
    };
    count(app, rate, Asker::Key(id)).await?;
    let caller = Caller {
        who: Who::ApiKey { id },
        campaign: Some(campaign),
        permissions: opened.permissions,
        address: Some(client.to_string()),
        fresh_until: None,
    };
    if caller.may(permission) { Ok(Program(caller)) } else { Err(failed(&Failure::Denied)) }
}

async fn count(app: &App, rate: RateClass, asker: Asker) -> Result<(), Response> {
    limits::admit(app, rate, asker).await.map_err(|seconds| {
        let mut response = told(StatusCode::TOO_MANY_REQUESTS, "too_many_requests");
        response.headers_mut().insert(header::RETRY_AFTER, u16::from(seconds).into());
        response
    })
}

/// The key of the header, when there is exactly one.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (scheme, key) = line.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
}

/// Nobody who is known. Missing, unknown, revoked and expired are told alike.
fn unknown() -> Response {
    challenged(told(StatusCode::UNAUTHORIZED, "unauthorized"))
}

/// A key that is good, and opens nothing as long as whoever made it lacks what their campaign demands. Only who shows
/// the key is told.
fn closed() -> Response {
    let why = "this key opens nothing until whoever made it has a second login step";
    let body = Json(json!({ "error": "unauthorized", "reason": FACTOR_NEEDED, "hint": why }));
    challenged((StatusCode::UNAUTHORIZED, body).into_response())
}

/// An answer that asks for a key, as the protocol has it.
fn challenged(mut response: Response) -> Response {
    let challenge = HeaderValue::from_static("Bearer realm=\"meydan\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// What a failed call means to a program.
#[must_use]
pub fn failed(failure: &Failure) -> Response {
    match failure {
        Failure::NotFound => told(StatusCode::NOT_FOUND, "not_found"),
        Failure::Denied => told(StatusCode::FORBIDDEN, "forbidden"),
        Failure::Malformed(fields) => {
            let fields =
                fields.iter().map(|(field, problem)| (field.clone(), problem.clone().into()));
            let fields = fields.collect::<serde_json::Map<_, _>>();
            let body = json!({ "error": "unprocessable", "fields": fields });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
        Failure::Refused(code) => told(StatusCode::CONFLICT, code),
        Failure::Conflict | Failure::Unavailable => {
            told(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
        Failure::Broken => told(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// A refusal, for a program.
pub(crate) fn told(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "error": code }))).into_response()
}
