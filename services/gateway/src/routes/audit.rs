//! `/c/{slug}/audit` and `/admin/audit`: what happened, and the same as CSV.

use std::collections::{HashMap, HashSet};

use axum::{
    body::Body,
    extract::{Query, State},
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use futures::{StreamExt, TryStreamExt, stream};
use meydan_event_log::PLATFORM;
use meydan_rpc::{
    form::timestamp,
    outcome::Failure,
    pb::{
        audit::{Entry, ExportEntriesRequest, Filter, ListEntriesRequest},
        identity::{ListCampaignsRequest, ListMembersRequest, NameAccountsRequest},
    },
};
use meydan_web::{
    CampaignLink, Nav, Problem, Problems, Zone,
    pages::audit::{AuditFilter, AuditPage},
};
use serde::Deserialize;
use uuid::Uuid;

use super::inbox;
use crate::{
    app::App,
    failure,
    session::Visit,
    views::audit::{self, Names},
};

/// Entries of a page.
pub(super) const PAGE: i32 = 50;

/// What is looked for, as the address says it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    who: String,
    pub(super) action: String,
    campaign: String,
    target: String,
    correlation: String,
    from: String,
    until: String,
    pub(super) before: String,
}

impl Asked {
    /// The filter for the audit, and the fields that cannot be understood, which look for nothing. Days are those of
    /// `zone`.
    pub(super) fn read(&self, zone: &Zone, own: Option<Uuid>) -> (Filter, Problems) {
        let mut problems = Problems::none();
        let mut day = |name, text: &str| {
            let found = (!text.is_empty()).then(|| zone.typed_day(text));
            if found == Some(None) {
                problems.add(name, Problem::InvalidDay);
            }
            found.flatten()
        };
        let from = day("from", &self.from).map(|(begin, _)| timestamp(begin));
        let until = day("until", &self.until).map(|(_, end)| timestamp(end));
        let kind = matches!(self.who.as_str(), "citizen" | "service");
        let who = |wanted| if kind == wanted { self.who.clone() } else { String::new() };
        let filter = Filter {
            campaign_id: own.map_or_else(|| self.campaign.clone(), |id| id.to_string()),
            actor_kind: who(true),
            actor_id: who(false),
            action: self.action.clone(),
            target_id: self.target.clone(),
            correlation_id: self.correlation.clone(),
            from,
            until,
            any_of: vec![],
        };
        (filter, problems)
    }

    pub(super) fn shown(self) -> AuditFilter {
        let Self { who, action, campaign, target, correlation, from, until, .. } = self;
        AuditFilter { who, action, campaign, target, correlation, from, until }
    }
}

/// The page of a campaign.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Response {
    let base = format!("/c/{}/audit", visit.slug());
    let shown = page(&app, &visit, asked, base).await;
    shown.unwrap_or_else(|failure| of_address(&app, &visit, failure))
}

/// The page of the platform.
pub(super) async fn show_all(
    State(app): State<App>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Response {
    let shown = page(&app, &visit, asked, "/admin/audit".to_owned()).await;
    shown.unwrap_or_else(|failure| of_address(&app, &visit, failure))
}

/// The campaign within which a visit looks; an admin's looks everywhere.
fn own(visit: &Visit) -> Option<Uuid> {
    visit.membership.as_ref().map(|membership| membership.campaign)
}

/// An id in an address that is none leads nowhere.
pub(super) fn of_address(app: &App, visit: &Visit, failure: Failure) -> Response {
    match failure {
        Failure::Malformed(_) => failure::of_call(app, visit, &Failure::NotFound),
        other => failure::of_call(app, visit, &other),
    }
}

async fn page(app: &App, visit: &Visit, asked: Asked, base: String) -> Result<Response, Failure> {
    let (filter, problems) = asked.read(visit.zone(app), own(visit));
    let before = asked.before.parse().unwrap_or(0);
    let message = ListEntriesRequest { filter: Some(filter), before, limit: PAGE };
    let request = app.audit.ask(&visit.caller(), message);
    let mut entries = app.entries();
    let unread = async { if own(visit).is_some() { inbox::unread(app, visit).await } else { 0 } };
    let (answer, names, unread) =
        tokio::join!(entries.list_entries(request), names(app, visit), unread);
    let answer = answer.map_err(Failure::from)?.into_inner();
    let names = with_accounts(app, visit, names?, &answer.entries).await?;
    let oldest = answer.entries.last().map(|entry| entry.arrival);
    let mut shell = visit.shell(app, Nav::Audit);
    shell.unread = unread;
    let several = own(visit).is_none();
    let platform = CampaignLink { slug: PLATFORM.to_string(), name: shell.t("audit-platform") };
    let page = AuditPage {
        shell,
        base,
        filter: asked.shown(),
        problems,
        people: names.people(),
        campaigns: several.then(|| places(&names, platform)),
        entries: answer.entries.into_iter().map(|entry| audit::entry(entry, &names)).collect(),
        older: oldest.filter(|_| answer.more),
        newest: before == 0,
    };
    Ok(Html(page.render()).into_response())
}

/// The campaigns to choose from, by their ids, and before them the platform.
fn places(names: &Names, platform: CampaignLink) -> Vec<CampaignLink> {
    let link =
        |(id, name): (&String, &String)| CampaignLink { slug: id.clone(), name: name.clone() };
    let mut campaigns: Vec<_> = names.campaigns.iter().map(link).collect();
    campaigns.sort_by(|one, other| one.name.cmp(&other.name));
    campaigns.insert(0, platform);
    campaigns
}

/// The names that this visitor may see: of the team in a campaign, of campaigns on the platform.
pub(super) async fn names(app: &App, visit: &Visit) -> Result<Names, Failure> {
    let caller = visit.caller();
    let mut names = Names::default();
    if own(visit).is_some() {
        if !visit.may("identity:member.read") {
            return Ok(names);
        }
        let request = app.identity.ask(&caller, ListMembersRequest { min_position: 0 });
        let members = app.members().list_members(request).await?.into_inner().members;
        let joined = members.into_iter().filter(|member| !member.account_id.is_empty());
        names.accounts = joined.map(|member| (member.account_id, member.display_name)).collect();
    } else {
        let request = app.identity.ask(&caller, ListCampaignsRequest { min_position: 0 });
        let campaigns = app.campaigns().list_campaigns(request).await?.into_inner().campaigns;
        let named = |one: meydan_rpc::pb::identity::Campaign| (one.campaign_id, one.candidate_name);
        names.campaigns = campaigns.into_iter().map(named).collect::<HashMap<_, _>>();
    }
    Ok(names)
}

/// Adds what the people in these entries are called, for admins. A team's own names are known.
pub(super) async fn with_accounts(
    app: &App,
    visit: &Visit,
    mut names: Names,
    entries: &[Entry],
) -> Result<Names, Failure> {
    if own(visit).is_none() {
        let actors = entries.iter().filter(|entry| entry.actor_kind == "account");
        let targets = entries.iter().filter(|entry| entry.target_type == "account");
        let actors = actors.map(|entry| entry.actor_id.clone());
        let behalf = entries.iter().filter(|entry| !entry.on_behalf_of.is_empty());
        let behalf = behalf.map(|entry| entry.on_behalf_of.clone());
        let targets = targets.map(|entry| entry.target_id.clone());
        let ids: HashSet<_> = actors.chain(targets).chain(behalf).collect();
        let message = NameAccountsRequest { account_ids: ids.into_iter().collect() };
        let request = app.identity.ask(&visit.caller(), message);
        names.accounts = app.accounts().name_accounts(request).await?.into_inner().names;
    }
    Ok(names)
}

/// The same entries as a table for a spreadsheet.
pub(super) async fn export(
    State(app): State<App>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Response {
    match exported(&app, &visit, &asked).await {
        Ok(response) => response,
        Err(failure) => of_address(&app, &visit, failure),
    }
}

async fn exported(app: &App, visit: &Visit, asked: &Asked) -> Result<Response, Failure> {
    let (filter, _) = asked.read(visit.zone(app), own(visit));
    let names = names(app, visit).await?;
    let message = ExportEntriesRequest { filter: Some(filter) };
    let mut request = app.audit.ask(&visit.caller(), message);
    request.set_timeout(std::time::Duration::from_secs(25));
    let pieces = app.entries().export_entries(request).await?.into_inner();
    let head = audit::csv_head(&visit.shell(app, Nav::Audit));
    let (app, visit) = (app.clone(), visit.clone());
    let rows = pieces.map_err(std::io::Error::other).and_then(move |piece| {
        let (app, visit, names) = (app.clone(), visit.clone(), names.clone());
        async move {
            let known = with_accounts(&app, &visit, names, &piece.entries).await;
            let names = known.map_err(|_| std::io::Error::other("names cannot be asked for"))?;
            let shell = visit.shell(&app, Nav::Audit);
            let rows = piece.entries.into_iter().map(|one| audit::csv_row(one, &names, &shell));
            Ok(rows.collect::<String>())
        }
    });
    let body = Body::from_stream(stream::once(async { Ok(head) }).chain(rows));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    let name = HeaderValue::from_static("attachment; filename=\"audit.csv\"");
    headers.insert(header::CONTENT_DISPOSITION, name);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
