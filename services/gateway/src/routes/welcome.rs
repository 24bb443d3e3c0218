//! `/welcome/{token}`: the one-time link with which an account begins, or its holder joins one more team.

use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{
        AcceptInvitationRequest, GetInvitationRequest, GetInvitationResponse, JoinRequest,
    },
};
use meydan_web::{
    Nav, Problem, Problems,
    pages::entry::{Invitation, LinkExpiredPage, WelcomePage},
};
use serde::Deserialize;

use super::{
    go,
    login::{enter, guest, with_form_cookie},
};
use crate::{
    app::App,
    failure,
    session::{self, Visit},
    views,
};

const FIELDS: &[&str] = &["email", "display_name", "password"];

#[derive(Default, Deserialize)]
pub(super) struct Beginning {
    #[serde(default)]
    email: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    password_again: String,
    #[serde(default)]
    current_password: String,
}

/// For whom a link is. Where staff does not work, none makes an admin.
async fn invitation(
    app: &App,
    visit: &Visit,
    token: &str,
) -> Result<GetInvitationResponse, Failure> {
    let caller = Caller::service(crate::NAME, None);
    let request = app.identity.ask(&caller, GetInvitationRequest { token: token.to_owned() });
    let answer = app.sessions_client().get_invitation(request).await;
    let found = answer.map(tonic::Response::into_inner)?;
    if found.is_admin && visit.outside { Err(Failure::NotFound) } else { Ok(found) }
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(token): Path<String>,
) -> Response {
    match invitation(&app, &visit, &token).await {
        Ok(found) => page(&app, &visit, token, found, (Beginning::default(), Problems::none())),
        Err(failure) => expired(&app, &visit, &failure),
    }
}

fn expired(app: &App, visit: &Visit, failure: &Failure) -> Response {
    match failure {
        Failure::NotFound | Failure::Refused(_) | Failure::Malformed(_) => {
            let page = LinkExpiredPage { shell: visit.shell(app, Nav::None) };
            with_form_cookie(
                app,
                visit,
                (StatusCode::NOT_FOUND, Html(page.render())).into_response(),
            )
        }
        other => failure::of_call(app, visit, other),
    }
}

/// Whether whoever is logged in is whom the link is for.
fn is_own(visit: &Visit, found: &GetInvitationResponse) -> bool {
    visit.visitor.as_ref().is_some_and(|visitor| visitor.account.to_string() == found.account_id)
}

fn page(
    app: &App,
    visit: &Visit,
    token: String,
    found: GetInvitationResponse,
    (form, problems): (Beginning, Problems),
) -> Response {
    let candidate = Some(found.candidate_name.clone()).filter(|_| !found.is_admin);
    let email = found.email.clone();
    let invitation = if found.account_id.is_empty() {
        Invitation::FirstAdmin
    } else if is_own(visit, &found) {
        Invitation::Accept { email, candidate }
    } else if found.begun {
        Invitation::LogIn { email, candidate }
    } else {
        Invitation::Begin { name: found.display_name, email, candidate }
    };
    let status =
        if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = WelcomePage {
        shell: visit.shell(app, Nav::None),
        token,
        invitation,
        display_name: form.display_name,
        email: form.email,
        problems,
    };
    with_form_cookie(app, visit, (status, Html(page.render())).into_response())
}

pub(super) async fn submit(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Path(token): Path<String>,
    Form(form): Form<Beginning>,
) -> Response {
    let found = match invitation(&app, &visit, &token).await {
        Ok(found) => found,
        Err(failure) => return expired(&app, &visit, &failure),
    };
    if is_own(&visit, &found) {
        return join(&app, &visit, &headers, (token, found, form)).await;
    }
    if found.begun {
        return page(&app, &visit, token, found, (form, Problems::none()));
    }
    // Of two that differ none is chosen: without any the form is refused for all that is wrong, and nothing is used up.
    let differ = form.password != form.password_again;
    let password = if differ { String::new() } else { form.password.clone() };
    let message = AcceptInvitationRequest {
        token: token.clone(),
        email: form.email.clone(),
        display_name: form.display_name.clone(),
        password,
        guest: Some(guest(&app, &visit, &headers)),
    };
    let request = app.identity.ask(&Caller::service(crate::NAME, None), message);
    match app.sessions_client().accept_invitation(request).await.map_err(Failure::from) {
        Ok(answer) => enter(&app, &headers, answer.get_ref(), "/").await,
        Err(Failure::Malformed(violations)) => {
            let problems = views::problems(FIELDS, &violations);
            let problems = if differ {
                let others = problems.only(&["email", "display_name"]);
                others.and("password_again", Problem::PasswordsDiffer)
            } else {
                problems
            };
            page(&app, &visit, token, found, (form, problems))
        }
        Err(failure) => expired(&app, &visit, &failure),
    }
}

/// Accepts for whoever is logged in, whose memberships are then asked for anew. Whoever became an admin logs in again.
async fn join(
    app: &App,
    visit: &Visit,
    headers: &HeaderMap,
    (token, found, form): (String, GetInvitationResponse, Beginning),
) -> Response {
    let message = JoinRequest { token: token.clone(), password: form.current_password.clone() };
    let request = app.identity.ask(&visit.caller(), message);
    let problem = match app.accounts().join(request).await.map_err(Failure::from) {
        Ok(_) => {
            session::forget(app, headers).await;
            return if found.is_admin { go("/login?notice=admin-appointed") } else { go("/") };
        }
        Err(Failure::Refused(code)) if code == "identity.password.wrong" => Problem::WrongPassword,
        Err(Failure::Malformed(_)) => Problem::NotForAdmins,
        Err(failure) => return expired(app, visit, &failure),
    };
    let problems = Problems::none().and("current_password", problem);
    page(app, visit, token, found, (form, problems))
}
