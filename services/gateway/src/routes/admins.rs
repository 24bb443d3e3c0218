//! `/admin/accounts/admins`: who runs the platform, and who is asked to.

use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    guard::PROOF_NEEDED,
    outcome::Failure,
    pb::identity::{InviteAdminRequest, ListAccountsRequest},
};
use meydan_web::{Nav, Notice, Problem, Problems, pages::accounts::AdminsPage};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    accounts::{self, Filled, of_account},
    admin::{command, link},
};
use crate::{access::to_proof, app::App, failure, session::Visit, views};

/// Its address.
const HERE: &str = "/admin/accounts/admins";

/// Whom an admin asks.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    command_id: String,
    name: String,
    email: String,
}

/// What the page says besides the admins.
#[derive(Default)]
struct About {
    form: Asked,
    problems: Problems,
    link: Option<String>,
}

pub(super) async fn show(State(app): State<App>, visit: Visit) -> Response {
    page(&app, &visit, About::default()).await
}

async fn page(app: &App, visit: &Visit, about: About) -> Response {
    let message = ListAccountsRequest { staff: true, ..ListAccountsRequest::default() };
    let request = app.identity.ask(&visit.caller(), message);
    let listed = match app.oversight().list_accounts(request).await.map_err(Failure::from) {
        Ok(answer) => answer.into_inner().accounts,
        Err(failure) => return failure::of_call(app, visit, &failure),
    };
    let fine = about.problems.is_empty();
    let row = |account| views::account::row(account, app.clock.now());
    let page = AdminsPage {
        shell: visit.shell(app, Nav::Accounts),
        admins: listed.into_iter().map(row).collect(),
        name: about.form.name,
        email: about.form.email,
        problems: about.problems,
        invitation_link: about.link,
        command_id: Uuid::now_v7().to_string(),
    };
    let status = if fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    (status, Html(page.render())).into_response()
}

pub(super) async fn invite(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(form): Form<Asked>,
) -> Response {
    let message = InviteAdminRequest { email: form.email.clone(), display_name: form.name.clone() };
    let request = app.identity.command(&visit.caller(), command(&form.command_id), message);
    let about = match app.oversight().invite_admin(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let answer = answer.get_ref();
            let link = link(&app, &headers, (&answer.invitation_token, answer.mailed));
            About { link, ..About::default() }
        }
        Err(Failure::Malformed(fields)) => {
            let ours = fields.into_iter().map(|(field, said)| {
                (if field == "display_name" { "name".to_owned() } else { field }, said)
            });
            let problems = views::problems(&["name", "email"], &ours.collect::<Vec<_>>());
            About { form, problems, ..About::default() }
        }
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => return to_proof(HERE),
        Err(Failure::Refused(code)) => {
            let problem = match code.as_str() {
                "identity.admin.already" => Problem::AlreadyAdmin,
                "identity.account.suspended" => Problem::AccountSuspended,
                "identity.member.invited_too_often" => Problem::InvitedTooOften,
                _ => Problem::Refused,
            };
            let problems = Problems::none().and("email", problem);
            About { form, problems, ..About::default() }
        }
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    page(&app, &visit, about).await
}

pub(super) async fn withdraw(
    State(app): State<App>,
    visit: Visit,
    Path(account): Path<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let request = of_account(&app, &visit, &account, &filled);
    let done = app.oversight().withdraw_admin_invitation(request).await;
    accounts::changed(&app, &visit, (account, Notice::InvitationWithdrawn), done).await
}

pub(super) async fn dismiss(
    State(app): State<App>,
    visit: Visit,
    Path(account): Path<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let done = app.oversight().dismiss_admin(of_account(&app, &visit, &account, &filled)).await;
    accounts::changed(&app, &visit, (account, Notice::AdminDismissed), done).await
}
