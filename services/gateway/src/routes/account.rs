//! `/account`: one's own password.

use axum::{
    Form,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{outcome::Failure, pb::identity::ChangePasswordRequest};
use meydan_web::{Nav, Notice, Problem, Problems, pages::account::AccountPage};
use serde::Deserialize;
use uuid::Uuid;

use super::go_with;
use crate::{app::App, failure, session, session::Visit, views};

const FIELDS: &[&str] = &["current_password", "new_password"];

#[derive(Deserialize)]
pub(super) struct Change {
    #[serde(default)]
    current_password: String,
    #[serde(default)]
    new_password: String,
    #[serde(default)]
    new_password_again: String,
}

pub(super) async fn show(State(app): State<App>, visit: Visit) -> Response {
    page(&app, &visit, Problems::none())
}

fn page(app: &App, visit: &Visit, problems: Problems) -> Response {
    let status =
        if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let email = visit.visitor.as_ref().map(|visitor| visitor.email.clone()).unwrap_or_default();
    let page = AccountPage { shell: visit.shell(app, Nav::Account), email, problems };
    (status, Html(page.render())).into_response()
}

pub(super) async fn change_password(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(change): Form<Change>,
) -> Response {
    if change.new_password != change.new_password_again {
        let problems = Problems::none().and("new_password_again", Problem::PasswordsDiffer);
        return page(&app, &visit, problems);
    }
    let message = ChangePasswordRequest {
        current_password: change.current_password,
        new_password: change.new_password,
    };
    let request = app.identity.command(&visit.caller(), Uuid::now_v7(), message);
    match app.accounts().change_password(request).await.map_err(Failure::from) {
        Ok(_) => {
            session::forget(&app, &headers).await;
            go_with("/account", Notice::PasswordChanged, 0)
        }
        Err(Failure::Malformed(violations)) => {
            page(&app, &visit, views::problems(FIELDS, &violations))
        }
        Err(Failure::Refused(_)) => {
            page(&app, &visit, Problems::none().and("current_password", Problem::WrongPassword))
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
