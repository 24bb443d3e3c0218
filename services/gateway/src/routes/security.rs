//! `/account/factors`, `/account/recovery-codes` and `/account/prove`: second factors, and proving oneself.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    caller::{Caller, Who},
    form::instant,
    guard::PROOF_NEEDED,
    outcome::Failure,
    pb::identity::{
        BeginFactorRequest, ConfirmFactorRequest, ListFactorsRequest, ListFactorsResponse,
        ProveAgainRequest, RemoveFactorRequest, RenameFactorRequest, RenewRecoveryCodesRequest,
    },
};
use meydan_web::{
    Nav, Notice, Problem, Problems,
    pages::security::{
        EnrolPage, Factor, FactorNeed, FactorRefusal, FactorsPage, Passkeys, ProvePage,
        RecoveryCodesPage,
    },
};
use prost_types::Timestamp;
use serde::Deserialize;

use super::{go, go_with, passkeys, preferences::local};
use crate::{
    access::to_proof,
    app::App,
    cookies, failure,
    session::{self, Needs, Visit},
    views,
};

/// Digits that an authenticator shows at most; recovery codes are longer.
const LONGEST_CODE: usize = 8;
/// Where second factors are.
pub(super) const FACTORS: &str = "/account/factors";

#[derive(Debug, Default, Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Secret {
    #[serde(default)]
    secret: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Called {
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    code: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    url: String,
}

fn status(problems: &Problems) -> StatusCode {
    if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

/// The authenticators of whoever visits.
pub(super) async fn listed(app: &App, visit: &Visit) -> Result<ListFactorsResponse, Failure> {
    let request = app.identity.ask(&visit.caller(), ListFactorsRequest {});
    let answer = app.accounts().list_factors(request).await;
    answer.map(tonic::Response::into_inner).map_err(Failure::from)
}

pub(super) async fn factors(State(app): State<App>, visit: Visit) -> Response {
    page(&app, &visit, Problems::none()).await
}

pub(super) async fn page(app: &App, visit: &Visit, problems: Problems) -> Response {
    let listed = match listed(app, visit).await {
        Ok(listed) => listed,
        Err(failure) => return failure::of_call(app, visit, &failure),
    };
    let factor = |factor: meydan_rpc::pb::identity::Factor| {
        Some(Factor {
            id: factor.factor_id,
            name: factor.name,
            created_at: factor.created_at.and_then(instant)?,
            last_used_at: factor.last_used_at.and_then(instant),
            passkey: factor.passkey,
        })
    };
    let status = status(&problems);
    let needed = needed(visit);
    let mut shell = visit.shell(app, Nav::Account);
    // The page says who demands one; it is said once.
    shell.notice = shell.notice.filter(|said| needed.is_none() || *said != Notice::FactorDemanded);
    let page = FactorsPage {
        shell,
        factors: listed.factors.into_iter().filter_map(factor).collect(),
        codes_left: u64::try_from(listed.recovery_codes).unwrap_or_default(),
        needed,
        passkeys: passkeys::offered(app, visit),
        problems,
    };
    (status, Html(page.render())).into_response()
}

/// Who demands a second factor of a visitor without any.
fn needed(visit: &Visit) -> Option<FactorNeed> {
    let visitor = visit.visitor.as_ref()?;
    if visitor.needs == Some(Needs::Factor) {
        return Some(FactorNeed::Platform);
    }
    visitor.memberships.iter().any(|place| place.needs_factor).then_some(FactorNeed::Campaign)
}

pub(super) async fn begin(
    State(app): State<App>,
    visit: Visit,
    Form(Called { name }): Form<Called>,
) -> Response {
    let request = app.identity.ask(&visit.caller(), BeginFactorRequest { name });
    match app.accounts().begin_factor(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let answer = answer.into_inner();
            let page = EnrolPage {
                shell: visit.shell(&app, Nav::Account),
                id: answer.factor_id,
                secret: answer.secret,
                url: answer.url,
                problems: Problems::none(),
            };
            Html(page.render()).into_response()
        }
        Err(Failure::Malformed(violations)) => {
            page(&app, &visit, views::problems(&["name"], &violations)).await
        }
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof(FACTORS),
        Err(Failure::Refused(_)) => {
            page(&app, &visit, Problems::none().and("name", Problem::TooManyFactors)).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn confirm(
    State(app): State<App>,
    mut visit: Visit,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(Shown { code, secret, url }): Form<Shown>,
) -> Response {
    let message = ConfirmFactorRequest { factor_id: id.clone(), code };
    let request = app.identity.ask(&visit.caller(), message);
    match app.accounts().confirm_factor(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let answer = answer.into_inner();
            session::forget(&app, &headers).await;
            let given = (&*answer.session_token, answer.keep_until);
            added(&app, &mut visit, given, answer.recovery_codes)
        }
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof(FACTORS),
        Err(Failure::Refused(_)) => {
            let problems = Problems::none().and("code", Problem::WrongCode);
            let shell = visit.shell(&app, Nav::Account);
            let page = EnrolPage { shell, id, secret, url, problems };
            (StatusCode::UNPROCESSABLE_ENTITY, Html(page.render())).into_response()
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

/// Shows the recovery codes that came with the first factor, or goes back to the others.
pub(super) fn added(app: &App, visit: &mut Visit, given: Given<'_>, made: Vec<String>) -> Response {
    // The forms of the page that comes now are sent with the new token.
    given.0.clone_into(&mut visit.cookie);
    let response = if made.is_empty() {
        go_with(FACTORS, Notice::FactorAdded, 0)
    } else {
        codes(app, visit, made, Some(Notice::FactorAdded))
    };
    renewed(app, response, given)
}

/// Where somebody goes who came in with a code: where they wanted to, or, after their last recovery code, to where new
/// ones are made.
pub(super) async fn after_code(app: &App, code: &str, token: &str, next: &str) -> String {
    let recovery = code.chars().filter(|letter| letter.is_alphanumeric()).count() > LONGEST_CODE;
    if recovery && codes_left(app, token).await == Some(0) {
        return format!("{FACTORS}?notice={}", Notice::CodesUsedUp.code());
    }
    next.to_owned()
}

/// How many recovery codes the holder of a session has left; `None` when that cannot be said.
async fn codes_left(app: &App, token: &str) -> Option<i64> {
    let visitor = session::of_token(app, token.to_owned()).await.ok()??;
    let who = Who::Account { id: visitor.account, session: visitor.session, admin: false };
    let caller = Caller { who, ..Caller::service(crate::NAME, None) };
    let request = app.identity.ask(&caller, ListFactorsRequest {});
    Some(app.accounts().list_factors(request).await.ok()?.get_ref().recovery_codes)
}

/// Shows recovery codes, once: nobody keeps the page.
fn codes(app: &App, visit: &Visit, codes: Vec<String>, notice: Option<Notice>) -> Response {
    let mut shell = visit.shell(app, Nav::Account);
    shell.notice = notice;
    Html(RecoveryCodesPage { shell, codes }.render()).into_response()
}

/// The new token of a session, and until when the browser keeps it.
type Given<'a> = (&'a str, Option<Timestamp>);

/// Gives the browser its session's new token.
pub(super) fn renewed(
    app: &App,
    mut response: Response,
    (token, keep_until): Given<'_>,
) -> Response {
    let cookie = cookies::session(app, token, keep_until);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

pub(super) async fn rename(
    State(app): State<App>,
    visit: Visit,
    Path(factor_id): Path<String>,
    Form(Called { name }): Form<Called>,
) -> Response {
    let request = app.identity.ask(&visit.caller(), RenameFactorRequest { factor_id, name });
    match app.accounts().rename_factor(request).await.map_err(Failure::from) {
        Ok(_) => go_with(FACTORS, Notice::Saved, 0),
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn remove(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Path(factor_id): Path<String>,
) -> Response {
    let request = app.identity.ask(&visit.caller(), RemoveFactorRequest { factor_id });
    match app.accounts().remove_factor(request).await.map_err(Failure::from) {
        Ok(_) => {
            session::forget(&app, &headers).await;
            go_with(FACTORS, Notice::FactorRemoved, 0)
        }
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof(FACTORS),
        Err(Failure::Refused(_)) => go_with(FACTORS, Notice::FactorLast, 0),
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn renew_codes(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
) -> Response {
    let request = app.identity.ask(&visit.caller(), RenewRecoveryCodesRequest {});
    match app.accounts().renew_recovery_codes(request).await.map_err(Failure::from) {
        Ok(answer) => {
            session::forget(&app, &headers).await;
            codes(&app, &visit, answer.into_inner().recovery_codes, None)
        }
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof(FACTORS),
        Err(Failure::Refused(_)) => go(FACTORS),
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn show_proof(
    State(app): State<App>,
    visit: Visit,
    Query(Back { next }): Query<Back>,
) -> Response {
    proof_page(&app, &visit, next, None).await
}

pub(super) async fn proof_page(
    app: &App,
    visit: &Visit,
    next: String,
    refusal: Option<FactorRefusal>,
) -> Response {
    let factors = match listed(app, visit).await {
        Ok(listed) => listed.factors,
        Err(failure) => return failure::of_call(app, visit, &failure),
    };
    let has_passkey = factors.iter().any(|factor| factor.passkey);
    let status = if refusal.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = ProvePage {
        shell: visit.shell(app, Nav::Account),
        by_code: !factors.is_empty(),
        passkeys: if has_passkey { passkeys::offered(app, visit) } else { Passkeys::Nowhere },
        next,
        refusal,
    };
    (status, Html(page.render())).into_response()
}

pub(super) async fn prove(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(Secret { secret, next }): Form<Secret>,
) -> Response {
    let request = app.identity.ask(&visit.caller(), ProveAgainRequest { secret });
    match app.accounts().prove_again(request).await.map_err(Failure::from) {
        Ok(answer) => {
            session::forget(&app, &headers).await;
            let answer = answer.get_ref();
            renewed(&app, go(local(&next)), (&answer.session_token, answer.keep_until))
        }
        Err(Failure::Refused(_)) => {
            proof_page(&app, &visit, next, Some(FactorRefusal::WrongCode)).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
