//! `/admin/security`: what admins watch for, out of the record of everything.

use axum::{
    extract::{Query, State},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{outcome::Failure, pb::audit::ListEntriesRequest};
use meydan_web::{
    Nav,
    pages::watch::{WATCHED, WatchPage, Watched},
};

use super::audit::{Asked, PAGE, names, of_address, with_accounts};
use crate::{app::App, session::Visit, views};

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Response {
    let shown = page(&app, &visit, asked).await;
    shown.unwrap_or_else(|failure| of_address(&app, &visit, failure))
}

async fn page(app: &App, visit: &Visit, asked: Asked) -> Result<Response, Failure> {
    let (mut filter, problems) = asked.read(visit.zone(app), None);
    let one = WATCHED.iter().filter(|kind| **kind == filter.action);
    let kinds = if filter.action.is_empty() { WATCHED.to_vec() } else { one.copied().collect() };
    if kinds.is_empty() {
        return Err(Failure::NotFound);
    }
    filter.any_of = kinds.iter().map(ToString::to_string).collect();
    let before = asked.before.parse().unwrap_or(0);
    let message = ListEntriesRequest { filter: Some(filter), before, limit: PAGE };
    let answer = app.entries().list_entries(app.audit.ask(&visit.caller(), message)).await?;
    let answer = answer.into_inner();
    let names = names(app, visit).await?;
    let names = with_accounts(app, visit, names, &answer.entries).await?;
    let oldest = answer.entries.last().map(|entry| entry.arrival);
    let event = |wire: meydan_rpc::pb::audit::Entry| {
        let to_account = wire.target_type == "account";
        let name = names.accounts.get(&wire.target_id).cloned().unwrap_or_default();
        Watched { about: to_account.then_some(name), entry: views::audit::entry(wire, &names) }
    };
    let page = WatchPage {
        shell: visit.shell(app, Nav::Security),
        filter: asked.shown(),
        problems,
        events: answer.entries.into_iter().map(event).collect(),
        older: oldest.filter(|_| answer.more),
    };
    Ok(Html(page.render()).into_response())
}
