//! `/admin/campaigns/{slug}/bot`: a campaign's bot.

use axum::{
    Form,
    extract::{Path, Query, State},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    outcome::Failure,
    pb::{
        bot_hub::{CheckBotRequest, ConnectBotRequest, DisconnectBotRequest},
        identity::Campaign,
    },
};
use meydan_web::{Nav, Notice, Problem, pages::bot::BotFragment};
use serde::Deserialize;

use super::{
    At,
    admin::{About, command, detail, named, panel},
    go_with,
};
use crate::{app::App, failure, session::Visit};

#[derive(Deserialize)]
pub(super) struct TokenForm {
    #[serde(default)]
    command_id: String,
    #[serde(default)]
    token: String,
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(slug): Path<String>,
    Query(At { at }): Query<At>,
) -> Response {
    let found = async {
        let campaign = named(&app, &visit, slug, 0).await?;
        panel(&app, &visit, &campaign, at).await
    };
    match found.await {
        Ok(panel) => {
            let part = BotFragment { shell: visit.shell(&app, Nav::Campaigns), panel };
            Html(part.render()).into_response()
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn connect(
    State(app): State<App>,
    visit: Visit,
    Path(slug): Path<String>,
    Form(form): Form<TokenForm>,
) -> Response {
    let campaign = match named(&app, &visit, slug, 0).await {
        Ok(campaign) => campaign,
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let message =
        ConnectBotRequest { campaign_id: campaign.campaign_id.clone(), token: form.token };
    let request = app.bot_hub.command(&visit.caller(), command(&form.command_id), message);
    match app.bots().connect_bot(request).await.map_err(Failure::from) {
        Ok(answer) => {
            settled(&app, &visit, &campaign, answer.get_ref().position, Notice::BotConnecting).await
        }
        Err(Failure::Malformed(_)) => {
            let token_problem = Some(Problem::InvalidToken);
            detail(&app, &visit, campaign.slug, About { token_problem, ..About::default() }).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

/// Goes back to the campaign's page, once the hub's tables show the change.
async fn settled(
    app: &App,
    visit: &Visit,
    campaign: &Campaign,
    position: i64,
    notice: Notice,
) -> Response {
    if let Err(failure) = panel(app, visit, campaign, position).await {
        return failure::of_call(app, visit, &failure);
    }
    go_with(&format!("/admin/campaigns/{}", campaign.slug), notice, 0)
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    command_id: String,
}

pub(super) async fn check(
    State(app): State<App>,
    visit: Visit,
    Path(slug): Path<String>,
    Form(form): Form<Asked>,
) -> Response {
    let asked = async {
        let campaign = named(&app, &visit, slug, 0).await?;
        let message = CheckBotRequest { campaign_id: campaign.campaign_id.clone() };
        let request = app.bot_hub.command(&visit.caller(), command(&form.command_id), message);
        let answer = app.bots().check_bot(request).await.map_err(Failure::from)?;
        Ok((campaign, answer.get_ref().position))
    };
    match asked.await {
        Ok((campaign, at)) => settled(&app, &visit, &campaign, at, Notice::BotConnecting).await,
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn disconnect(
    State(app): State<App>,
    visit: Visit,
    Path(slug): Path<String>,
    Form(form): Form<Asked>,
) -> Response {
    let asked = async {
        let campaign = named(&app, &visit, slug, 0).await?;
        let message = DisconnectBotRequest { campaign_id: campaign.campaign_id.clone() };
        let request = app.bot_hub.command(&visit.caller(), command(&form.command_id), message);
        let answer = app.bots().disconnect_bot(request).await.map_err(Failure::from)?;
        Ok((campaign, answer.get_ref().position))
    };
    match asked.await {
        Ok((campaign, at)) => settled(&app, &visit, &campaign, at, Notice::BotDisconnected).await,
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
