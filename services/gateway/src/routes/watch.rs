//! `/admin/security`: what admins watch for, out of the record of everything.

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    outcome::Failure,
    pb::{audit::ListEntriesRequest, identity::ListAccountsRequest},
};
use meydan_web::{
    Nav,
    pages::watch::{WATCHED, WatchPage, Watched},
};

use serde::Deserialize;
use uuid::Uuid;

use super::audit::{Asked, PAGE, names, note_staff, of_address, with_accounts};
use crate::{app::App, session::Visit, views};

/// Whose events are looked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Whose {
    /// The address with which they log in.
    #[serde(default)]
    account: String,
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(asked): Query<Asked>,
    Query(Whose { account }): Query<Whose>,
) -> Response {
    let shown = page(&app, &visit, asked, account.trim().to_owned()).await;
    shown.unwrap_or_else(|failure| of_address(&app, &visit, failure))
}

/// The account that an address belongs to; nobody's id when it is nobody's.
async fn account_of(app: &App, visit: &Visit, address: &str) -> Result<String, Failure> {
    let message = ListAccountsRequest { email: address.to_owned(), ..Default::default() };
    let request = app.identity.ask(&visit.caller(), message);
    let found = app.oversight().list_accounts(request).await?.into_inner().accounts;
    let id = found.into_iter().next().map(|account| account.account_id);
    Ok(id.unwrap_or_else(|| Uuid::nil().to_string()))
}

async fn page(
    app: &App,
    visit: &Visit,
    asked: Asked,
    account: String,
) -> Result<Response, Failure> {
    let (mut filter, problems) = asked.read(visit.zone(app), None);
    if !problems.is_empty() {
        let shell = visit.shell(app, Nav::Security);
        let filter = asked.shown();
        let page = WatchPage { shell, filter, account, problems, events: vec![], older: None };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.render())).into_response());
    }
    let one = WATCHED.iter().filter(|kind| **kind == filter.action);
    let kinds = if filter.action.is_empty() { WATCHED.to_vec() } else { one.copied().collect() };
    if kinds.is_empty() {
        return Err(Failure::NotFound);
    }
    filter.any_of = kinds.iter().map(ToString::to_string).collect();
    if !account.is_empty() {
        filter.target_id = account_of(app, visit, &account).await?;
    }
    let before = asked.place().unwrap_or_default();
    let looked_for = filter.campaign_id.clone();
    let message = ListEntriesRequest { filter: Some(filter), before, limit: PAGE };
    let answer = app.entries().list_entries(app.audit.ask(&visit.caller(), message)).await?;
    let answer = answer.into_inner();
    note_staff(app, visit, (looked_for, &answer.entries), "security").await?;
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
        account,
        problems,
        events: answer.entries.into_iter().map(event).collect(),
        older: oldest.filter(|_| answer.more),
    };
    Ok(Html(page.render()).into_response())
}
