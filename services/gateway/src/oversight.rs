//! What bounds the platform's staff: the networks from which alone they work, and what opens while they look at a
//! campaign as one of its members.

use std::net::IpAddr;

use axum::{
    http::{Method, request::Parts},
    response::Response,
};
use meydan_web::pages::error::Failure as Shown;

use crate::{
    access::{Access, Need},
    app::App,
    failure,
    session::Visit,
};

/// What one does while impersonating that is not a look at the campaign: find it, end it, log out.
const WHILE_IMPERSONATING: [&str; 3] = ["/", "/impersonation/end", "/logout"];

/// Whether staff does not work from an address. Where no networks are set, it works everywhere.
#[must_use]
pub fn is_outside(app: &App, client: IpAddr) -> bool {
    let networks = &app.admin_networks;
    !networks.is_empty() && !networks.iter().any(|network| network.contains(&client))
}

/// Turns away whoever comes from where staff does not work: there are no pages for admins, and an admin's session
/// opens nothing but the way out. Told first, before anything is said of who visits.
///
/// # Errors
///
/// The whole answer: *not found*, as for whoever is no admin.
#[expect(clippy::result_large_err, reason = "a refusal is a whole answer")]
pub fn within_networks(app: &App, access: Access, visit: &mut Visit) -> Result<(), Response> {
    if !visit.outside {
        return Ok(());
    }
    let staff = visit.visitor.as_ref().is_some_and(|visitor| visitor.staff);
    if staff {
        metrics::counter!("http_admins_outside").increment(1);
        visit.visitor = None;
    }
    if access.need == Need::Admin || (staff && access.need != Need::Nobody) {
        return Err(failure::page(app, visit, Shown::NotFound));
    }
    Ok(())
}

/// Lets somebody who impersonates a member read, and nothing else; the services hold to the same.
///
/// # Errors
///
/// The whole answer when they may not.
#[expect(clippy::result_large_err, reason = "a refusal is a whole answer")]
pub fn while_impersonating(
    app: &App,
    access: Access,
    visit: &Visit,
    parts: &Parts,
) -> Result<(), Response> {
    let impersonates = visit.visitor.as_ref().is_some_and(|who| who.impersonates.is_some());
    let reads = parts.method == Method::GET && access.need != Need::Session;
    if !impersonates || reads || WHILE_IMPERSONATING.contains(&parts.uri.path()) {
        return Ok(());
    }
    Err(failure::page(app, visit, Shown::Forbidden))
}
