//! `/c/{slug}/audit` and `/admin/audit`: what happened, and the same as CSV.

mod export;

use std::collections::{HashMap, HashSet};

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use meydan_event_log::PLATFORM;
use meydan_rpc::{
    form::timestamp,
    outcome::Failure,
    pb::{
        audit::{Entry, Filter, ListEntriesRequest, ListEntriesResponse},
        identity::{ListCampaignsRequest, ListMembersRequest, NameAccountsRequest},
    },
};
use meydan_web::{
    CampaignLink, Nav, Problem, Problems, Zone,
    pages::audit::{AuditFilter, AuditPage},
};
use serde::Deserialize;
use uuid::Uuid;

pub(super) use self::export::save;
use super::inbox;
use crate::{
    app::App,
    failure,
    oversight::{Read, note_reading},
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
    pub(super) target: String,
    correlation: String,
    from: String,
    until: String,
    pub(super) before: String,
}

impl Asked {
    /// The filter for the audit, and the fields that cannot be understood. Days are those of `zone`.
    pub(super) fn read(&self, zone: &Zone, own: Option<Uuid>) -> (Filter, Problems) {
        let mut problems = Problems::none();
        let mut day = |name, text: &str| {
            let found = (!text.is_empty()).then(|| zone.typed_day(text));
            if found == Some(None) {
                problems.add(name, Problem::InvalidDay);
            }
            found.flatten()
        };
        let from = day("from", &self.from).map(|(begin, _)| begin);
        let until = day("until", &self.until).map(|(_, end)| end);
        if from.zip(until).is_some_and(|(begin, end)| end <= begin) {
            problems.add("until", Problem::DaysInOrder);
        }
        let kind = matches!(self.who.as_str(), "citizen" | "service");
        let ids = [
            ("campaign", &*self.campaign),
            ("who", if kind { "" } else { &self.who }),
            ("target", &self.target),
            ("correlation", &self.correlation),
        ];
        for (name, id) in ids {
            if !id.is_empty() && Uuid::try_parse(id).is_err() {
                problems.add(name, Problem::InvalidId);
            }
        }
        if self.place().is_none() {
            problems.add("before", Problem::InvalidId);
        }
        let who = |wanted| if kind == wanted { self.who.clone() } else { String::new() };
        let filter = Filter {
            campaign_id: own.map_or_else(|| self.campaign.clone(), |id| id.to_string()),
            actor_kind: who(true),
            actor_id: who(false),
            action: self.action.clone(),
            target_id: self.target.clone(),
            correlation_id: self.correlation.clone(),
            from: from.map(timestamp),
            until: until.map(timestamp),
            any_of: vec![],
        };
        (filter, problems)
    }

    /// Before which entry a page begins, 0 for the newest; `None` when that is no place.
    pub(super) fn place(&self) -> Option<i64> {
        if self.before.is_empty() {
            return Some(0);
        }
        self.before.parse().ok().filter(|place| *place >= 0)
    }

    pub(super) fn shown(self) -> AuditFilter {
        let Self { who, action, campaign, target, correlation, from, until, .. } = self;
        AuditFilter { who, action, campaign, target, correlation, from, until }
    }
}

/// The page of a campaign, or of the platform.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Response {
    let (filter, problems) = asked.read(visit.zone(&app), own(&visit));
    if !problems.is_empty() {
        return refused(&app, &visit, asked, problems).await;
    }
    let shown = page(&app, &visit, filter, asked).await;
    shown.unwrap_or_else(|failure| of_address(&app, &visit, failure))
}

/// The page whose form says what could not be understood, and nothing else.
async fn refused(app: &App, visit: &Visit, asked: Asked, problems: Problems) -> Response {
    let names = match names(app, visit).await {
        Ok(names) => names,
        Err(failure) => return of_address(app, visit, failure),
    };
    let nothing = ListEntriesResponse::default();
    let page = AuditPage { problems, ..filled(app, visit, asked, (nothing, &names)) };
    (StatusCode::UNPROCESSABLE_ENTITY, Html(page.render())).into_response()
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

async fn page(app: &App, visit: &Visit, filter: Filter, asked: Asked) -> Result<Response, Failure> {
    let before = asked.place().unwrap_or_default();
    let looked_for = filter.campaign_id.clone();
    let message = ListEntriesRequest { filter: Some(filter), before, limit: PAGE };
    let request = app.audit.ask(&visit.caller(), message);
    let mut entries = app.entries();
    let unread = async { if own(visit).is_some() { inbox::unread(app, visit).await } else { 0 } };
    let (answer, names, unread) =
        tokio::join!(entries.list_entries(request), names(app, visit), unread);
    let answer = answer.map_err(Failure::from)?.into_inner();
    let page = if asked.correlation.is_empty() { "audit" } else { "audit.request" };
    note_staff(app, visit, (looked_for, &answer.entries), page).await?;
    let names = with_accounts(app, visit, names?, &answer.entries).await?;
    let mut page = filled(app, visit, asked, (answer, &names));
    page.shell.unread = unread;
    Ok(Html(page.render()).into_response())
}

/// Notes in the records of campaigns that staff opens them: in that of the campaign looked for, and in each of which
/// there is an entry.
pub(super) async fn note_staff(
    app: &App,
    visit: &Visit,
    (looked_for, entries): (String, &[Entry]),
    page: &str,
) -> Result<(), Failure> {
    if own(visit).is_some() {
        return Ok(());
    }
    let mut campaigns = export::campaigns_of(entries);
    campaigns
        .extend(Some(looked_for).filter(|one| !one.is_empty() && *one != PLATFORM.to_string()));
    note_reading(app, visit, campaigns.into_iter().collect(), Read::Opened(page)).await
}

fn filled(
    app: &App,
    visit: &Visit,
    asked: Asked,
    (answer, names): (ListEntriesResponse, &Names),
) -> AuditPage {
    let oldest = answer.entries.iter().map(|entry| entry.arrival).min();
    let shell = visit.shell(app, Nav::Audit);
    let several = own(visit).is_none();
    let platform = CampaignLink { slug: PLATFORM.to_string(), name: shell.t("audit-platform") };
    AuditPage {
        base: if several {
            "/admin/audit".to_owned()
        } else {
            format!("/c/{}/audit", visit.slug())
        },
        newest: asked.before.is_empty(),
        filter: asked.shown(),
        problems: Problems::none(),
        people: names.people(),
        campaigns: several.then(|| places(names, platform)),
        entries: answer.entries.into_iter().map(|entry| audit::entry(entry, names)).collect(),
        older: oldest.filter(|_| answer.more),
        shell,
    }
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
        for member in joined {
            names.members.insert(member.member_id, member.display_name.clone());
            names.accounts.insert(member.account_id, member.display_name);
        }
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
        let message = NameAccountsRequest { account_ids: ids.iter().cloned().collect() };
        let request = app.identity.ask(&visit.caller(), message);
        let mut named = app.accounts().name_accounts(request).await?.into_inner().names;
        // Whoever did something and is not there any more was erased.
        let called = ids.into_iter().map(|id| {
            let name = named.remove(&id).unwrap_or_default();
            (id, name)
        });
        names.accounts = called.collect();
    }
    Ok(names)
}
