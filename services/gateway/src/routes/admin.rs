//! `/admin`: the campaigns of the platform.

use std::collections::HashMap;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    outcome::Failure,
    pb::{
        bot_hub::{GetBotRequest, ListBotsRequest},
        identity::{
            Campaign, ChangeCampaignStatusRequest, CreateCampaignRequest, EditCampaignRequest,
            GetCampaignRequest, ListCampaignsRequest, get_campaign_request::Which,
        },
    },
};
use meydan_web::{
    Locale, Nav, Notice, Problem, Problems,
    pages::{
        bot::{BotPanel, BotState},
        campaigns::{
            CampaignFields, CampaignFormPage, CampaignPage, CampaignStatus, CampaignsPage,
        },
    },
};
use serde::Deserialize;
use uuid::Uuid;

use super::{At, contact, go_with};
use crate::{access::failed, app::App, failure, session::Visit, views};

const FIELDS: &[&str] = &[
    "candidate_name",
    "slug",
    "office",
    "constituency",
    "home_region",
    "locale",
    "owner_name",
    "owner_email",
];

#[derive(Default, Deserialize)]
pub(super) struct CampaignForm {
    #[serde(default)]
    command_id: String,
    #[serde(default)]
    candidate_name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    office: String,
    #[serde(default)]
    constituency: String,
    #[serde(default)]
    home_region: String,
    #[serde(default)]
    locale: String,
    #[serde(default)]
    owner_name: String,
    #[serde(default)]
    owner_email: String,
}

#[derive(Default, Deserialize)]
pub(super) struct StatusForm {
    #[serde(default)]
    command_id: String,
    #[serde(default)]
    status: String,
}

pub(super) async fn list(
    State(app): State<App>,
    visit: Visit,
    Query(At { at }): Query<At>,
) -> Response {
    let caller = visit.caller();
    let request = app.identity.ask(&caller, ListCampaignsRequest { min_position: at });
    let campaigns = match app.campaigns().list_campaigns(request).await {
        Ok(answer) => answer.into_inner().campaigns,
        Err(status) => return failed(&app, &visit, status),
    };
    // Without the hub the list still stands; it only can't say how the bots are.
    let request = app.bot_hub.ask(&caller, ListBotsRequest {});
    let bots = app.bots().list_bots(request).await.map(|answer| answer.into_inner().bots);
    let bots: HashMap<String, Option<BotState>> = bots
        .unwrap_or_default()
        .iter()
        .map(|bot| (bot.campaign_id.clone(), views::bot::state(bot)))
        .collect();
    let campaigns = campaigns.iter().map(|campaign| {
        views::campaign::row(campaign, bots.get(&campaign.campaign_id).copied().flatten())
    });
    let (shell, campaigns) = (visit.shell(&app, Nav::Campaigns), campaigns.collect());
    let unproved = contact::asks_for_proof(&app, &visit).await;
    let page = CampaignsPage { shell, campaigns, unproved };
    Html(page.render()).into_response()
}

/// The campaign that an address names.
pub(super) async fn named(
    app: &App,
    visit: &Visit,
    slug: String,
    min_position: i64,
) -> Result<Campaign, Failure> {
    let message = GetCampaignRequest { which: Some(Which::Slug(slug)), min_position };
    let request = app.identity.ask(&visit.caller(), message);
    let answer = app.campaigns().get_campaign(request).await;
    answer.map(tonic::Response::into_inner).map_err(Failure::from)
}

/// The panel of a campaign's bot.
pub(super) async fn panel(
    app: &App,
    visit: &Visit,
    campaign: &Campaign,
    min_position: i64,
) -> Result<BotPanel, Failure> {
    let message = GetBotRequest { campaign_id: campaign.campaign_id.clone(), min_position };
    let request = app.bot_hub.ask(&visit.caller(), message);
    let bot = match app.bots().get_bot(request).await.map_err(Failure::from) {
        Ok(answer) => views::bot::bot(answer.into_inner()),
        Err(Failure::NotFound) => None,
        Err(failure) => return Err(failure),
    };
    Ok(BotPanel {
        slug: campaign.slug.clone(),
        bot,
        token_problem: None,
        command_id: Uuid::now_v7().to_string(),
    })
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(slug): Path<String>,
    Query(At { at }): Query<At>,
) -> Response {
    detail(&app, &visit, slug, About { at, ..About::default() }).await
}

/// What a campaign's page says besides the campaign.
#[derive(Default)]
pub(super) struct About {
    /// The position that it shows at least.
    pub(super) at: i64,
    /// The owner's one-time link, the only time it is shown.
    pub(super) invitation_link: Option<String>,
    /// What is wrong with a refused change.
    pub(super) problems: Problems,
    /// What is wrong with a bot's token.
    pub(super) token_problem: Option<Problem>,
}

/// A campaign's page.
pub(super) async fn detail(app: &App, visit: &Visit, slug: String, about: About) -> Response {
    let found = async {
        let campaign = named(app, visit, slug, about.at).await?;
        let mut panel = panel(app, visit, &campaign, 0).await?;
        panel.token_problem = about.token_problem;
        Ok((campaign, panel))
    };
    match found.await {
        Ok((campaign, panel)) => {
            let ok = about.problems.is_empty() && about.token_problem.is_none();
            let status = if ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            let state = panel.bot.as_ref().map(|bot| bot.state);
            let page = CampaignPage {
                shell: visit.shell(app, Nav::Campaigns),
                campaign: views::campaign::row(&campaign, state),
                panel,
                invitation_link: about.invitation_link,
                campaign_id: campaign.campaign_id,
                invited_owners: campaign.invited_owner_ids,
                problems: about.problems,
            };
            (status, Html(page.render())).into_response()
        }
        Err(failure) => failure::of_call(app, visit, &failure),
    }
}

pub(super) async fn new(State(app): State<App>, visit: Visit) -> Response {
    form(&app, &visit, None, CampaignFields::default(), Problems::none())
}

fn form(
    app: &App,
    visit: &Visit,
    editing: Option<String>,
    fields: CampaignFields,
    problems: Problems,
) -> Response {
    let status =
        if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = CampaignFormPage {
        shell: visit.shell(app, Nav::Campaigns),
        editing,
        fields,
        problems,
        command_id: Uuid::now_v7().to_string(),
    };
    (status, Html(page.render())).into_response()
}

/// The command's name, as the form that was opened gave it: sent twice, it is carried out once.
pub(super) fn command(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap_or_else(|_| Uuid::now_v7())
}

pub(super) async fn create(
    State(app): State<App>,
    visit: Visit,
    headers: axum::http::HeaderMap,
    Form(filled): Form<CampaignForm>,
) -> Response {
    let slug = filled.slug.trim().to_owned();
    let message = CreateCampaignRequest {
        slug: slug.clone(),
        candidate_name: filled.candidate_name.clone(),
        office: filled.office.clone(),
        constituency: filled.constituency.clone(),
        home_region: filled.home_region.clone(),
        locale: filled.locale.clone(),
        owner_name: filled.owner_name.clone(),
        owner_email: filled.owner_email.clone(),
    };
    let request = app.identity.command(&visit.caller(), command(&filled.command_id), message);
    match app.campaigns().create_campaign(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let answer = answer.into_inner();
            let given = (answer.invitation_token.as_str(), answer.mailed);
            let invitation_link = link(&app, &headers, given);
            if invitation_link.is_none() {
                let to = format!("/admin/campaigns/{slug}");
                return go_with(&to, Notice::CampaignCreated, answer.position);
            }
            let about = About { at: answer.position, invitation_link, ..About::default() };
            detail(&app, &visit, slug, about).await
        }
        Err(failure) => again(&app, &visit, None, filled, &failure),
    }
}

/// The address of a one-time link, empty where mail brings it; `None` when there is none, for whoever was asked has
/// come.
pub(super) fn link(
    app: &App,
    headers: &axum::http::HeaderMap,
    (token, mailed): (&str, bool),
) -> Option<String> {
    if token.is_empty() {
        return mailed.then(String::new);
    }
    let host = headers.get(axum::http::header::HOST).and_then(|host| host.to_str().ok());
    Some(format!("{}/welcome/{token}", origin(app, host.unwrap_or_default())))
}

/// Where the panel is: where the operator says, or at the name by which this visitor found it.
pub(super) fn origin(app: &App, host: &str) -> String {
    if let Some(url) = &app.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let scheme = if app.secure { "https" } else { "http" };
    format!("{scheme}://{}", if host.is_empty() { "127.0.0.1" } else { host })
}

/// Which field of a campaign's form a rule says no to, and in which words.
fn refusal(code: &str) -> (&'static str, Problem) {
    match code {
        "identity.key_taken" => ("slug", Problem::SlugTaken),
        "identity.member.invited_too_often" => ("owner_email", Problem::InvitedTooOften),
        _ => ("candidate_name", Problem::Refused),
    }
}

fn again(
    app: &App,
    visit: &Visit,
    editing: Option<String>,
    filled: CampaignForm,
    failure: &Failure,
) -> Response {
    let problems = match failure {
        Failure::Malformed(violations) => views::problems(FIELDS, violations),
        Failure::Refused(code) => {
            let (field, problem) = refusal(code);
            Problems::none().and(field, problem)
        }
        other => return failure::of_call(app, visit, other),
    };
    let fields = CampaignFields {
        candidate_name: filled.candidate_name,
        slug: filled.slug,
        office: filled.office,
        constituency: filled.constituency,
        home_region: filled.home_region,
        locale: Locale::from_code(&filled.locale).unwrap_or_default(),
        owner_name: filled.owner_name,
        owner_email: filled.owner_email,
    };
    form(app, visit, editing, fields, problems)
}

pub(super) async fn edit(
    State(app): State<App>,
    visit: Visit,
    Path(slug): Path<String>,
) -> Response {
    match named(&app, &visit, slug.clone(), 0).await {
        Ok(campaign) => {
            let fields = CampaignFields {
                candidate_name: campaign.candidate_name,
                slug: campaign.slug,
                office: campaign.office,
                constituency: campaign.constituency,
                home_region: campaign.home_region,
                locale: Locale::from_code(&campaign.locale).unwrap_or_default(),
                ..CampaignFields::default()
            };
            form(&app, &visit, Some(slug), fields, Problems::none())
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn save(
    State(app): State<App>,
    visit: Visit,
    Path(slug): Path<String>,
    Form(filled): Form<CampaignForm>,
) -> Response {
    let campaign = match named(&app, &visit, slug.clone(), 0).await {
        Ok(campaign) => campaign,
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let message = EditCampaignRequest {
        campaign_id: campaign.campaign_id,
        candidate_name: filled.candidate_name.clone(),
        office: filled.office.clone(),
        constituency: filled.constituency.clone(),
        home_region: filled.home_region.clone(),
        locale: filled.locale.clone(),
    };
    let request = app.identity.command(&visit.caller(), command(&filled.command_id), message);
    match app.campaigns().edit_campaign(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let to = format!("/admin/campaigns/{slug}");
            go_with(&to, Notice::Saved, answer.get_ref().position)
        }
        Err(failure) => again(&app, &visit, Some(slug), filled, &failure),
    }
}

pub(super) async fn change_status(
    State(app): State<App>,
    visit: Visit,
    Path(slug): Path<String>,
    Form(filled): Form<StatusForm>,
) -> Response {
    let found = async {
        let status = CampaignStatus::from_code(&filled.status);
        let status = status.ok_or_else(|| Failure::Refused("identity.campaign.status".into()))?;
        let campaign = named(&app, &visit, slug.clone(), 0).await?;
        let message = ChangeCampaignStatusRequest {
            campaign_id: campaign.campaign_id,
            status: views::campaign::status(status).into(),
        };
        let command = command(&filled.command_id);
        let request = app.identity.command(&visit.caller(), command, message);
        app.campaigns().change_campaign_status(request).await.map_err(Failure::from)
    };
    match found.await {
        Ok(answer) => {
            let to = format!("/admin/campaigns/{slug}");
            go_with(&to, Notice::Saved, answer.get_ref().position)
        }
        Err(Failure::Refused(_)) => {
            let problems = Problems::none().and("status", Problem::Refused);
            detail(&app, &visit, slug, About { problems, ..About::default() }).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
