//! `/c/{slug}/team`: who works for a campaign.

use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    guard::PROOF_NEEDED,
    outcome::Failure,
    pb::identity::{DemandFactorRequest, InviteMemberRequest},
};
use meydan_web::{
    Nav, Notice, Problem, Problems,
    pages::team::{FactorDemand, Role, TeamPage},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    At,
    admin::{command, link},
    go_with, inbox, member,
};
use crate::{access::to_proof, app::App, failure, session::Visit, views};

#[derive(Default, Deserialize)]
pub(super) struct Invited {
    #[serde(default)]
    command_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
}

/// What the page says besides the members.
#[derive(Default)]
struct About {
    at: i64,
    form: Invited,
    problems: Problems,
    refusal: Option<Problem>,
    link: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(At { at }): Query<At>,
) -> Response {
    page(&app, &visit, About { at, ..About::default() }).await
}

/// The page, saying why something else was refused.
pub(super) async fn refused(app: &App, visit: &Visit, refusal: Problem) -> Response {
    page(app, visit, About { refusal: Some(refusal), ..About::default() }).await
}

async fn page(app: &App, visit: &Visit, about: About) -> Response {
    let asked = async {
        let (members, demanded) = member::members(app, visit, about.at).await?;
        let roles = member::roles(app, visit, &members).await?;
        Ok((members, roles, demanded))
    };
    let (asked, unread) = tokio::join!(asked, inbox::unread(app, visit));
    let (members, roles, demanded) = match asked {
        Ok(found) => found,
        Err(failure) => return failure::of_call(app, visit, &failure),
    };
    let ok = about.problems.is_empty() && about.refusal.is_none();
    let status = if ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let mut shell = visit.shell(app, Nav::Team);
    shell.unread = unread;
    let oneself = members.iter().find(|member| member.oneself);
    let demand = FactorDemand {
        demanded,
        changeable: oneself.is_some_and(|member| member.role == Role::Owner),
        own: oneself.is_some_and(|member| member.second_factor == Some(true)),
    };
    let stale = visit.visitor.as_ref().is_some_and(|visitor| !visitor.is_fresh(app));
    let page = TeamPage {
        shell,
        slug: visit.slug(),
        members,
        demand,
        may_invite: visit.may("identity:member.invite"),
        prove_for_owner: stale && roles.contains(&Role::Owner),
        roles,
        name: about.form.name,
        email: about.form.email,
        role: Role::from_code(&about.form.role).unwrap_or_default(),
        problems: about.problems,
        refusal: about.refusal,
        invitation_link: about.link,
        command_id: Uuid::now_v7().to_string(),
    };
    (status, Html(page.render())).into_response()
}

pub(super) async fn invite(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(form): Form<Invited>,
) -> Response {
    let role = Role::from_code(&form.role).map_or(0, |role| views::campaign::role_out(role).into());
    let message =
        InviteMemberRequest { email: form.email.clone(), display_name: form.name.clone(), role };
    let request = app.identity.command(&visit.caller(), command(&form.command_id), message);
    let about = match app.members().invite_member(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let answer = answer.into_inner();
            let link = link(&app, &headers, (&answer.invitation_token, answer.mailed));
            About { at: answer.position, link, ..About::default() }
        }
        Err(Failure::Malformed(violations)) => {
            let ours = violations.into_iter().map(|(field, said)| {
                (if field == "display_name" { "name".to_owned() } else { field }, said)
            });
            let ours: Vec<_> = ours.collect();
            let problems = views::problems(&["name", "email", "role"], &ours);
            About { form, problems, ..About::default() }
        }
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => {
            return to_proof(&format!("/c/{}/team", visit.slug()));
        }
        Err(Failure::Refused(code)) => {
            let problem = member::refusal(&code);
            let of_email = [Problem::AlreadyMember, Problem::InvitedTooOften].contains(&problem);
            let field = if of_email { "email" } else { "role" };
            let problems = Problems::none().and(field, problem);
            About { form, problems, ..About::default() }
        }
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    page(&app, &visit, about).await
}

#[derive(Default, Deserialize)]
pub(super) struct Demand {
    #[serde(default)]
    command_id: String,
    #[serde(default)]
    demanded: String,
}

/// Demands a second factor of the whole team, or not any more.
pub(super) async fn demand_factor(
    State(app): State<App>,
    visit: Visit,
    Form(form): Form<Demand>,
) -> Response {
    let to = format!("/c/{}/team", visit.slug());
    let message = DemandFactorRequest { demanded: form.demanded == "yes" };
    let request = app.identity.command(&visit.caller(), command(&form.command_id), message);
    match app.members().demand_factor(request).await.map_err(Failure::from) {
        Ok(answer) => go_with(&to, Notice::Saved, answer.get_ref().position),
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof(&to),
        Err(Failure::Refused(code)) => refused(&app, &visit, member::refusal(&code)).await,
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
