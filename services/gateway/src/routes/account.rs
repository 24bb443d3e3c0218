//! `/account`: one's own account, its password, and in what language and time zone one works.

use axum::{
    Form,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    guard::PROOF_NEEDED,
    outcome::Failure,
    pb::identity::{ChangePasswordRequest, Preferences, SetPreferencesRequest},
};
use meydan_web::{
    Locale, Nav, Notice, Problem, Problems,
    pages::{
        account::{AccountPage, PreferencesCard},
        contact::ContactCard,
    },
};
use serde::Deserialize;
use uuid::Uuid;

use super::{contact, go_with, preferences};
use crate::{access::to_proof, app::App, failure, session, session::Visit, views};

const FIELDS: &[&str] = &["current_password", "new_password", "new_password_again"];
const PREFERENCES: &[&str] = &["locale", "time_zone"];

#[derive(Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    locale: String,
    #[serde(default)]
    time_zone: String,
}

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
    again(&app, &visit, Problems::none()).await
}

async fn again(app: &App, visit: &Visit, problems: Problems) -> Response {
    match contact::card(app, visit).await {
        Ok(card) => page(app, visit, card, &problems),
        Err(failure) => failure::of_call(app, visit, &failure),
    }
}

/// The page, with what is wrong in its forms.
pub(super) fn page(
    app: &App,
    visit: &Visit,
    contact: ContactCard,
    problems: &Problems,
) -> Response {
    let ok = problems.is_empty() && contact.problems.is_empty();
    let status = if ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let email = visit.visitor.as_ref().map(|visitor| visitor.email.clone()).unwrap_or_default();
    let preferences = PreferencesCard {
        locale: visit.preferences().map(|(locale, _)| *locale).unwrap_or_default(),
        chosen: visit.preferences().is_some(),
        problems: problems.only(PREFERENCES),
    };
    let problems = problems.only(FIELDS);
    let shell = visit.shell(app, Nav::Account);
    let page = AccountPage { shell, email, contact, preferences, problems };
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
        return again(&app, &visit, problems).await;
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
            again(&app, &visit, views::problems(FIELDS, &violations)).await
        }
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof("/account"),
        Err(Failure::Refused(_)) => {
            let problems = Problems::none().and("current_password", Problem::WrongPassword);
            again(&app, &visit, problems).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

/// Also chooses the language of this browser, for it goes before the account's.
pub(super) async fn set_preferences(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(Chosen { locale, time_zone }): Form<Chosen>,
) -> Response {
    let chosen = Preferences { locale: locale.clone(), time_zone };
    let message = SetPreferencesRequest { preferences: Some(chosen) };
    let request = app.identity.ask(&visit.caller(), message);
    match app.accounts().set_preferences(request).await.map_err(Failure::from) {
        Ok(_) => {
            session::forget(&app, &headers).await;
            let response = go_with("/account", Notice::Saved, 0);
            preferences::remember(&app, response, Locale::from_code(&locale), None)
        }
        Err(Failure::Malformed(violations)) => {
            again(&app, &visit, views::problems(PREFERENCES, &violations)).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
