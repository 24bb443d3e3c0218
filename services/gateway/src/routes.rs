//! Every address of the panel, with its policy.

mod account;
mod accounts;
mod admin;
mod admin_bot;
mod admin_deletion;
mod admins;
mod api;
mod api_keys;
mod audit;
mod contact;
mod devices;
mod files;
mod health;
mod home;
mod inbox;
mod login;
mod member;
mod passkeys;
mod preferences;
mod recover;
mod security;
mod statics;
mod team;
mod watch;
mod welcome;

use axum::{
    http::Method,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};

pub(crate) use self::{devices::browser, preferences::local};
use crate::{
    access::{
        Access,
        Need::{Admin, ApiKey, Nobody, Permission, Session},
        Panel, Route, Routes, access,
    },
    app::App,
    limits::RateClass,
    live, webhook,
};

const OPEN: Access = access(Nobody, RateClass::Panel);
const PASSWORD: Access = access(Nobody, RateClass::Login);
/// The form of a link of 256 random bits, which nobody guesses; without a good one nothing is hashed, and hashes wait in
/// a queue. Whoever holds a link and finds no password at first is no guesser. The present password, with which somebody
/// who is in accepts to become an admin, is counted by identity, as wherever it is asked for.
const LINK: Access = access(Nobody, RateClass::Panel);
const OWN: Access = access(Session, RateClass::Panel);
const OWN_PROOF: Access = access(Session, RateClass::Login);
/// Whoever is in adds a factor, and shows a code of a secret that they were just given: there is nothing to guess.
const OWN_FACTOR: Access = access(Session, RateClass::Panel);
const ADMIN: Access = access(Admin, RateClass::Panel);
const ADMIN_LIVE: Access = access(Admin, RateClass::Live);
const READ: Access = access(Permission("crm:ticket.read"), RateClass::Panel);
const READ_LIVE: Access = access(Permission("crm:ticket.read"), RateClass::Live);
const REPLY: Access = access(Permission("crm:ticket.reply"), RateClass::Panel);
const MOVE: Access = access(Permission("crm:ticket.move"), RateClass::Panel);
const SEE_TEAM: Access = access(Permission("identity:member.read"), RateClass::Panel);
const READ_AUDIT: Access = access(Permission("identity:audit.read"), RateClass::Panel);
const INVITE: Access = access(Permission("identity:member.invite"), RateClass::Panel);
const MANAGE: Access = access(Permission("identity:member.manage"), RateClass::Panel);
const KEYS: Access = access(Permission("identity:api_key.manage"), RateClass::Panel);
const READ_WITH_KEY: Access = access(ApiKey("crm:ticket.read"), RateClass::Api);

/// Every route.
#[must_use]
pub fn all(app: App) -> Routes {
    let routes = addresses(Panel::new(Some(app)));
    Routes { machines: routes.machines.fallback(health::nothing_here), ..routes }
}

/// The table of all policies.
#[must_use]
pub fn table() -> Vec<Route> {
    addresses(Panel::new(None)).table
}

fn addresses(panel: Panel) -> Routes {
    campaign(with_passkeys(admins(platform(machines(panel))))).finish()
}

/// What leads in and out, and everybody's own account.
fn platform(panel: Panel) -> Panel {
    panel
        .get("/", OWN, home::entrance)
        .get("/login", OPEN, login::show)
        .post("/login", PASSWORD, login::submit)
        .get("/login/factor", OPEN, login::show_factor)
        .post("/login/factor", PASSWORD, login::submit_factor)
        .post("/logout", OPEN, login::log_out)
        .get("/welcome/{token}", LINK, welcome::show)
        .post("/welcome/{token}", LINK, welcome::submit)
        .get("/recover", OPEN, recover::show)
        .post("/recover", PASSWORD, recover::submit)
        .get("/recover/{token}", LINK, recover::open)
        .post("/recover/{token}", LINK, recover::finish)
        .post("/preferences", OPEN, preferences::submit)
        .get("/account", OWN, account::show)
        .post("/account/email", OWN_PROOF, contact::change_email)
        .post("/account/email/send", OWN_PROOF, contact::send_email)
        .post("/account/email/code", OWN_PROOF, contact::email_code)
        .get("/account/email/{token}", OWN, contact::open_link)
        .post("/account/email/{token}", OWN_PROOF, contact::use_link)
        .post("/account/phone", OWN_PROOF.fresh(1), contact::change_phone)
        .post("/account/phone/code", OWN_PROOF, contact::phone_code)
        .post("/account/phone/remove", OWN.fresh(2), contact::remove_phone)
        .post("/account/preferences", OWN, account::set_preferences)
        .post("/account/password", OWN_PROOF, account::change_password)
        .get("/account/prove", OWN, security::show_proof)
        .post("/account/prove", OWN_PROOF, security::prove)
        .get("/account/factors", OWN, security::factors)
        .post("/account/factors", OWN, security::begin)
        .post("/account/factors/{id}/confirm", OWN_FACTOR, security::confirm)
        .post("/account/factors/{id}/rename", OWN, security::rename)
        .post("/account/factors/{id}/remove", OWN.fresh(2), security::remove)
        .post("/account/recovery-codes", OWN, security::renew_codes)
        .get("/account/sessions", OWN, devices::sessions)
        .post("/account/sessions/end", OWN.fresh(1), devices::end_others)
        .post("/account/sessions/{id}/end", OWN.fresh(2), devices::end)
        .post("/account/sessions/{id}/distrust", OWN, devices::distrust)
        .get("/account/history", OWN, devices::history)
}

/// The admins' pages.
fn admins(panel: Panel) -> Panel {
    panel
        .get("/admin", ADMIN, admin::list)
        .get("/admin/campaigns", ADMIN, admin::list)
        .get("/admin/campaigns/new", ADMIN, admin::new)
        .post("/admin/campaigns", ADMIN, admin::create)
        .get("/admin/campaigns/{slug}", ADMIN, admin::show)
        .get("/admin/campaigns/{slug}/edit", ADMIN, admin::edit)
        .post("/admin/campaigns/{slug}/edit", ADMIN, admin::save)
        .post("/admin/campaigns/{slug}/status", ADMIN, admin::change_status)
        .post("/admin/campaigns/{slug}/deletion", ADMIN.fresh(1), admin_deletion::request)
        .post("/admin/campaigns/{slug}/deletion/withdraw", ADMIN, admin_deletion::withdraw)
        .get("/admin/permissions", ADMIN, member::platform_permissions)
        .get("/admin/campaigns/{slug}/bot", ADMIN_LIVE, admin_bot::show)
        .post("/admin/campaigns/{slug}/bot", ADMIN.fresh(0), admin_bot::connect)
        .post("/admin/campaigns/{slug}/bot/check", ADMIN, admin_bot::check)
        .post("/admin/campaigns/{slug}/bot/disconnect", ADMIN.fresh(1), admin_bot::disconnect)
        .get("/admin/accounts", ADMIN, accounts::list)
        .get("/admin/accounts/admins", ADMIN, admins::show)
        .post("/admin/accounts/admins", ADMIN.fresh(0), admins::invite)
        .post("/admin/accounts/{account}/admin/withdraw", ADMIN, admins::withdraw)
        .post("/admin/accounts/{account}/admin/dismiss", ADMIN.fresh(2), admins::dismiss)
        .get("/admin/accounts/{account}", ADMIN, accounts::show)
        .post("/admin/accounts/{account}/suspend", ADMIN.fresh(1), accounts::suspend)
        .post("/admin/accounts/{account}/reactivate", ADMIN.fresh(1), accounts::reactivate)
        .post("/admin/accounts/{account}/sessions/end", ADMIN, accounts::end_sessions)
        .post("/admin/accounts/{account}/invitation", ADMIN.fresh(1), accounts::resend)
        .post("/admin/accounts/{account}/impersonate", ADMIN.fresh(1), accounts::impersonate)
        .post("/impersonation/end", OWN, accounts::end_impersonation)
        .get("/admin/security", ADMIN, watch::show)
        .post("/admin/security", ADMIN, watch::search)
        .get("/admin/audit", ADMIN, audit::show)
        .get("/admin/audit/export.csv", ADMIN.fresh(1), audit::save)
}

/// The addresses of passkeys, beside those of passwords and codes. Whoever loads the page of a refusal anew gets the form.
fn with_passkeys(panel: Panel) -> Panel {
    panel
        .get("/login/passkey", OPEN, login::show)
        .post("/login/passkey", PASSWORD, passkeys::enter)
        .post("/login/passkey/ask", OPEN, passkeys::ask_login)
        .get("/login/factor/passkey", OPEN, login::show_factor)
        .post("/login/factor/passkey", PASSWORD, passkeys::enter_factor)
        .post("/login/factor/passkey/ask", OPEN, passkeys::ask_factor)
        .get("/account/prove/passkey", OWN, security::show_proof)
        .post("/account/prove/passkey", OWN_PROOF, passkeys::prove)
        .post("/account/prove/passkey/ask", OWN, passkeys::ask_proof)
        .get("/account/factors/passkey", OWN, security::factors)
        .post("/account/factors/passkey", OWN_FACTOR, passkeys::confirm)
        .post("/account/factors/passkey/ask", OWN, passkeys::begin)
}

/// The pages of a campaign, and what its programs read.
fn campaign(panel: Panel) -> Panel {
    panel
        .get("/c/{slug}", READ, home::show)
        .get("/c/{slug}/figures", READ_LIVE, home::figures)
        .get("/c/{slug}/inbox", READ, inbox::list)
        .get("/c/{slug}/inbox/list", READ_LIVE, inbox::list_fragment)
        .get("/c/{slug}/inbox/{number}", READ, inbox::show)
        .get("/c/{slug}/inbox/{number}/messages", READ_LIVE, inbox::messages)
        .post("/c/{slug}/inbox/{number}/reply", REPLY, inbox::reply)
        .post("/c/{slug}/inbox/{number}/status", MOVE, inbox::change_status)
        .get("/c/{slug}/files/{message}", READ_LIVE, files::fetch)
        .get("/c/{slug}/live", READ_LIVE, live::open)
        .get("/c/{slug}/audit", READ_AUDIT, audit::show)
        .get("/c/{slug}/audit/export.csv", READ_AUDIT.fresh(1), audit::save)
        .get("/c/{slug}/team", SEE_TEAM, team::show)
        .post("/c/{slug}/team/invite", INVITE, team::invite)
        .post("/c/{slug}/team/leave", READ, member::leave)
        .post("/c/{slug}/team/second-factor", MANAGE.fresh(1), team::demand_factor)
        .get("/c/{slug}/team/permissions", SEE_TEAM, member::permissions)
        .get("/c/{slug}/team/{member}", SEE_TEAM, member::show)
        .post("/c/{slug}/team/{member}/role", MANAGE.fresh(1), member::change_role)
        .post("/c/{slug}/team/{member}/permissions", MANAGE.fresh(1), member::change_permissions)
        .post("/c/{slug}/team/{member}/deactivate", MANAGE, member::deactivate)
        .post("/c/{slug}/team/{member}/reactivate", MANAGE.fresh(1), member::reactivate)
        .post("/c/{slug}/team/{member}/remove", MANAGE.fresh(1), member::remove)
        .post("/c/{slug}/team/{member}/renew", INVITE, member::renew)
        .post("/c/{slug}/team/{member}/withdraw", INVITE, member::withdraw)
        .get("/c/{slug}/api-keys", KEYS, api_keys::show)
        .post("/c/{slug}/api-keys", KEYS.fresh(0), api_keys::create)
        .post("/c/{slug}/api-keys/{key}/revoke", KEYS, api_keys::revoke)
        .get("/api/v1/campaign", READ_WITH_KEY, api::campaign)
        .get("/api/v1/tickets", READ_WITH_KEY, api::tickets)
        .get("/api/v1/tickets/{number}", READ_WITH_KEY, api::ticket)
}

fn machines(panel: Panel) -> Panel {
    panel
        .machine(Method::POST, "/telegram/{hook_id}", post(webhook::take))
        .machine(Method::GET, "/static/{*path}", get(statics::serve))
        .machine(Method::GET, "/healthz", get(health::healthz))
        .machine(Method::GET, "/livez", get(health::livez))
}

/// Goes on to another page after a form. A page that sent the form through htmx follows as well.
fn go(to: &str) -> Response {
    Redirect::to(to).into_response()
}

/// Goes on, and has the next page say what was done; `position` makes it wait until that shows.
fn go_with(to: &str, notice: meydan_web::Notice, position: i64) -> Response {
    go(&format!("{to}?notice={}&at={position}", notice.code()))
}

/// The position that a page must show, from its address.
#[derive(Debug, Default, serde::Deserialize)]
struct At {
    #[serde(default)]
    at: i64,
}
