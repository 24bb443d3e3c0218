//! Another token for a session whose holder's role has changed: the next page that they open brings it, and from then on
//! the one before opens nothing. Forms and the parts of open pages go on with what they have until then.

use axum::{
    http::{Method, header, request},
    response::Response,
};
use meydan_rpc::{caller::Caller, outcome::Failure, pb::identity::RenewTokenRequest};

use super::{Access, Need};
use crate::{
    app::App,
    cookies::{self, Kind},
    limits::RateClass,
    session::{self, Visit},
};

/// The token that the browser gets with the answer.
#[derive(Clone)]
pub(super) struct Renewed(String);

/// Gives the session of a visit another token when that is due, and has the page be made for it. When identity cannot do
/// it now, a later page asks again.
pub(super) async fn renew(
    app: &App,
    access: Access,
    visit: &mut Visit,
    parts: &request::Parts,
) -> Option<Renewed> {
    let page = parts.method == Method::GET
        && access.need != Need::Nobody
        && access.rate != RateClass::Live;
    if !page || !visit.visitor.as_ref().is_some_and(|visitor| visitor.renew) {
        return None;
    }
    let session_token = cookies::get(&parts.headers, Kind::Session, app.secure)?;
    let caller = Caller::service(crate::NAME, None);
    let request = app.identity.ask(&caller, RenewTokenRequest { session_token });
    let renewed = app.sessions_client().renew_token(request).await.map_err(Failure::from);
    session::forget(app, &parts.headers).await;
    let token = renewed.ok()?.into_inner().session_token;
    if token.is_empty() {
        return None;
    }
    visit.cookie.clone_from(&token);
    Some(Renewed(token))
}

/// Gives the browser its new token.
pub(super) fn tell(app: &App, renewed: Option<Renewed>, mut response: Response) -> Response {
    if let Some(Renewed(token)) = renewed {
        let cookie = cookies::set(Kind::Session, &token, None, app.secure);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
