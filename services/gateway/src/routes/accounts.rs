//! `/admin/accounts`: accounts, for admins; and looking at a campaign as one of its members.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    caller::Caller,
    guard::PROOF_NEEDED,
    outcome::Failure,
    pb::identity::{
        AccountDetail, ChangeAccountRequest, ChangeAccountResponse, EndImpersonationRequest,
        GetAccountRequest, ImpersonateRequest, ListAccountsRequest, ResendInvitationRequest,
    },
};
use meydan_web::{
    Nav, Notice, Problem, Problems,
    pages::accounts::{AccountDetailPage, AccountsPage, WhichAccounts},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    admin::{command, link},
    devices::PAGE,
    go, go_with,
};
use crate::{
    access::to_proof,
    app::App,
    cookies::{self, Kind},
    failure,
    session::{self, Visit},
    views,
};

/// What is looked for, as the address says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    email: String,
    which: String,
    after: String,
    before: i64,
}

/// What a form says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filled {
    command_id: String,
    campaign_id: String,
    reason: String,
}

pub(super) async fn list(
    State(app): State<App>,
    visit: Visit,
    Query(Asked { email, which, after, .. }): Query<Asked>,
) -> Response {
    let which = WhichAccounts::from_code(&which);
    let of_these = views::account::which_out(which).into();
    let message =
        ListAccountsRequest { email: email.clone(), after, staff: false, which: of_these };
    let request = app.identity.ask(&visit.caller(), message);
    let listed = match app.oversight().list_accounts(request).await.map_err(Failure::from) {
        Ok(answer) => answer.into_inner(),
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let row = |account| views::account::row(account, app.clock.now());
    let last = listed.accounts.last().map(|account| account.account_id.clone());
    let page = AccountsPage {
        shell: visit.shell(&app, Nav::Accounts),
        accounts: listed.accounts.into_iter().map(row).collect(),
        which,
        email,
        after: last.filter(|_| listed.more),
    };
    Html(page.render()).into_response()
}

/// What the page of an account says besides the account.
#[derive(Default)]
struct About {
    before: i64,
    refusal: Option<Problem>,
    problems: Problems,
    reason: String,
    link: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(account): Path<String>,
    Query(Asked { before, .. }): Query<Asked>,
) -> Response {
    page(&app, &visit, account, About { before, ..About::default() }).await
}

async fn page(app: &App, visit: &Visit, account_id: String, about: About) -> Response {
    let message = GetAccountRequest { account_id, before: about.before };
    let request = app.identity.ask(&visit.caller(), message);
    let found = match app.oversight().get_account(request).await.map_err(Failure::from) {
        Ok(answer) => answer.into_inner(),
        Err(failure) => return failure::of_call(app, visit, &failure),
    };
    let AccountDetail { account: Some(account), sessions, history } = found else {
        return failure::of_call(app, visit, &Failure::Broken);
    };
    let ok = about.problems.is_empty() && about.refusal.is_none();
    let status = if ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let older = (history.len() == PAGE).then(|| history.last().map(|last| last.position));
    let own = visit.visitor.as_ref().map(|visitor| visitor.account.to_string());
    let place = |address: &str| visit.place(app, address);
    let sessions = sessions.into_iter().filter_map(|seen| views::account::session(seen, place));
    let entries = history.into_iter().filter_map(|entry| views::account::happened(entry, place));
    let page = AccountDetailPage {
        shell: visit.shell(app, Nav::Accounts),
        oneself: own.as_deref() == Some(account.account_id.as_str()),
        account: views::account::row(account, app.clock.now()),
        sessions: sessions.collect(),
        entries: entries.collect(),
        before: older.flatten(),
        refusal: about.refusal,
        problems: about.problems,
        reason: about.reason,
        invitation_link: about.link,
        command_id: Uuid::now_v7().to_string(),
    };
    (status, Html(page.render())).into_response()
}

/// The address of an account.
fn address(account: &str) -> String {
    format!("/admin/accounts/{account}")
}

/// A command that names an account and nothing else.
pub(super) fn of_account(
    app: &App,
    visit: &Visit,
    account: &str,
    filled: &Filled,
) -> tonic::Request<ChangeAccountRequest> {
    let message = ChangeAccountRequest { account_id: account.to_owned() };
    app.identity.command(&visit.caller(), command(&filled.command_id), message)
}

pub(super) async fn changed(
    app: &App,
    visit: &Visit,
    (account, notice): (String, Notice),
    done: Result<tonic::Response<ChangeAccountResponse>, tonic::Status>,
) -> Response {
    match done.map_err(Failure::from) {
        Ok(_) => go_with(&address(&account), notice, 0),
        Err(failure) => refused(app, visit, account, (failure, String::new())).await,
    }
}

async fn refused(
    app: &App,
    visit: &Visit,
    account: String,
    (failure, reason): (Failure, String),
) -> Response {
    let about = match &failure {
        Failure::Refused(code) if code == PROOF_NEEDED => return to_proof(&address(&account)),
        Failure::Refused(code) => {
            let refusal = match code.as_str() {
                "identity.account.oneself" => Problem::AccountOneself,
                "identity.account.last_admin" => Problem::LastAdmin,
                "identity.impersonation.suspended" => Problem::AccountSuspended,
                "identity.impersonation.no_place" => Problem::LookNoPlace,
                "identity.impersonation.stopped" => Problem::LookStopped,
                "identity.impersonation.factor" => Problem::LookFactor,
                "identity.member.already" => Problem::AlreadyMember,
                "identity.member.invited_too_often" => Problem::InvitedTooOften,
                _ => Problem::Refused,
            };
            About { refusal: Some(refusal), reason, ..About::default() }
        }
        Failure::Malformed(fields) => {
            About { problems: views::problems(&["reason"], fields), reason, ..About::default() }
        }
        other => return failure::of_call(app, visit, other),
    };
    page(app, visit, account, about).await
}

pub(super) async fn suspend(
    State(app): State<App>,
    visit: Visit,
    Path(account): Path<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let done = app.oversight().suspend_account(of_account(&app, &visit, &account, &filled)).await;
    changed(&app, &visit, (account, Notice::AccountSuspended), done).await
}

pub(super) async fn reactivate(
    State(app): State<App>,
    visit: Visit,
    Path(account): Path<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let request = of_account(&app, &visit, &account, &filled);
    let done = app.oversight().reactivate_account(request).await;
    changed(&app, &visit, (account, Notice::AccountReactivated), done).await
}

pub(super) async fn end_sessions(
    State(app): State<App>,
    visit: Visit,
    Path(account): Path<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let request = of_account(&app, &visit, &account, &filled);
    let done = app.oversight().end_account_sessions(request).await;
    changed(&app, &visit, (account, Notice::SessionsEnded), done).await
}

pub(super) async fn resend(
    State(app): State<App>,
    visit: Visit,
    Path(account): Path<String>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Response {
    let (account_id, campaign_id) = (account.clone(), filled.campaign_id);
    let message = ResendInvitationRequest { account_id, campaign_id };
    let request = app.identity.command(&visit.caller(), command(&filled.command_id), message);
    match app.oversight().resend_invitation(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let answer = answer.get_ref();
            let link = link(&app, &headers, (&answer.invitation_token, answer.mailed));
            page(&app, &visit, account, About { link, ..About::default() }).await
        }
        Err(failure) => refused(&app, &visit, account, (failure, String::new())).await,
    }
}

pub(super) async fn impersonate(
    State(app): State<App>,
    visit: Visit,
    Path(account): Path<String>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Response {
    let message = ImpersonateRequest {
        account_id: account.clone(),
        campaign_id: filled.campaign_id,
        reason: filled.reason.clone(),
    };
    let request = app.identity.command(&visit.caller(), command(&filled.command_id), message);
    match app.oversight().impersonate(request).await.map_err(Failure::from) {
        Ok(answer) => {
            session::forget(&app, &headers).await;
            go(&format!("/c/{}", answer.get_ref().slug))
        }
        Err(failure) => refused(&app, &visit, account, (failure, filled.reason)).await,
    }
}

pub(super) async fn end_impersonation(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
) -> Response {
    let session_token = cookies::get(&headers, Kind::Session, app.secure).unwrap_or_default();
    let gateway = Caller::service(crate::NAME, None);
    let request = app.identity.ask(&gateway, EndImpersonationRequest { session_token });
    match app.sessions_client().end_impersonation(request).await.map_err(Failure::from) {
        Ok(_) => {
            session::forget(&app, &headers).await;
            let who = visit.visitor.as_ref().and_then(|visitor| visitor.impersonates.as_ref());
            match who {
                Some(who) => {
                    go_with(&address(&who.subject.to_string()), Notice::ImpersonationEnded, 0)
                }
                None => go("/"),
            }
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
