//! `/login`, its second step `/login/factor`, and `/logout`.

use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{Guest, LogInRequest, LogInResponse, LogOutRequest, ProveFactorRequest},
};
use meydan_web::{
    Nav,
    pages::{
        entry::{LoginPage, LoginRefusal},
        security::{FactorRefusal, LoginFactorPage, Passkeys},
    },
};
use serde::Deserialize;

use super::{go, passkeys, preferences::local, security};
use crate::{
    app::App,
    cookies::{self, Kind},
    failure,
    session::{self, Visit},
};

/// What identity says when an account is asked for too often.
const TOO_MANY: &str = "identity.login.too_many";
/// How long a browser is known.
const KNOWN: time::Duration = time::Duration::days(365);

#[derive(Debug, Default, Deserialize)]
pub(super) struct Destination {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    trusted: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(destination): Query<Destination>,
) -> Response {
    if visit.visitor.is_some() {
        return go(local(&destination.next));
    }
    page(&app, &visit, String::new(), (destination.next, false), None)
}

pub(super) fn page(
    app: &App,
    visit: &Visit,
    email: String,
    (next, trusted): (String, bool),
    refusal: Option<LoginRefusal>,
) -> Response {
    let status = match refusal {
        None => StatusCode::OK,
        Some(LoginRefusal::TooManyAttempts) => StatusCode::TOO_MANY_REQUESTS,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let (shell, passkeys) = (visit.shell(app, Nav::None), passkeys::offered(app, visit));
    let page = LoginPage { shell, email, next, trusted, passkeys, refusal };
    with_form_cookie(app, visit, (status, Html(page.render())).into_response())
}

/// Sets the cookie that a form's token is made from, for a visitor without any.
pub(super) fn with_form_cookie(app: &App, visit: &Visit, mut response: Response) -> Response {
    if visit.fresh {
        let cookie = cookies::set(Kind::PreSession, &visit.cookie, None, app.secure);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

pub(super) async fn submit(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Response {
    let Credentials { email, password, trusted, next } = credentials;
    let (guest, trusted) = (Some(guest(&app, &visit, &headers)), trusted == "yes");
    let message = LogInRequest { email: email.clone(), password, guest, trusted };
    let request = app.identity.ask(&Caller::service(crate::NAME, None), message);
    match app.sessions_client().log_in(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let answer = answer.into_inner();
            if answer.challenge_token.is_empty() {
                return enter(&app, &headers, &answer, local(&next)).await;
            }
            let mut response = go(&factor_path(&next));
            // What was said of the browser is offered there again.
            let cookie = cookies::wait(&answer.challenge_token, trusted, app.secure);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Err(Failure::Refused(code)) if code == TOO_MANY => {
            page(&app, &visit, email, (next, trusted), Some(LoginRefusal::TooManyAttempts))
        }
        Err(Failure::Refused(_) | Failure::Malformed(_) | Failure::NotFound) => {
            page(&app, &visit, email, (next, trusted), Some(LoginRefusal::WrongCredentials))
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

/// The second step.
fn factor_path(next: &str) -> String {
    let query: String = form_urlencoded::byte_serialize(local(next).as_bytes()).collect();
    format!("/login/factor?next={query}")
}

/// The second step, for whoever has done the first.
pub(super) async fn show_factor(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Query(destination): Query<Destination>,
) -> Response {
    if visit.visitor.is_some() {
        return go(local(&destination.next));
    }
    let Some((_, trusted)) = cookies::waiting(&headers, app.secure) else {
        return go("/login");
    };
    factor_page(&app, &visit, &headers, (destination.next, trusted), None).await
}

pub(super) async fn factor_page(
    app: &App,
    visit: &Visit,
    headers: &HeaderMap,
    (next, trusted): (String, bool),
    refusal: Option<FactorRefusal>,
) -> Response {
    let status = if refusal.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let ways = passkeys::ways(app, headers).await;
    let offered = passkeys::offered(app, visit);
    let page = LoginFactorPage {
        shell: visit.shell(app, Nav::None),
        next,
        trusted,
        by_code: ways.code,
        passkeys: if ways.passkey { offered } else { Passkeys::Nowhere },
        refusal,
    };
    with_form_cookie(app, visit, (status, Html(page.render())).into_response())
}

#[derive(Deserialize)]
pub(super) struct SecondStep {
    #[serde(default)]
    code: String,
    #[serde(default)]
    trusted: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn submit_factor(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(SecondStep { code, trusted, next }): Form<SecondStep>,
) -> Response {
    let Some((challenge_token, _)) = cookies::waiting(&headers, app.secure) else {
        return go("/login?notice=challenge-over");
    };
    let guest = Some(guest(&app, &visit, &headers));
    let trusted = trusted == "yes";
    let message = ProveFactorRequest { challenge_token, code: code.clone(), trusted, guest };
    let request = app.identity.ask(&Caller::service(crate::NAME, None), message);
    match app.sessions_client().prove_factor(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let token = &answer.get_ref().session_token;
            let to = security::after_code(&app, &code, token, local(&next)).await;
            enter(&app, &headers, answer.get_ref(), &to).await
        }
        Err(Failure::Refused(code)) if code == "identity.challenge.over" => challenge_over(&app),
        Err(Failure::Refused(_)) => {
            let wrong = Some(FactorRefusal::WrongCode);
            factor_page(&app, &visit, &headers, (next, trusted), wrong).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

/// Leads back to the password.
pub(super) fn challenge_over(app: &App) -> Response {
    let mut response = go("/login?notice=challenge-over");
    let cookie = cookies::remove(Kind::Challenge, app.secure);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// From where a visitor comes, for identity.
pub(super) fn guest(app: &App, visit: &Visit, headers: &HeaderMap) -> Guest {
    Guest {
        address: visit.address.clone(),
        user_agent: user_agent(headers),
        device_token: cookies::get(headers, Kind::Device, app.secure).unwrap_or_default(),
        outside: visit.outside,
        session_token: cookies::get(headers, Kind::Session, app.secure).unwrap_or_default(),
    }
}

/// Begins a session in the browser. The one that it had has ended.
pub(super) async fn enter(
    app: &App,
    headers: &HeaderMap,
    entered: &LogInResponse,
    to: &str,
) -> Response {
    session::forget(app, headers).await;
    let mut response = go(to);
    let headers = response.headers_mut();
    let session = cookies::session(app, &entered.session_token, entered.keep_until);
    headers.append(header::SET_COOKIE, session);
    headers.append(header::SET_COOKIE, known_browser(app, &entered.device_token));
    for kind in [Kind::PreSession, Kind::Challenge] {
        headers.append(header::SET_COOKIE, cookies::remove(kind, app.secure));
    }
    response
}

/// The cookie by which a browser is known from now on.
pub(super) fn known_browser(app: &App, device: &str) -> HeaderValue {
    cookies::set(Kind::Device, device, Some(KNOWN), app.secure)
}

/// What the browser calls itself, as far as it matters.
pub(super) fn user_agent(headers: &HeaderMap) -> String {
    let text = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    text.unwrap_or_default().chars().take(200).collect()
}

pub(super) async fn log_out(State(app): State<App>, visit: Visit, headers: HeaderMap) -> Response {
    if let Some(token) = cookies::get(&headers, Kind::Session, app.secure) {
        let message = LogOutRequest { session_token: token };
        let caller = Caller::service(crate::NAME, None);
        let request = app.identity.ask(&caller, message);
        if let Err(status) = app.sessions_client().log_out(request).await {
            return failure::of_call(&app, &visit, &Failure::from(status));
        }
        session::forget(&app, &headers).await;
    }
    let mut response = go("/login?notice=logged-out");
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookies::remove(Kind::Session, app.secure));
    let clear = axum::http::HeaderValue::from_static("\"cache\", \"storage\"");
    headers.insert("clear-site-data", clear);
    response
}
