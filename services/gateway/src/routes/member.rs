//! `/c/{slug}/team/{member}`: one member's place, and `…/team/permissions`: who may do what.

use axum::{
    Form,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    guard::PROOF_NEEDED,
    outcome::Failure,
    pb::identity::{
        self as pb, ChangeMemberRequest, ChangeMemberResponse, ChangePermissionsRequest,
        ChangeRoleRequest, LeaveRequest, ListMembersRequest, ListPermissionsRequest,
    },
};
use meydan_web::{
    Nav, Notice, Problem,
    pages::team::{Holder, Member, MemberPage, MemberPermission, PermissionsPage, Role},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    At,
    admin::{command, link},
    go_with, inbox, team,
};
use crate::{
    access::{field, to_proof},
    app::App,
    failure,
    session::Visit,
    views,
};

/// What the form of a change says besides the change.
#[derive(Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    command_id: String,
    #[serde(default)]
    role: String,
}

/// An address of a member's.
type Address = Path<(String, String)>;

/// The catalogue.
async fn catalogue(app: &App, visit: &Visit) -> Result<Vec<pb::Permission>, Failure> {
    let request = app.identity.ask(&visit.caller(), ListPermissionsRequest {});
    Ok(app.members().list_permissions(request).await?.into_inner().permissions)
}

/// The members of the campaign, with the viewer among them, and whether they need a second factor.
pub(super) async fn members(
    app: &App,
    visit: &Visit,
    at: i64,
) -> Result<(Vec<Member>, bool), Failure> {
    let request = app.identity.ask(&visit.caller(), ListMembersRequest { min_position: at });
    let listed = app.members().list_members(request).await?.into_inner();
    let own = visit.visitor.as_ref().map(|visitor| visitor.account.to_string());
    let told = visit.may("identity:member.manage");
    let members = listed.members.into_iter().map(|member| {
        let oneself = own.as_deref() == Some(member.account_id.as_str());
        views::campaign::member(member, oneself, told, app.clock.now())
    });
    Ok((members.collect(), listed.factor_demanded))
}

/// The roles that the viewer may give: all of whose permissions they hold, and that of an owner as one.
pub(super) async fn roles(
    app: &App,
    visit: &Visit,
    members: &[Member],
) -> Result<Vec<Role>, Failure> {
    let catalogue = catalogue(app, visit).await?;
    let owner = members.iter().any(|member| member.oneself && member.role == Role::Owner);
    let holds = |role: Role| {
        let wire = views::campaign::role_out(role).into();
        let mut own = catalogue.iter().filter(|permission| permission.roles.contains(&wire));
        own.all(|permission| visit.may(&permission.name))
    };
    Ok(Role::ALL
        .into_iter()
        .filter(|role| if *role == Role::Owner { owner } else { holds(*role) })
        .collect())
}

/// What the page of a member says besides the member.
#[derive(Default)]
struct About {
    at: i64,
    refusal: Option<Problem>,
    link: Option<String>,
}

async fn page(app: &App, visit: &Visit, id: &str, about: About) -> Result<Response, Failure> {
    let request = app.identity.ask(&visit.caller(), ListMembersRequest { min_position: about.at });
    let wire = app.members().list_members(request).await?.into_inner().members;
    let exceptions = wire.iter().find(|member| member.member_id == id).ok_or(Failure::NotFound)?;
    let (granted, denied) = (exceptions.granted.clone(), exceptions.denied.clone());
    let (members, _) = members(app, visit, about.at).await?;
    let roles = roles(app, visit, &members).await?;
    let viewer_owns = members.iter().any(|member| member.oneself && member.role == Role::Owner);
    let member = members.into_iter().find(|member| member.id == id).ok_or(Failure::NotFound)?;
    let touches = !member.oneself && (member.role != Role::Owner || viewer_owns);
    let may_manage = touches && visit.may("identity:member.manage");
    let role = views::campaign::role_out(member.role).into();
    let permissions = catalogue(app, visit).await?.into_iter().map(|permission| {
        let of_role = permission.roles.contains(&role);
        MemberPermission {
            may: granted.contains(&permission.name)
                || (of_role && !denied.contains(&permission.name)),
            of_role,
            changeable: may_manage && member.role != Role::Owner && visit.may(&permission.name),
            name: permission.name,
            text: permission.text,
        }
    });
    let mut shell = visit.shell(app, Nav::Team);
    shell.unread = inbox::unread(app, visit).await;
    let status =
        if about.refusal.is_none() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = MemberPage {
        shell,
        slug: visit.slug(),
        permissions: permissions.collect(),
        may_manage,
        may_invite: touches && visit.may("identity:member.invite"),
        roles,
        member,
        refusal: about.refusal,
        invitation_link: about.link,
        command_id: Uuid::now_v7().to_string(),
    };
    Ok((status, Html(page.render())).into_response())
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path((_, member)): Address,
    Query(At { at }): Query<At>,
) -> Response {
    let about = About { at, ..About::default() };
    let shown = page(&app, &visit, &member, about).await;
    shown.unwrap_or_else(|failure| failure::of_call(&app, &visit, &failure))
}

/// In which words a rule of the team says no.
pub(super) fn refusal(code: &str) -> Problem {
    match code.trim_start_matches("identity.member.") {
        "not_held" => Problem::NotHeld,
        "owners_only" => Problem::OwnersOnly,
        "last_owner" => Problem::LastOwner,
        "oneself" => Problem::Oneself,
        "already" => Problem::AlreadyMember,
        "identity.factor.none" => Problem::FactorFirst,
        "invited_too_often" => Problem::InvitedTooOften,
        _ => Problem::Refused,
    }
}

/// Shows what a change came to: the member's page, or the team's when they are not in it any more.
async fn changed(
    app: &App,
    visit: &Visit,
    (member, notice): (&str, Notice),
    done: Result<tonic::Response<ChangeMemberResponse>, tonic::Status>,
) -> Response {
    let failed = match done {
        Ok(answer) => {
            let gone = matches!(notice, Notice::MemberRemoved | Notice::InvitationWithdrawn);
            let team = format!("/c/{}/team", visit.slug());
            let to = if gone { team } else { format!("{team}/{member}") };
            return go_with(&to, notice, answer.get_ref().position);
        }
        Err(status) => match Failure::from(status) {
            Failure::Refused(code) => {
                let about = About { refusal: Some(refusal(&code)), ..About::default() };
                page(app, visit, member, about).await
            }
            failure => Err(failure),
        },
    };
    failed.unwrap_or_else(|failure| failure::of_call(app, visit, &failure))
}

pub(super) async fn change_role(
    State(app): State<App>,
    visit: Visit,
    Path((_, member)): Address,
    Form(asked): Form<Asked>,
) -> Response {
    let role =
        Role::from_code(&asked.role).map_or(0, |role| views::campaign::role_out(role).into());
    let message = ChangeRoleRequest { member_id: member.clone(), role };
    let request = app.identity.command(&visit.caller(), command(&asked.command_id), message);
    let done = app.members().change_role(request).await;
    changed(&app, &visit, (&member, Notice::Saved), done).await
}

/// What is ticked is what the member may: the rest follows from the role.
pub(super) async fn change_permissions(
    State(app): State<App>,
    visit: Visit,
    Path((_, member)): Address,
    body: Bytes,
) -> Response {
    let ticked = form_urlencoded::parse(&body).filter(|(name, _)| name == "may");
    let ticked = ticked.map(|(_, value)| value.into_owned()).collect::<Vec<_>>();
    let catalogue = match catalogue(&app, &visit).await {
        Ok(catalogue) => catalogue,
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let unticked = catalogue.into_iter().map(|permission| permission.name);
    let denied = unticked.filter(|name| !ticked.contains(name)).collect();
    let message = ChangePermissionsRequest { member_id: member.clone(), granted: ticked, denied };
    let id = command(&field(&body, "command_id").unwrap_or_default());
    let request = app.identity.command(&visit.caller(), id, message);
    let done = app.members().change_permissions(request).await;
    changed(&app, &visit, (&member, Notice::Saved), done).await
}

/// A command that names a member and nothing else.
fn of_member(
    app: &App,
    visit: &Visit,
    member: &str,
    asked: &Asked,
) -> tonic::Request<ChangeMemberRequest> {
    let message = ChangeMemberRequest { member_id: member.to_owned() };
    app.identity.command(&visit.caller(), command(&asked.command_id), message)
}

pub(super) async fn deactivate(
    State(app): State<App>,
    visit: Visit,
    Path((_, member)): Address,
    Form(asked): Form<Asked>,
) -> Response {
    let done = app.members().deactivate(of_member(&app, &visit, &member, &asked)).await;
    changed(&app, &visit, (&member, Notice::Saved), done).await
}

pub(super) async fn reactivate(
    State(app): State<App>,
    visit: Visit,
    Path((_, member)): Address,
    Form(asked): Form<Asked>,
) -> Response {
    let done = app.members().reactivate(of_member(&app, &visit, &member, &asked)).await;
    changed(&app, &visit, (&member, Notice::Saved), done).await
}

pub(super) async fn remove(
    State(app): State<App>,
    visit: Visit,
    Path((_, member)): Address,
    Form(asked): Form<Asked>,
) -> Response {
    let done = app.members().remove(of_member(&app, &visit, &member, &asked)).await;
    changed(&app, &visit, (&member, Notice::MemberRemoved), done).await
}

pub(super) async fn withdraw(
    State(app): State<App>,
    visit: Visit,
    Path((_, member)): Address,
    Form(asked): Form<Asked>,
) -> Response {
    let done = app.members().withdraw_invitation(of_member(&app, &visit, &member, &asked)).await;
    changed(&app, &visit, (&member, Notice::InvitationWithdrawn), done).await
}

pub(super) async fn renew(
    State(app): State<App>,
    visit: Visit,
    Path((_, member)): Address,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    let done = app.members().renew_invitation(of_member(&app, &visit, &member, &asked)).await;
    let about = match done.map_err(Failure::from) {
        Ok(answer) => {
            let answer = answer.into_inner();
            let link = link(&app, &headers, (&answer.invitation_token, answer.mailed));
            About { at: answer.position, link, ..About::default() }
        }
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => {
            return to_proof(&format!("/c/{}/team/{member}", visit.slug()));
        }
        Err(Failure::Refused(code)) => About { refusal: Some(refusal(&code)), ..About::default() },
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let shown = page(&app, &visit, &member, about).await;
    shown.unwrap_or_else(|failure| failure::of_call(&app, &visit, &failure))
}

pub(super) async fn leave(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    let id = command(&asked.command_id);
    let request = app.identity.command(&visit.caller(), id, LeaveRequest {});
    match app.members().leave(request).await.map_err(Failure::from) {
        Ok(answer) => {
            crate::session::forget(&app, &headers).await;
            go_with("/account", Notice::MemberLeft, answer.get_ref().position)
        }
        Err(Failure::Refused(code)) => team::refused(&app, &visit, refusal(&code)).await,
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn permissions(State(app): State<App>, visit: Visit) -> Response {
    let slug = Some(visit.slug());
    table(&app, &visit, (slug, Nav::Team)).await
}

pub(super) async fn platform_permissions(State(app): State<App>, visit: Visit) -> Response {
    table(&app, &visit, (None, Nav::Permissions)).await
}

/// The team with what each may do, owners first.
async fn holders(
    app: &App,
    visit: &Visit,
    catalogue: &[pb::Permission],
) -> Result<Vec<Holder>, Failure> {
    let request = app.identity.ask(&visit.caller(), ListMembersRequest { min_position: 0 });
    let members = app.members().list_members(request).await?.into_inner().members;
    let now = app.clock.now();
    let holder = |member| views::campaign::holder(member, catalogue, now);
    let mut holders: Vec<_> = members.into_iter().map(holder).collect();
    holders.sort_by_key(|holder| Role::ALL.iter().position(|role| *role == holder.role));
    Ok(holders)
}

async fn table(app: &App, visit: &Visit, (slug, nav): (Option<String>, Nav)) -> Response {
    let asked = async {
        let permissions = catalogue(app, visit).await?;
        let holders =
            if slug.is_some() { holders(app, visit, &permissions).await? } else { vec![] };
        Ok((permissions, holders))
    };
    let (permissions, holders) = match asked.await {
        Ok(found) => found,
        Err(failure) => return failure::of_call(app, visit, &failure),
    };
    let mut shell = visit.shell(app, nav);
    if slug.is_some() {
        shell.unread = inbox::unread(app, visit).await;
    }
    let permissions = permissions.into_iter().map(views::campaign::permission).collect();
    Html(PermissionsPage { shell, slug, permissions, holders }.render()).into_response()
}
