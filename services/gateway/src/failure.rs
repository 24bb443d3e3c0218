//! What a person is told when something did not work.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::outcome::Failure;
use meydan_web::{
    Nav,
    pages::error::{ErrorPage, Failure as Shown},
};

use crate::{app::App, session::Visit};

/// A page that says what happened and what to do.
#[must_use]
pub fn page(app: &App, visit: &Visit, shown: Shown) -> Response {
    let page = ErrorPage {
        shell: visit.shell(app, Nav::None),
        failure: shown,
        trace_id: meydan_telemetry::trace_id(),
    };
    let status = StatusCode::from_u16(shown.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Html(page.render())).into_response();
    // htmx shows the whole page then, instead of putting it where a part belongs.
    let retarget = HeaderName::from_static("hx-retarget");
    response.headers_mut().insert(retarget, HeaderValue::from_static("body"));
    response
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
