//! Passkeys: the addresses beside those of passwords and codes. Each form asks for a challenge at its own address and
//! `/ask` first, where a script of ours gets JSON, and is then sent like any other.

use axum::{
    Form, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use meydan_rpc::{
    caller::Caller,
    guard::PROOF_NEEDED,
    outcome::Failure,
    pb::identity::{
        AskPasskeyRequest, AskProofRequest, BeginPasskeyRequest, ConfirmPasskeyRequest,
        EnterWithPasskeyRequest, GetWaitingRequest, GetWaitingResponse, PasskeyChallenge,
        ProveWithPasskeyRequest,
    },
};
use meydan_web::{
    Nav, Problem, Problems,
    pages::{
        entry::LoginRefusal,
        security::{FactorRefusal, Passkeys},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Position, Url};

use super::{
    go, login,
    preferences::local,
    security::{self, Called, FACTORS},
};
use crate::{
    access::to_proof,
    app::App,
    cookies, failure,
    session::{self, Visit},
};

/// What a form sends that a passkey has signed.
#[derive(Deserialize)]
pub(super) struct Signed {
    #[serde(default)]
    token: String,
    #[serde(default)]
    credential: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    trusted: String,
}

/// Whether passkeys are used where a visitor has come to. What the browser calls the panel leads to words alone: what
/// counts is what the passkey signs.
pub(super) fn offered(app: &App, visit: &Visit) -> Passkeys {
    let Some(origin) = &app.passkeys else { return Passkeys::Nowhere };
    if visit.host == authority(origin) {
        Passkeys::Here
    } else {
        Passkeys::At(origin.origin().ascii_serialization())
    }
}

fn authority(origin: &Url) -> &str {
    &origin[Position::BeforeHost..Position::AfterPort]
}

/// With what a login that waits may go on; with codes, when that cannot be found out.
pub(super) async fn ways(app: &App, headers: &HeaderMap) -> GetWaitingResponse {
    let codes = GetWaitingResponse { code: true, passkey: false };
    let Some((challenge_token, _)) = cookies::waiting(headers, app.secure) else {
        return codes;
    };
    let caller = Caller::service(crate::NAME, None);
    let request = app.identity.ask(&caller, GetWaitingRequest { challenge_token });
    let waiting = app.passkey_logins().get_waiting(request).await;
    waiting.map_or(codes, tonic::Response::into_inner)
}

/// A challenge, for the script.
fn asked(app: &App, visit: &Visit, asked: Result<(String, String), Failure>) -> Response {
    match asked {
        Ok((token, options)) => {
            let options: Value = serde_json::from_str(&options).unwrap_or_default();
            Json(json!({ "token": token, "options": options })).into_response()
        }
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof(FACTORS),
        Err(Failure::Refused(code)) if code == "identity.challenge.over" => {
            go("/login?notice=challenge-over")
        }
        Err(Failure::Refused(code)) => {
            let problem = match code.as_str() {
                "identity.factor.too_many" => Problem::TooManyFactors,
                "identity.passkey.too_many" => Problem::AskedTooOften,
                _ => Problem::WrongPasskey,
            };
            let problem = problem.text(&visit.shell(app, Nav::None));
            let status = if code == "identity.passkey.too_many" {
                StatusCode::TOO_MANY_REQUESTS
            } else {
                StatusCode::UNPROCESSABLE_ENTITY
            };
            (status, Json(json!({ "problem": problem }))).into_response()
        }
        Err(failure) => failure::of_call(app, visit, &failure),
    }
}

fn pair(challenge: tonic::Response<PasskeyChallenge>) -> (String, String) {
    let PasskeyChallenge { token, options } = challenge.into_inner();
    (token, options)
}

async fn ask(app: &App, visit: &Visit, challenge_token: String) -> Response {
    let caller = Caller::service(crate::NAME, None);
    let address = visit.address.clone();
    let request = app.identity.ask(&caller, AskPasskeyRequest { challenge_token, address });
    let challenge = app.passkey_logins().ask_passkey(request).await;
    asked(app, visit, challenge.map(pair).map_err(Failure::from))
}

/// A challenge for whoever comes with a passkey alone.
pub(super) async fn ask_login(State(app): State<App>, visit: Visit) -> Response {
    ask(&app, &visit, String::new()).await
}

/// A challenge for a login that waits.
pub(super) async fn ask_factor(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
) -> Response {
    match cookies::waiting(&headers, app.secure) {
        Some((challenge, _)) => ask(&app, &visit, challenge).await,
        None => go("/login?notice=challenge-over"),
    }
}

pub(super) async fn enter(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(Signed { token, credential, next, trusted }): Form<Signed>,
) -> Response {
    let guest = Some(login::guest(&app, &visit, &headers));
    let (challenge_token, trusted) = (String::new(), trusted == "yes");
    let message = EnterWithPasskeyRequest { token, credential, challenge_token, guest, trusted };
    let request = app.identity.ask(&Caller::service(crate::NAME, None), message);
    match app.passkey_logins().enter_with_passkey(request).await.map_err(Failure::from) {
        Ok(answer) => login::enter(&app, &headers, answer.get_ref(), local(&next)).await,
        Err(Failure::Refused(_)) => {
            let refusal = Some(LoginRefusal::WrongPasskey);
            login::page(&app, &visit, String::new(), (next, trusted), refusal)
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn enter_factor(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(Signed { token, credential, next, trusted }): Form<Signed>,
) -> Response {
    let Some((challenge_token, _)) = cookies::waiting(&headers, app.secure) else {
        return go("/login?notice=challenge-over");
    };
    let guest = Some(login::guest(&app, &visit, &headers));
    let trusted = trusted == "yes";
    let message = EnterWithPasskeyRequest { token, credential, challenge_token, guest, trusted };
    let request = app.identity.ask(&Caller::service(crate::NAME, None), message);
    match app.passkey_logins().enter_with_passkey(request).await.map_err(Failure::from) {
        Ok(answer) => login::enter(&app, &headers, answer.get_ref(), local(&next)).await,
        Err(Failure::Refused(code)) if code == "identity.challenge.over" => {
            login::challenge_over(&app)
        }
        Err(Failure::Refused(_)) => {
            let refusal = Some(FactorRefusal::WrongPasskey);
            login::factor_page(&app, &visit, &headers, (next, trusted), refusal).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

/// What a new passkey is to be, for the script.
pub(super) async fn begin(
    State(app): State<App>,
    visit: Visit,
    Form(Called { name }): Form<Called>,
) -> Response {
    let request = app.identity.ask(&visit.caller(), BeginPasskeyRequest { name });
    let begun = app.passkeys_client().begin_passkey(request).await.map_err(Failure::from);
    let begun = begun.map(|begun| {
        let begun = begun.into_inner();
        (begun.factor_id, begun.options)
    });
    asked(&app, &visit, begun)
}

pub(super) async fn confirm(
    State(app): State<App>,
    mut visit: Visit,
    headers: HeaderMap,
    Form(Signed { token, credential, .. }): Form<Signed>,
) -> Response {
    let message = ConfirmPasskeyRequest { factor_id: token, credential };
    let request = app.identity.ask(&visit.caller(), message);
    match app.passkeys_client().confirm_passkey(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let answer = answer.into_inner();
            session::forget(&app, &headers).await;
            let given = (&*answer.session_token, answer.keep_until);
            security::added(&app, &mut visit, given, answer.recovery_codes)
        }
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof(FACTORS),
        Err(Failure::Refused(_) | Failure::NotFound) => {
            let problems = Problems::none().and("credential", Problem::WrongPasskey);
            security::page(&app, &visit, problems).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

/// A challenge for whoever proves once more who they are.
pub(super) async fn ask_proof(State(app): State<App>, visit: Visit) -> Response {
    let request = app.identity.ask(&visit.caller(), AskProofRequest {});
    let challenge = app.passkeys_client().ask_proof(request).await;
    asked(&app, &visit, challenge.map(pair).map_err(Failure::from))
}

pub(super) async fn prove(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(Signed { token, credential, next, .. }): Form<Signed>,
) -> Response {
    let message = ProveWithPasskeyRequest { token, credential };
    let request = app.identity.ask(&visit.caller(), message);
    match app.passkeys_client().prove_with_passkey(request).await.map_err(Failure::from) {
        Ok(answer) => {
            session::forget(&app, &headers).await;
            let answer = answer.get_ref();
            let given = (&*answer.session_token, answer.keep_until);
            security::renewed(&app, go(local(&next)), given)
        }
        Err(Failure::Refused(_)) => {
            let wrong = Some(FactorRefusal::WrongPasskey);
            security::proof_page(&app, &visit, next, wrong).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
