//! `/admin/security`: what admins watch for, out of the record of everything. An account is looked for by a form that is sent,
//! and found again by its id, so that nobody's address stands in one of ours.

use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    outcome::Failure,
    pb::{audit::ListEntriesRequest, identity::ListAccountsRequest},
};
use meydan_web::{
    Nav, Problem, Problems,
    pages::watch::{WATCHED, WatchPage, Watched},
};

use serde::Deserialize;

use super::{
    audit::{Asked, PAGE, names, note_staff, of_address, with_accounts},
    go,
};
use crate::{app::App, failure, session::Visit, views};

/// What the form looks for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Search {
    #[serde(flatten)]
    asked: Asked,
    /// The address with which somebody logs in whose events are looked for.
    #[serde(default)]
    account: String,
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Response {
    let shown = page(&app, &visit, asked).await;
    shown.unwrap_or_else(|failure| of_address(&app, &visit, failure))
}

/// Leads to what the form looks for.
pub(super) async fn search(
    State(app): State<App>,
    visit: Visit,
    Form(Search { mut asked, account }): Form<Search>,
) -> Response {
    let (_, mut problems) = asked.read(visit.zone(&app), None);
    if !account.trim().is_empty() {
        match account_of(&app, &visit, account.trim()).await {
            Ok(Some(id)) => asked.target = id,
            Ok(None) => problems.add("account", Problem::NoSuchAccount),
            Err(failure) => return failure::of_call(&app, &visit, &failure),
        }
    }
    if problems.is_empty() {
        return go(&format!("/admin/security{}", asked.shown().query(None)));
    }
    refused(&app, &visit, (asked, account), problems)
}

/// The page whose form says what could not be understood, and nothing else.
fn refused(
    app: &App,
    visit: &Visit,
    (asked, account): (Asked, String),
    problems: Problems,
) -> Response {
    let (shell, filter) = (visit.shell(app, Nav::Security), asked.shown());
    let page = WatchPage { shell, filter, account, problems, events: vec![], older: None };
    (StatusCode::UNPROCESSABLE_ENTITY, Html(page.render())).into_response()
}

/// The account that an address belongs to.
async fn account_of(app: &App, visit: &Visit, address: &str) -> Result<Option<String>, Failure> {
    let message = ListAccountsRequest { email: address.to_owned(), ..Default::default() };
    let request = app.identity.ask(&visit.caller(), message);
    let found = app.oversight().list_accounts(request).await?.into_inner().accounts;
    Ok(found.into_iter().next().map(|account| account.account_id))
}

async fn page(app: &App, visit: &Visit, asked: Asked) -> Result<Response, Failure> {
    let (mut filter, problems) = asked.read(visit.zone(app), None);
    if !problems.is_empty() {
        return Ok(refused(app, visit, (asked, String::new()), problems));
    }
    let one = WATCHED.iter().filter(|kind| **kind == filter.action);
    let kinds = if filter.action.is_empty() { WATCHED.to_vec() } else { one.copied().collect() };
    if kinds.is_empty() {
        return Err(Failure::NotFound);
    }
    filter.any_of = kinds.iter().map(ToString::to_string).collect();
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
        account: String::new(),
        problems,
        events: answer.entries.into_iter().map(event).collect(),
        older: oldest.filter(|_| answer.more),
    };
    Ok(Html(page.render()).into_response())
}
