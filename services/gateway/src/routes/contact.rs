//! `/account/email` and `/account/phone`: where a person is reached, and how they prove it.

use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    guard::PROOF_NEEDED,
    outcome::Failure,
    pb::identity::{
        AskEmailRequest, AskPhoneRequest, GetContactRequest, ProveEmailRequest, ProvePhoneRequest,
        RemovePhoneRequest, prove_email_request::Proof,
    },
};
use meydan_web::{
    Nav, Notice, Problem, Problems,
    pages::contact::{ConfirmEmailPage, ContactCard, Letters},
};
use serde::Deserialize;

use super::{account, go_with, security};
use crate::{
    access::to_proof,
    app::App,
    failure,
    session::{self, Visit},
    views,
};

#[derive(Default, Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    email_code: String,
    #[serde(default)]
    phone_code: String,
}

/// The part of the account page.
pub(super) async fn card(app: &App, visit: &Visit) -> Result<ContactCard, Failure> {
    let request = app.identity.ask(&visit.caller(), GetContactRequest {});
    let contact = app.contacts().get_contact(request).await.map_err(Failure::from)?.into_inner();
    // Asked for first: whoever is led away from a form loses what they typed.
    let stale = visit.visitor.as_ref().is_some_and(|visitor| !visitor.is_fresh(app));
    let factors = stale && !security::listed(app, visit).await?.factors.is_empty();
    Ok(ContactCard {
        prove_for_email: factors,
        prove_for_phone: stale,
        email: contact.email,
        email_proved: contact.email_proved,
        phone: contact.phone,
        pending_email: contact.pending_email,
        pending_phone: contact.pending_phone,
        letters: if contact.mailed { Letters::Mailed } else { Letters::Kept },
        ..ContactCard::default()
    })
}

/// Whether the visitor is to be reminded that they have not proved their address, where mail reaches them. A page that asks
/// stands without the answer.
pub(super) async fn asks_for_proof(app: &App, visit: &Visit) -> bool {
    let request = app.identity.ask(&visit.caller(), GetContactRequest {});
    let contact = app.contacts().get_contact(request).await;
    contact.is_ok_and(|contact| contact.get_ref().mailed && !contact.get_ref().email_proved)
}

/// The account page again, with what is wrong.
async fn again(app: &App, visit: &Visit, filled: Filled, problems: Problems) -> Response {
    match card(app, visit).await {
        Ok(card) => {
            let (typed_email, typed_phone) = (filled.email, filled.phone);
            let card = ContactCard { typed_email, typed_phone, problems, ..card };
            account::page(app, visit, card, &Problems::none())
        }
        Err(failure) => failure::of_call(app, visit, &failure),
    }
}

/// What a refusal means to the form in which `field` was filled in.
fn refused(field: &'static str, failure: &Failure) -> Option<Problems> {
    Some(match failure {
        Failure::Malformed(violations) => views::problems(&["email", "phone"], violations),
        Failure::Refused(code) => Problems::none().and(
            if code == "identity.password.wrong" { "password" } else { field },
            match code.as_str() {
                "identity.password.wrong" => Problem::WrongPassword,
                "identity.proof.too_soon" => Problem::TooSoon,
                "identity.proof.wrong" => Problem::CodeOver,
                "identity.email.taken" => Problem::EmailTaken,
                _ => Problem::Refused,
            },
        ),
        _ => return None,
    })
}

/// Goes on after a call, or shows what was wrong with it.
async fn after<T>(
    (app, visit): (&App, &Visit),
    done: Result<T, Failure>,
    notice: Notice,
    (field, filled): (&'static str, Filled),
) -> Response {
    match done {
        Ok(_) => go_with("/account", notice, 0),
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof("/account"),
        Err(failure) => match refused(field, &failure) {
            Some(problems) => again(app, visit, filled, problems).await,
            None => failure::of_call(app, visit, &failure),
        },
    }
}

/// Sends a code to the present address.
pub(super) async fn send_email(State(app): State<App>, visit: Visit) -> Response {
    ask_email(&app, &visit, Filled::default()).await
}

/// Sends a code to another address.
pub(super) async fn change_email(
    State(app): State<App>,
    visit: Visit,
    Form(filled): Form<Filled>,
) -> Response {
    if filled.email.trim().is_empty() {
        let problems = Problems::none().and("email", Problem::Required);
        return again(&app, &visit, filled, problems).await;
    }
    ask_email(&app, &visit, filled).await
}

async fn ask_email(app: &App, visit: &Visit, filled: Filled) -> Response {
    let message = AskEmailRequest {
        email: filled.email.clone(),
        current_password: filled.password.clone(),
        locale: visit.locale().code().to_owned(),
    };
    let request = app.identity.ask(&visit.caller(), message);
    let done = app.contacts().ask_email(request).await.map_err(Failure::from);
    // The form without a field shows its refusal where the code belongs.
    let field = if filled.email.is_empty() { "email_code" } else { "email" };
    after((app, visit), done, Notice::CodeSent, (field, filled)).await
}

pub(super) async fn email_code(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Response {
    let done = prove(&app, &visit, &headers, Proof::Code(filled.email_code.clone())).await;
    after((&app, &visit), done, Notice::EmailProved, ("email_code", filled)).await
}

/// Proves the address; what the gateway remembers of the person may be another address.
async fn prove(app: &App, visit: &Visit, headers: &HeaderMap, proof: Proof) -> Result<(), Failure> {
    let message = ProveEmailRequest { proof: Some(proof) };
    app.contacts().prove_email(app.identity.ask(&visit.caller(), message)).await?;
    session::forget(app, headers).await;
    Ok(())
}

/// The page of a mailed link.
pub(super) async fn open_link(
    State(app): State<App>,
    visit: Visit,
    Path(token): Path<String>,
) -> Response {
    confirm(&app, &visit, token, false)
}

fn confirm(app: &App, visit: &Visit, token: String, expired: bool) -> Response {
    let status = if expired { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let page = ConfirmEmailPage { shell: visit.shell(app, Nav::Account), token, expired };
    (status, Html(page.render())).into_response()
}

pub(super) async fn use_link(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Response {
    match prove(&app, &visit, &headers, Proof::Token(token.clone())).await {
        Ok(()) => go_with("/account", Notice::EmailProved, 0),
        Err(Failure::NotFound) => confirm(&app, &visit, token, true),
        Err(failure) => match refused("email", &failure) {
            Some(problems) => again(&app, &visit, Filled::default(), problems).await,
            None => failure::of_call(&app, &visit, &failure),
        },
    }
}

pub(super) async fn change_phone(
    State(app): State<App>,
    visit: Visit,
    Form(filled): Form<Filled>,
) -> Response {
    let message =
        AskPhoneRequest { phone: filled.phone.clone(), locale: visit.locale().code().to_owned() };
    let request = app.identity.ask(&visit.caller(), message);
    let done = app.contacts().ask_phone(request).await.map_err(Failure::from);
    after((&app, &visit), done, Notice::CodeSent, ("phone", filled)).await
}

pub(super) async fn phone_code(
    State(app): State<App>,
    visit: Visit,
    Form(filled): Form<Filled>,
) -> Response {
    let message = ProvePhoneRequest { code: filled.phone_code.clone() };
    let request = app.identity.ask(&visit.caller(), message);
    let done = app.contacts().prove_phone(request).await.map_err(Failure::from);
    after((&app, &visit), done, Notice::PhoneProved, ("phone_code", filled)).await
}

pub(super) async fn remove_phone(State(app): State<App>, visit: Visit) -> Response {
    let request = app.identity.ask(&visit.caller(), RemovePhoneRequest {});
    match app.contacts().remove_phone(request).await.map_err(Failure::from) {
        Ok(_) => go_with("/account", Notice::PhoneRemoved, 0),
        Err(Failure::Refused(code)) if code == PROOF_NEEDED => to_proof("/account"),
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
