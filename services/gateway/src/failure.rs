//! What a person is told when something did not work.

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::outcome::Failure;
use meydan_web::{
    Nav,
    pages::error::{ErrorPage, Failure as Shown, Wait},
};

use crate::{app::App, session::Visit};

/// A page that says what happened and what to do.
#[must_use]
pub fn page(app: &App, visit: &Visit, shown: Shown) -> Response {
    told(app, visit, shown, (None, None))
}

/// The page for whoever lacks a permission, which it names.
#[must_use]
pub fn lacking(app: &App, visit: &Visit, permission: &'static str) -> Response {
    told(app, visit, Shown::Forbidden, (Some(permission), None))
}

/// The page for whoever asked too often.
#[must_use]
pub fn too_often(app: &App, visit: &Visit, wait: Wait) -> Response {
    told(app, visit, Shown::TooManyRequests, (None, Some(wait)))
}

fn told(
    app: &App,
    visit: &Visit,
    shown: Shown,
    (missing, wait): (Option<&'static str>, Option<Wait>),
) -> Response {
    let mut shell = visit.shell(app, Nav::None);
    if visit.fresh {
        // Nothing in the browser explains a token, and this is no page to begin with: it is without forms.
        shell.csrf.clear();
    }
    let trace_id = meydan_telemetry::trace_id();
    let page = ErrorPage { shell, failure: shown, missing, trace_id, wait };
    let status = StatusCode::from_u16(shown.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Html(page.render())).into_response()
}

/// What a failed call means to the person who asked.
#[must_use]
pub fn of_call(app: &App, visit: &Visit, failure: &Failure) -> Response {
    let shown = match failure {
        Failure::NotFound => Shown::NotFound,
        Failure::Denied => Shown::Forbidden,
        Failure::Malformed(_) | Failure::Refused(_) => Shown::Unprocessable,
        Failure::Conflict | Failure::Unavailable => Shown::Unavailable,
        Failure::Broken => Shown::Internal,
    };
    page(app, visit, shown)
}
