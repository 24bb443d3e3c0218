//! `/account/sessions` and `/account/history`: where an account is logged in, and what happened to it.

use axum::{
    extract::{Path, Query, State},
    http::header,
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    guard::PROOF_NEEDED,
    outcome::Failure,
    pb::identity::{
        EndSessionsRequest, ListHistoryRequest, ListSessionsRequest, StopTrustingRequest,
    },
};
use meydan_web::{
    Nav, Notice,
    pages::security::{Browser, HistoryPage, SessionsPage},
};
use serde::Deserialize;

use super::go_with;
use crate::{access::to_proof, app::App, cookies, failure, session::Visit, views};

/// Entries of identity's pages of history.
pub(super) const PAGE: usize = 50;

pub(super) async fn sessions(State(app): State<App>, visit: Visit) -> Response {
    let request = app.identity.ask(&visit.caller(), ListSessionsRequest {});
    let listed = match app.accounts().list_sessions(request).await.map_err(Failure::from) {
        Ok(answer) => answer.into_inner().sessions,
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let shell = visit.shell(&app, Nav::Account);
    let place = |address: &str| visit.place(&app, address);
    let sessions =
        listed.into_iter().filter_map(|seen| views::account::session(seen, place)).collect();
    Html(SessionsPage { shell, sessions }.render()).into_response()
}

pub(super) async fn end(
    State(app): State<App>,
    visit: Visit,
    Path(session_id): Path<String>,
) -> Response {
    finish(&app, &visit, session_id).await
}

pub(super) async fn end_others(State(app): State<App>, visit: Visit) -> Response {
    finish(&app, &visit, String::new()).await
}

/// Trusts a browser no longer. The one that asks lets go of its session when it is closed, from now on.
pub(super) async fn distrust(
    State(app): State<App>,
    visit: Visit,
    Path(session_id): Path<String>,
) -> Response {
    let here =
        visit.visitor.as_ref().is_some_and(|visitor| visitor.session.to_string() == session_id);
    let request = app.identity.ask(&visit.caller(), StopTrustingRequest { session_id });
    match app.accounts().stop_trusting(request).await.map_err(Failure::from) {
        Ok(_) => {
            let mut response = go_with("/account/sessions", Notice::Saved, 0);
            if here {
                let cookie = cookies::session(&app, &visit.cookie, None);
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

async fn finish(app: &App, visit: &Visit, session_id: String) -> Response {
    let request = app.identity.ask(&visit.caller(), EndSessionsRequest { session_id });
    match app.accounts().end_sessions(request).await.map_err(Failure::from) {
        Ok(_) => go_with("/account/sessions", Notice::SessionClosed, 0),
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof("/account/sessions"),
        Err(failure) => failure::of_call(app, visit, &failure),
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Before {
    #[serde(default)]
    before: i64,
}

pub(super) async fn history(
    State(app): State<App>,
    visit: Visit,
    Query(Before { before }): Query<Before>,
) -> Response {
    let request = app.identity.ask(&visit.caller(), ListHistoryRequest { before });
    let listed = match app.accounts().list_history(request).await.map_err(Failure::from) {
        Ok(answer) => answer.into_inner().entries,
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let shell = visit.shell(&app, Nav::Account);
    let before = (listed.len() == PAGE).then(|| listed.last().map(|last| last.position));
    let place = |address: &str| visit.place(&app, address);
    let entries =
        listed.into_iter().filter_map(|entry| views::account::happened(entry, place)).collect();
    Html(HistoryPage { shell, entries, before: before.flatten() }.render()).into_response()
}

/// Browser and system, as far as the name that a browser gives itself tells; the first match counts, because
/// browsers also name those that they want to be taken for.
pub(crate) fn browser(user_agent: &str) -> Browser {
    let first = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    let program = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("YaBrowser", "Yandex"),
        ("MiuiBrowser", "Mi Browser"),
        ("UCBrowser", "UC Browser"),
        ("Firefox", "Firefox"),
        ("FxiOS", "Firefox"),
        ("Chrome", "Chrome"),
        ("CriOS", "Chrome"),
        ("Safari", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("CrOS", "ChromeOS"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    Browser { program, system }
}

#[cfg(test)]
mod tests {
    use super::{Browser, browser};

    #[test]
    fn browsers_are_told_by_what_they_are_and_not_by_what_they_pretend() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                    Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 \
                     (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

        let named = |program, system| Browser { program: Some(program), system: Some(system) };
        assert_eq!(browser(edge), named("Edge", "Windows"));
        assert_eq!(browser(phone), named("Safari", "iPhone"));
        assert_eq!(browser("curl/8"), Browser::default());
    }
}
