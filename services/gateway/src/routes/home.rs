//! `/` leads to where one works; `/c/{slug}` is a campaign's home.

use axum::{
    extract::{Query, State},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    outcome::Failure,
    pb::{
        bot_hub::GetBotRequest,
        crm::{self, GetFiguresRequest, ListTicketsRequest},
        identity::ListMembersRequest,
    },
};
use meydan_web::{
    Nav,
    pages::{
        bot::Bot,
        error::Failure as Shown,
        home::{Day, Figures, FiguresFragment, HomePage, Setup},
        inbox::TicketRow,
    },
};
use time::{Date, Duration, macros::date};

use super::{At, go};
use crate::{app::App, failure, session::Visit, views};

/// Tickets on the home page.
const NEWEST: u32 = 7;

/// Leads admins to the campaigns, members to their campaign: to one that runs, if there is any.
pub(super) async fn entrance(State(app): State<App>, visit: Visit) -> Response {
    let Some(visitor) = &visit.visitor else { return go("/login") };
    if visitor.admin {
        return go("/admin/campaigns");
    }
    let running = visitor.memberships.iter().find(|place| place.runs());
    match running.or(visitor.memberships.first()) {
        Some(place) => go(&format!("/c/{}", place.slug)),
        None => failure::page(&app, &visit, Shown::Forbidden),
    }
}

/// What the home page shows of the inbox.
struct Numbers {
    figures: Figures,
    newest: Vec<TicketRow>,
    position: i64,
}

async fn numbers(app: &App, visit: &Visit, min_position: i64) -> Result<Numbers, Failure> {
    let caller = visit.caller();
    let mut tickets = app.tickets();
    // The list first: what the figures show is no older than its position.
    let message = ListTicketsRequest { limit: NEWEST, min_position, ..Default::default() };
    let newest = tickets.list_tickets(app.crm.ask(&caller, message)).await?.into_inner();
    let request = app.crm.ask(&caller, GetFiguresRequest { min_position });
    let figures = tickets.get_figures(request).await?.into_inner();
    Ok(Numbers {
        figures: read(&figures),
        newest: newest.tickets.iter().map(views::ticket::row).collect(),
        position: newest.position,
    })
}

fn read(figures: &crm::Figures) -> Figures {
    Figures {
        unanswered: figures.unanswered,
        oldest_waiting: figures.oldest_waiting.and_then(meydan_rpc::form::instant),
        undelivered: figures.undelivered,
        citizens: figures.citizens,
        tickets: figures.tickets,
        answers: figures.answers,
        days: figures.days.iter().map(day).collect(),
        first_response_minutes: figures.first_response_minutes,
        first_response_minutes_before: figures.first_response_minutes_before,
    }
}

fn day(day: &crm::Day) -> Day {
    let date = date!(1970 - 01 - 01).checked_add(Duration::days(day.date.into()));
    Day {
        date: date.unwrap_or(Date::MAX),
        tickets: day.tickets,
        new_citizens: day.new_citizens,
        answers: day.answers,
        first_response_minutes: day.first_response_minutes,
    }
}

async fn bot(app: &App, visit: &Visit) -> Option<Bot> {
    let campaign_id = visit.membership.as_ref()?.campaign.to_string();
    let message = GetBotRequest { campaign_id, min_position: 0 };
    let request = app.bot_hub.ask(&visit.caller(), message);
    views::bot::bot(app.bots().get_bot(request).await.ok()?.into_inner())
}

/// Whether anybody but the visitor is in the team. A service that is away does not spoil the page.
async fn has_team(app: &App, visit: &Visit) -> bool {
    let request = app.identity.ask(&visit.caller(), ListMembersRequest { min_position: 0 });
    let members = app.members().list_members(request).await;
    members.is_ok_and(|members| members.get_ref().members.len() > 1)
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(At { at }): Query<At>,
) -> Response {
    let (numbers, bot, has_team) =
        tokio::join!(numbers(&app, &visit, at), bot(&app, &visit), has_team(&app, &visit));
    let Numbers { figures, newest, position } = match numbers {
        Ok(numbers) => numbers,
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let mut shell = visit.shell(&app, Nav::Home);
    shell.position = position;
    shell.unread = figures.unanswered;
    let page = HomePage {
        shell,
        slug: visit.slug(),
        setup: Setup {
            bot_connected: bot.is_some(),
            first_message: figures.tickets > 0,
            team_invited: has_team,
            first_answer: figures.answers > 0,
        },
        bot_username: bot.as_ref().map(|bot| bot.username.clone()).unwrap_or_default(),
        bot: bot.map(|bot| bot.state),
        figures,
        tickets: newest,
    };
    Html(page.render()).into_response()
}

pub(super) async fn figures(State(app): State<App>, visit: Visit) -> Response {
    match numbers(&app, &visit, 0).await {
        Ok(Numbers { figures, newest, .. }) => {
            let shell = visit.shell(&app, Nav::Home);
            let part = FiguresFragment { shell, slug: visit.slug(), figures, tickets: newest };
            Html(part.render()).into_response()
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
