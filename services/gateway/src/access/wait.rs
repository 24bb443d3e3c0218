//! Whoever asks too often is told for how long they wait, and led back to the page where they were.

use std::{collections::HashSet, sync::LazyLock};

use axum::{
    body::Body,
    http::{Method, header},
    response::Response,
};
use meydan_web::pages::error::Wait;

use super::field;
use crate::{
    app::App,
    failure,
    limits::RateClass,
    routes::{self, local},
    session::Visit,
};

/// Largest form that is read for where it leads, in bytes: those that lead anywhere are far smaller.
const LARGEST_FORM: usize = 16 * 1024;

/// Every address of a page, without those of its parts.
static PAGES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let pages = routes::table().into_iter().filter(|route| {
        let whole = !matches!(route.access.rate, RateClass::Live | RateClass::Free);
        route.method == Method::GET && whole
    });
    pages.map(|route| route.path).collect()
});

/// The answer to a request of a route that came too soon.
pub(super) async fn wait(
    app: &App,
    visit: &Visit,
    (route, seconds): (&str, u8),
    body: Body,
) -> Response {
    let mut back = page_of(route, &visit.path);
    if PAGES.contains(route)
        && let Some(next) = leads_to(app, body).await
    {
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let path = visit.path.split('?').next().unwrap_or_default();
        back = format!("{path}?next={next}");
    }
    let wait = Wait { seconds: seconds.into(), back };
    let mut response = failure::too_often(app, visit, wait);
    response.headers_mut().insert(header::RETRY_AFTER, u16::from(seconds).into());
    response
}

/// The page to which a route belongs: itself, with what was asked of it, or the nearest above it.
fn page_of(route: &str, asked: &str) -> String {
    if PAGES.contains(route) {
        return asked.to_owned();
    }
    let (mut route, mut path) = (route, asked.split('?').next().unwrap_or_default());
    while let (Some((above, _)), Some((to, _))) = (route.rsplit_once('/'), path.rsplit_once('/')) {
        if PAGES.contains(above) {
            return to.to_owned();
        }
        (route, path) = (above, to);
    }
    "/".to_owned()
}

/// Where the form of a request leads afterwards, if to a path of ours.
async fn leads_to(app: &App, body: Body) -> Option<String> {
    let read = axum::body::to_bytes(body, LARGEST_FORM);
    let bytes = tokio::time::timeout(app.patience.body, read).await.ok()?.ok()?;
    field(&bytes, "next").filter(|next| !next.is_empty() && local(next) == next)
}

#[cfg(test)]
mod tests {
    use super::page_of;

    #[test]
    fn whoever_waits_is_led_to_a_page_that_is_there() {
        for (route, asked, page) in [
            ("/login", "/login?next=/account", "/login?next=/account"),
            ("/account/password", "/account/password", "/account"),
            ("/account/factors/{id}/confirm", "/account/factors/7/confirm", "/account/factors"),
            ("/c/{slug}/inbox/{number}/reply", "/c/x/inbox/7/reply?a", "/c/x/inbox/7"),
            ("/c/{slug}/inbox/list", "/c/x/inbox/list?at=3", "/c/x/inbox"),
            ("/admin/campaigns/{slug}/bot", "/admin/campaigns/x/bot", "/admin/campaigns/x"),
            ("/logout", "/logout", "/"),
        ] {
            assert_eq!(page_of(route, asked), page);
        }
    }
}
