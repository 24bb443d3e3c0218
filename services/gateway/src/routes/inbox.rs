//! `/c/{slug}/inbox`: the list, a conversation, an answer.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    outcome::Failure,
    pb::crm::{
        ChangeStatusRequest, GetTicketRequest, ListTicketsRequest, ListTicketsResponse,
        ReplyRequest,
    },
};
use meydan_web::{
    Nav, Notice,
    pages::inbox::{
        Composer, ComposerProblem, Conversation, Filter, InboxPage, MessagesFragment,
        TicketListFragment, TicketStatus,
    },
};
use serde::Deserialize;
use uuid::Uuid;

use super::{admin::command, go_with};
use crate::{app::App, failure, session::Visit, views::ticket as views};

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    status: String,
    before: Option<String>,
    open: Option<i64>,
    #[serde(default)]
    at: i64,
}

impl Asked {
    fn filter(&self) -> Filter {
        Filter::from_code(&self.status).unwrap_or_default()
    }
}

async fn page(app: &App, visit: &Visit, asked: &Asked) -> Result<ListTicketsResponse, Failure> {
    let filter = asked.filter();
    let status = match filter {
        Filter::Status(status) => views::status_out(status).into(),
        Filter::All | Filter::Unanswered | Filter::Undelivered => 0,
    };
    let message = ListTicketsRequest {
        status,
        unanswered: filter == Filter::Unanswered,
        undelivered: filter == Filter::Undelivered,
        before: asked.before.clone().unwrap_or_default(),
        limit: 0,
        min_position: asked.at,
    };
    let request = app.crm.ask(&visit.caller(), message);
    Ok(app.tickets().list_tickets(request).await?.into_inner())
}

/// A conversation, and the position that it shows.
async fn conversation(
    app: &App,
    visit: &Visit,
    (number, at): (i64, i64),
    composer: Composer,
) -> Result<(Conversation, i64), Failure> {
    let request = app.crm.ask(&visit.caller(), GetTicketRequest { number, min_position: at });
    let answer = app.tickets().get_ticket(request).await?.into_inner();
    let position = answer.position;
    let conversation = views::conversation(visit.slug(), answer, composer);
    Ok((conversation.ok_or(Failure::Broken)?, position))
}

fn composer() -> Composer {
    let id = || Uuid::now_v7().to_string();
    Composer { command_id: id(), move_id: id(), ..Composer::default() }
}

/// The inbox, with a conversation when one is open.
async fn inbox(
    app: &App,
    visit: &Visit,
    asked: &Asked,
    open: Option<(i64, Composer)>,
) -> Result<String, Failure> {
    let number = open.as_ref().map(|(number, _)| *number);
    let conversation = async {
        match open {
            None => Ok(None),
            Some((number, composer)) => {
                conversation(app, visit, (number, asked.at), composer).await.map(Some)
            }
        }
    };
    let (page, conversation) = tokio::join!(page(app, visit, asked), conversation);
    let (page, conversation) = (page?, conversation?);
    let mut shell = visit.shell(app, Nav::Inbox);
    // What the page shows altogether: no newer than its oldest part.
    shell.position = match &conversation {
        Some((_, position)) => page.position.min(*position),
        None => page.position,
    };
    let conversation = conversation.map(|(conversation, _)| conversation);
    shell.unread = page.unanswered;
    let about = (asked.filter(), asked.before.clone(), number);
    let list = views::list(visit.slug(), about, &page);
    Ok(InboxPage { shell, list, conversation }.render())
}

fn answer(app: &App, visit: &Visit, page: Result<String, Failure>) -> Response {
    match page {
        Ok(page) => Html(page).into_response(),
        Err(Failure::Malformed(_)) => failure::of_call(app, visit, &Failure::NotFound),
        Err(failure) => failure::of_call(app, visit, &failure),
    }
}

pub(super) async fn list(
    State(app): State<App>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Response {
    let page = inbox(&app, &visit, &asked, None).await;
    answer(&app, &visit, page)
}

/// How many conversations wait for an answer, for the menu of other pages. An inbox that is away spoils none.
pub(super) async fn unread(app: &App, visit: &Visit) -> u64 {
    if !visit.may("crm:ticket.read") {
        return 0;
    }
    let request =
        app.crm.ask(&visit.caller(), ListTicketsRequest { limit: 1, ..Default::default() });
    app.tickets().list_tickets(request).await.map_or(0, |found| found.get_ref().unanswered)
}

pub(super) async fn list_fragment(
    State(app): State<App>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Response {
    let part = page(&app, &visit, &asked).await.map(|page| {
        let mut shell = visit.shell(&app, Nav::Inbox);
        shell.unread = page.unanswered;
        let about = (asked.filter(), asked.before.clone(), asked.open);
        TicketListFragment { shell, list: views::list(visit.slug(), about, &page) }.render()
    });
    answer(&app, &visit, part)
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path((_, number)): Path<(String, i64)>,
    Query(asked): Query<Asked>,
) -> Response {
    let page = inbox(&app, &visit, &asked, Some((number, composer()))).await;
    answer(&app, &visit, page)
}

pub(super) async fn messages(
    State(app): State<App>,
    visit: Visit,
    Path((_, number)): Path<(String, i64)>,
) -> Response {
    let part =
        conversation(&app, &visit, (number, 0), composer()).await.map(|(conversation, _)| {
            MessagesFragment { shell: visit.shell(&app, Nav::Inbox), conversation }.render()
        });
    answer(&app, &visit, part)
}

#[derive(Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    command_id: String,
    #[serde(default)]
    text: String,
}

pub(super) async fn reply(
    State(app): State<App>,
    visit: Visit,
    Path((slug, number)): Path<(String, i64)>,
    Query(asked): Query<Asked>,
    Form(written): Form<Written>,
) -> Response {
    let author_name = visit.visitor.as_ref().map(|visitor| visitor.name.clone());
    let message = ReplyRequest {
        number,
        text: written.text.clone(),
        author_name: author_name.unwrap_or_default(),
        at: None,
    };
    let request = app.crm.command(&visit.caller(), command(&written.command_id), message);
    let problem = match app.tickets().reply(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let to = format!("/c/{slug}/inbox/{number}");
            return go_with(&to, Notice::ReplyQueued, answer.get_ref().position);
        }
        Err(Failure::Malformed(_)) if written.text.trim().is_empty() => ComposerProblem::Empty,
        Err(Failure::Malformed(_)) => ComposerProblem::TooLong,
        Err(Failure::Refused(code)) if code.ends_with("citizen_blocked") => {
            ComposerProblem::Blocked
        }
        Err(Failure::Conflict | Failure::Unavailable) => ComposerProblem::NotStored,
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let composer = Composer {
        command_id: written.command_id,
        text: written.text,
        problem: Some(problem),
        ..composer()
    };
    kept(&app, &visit, &asked, number, composer).await
}

/// The conversation again, with what was typed and why it was not taken.
async fn kept(
    app: &App,
    visit: &Visit,
    asked: &Asked,
    number: i64,
    composer: Composer,
) -> Response {
    let page = inbox(app, visit, asked, Some((number, composer))).await;
    let mut response = answer(app, visit, page);
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

#[derive(Deserialize)]
pub(super) struct Moved {
    #[serde(default)]
    command_id: String,
    #[serde(default)]
    status: String,
}

pub(super) async fn change_status(
    State(app): State<App>,
    visit: Visit,
    Path((slug, number)): Path<(String, i64)>,
    Query(asked): Query<Asked>,
    Form(moved): Form<Moved>,
) -> Response {
    let status = TicketStatus::from_code(&moved.status).map(views::status_out).unwrap_or_default();
    let message = ChangeStatusRequest { number, status: status.into(), at: None };
    let request = app.crm.command(&visit.caller(), command(&moved.command_id), message);
    match app.tickets().change_status(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let to = format!("/c/{slug}/inbox/{number}");
            go_with(&to, Notice::StatusChanged, answer.get_ref().position)
        }
        Err(Failure::Refused(_) | Failure::Conflict) => {
            let problem = Some(ComposerProblem::MovedMeanwhile);
            kept(&app, &visit, &asked, number, Composer { problem, ..composer() }).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
