//! What bounds the platform's staff: the networks from which alone they work, and what opens while they look at a
//! campaign as one of its members.

use std::net::IpAddr;

use axum::{
    http::{Extensions, HeaderMap, Method, StatusCode, request::Parts},
    response::Response,
};
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{NoteLookRequest, NoteReadingRequest},
};
use meydan_web::pages::error::Failure as Shown;
use uuid::Uuid;

use crate::{
    access::{Access, Need},
    app::App,
    failure,
    session::{self, Visit, Visitor},
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

/// Whose session it is when they look as a member, so that also a page that is refused before anybody is asked says
/// so, and lets them end it. Outside the networks of staff there is nobody.
pub async fn looker(app: &App, headers: &HeaderMap, outside: bool) -> Option<Visitor> {
    let visitor = session::remembered(app, headers).await.filter(|_| !outside)?;
    visitor.impersonates.is_some().then_some(visitor)
}

/// The visit of somebody who looks as a member at something of a campaign.
#[must_use]
pub fn look(request: &Extensions) -> Option<Visit> {
    let visit = request.get::<Visit>()?;
    let who = visit.visitor.as_ref().filter(|_| visit.membership.is_some())?;
    who.impersonates.is_some().then(|| visit.clone())
}

/// Puts on record what somebody who looks as a member is about to see. A page that was refused shows nothing, and is
/// not noted; one that cannot be noted is not shown: nobody looks unseen.
pub async fn note_look(
    app: &App,
    look: Option<Visit>,
    path: &'static str,
    response: Response,
) -> Response {
    // A page with what is wrong in its form still shows what is around that.
    let status = response.status();
    let shown = status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY;
    let Some(visit) = look.filter(|_| shown) else { return response };
    let Some(visitor) = &visit.visitor else { return response };
    let Some(seen) = &visitor.impersonates else { return response };
    let look = (visitor.session, seen.ends_at, path);
    if app.looks.contains_key(&look) {
        return response;
    }
    // The cookie of somebody who is logged in is their session's token.
    let message = NoteLookRequest { session_token: visit.cookie.clone(), page: page(path) };
    let request = app.identity.ask(&Caller::service(crate::NAME, None), message);
    match app.sessions_client().note_look(request).await.map_err(Failure::from) {
        Ok(_) => {
            app.looks.insert(look, ()).await;
            response
        }
        Err(failure) => failure::of_call(app, &visit, &failure),
    }
}

/// How somebody reads the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read<'a> {
    /// They open a page of it.
    Opened(&'a str),
    /// They take a copy away, by its name.
    Copied(Uuid),
}

/// Puts on record that records of campaigns are read, before anything of them is seen.
///
/// # Errors
///
/// When that is not possible: nobody reads unseen.
pub async fn note_reading(
    app: &App,
    visit: &Visit,
    campaign_ids: Vec<String>,
    read: Read<'_>,
) -> Result<(), Failure> {
    if campaign_ids.is_empty() {
        return Ok(());
    }
    let (command, page, exported) = match read {
        Read::Opened(page) => (Uuid::now_v7(), page.to_owned(), false),
        Read::Copied(copy) => (copy, String::new(), true),
    };
    let message = NoteReadingRequest { campaign_ids, page, exported };
    app.records().note_reading(app.identity.command(&visit.caller(), command, message)).await?;
    Ok(())
}

/// What a page of a campaign is called in the record. A part of a page, which is asked for by itself, is that page.
fn page(path: &str) -> String {
    let parts = path.trim_start_matches("/c/{slug}").split('/');
    let parts =
        parts.filter(|part| !matches!(*part, "" | "list" | "messages" | "figures" | "live"));
    let named: Vec<_> = parts.map(|part| part.trim_matches(['{', '}'])).collect();
    if named.is_empty() { "home".to_owned() } else { named.join(".") }
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use meydan_web::pages::audit::page_key;

    use super::page;
    use crate::{access::Need, routes};

    #[test]
    fn whatever_can_be_read_in_a_campaign_has_a_name_and_words_in_the_record() {
        let table = routes::table();
        let read = table.iter().filter(|route| {
            let permission =
                matches!(route.access.need, Need::Permission(name) if name.rsplit('.').next() == Some("read"));
            permission && route.method == Method::GET
        });
        let pages: Vec<_> = read.map(|route| page(route.path)).collect();
        assert!(pages.len() > 8, "{pages:?}");
        for page in pages {
            assert!(page_key(&page).is_some(), "{page} has no words");
            assert!(
                page.len() <= 40
                    && page.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.')
            );
        }
    }
}
