//! Another token for a session whose holder's role has changed: the next page that they open brings it, and from then on
//! the one before opens nothing. Forms, the parts of open pages and what is saved beside them go on with what they have until
//! then.

use axum::{
    http::{HeaderValue, Method, header, request},
    response::{IntoResponse, Redirect, Response},
};
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{RenewTokenRequest, RenewTokenResponse},
};

use super::{Access, Need};
use crate::{
    app::App,
    cookies::{self, Kind},
    limits::RateClass,
    session::{self, Visit},
};

/// The cookie that the browser gets with the answer.
#[derive(Clone)]
pub(super) struct Renewed(HeaderValue);

/// Gives the session of a visit another token when that is due, and has the page be made for it. When identity cannot do
/// it now, a later page asks again.
///
/// # Errors
///
/// The way to the same page, when another request was quicker: the forms of a page that were made for the token before would
/// be refused. Mostly the browser has the other one by then. Where the quicker request still makes the page that brings it,
/// this leads to the login: whoever does not wait for that page logs in once more, and no more than that.
pub(super) async fn renew(
    app: &App,
    access: Access,
    visit: &mut Visit,
    parts: &request::Parts,
) -> Result<Option<Renewed>, Response> {
    let page = parts.method == Method::GET
        && access.need != Need::Nobody
        && access.rate != RateClass::Live
        && !stays(parts);
    if !page || !visit.visitor.as_ref().is_some_and(|visitor| visitor.renew) {
        return Ok(None);
    }
    let Some(session_token) = cookies::get(&parts.headers, Kind::Session, app.secure) else {
        return Ok(None);
    };
    let caller = Caller::service(crate::NAME, None);
    let request = app.identity.ask(&caller, RenewTokenRequest { session_token });
    let renewed = app.sessions_client().renew_token(request).await.map_err(Failure::from);
    session::forget(app, &parts.headers).await;
    let RenewTokenResponse { session_token: token, keep_until } = match renewed {
        Ok(answer) => answer.into_inner(),
        Err(Failure::NotFound) => RenewTokenResponse::default(),
        Err(_) => return Ok(None),
    };
    if token.is_empty() {
        // Asked with the same token again, there is no visitor: this leads to the login, and not here once more.
        return Err(Redirect::to(&visit.path).into_response());
    }
    let cookie = cookies::session(app, &token, keep_until);
    visit.cookie = token;
    Ok(Some(Renewed(cookie)))
}

/// Whether the page that asks stays open, with its forms: a script exchanges a part of it, or a file is saved.
fn stays(parts: &request::Parts) -> bool {
    parts.headers.contains_key("hx-request") || parts.uri.path().ends_with("/export.csv")
}

/// Gives the browser its new token.
pub(super) fn tell(renewed: Option<Renewed>, mut response: Response) -> Response {
    if let Some(Renewed(cookie)) = renewed {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
