//! Whether a visitor may enter a route, and where they are led when something has to come first.

use axum::{
    http::{HeaderMap, Method, StatusCode, request},
    response::{Html, IntoResponse, Redirect, Response},
};
use meydan_web::{
    Nav, Notice,
    pages::{error::Failure as Shown, stopped::StoppedPage},
};

use super::{Access, Need, empty};
use crate::{
    app::App,
    failure,
    limits::RateClass,
    session::{Membership, Needs, Visit},
};

/// Leads a visitor without a session to the login. The part of a page is refused instead: who asked for it
/// is a script, which would take the login's page for the answer.
pub(super) fn to_login(rate: RateClass, visit: &Visit, headers: &HeaderMap) -> Response {
    if is_part(rate, headers) {
        return empty(StatusCode::UNAUTHORIZED);
    }
    let query: String = form_urlencoded::byte_serialize(visit.path.as_bytes()).collect();
    Redirect::to(&format!("/login?next={query}")).into_response()
}

/// Whether a script asks for the part of a page.
fn is_part(rate: RateClass, headers: &HeaderMap) -> bool {
    let navigates = headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate");
    rate == RateClass::Live && !navigates
}

/// Leads a visitor to what has to be proved first: with a second factor where they need one, or once more.
#[expect(clippy::result_large_err, reason = "a refusal is a whole answer")]
pub(super) fn prove_first(
    app: &App,
    access: Access,
    visit: &Visit,
    asked: &request::Parts,
) -> Result<(), Response> {
    let Some(visitor) = &visit.visitor else { return Ok(()) };
    if visitor.needs == Some(Needs::Factor)
        && matches!(access.need, Need::Admin | Need::Permission(_))
    {
        return Err(Redirect::to("/account/factors").into_response());
    }
    let Some(up) = access.fresh.filter(|_| !visitor.is_fresh(app)) else {
        return Ok(());
    };
    let parts = asked.uri.path().split('/').collect::<Vec<_>>();
    let mut back = parts[..parts.len().saturating_sub(up)].join("/");
    if let Some(query) = asked.uri.query().filter(|_| asked.method == Method::GET) {
        back = format!("{back}?{query}");
    }
    if asked.uri.path().ends_with("/export.csv") {
        let mark = if back.contains('?') { '&' } else { '?' };
        back = format!("{back}{mark}notice={}", Notice::CopyReady.code());
    }
    Err(to_proof(&back))
}

/// Leads a visitor to proving once more who they are.
pub(crate) fn to_proof(back: &str) -> Response {
    let query: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
    Redirect::to(&format!("/account/prove?next={query}")).into_response()
}

/// Leads a visitor to what they need first: the second factor that the campaign demands, or new recovery codes.
fn to_factors(notice: Notice, rate: RateClass, headers: &HeaderMap) -> Response {
    if is_part(rate, headers) {
        return empty(StatusCode::UNAUTHORIZED);
    }
    Redirect::to(&format!("/account/factors?notice={}", notice.code())).into_response()
}

/// Shows a member that their campaign does not run, whatever of it they asked for. A form is not carried out; where a script
/// has sent it, it is told to open the page.
fn stopped(
    app: &App,
    visit: &Visit,
    (rate, asked): (RateClass, &request::Parts),
    place: Membership,
) -> Response {
    if is_part(rate, &asked.headers) {
        return empty(StatusCode::UNAUTHORIZED);
    }
    if asked.method != Method::GET && asked.headers.contains_key("hx-request") {
        let to = format!("/c/{}", place.slug);
        return (StatusCode::CONFLICT, [("hx-redirect", to)]).into_response();
    }
    let page = StoppedPage {
        shell: visit.shell(app, Nav::None),
        name: place.candidate,
        status: place.status,
        deletion_due_at: place.deletion_due_at,
    };
    let status = if asked.method == Method::GET { StatusCode::OK } else { StatusCode::CONFLICT };
    (status, Html(page.render())).into_response()
}

/// Lets a visitor in, or says in which words not.
#[expect(clippy::result_large_err, reason = "a refusal is a whole answer")]
pub(super) fn enter(
    app: &App,
    access: Access,
    visit: &mut Visit,
    parts: &request::Parts,
) -> Result<(), Response> {
    let Some(visitor) = &visit.visitor else { return Ok(()) };
    match access.need {
        Need::Nobody | Need::Session => Ok(()),
        Need::Admin if visitor.admin && visitor.needs == Some(Needs::Codes) => {
            Err(to_factors(Notice::CodesUsedUp, access.rate, &parts.headers))
        }
        Need::Admin if visitor.admin => Ok(()),
        // Whoever is no admin does not learn that there is anything.
        Need::Admin | Need::ApiKey(_) => Err(failure::page(app, visit, Shown::NotFound)),
        Need::Permission(permission) => {
            let slug = parts.uri.path().split('/').nth(2).unwrap_or_default();
            let place: Option<Membership> =
                visitor.memberships.iter().find(|place| place.slug == slug).cloned();
            let Some(place) = place else {
                return Err(failure::page(app, visit, Shown::NotFound));
            };
            if !place.runs() {
                return Err(stopped(app, visit, (access.rate, parts), place));
            }
            if place.needs_factor {
                return Err(to_factors(Notice::FactorDemanded, access.rate, &parts.headers));
            }
            if visitor.needs == Some(Needs::Codes) {
                return Err(to_factors(Notice::CodesUsedUp, access.rate, &parts.headers));
            }
            visit.membership = Some(place);
            if visit.may(permission) {
                Ok(())
            } else {
                Err(failure::lacking(app, visit, permission))
            }
        }
    }
}
