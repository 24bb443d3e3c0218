//! `/recover`: a new password by mail, for somebody who forgot theirs.

use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    caller::Caller,
    outcome::Failure,
    pb::identity::{AskRecoveryRequest, FinishRecoveryRequest, GetRecoveryRequest},
};
use meydan_web::{
    Nav, Notice, Problem, Problems,
    pages::recover::{Asking, NewPasswordPage, RecoverPage},
};
use serde::Deserialize;

use super::{
    go_with,
    login::{known_browser, with_form_cookie},
};
use crate::{
    app::App,
    cookies::{self, Kind},
    failure,
    session::Visit,
    views,
};

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    new_password: String,
    #[serde(default)]
    new_password_again: String,
}

pub(super) async fn show(State(app): State<App>, visit: Visit) -> Response {
    page(&app, &visit, Asking::Open, (String::new(), Problems::none()))
}

fn page(
    app: &App,
    visit: &Visit,
    asking: Asking,
    (email, problems): (String, Problems),
) -> Response {
    let status = match asking {
        Asking::Open if !problems.is_empty() => StatusCode::UNPROCESSABLE_ENTITY,
        Asking::Open | Asking::Sent => StatusCode::OK,
        Asking::Expired => StatusCode::NOT_FOUND,
    };
    let page = RecoverPage { shell: visit.shell(app, Nav::None), asking, email, problems };
    with_form_cookie(app, visit, (status, Html(page.render())).into_response())
}

pub(super) async fn submit(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(Asked { email }): Form<Asked>,
) -> Response {
    let message = AskRecoveryRequest {
        email: email.clone(),
        address: visit.address.clone(),
        locale: visit.locale().code().to_owned(),
        device_token: cookies::get(&headers, Kind::Device, app.secure).unwrap_or_default(),
    };
    let request = app.identity.ask(&Caller::service(crate::NAME, None), message);
    match app.recovery().ask_recovery(request).await.map_err(Failure::from) {
        // Nothing of the address: the page is the same for all.
        Ok(_) => page(&app, &visit, Asking::Sent, (String::new(), Problems::none())),
        Err(Failure::Malformed(violations)) => {
            let problems = views::problems(&["email"], &violations);
            page(&app, &visit, Asking::Open, (email, problems))
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn open(
    State(app): State<App>,
    visit: Visit,
    Path(token): Path<String>,
) -> Response {
    choose(&app, &visit, token, Problems::none()).await
}

/// The page of a link, or what is said of one that cannot be used.
async fn choose(app: &App, visit: &Visit, token: String, problems: Problems) -> Response {
    let caller = Caller::service(crate::NAME, None);
    let request = app.identity.ask(&caller, GetRecoveryRequest { token: token.clone() });
    let found = match app.recovery().get_recovery(request).await.map_err(Failure::from) {
        Ok(found) => found.into_inner(),
        Err(failure) => return expired(app, visit, &failure),
    };
    let ok = problems.is_empty();
    let status = if ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let (shell, email, admin) = (visit.shell(app, Nav::None), found.email, found.is_admin);
    let removes_factors = found.removes_factors;
    let page = NewPasswordPage { shell, token, email, admin, removes_factors, problems };
    with_form_cookie(app, visit, (status, Html(page.render())).into_response())
}

fn expired(app: &App, visit: &Visit, failure: &Failure) -> Response {
    match failure {
        Failure::NotFound => page(app, visit, Asking::Expired, (String::new(), Problems::none())),
        other => failure::of_call(app, visit, other),
    }
}

pub(super) async fn finish(
    State(app): State<App>,
    visit: Visit,
    Path(token): Path<String>,
    Form(chosen): Form<Chosen>,
) -> Response {
    if chosen.new_password != chosen.new_password_again {
        let problems = Problems::none().and("new_password_again", Problem::PasswordsDiffer);
        return choose(&app, &visit, token, problems).await;
    }
    let message = FinishRecoveryRequest { token: token.clone(), new_password: chosen.new_password };
    let request = app.identity.ask(&Caller::service(crate::NAME, None), message);
    match app.recovery().finish_recovery(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let mut response = go_with("/login", Notice::Recovered, 0);
            let known = known_browser(&app, &answer.get_ref().device_token);
            response.headers_mut().append(header::SET_COOKIE, known);
            response
        }
        Err(Failure::Malformed(violations)) => {
            let problems = views::problems(&["new_password"], &violations);
            choose(&app, &visit, token, problems).await
        }
        Err(failure) => expired(&app, &visit, &failure),
    }
}
