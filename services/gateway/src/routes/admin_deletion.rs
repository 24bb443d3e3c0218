//! `/admin/campaigns/{slug}/deletion`: has a campaign deleted in thirty days, or keeps it.

use axum::{
    Form,
    extract::{Path, State},
    response::Response,
};
use meydan_rpc::{outcome::Failure, pb::identity::DeletionRequest};
use meydan_web::{Notice, Problem, Problems};
use serde::Deserialize;

use super::{
    admin::{About, command, detail, named},
    go_with,
};
use crate::{app::App, failure, session::Visit};

#[derive(Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    command_id: String,
    /// The campaign's name in addresses, typed.
    #[serde(default)]
    confirmation: String,
}

pub(super) async fn request(
    State(app): State<App>,
    visit: Visit,
    Path(slug): Path<String>,
    Form(asked): Form<Asked>,
) -> Response {
    let refuse = |problem| About {
        problems: Problems::none().and("confirmation", problem),
        ..About::default()
    };
    if asked.confirmation.trim() != slug {
        return detail(&app, &visit, slug, refuse(Problem::WrongConfirmation)).await;
    }
    let done = async {
        let campaign_id = named(&app, &visit, slug.clone(), 0).await?.campaign_id;
        let message = DeletionRequest { campaign_id };
        let request = app.identity.command(&visit.caller(), command(&asked.command_id), message);
        Ok(app.campaigns().request_deletion(request).await?.get_ref().position)
    };
    match done.await {
        Ok(position) => {
            let to = format!("/admin/campaigns/{slug}");
            go_with(&to, Notice::DeletionRequested, position)
        }
        Err(Failure::Refused(_)) => {
            detail(&app, &visit, slug, refuse(Problem::CampaignRunning)).await
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}

pub(super) async fn withdraw(
    State(app): State<App>,
    visit: Visit,
    Path(slug): Path<String>,
    Form(asked): Form<Asked>,
) -> Response {
    let done = async {
        let campaign_id = named(&app, &visit, slug.clone(), 0).await?.campaign_id;
        let message = DeletionRequest { campaign_id };
        let request = app.identity.command(&visit.caller(), command(&asked.command_id), message);
        Ok(app.campaigns().withdraw_deletion(request).await?.get_ref().position)
    };
    match done.await {
        Ok(position) => {
            let to = format!("/admin/campaigns/{slug}");
            go_with(&to, Notice::DeletionWithdrawn, position)
        }
        Err(failure) => failure::of_call(&app, &visit, &failure),
    }
}
