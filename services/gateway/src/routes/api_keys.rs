//! `/c/{slug}/api-keys`: the keys of a campaign's own programs.

use axum::{
    Form,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use meydan_rpc::{
    form::{instant, timestamp},
    outcome::Failure,
    pb::identity::{
        self as pb, CreateApiKeyRequest, ListApiKeysRequest, ListPermissionsRequest,
        RevokeApiKeyRequest,
    },
};
use meydan_web::{
    Nav, Notice, Problems,
    pages::api_keys::{ApiKey, ApiKeysPage, LIFETIMES, Revoked as WhyRevoked, Scope},
};
use serde::Deserialize;
use time::Duration;
use uuid::Uuid;

use super::{
    At,
    admin::{command, origin},
    go_with, inbox,
    member::refusal,
};
use crate::{
    access::{Need, field},
    app::App,
    failure,
    session::Visit,
    views,
};

/// What identity says of a form that made a key before, and is not shown its secret again.
const MADE: &str = "identity.api_key.made";

#[derive(Default, Deserialize)]
pub(super) struct Revoked {
    #[serde(default)]
    command_id: String,
}

/// What the page says besides the keys.
struct About {
    at: i64,
    name: String,
    days: u64,
    problems: Problems,
    secret: Option<String>,
}

impl About {
    fn at(at: i64) -> Self {
        let (name, problems) = (String::new(), Problems::none());
        Self { at, name, days: 90, problems, secret: None }
    }
}

async fn page(app: &App, visit: &Visit, about: About) -> Result<Response, Failure> {
    let request = app.identity.ask(&visit.caller(), ListApiKeysRequest { min_position: about.at });
    let keys = app.api_keys().list_api_keys(request).await?.into_inner().keys;
    let request = app.identity.ask(&visit.caller(), ListPermissionsRequest {});
    let catalogue = app.members().list_permissions(request).await?.into_inner().permissions;
    let scopes = catalogue
        .iter()
        .filter(|permission| is_asked_with_keys(&permission.name) && visit.may(&permission.name));
    let scope = |permission: &pb::Permission| Scope {
        name: permission.name.clone(),
        text: permission.text.clone(),
    };
    let mut shell = visit.shell(app, Nav::ApiKeys);
    shell.unread = inbox::unread(app, visit).await;
    let ok = about.problems.is_empty();
    let status = if ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = ApiKeysPage {
        shell,
        slug: visit.slug(),
        scopes: scopes.map(scope).collect(),
        keys: keys.into_iter().map(|key| shown(key, &catalogue)).collect(),
        name: about.name,
        days: about.days,
        problems: about.problems,
        secret: about.secret,
        origin: origin(app, &visit.host),
        command_id: Uuid::now_v7().to_string(),
    };
    Ok((status, Html(page.render())).into_response())
}

/// Whether some address asks programs for it: any other would be of no use to a key.
fn is_asked_with_keys(permission: &str) -> bool {
    super::table()
        .iter()
        .any(|route| matches!(route.access.need, Need::ApiKey(asked) if asked == permission))
}

fn shown(key: pb::ApiKey, catalogue: &[pb::Permission]) -> ApiKey {
    let held = catalogue.iter().filter(|permission| key.permissions.contains(&permission.name));
    ApiKey {
        permissions: held.map(|permission| permission.text.clone()).collect(),
        id: key.api_key_id,
        name: key.name,
        created_at: views::instant(key.created_at),
        closed: key.maker_lacks_factor,
        expires_at: key.expires_at.and_then(instant),
        last_used_at: key.last_used_at.and_then(instant),
        revoked: key
            .revoked_at
            .and_then(instant)
            .map(|at| (at, WhyRevoked::from_code(&key.revoked_because))),
    }
}

pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(At { at }): Query<At>,
) -> Response {
    let shown = page(&app, &visit, About::at(at)).await;
    shown.unwrap_or_else(|failure| failure::of_call(&app, &visit, &failure))
}

pub(super) async fn create(State(app): State<App>, visit: Visit, body: Bytes) -> Response {
    let said = |name| field(&body, name).unwrap_or_default();
    let may = form_urlencoded::parse(&body).filter(|(name, _)| name == "may");
    let days = said("days").parse().ok().filter(|days| LIFETIMES.contains(days));
    let Some(days) = days else {
        return failure::of_call(&app, &visit, &Failure::Refused("days".to_owned()));
    };
    let lasts = (days > 0).then(|| Duration::days(i64::try_from(days).unwrap_or_default()));
    let message = CreateApiKeyRequest {
        name: said("name"),
        permissions: may.map(|(_, value)| value.into_owned()).collect(),
        expires_at: lasts.map(|lasts| timestamp(app.clock.now() + lasts)),
    };
    let id = command(&said("command_id"));
    let request = app.identity.command(&visit.caller(), id, message);
    let about = match app.api_keys().create_api_key(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let answer = answer.into_inner();
            About { secret: Some(answer.key), ..About::at(answer.position) }
        }
        Err(Failure::Malformed(violations)) => {
            let problems = views::problems(&["name", "permissions"], &violations);
            About { name: said("name"), days, problems, ..About::at(0) }
        }
        // The form came again, and a program works with the key by now: nobody is shown another secret of it.
        Err(Failure::Refused(code)) if code == MADE => {
            return go_with(&format!("/c/{}/api-keys", visit.slug()), Notice::KeyMade, 0);
        }
        Err(Failure::Refused(code)) => {
            let problems = Problems::none().and("permissions", refusal(&code));
            About { name: said("name"), days, problems, ..About::at(0) }
        }
        Err(failure) => return failure::of_call(&app, &visit, &failure),
    };
    let shown = page(&app, &visit, about).await;
    shown.unwrap_or_else(|failure| failure::of_call(&app, &visit, &failure))
}

pub(super) async fn revoke(
    State(app): State<App>,
    visit: Visit,
    Path((slug, key)): Path<(String, String)>,
    Form(asked): Form<Revoked>,
) -> Response {
    let message = RevokeApiKeyRequest { api_key_id: key };
    let request = app.identity.command(&visit.caller(), command(&asked.command_id), message);
    match app.api_keys().revoke_api_key(request).await.map_err(Failure::from) {
        Ok(answer) => {
            let to = format!("/c/{slug}/api-keys");
            go_with(&to, Notice::KeyRevoked, answer.get_ref().position)
        }
        // What is no id names no key.
        Err(Failure::Malformed(_)) => failure::of_call(&app, &visit, &Failure::NotFound),
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
