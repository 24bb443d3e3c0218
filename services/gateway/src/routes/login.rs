//! `/login` and `/logout`.

use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{LogInRequest, LogOutRequest},
};
use meydan_web::{
    Nav,
    pages::entry::{LoginPage, LoginRefusal},
};
use serde::Deserialize;

use super::{go, preferences::local};
use crate::{
    app::App,
    cookies::{self, Kind},
    failure,
    session::{self, Visit},
};

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
    page(&app, &visit, String::new(), destination.next, None)
}

fn page(
    app: &App,
    visit: &Visit,
    email: String,
    next: String,
    refusal: Option<LoginRefusal>,
) -> Response {
    let status = match refusal {
        None => StatusCode::OK,
        Some(LoginRefusal::TooManyAttempts) => StatusCode::TOO_MANY_REQUESTS,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let page = LoginPage { shell: visit.shell(app, Nav::None), email, next, refusal };
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
    let Credentials { email, password, next } = credentials;
    let message = LogInRequest {
        email: email.clone(),
        password,
        address: visit.address.clone(),
        user_agent: user_agent(&headers),
    };
    let request = app.identity.ask(&Caller::service(crate::NAME, None), message);
    match app.sessions_client().log_in(request).await.map_err(Failure::from) {
        Ok(answer) => enter(&app, &answer.get_ref().session_token, local(&next)),
        Err(Failure::Refused(_) | Failure::Malformed(_) | Failure::NotFound) => {
            page(&app, &visit, email, next, Some(LoginRefusal::WrongCredentials))
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

/// Begins a session in the browser.
pub(super) fn enter(app: &App, token: &str, to: &str) -> Response {
    let mut response = go(to);
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookies::set(Kind::Session, token, None, app.secure));
    headers.append(header::SET_COOKIE, cookies::remove(Kind::PreSession, app.secure));
    response
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
