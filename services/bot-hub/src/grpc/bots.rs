//! `Bots`: connecting a campaign's bot, and how it stands.

use std::collections::HashMap;

use bot_hub_domain::BotRefusal;
use meydan_event_log::Meta;
use meydan_keyring::KeyError;
use meydan_rpc::{
    caller::Caller,
    form::Form,
    guard::{caller, command_id},
    outcome::{broken, not_found, status, unavailable},
    pb::bot_hub::{self as pb, bots_server::Bots},
};
use secrecy::SecretString;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::{
    app::{AppError, BotHub, QueryError},
    campaigns,
    outbound::Own,
    projections::bots::{self, BotRow},
};

#[derive(Debug)]
pub(super) struct BotsApi(pub(super) BotHub);

/// The campaign of a call: the one that it names for an admin, the caller's own for everybody else. Another
/// campaign's is not found.
fn campaign(caller: &Caller, named: &str) -> Result<Uuid, Status> {
    let mut form = Form::default();
    let named = form.id("campaign_id", named);
    form.finish()?;
    let named = named.unwrap_or_default();
    if caller.is_admin() || caller.campaign == Some(named) {
        Ok(named)
    } else {
        Err(not_found("bot_hub.bot.not_found"))
    }
}

fn meta<T>(request: &Request<T>, caller: &Caller) -> Result<Meta, Status> {
    Ok(Meta::new(command_id(request)?, caller.actor()))
}

fn failure(error: AppError<BotRefusal>) -> Status {
    match error {
        AppError::Log(error) => status(error, |refusal| match refusal {
            BotRefusal::Absent => (Code::NotFound, "bot_hub.bot.not_found"),
        }),
        // Its campaign was erased.
        AppError::Keys(KeyError::Destroyed) => not_found("bot_hub.bot.not_found"),
        AppError::Keys(error @ KeyError::Unavailable(_)) => unavailable(&error),
        AppError::Keys(error) => broken(&error),
    }
}

/// A token as BotFather writes it: the bot's number, a colon, 35 characters or so.
fn token(text: &str) -> Result<SecretString, &'static str> {
    let text = text.trim();
    let well_formed = text.split_once(':').is_some_and(|(id, secret)| {
        (1..=20).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_digit())
            && (10..=80).contains(&secret.len())
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    });
    if well_formed { Ok(text.to_owned().into()) } else { Err("must be a token from BotFather") }
}

#[tonic::async_trait]
impl Bots for BotsApi {
    async fn connect_bot(
        &self,
        request: Request<pb::ConnectBotRequest>,
    ) -> Result<Response<pb::ConnectBotResponse>, Status> {
        let caller = caller(&request)?;
        let campaign = campaign(&caller, &request.get_ref().campaign_id)?;
        let meta = meta(&request, &caller)?;
        let mut form = Form::default();
        let token = form.field("token", token(&request.get_ref().token));
        form.finish()?;
        let Some(token) = token else {
            return Err(Status::internal("a field was neither read nor rejected"));
        };
        let committed = self.0.give_token(campaign, &token, &meta).await.map_err(failure)?;
        Ok(Response::new(pb::ConnectBotResponse { position: committed.position }))
    }

    async fn check_bot(
        &self,
        request: Request<pb::CheckBotRequest>,
    ) -> Result<Response<pb::CheckBotResponse>, Status> {
        let caller = caller(&request)?;
        let campaign = campaign(&caller, &request.get_ref().campaign_id)?;
        let meta = meta(&request, &caller)?;
        let committed = self.0.check_again(campaign, &meta).await.map_err(failure)?;
        Ok(Response::new(pb::CheckBotResponse { position: committed.position }))
    }

    async fn disconnect_bot(
        &self,
        request: Request<pb::DisconnectBotRequest>,
    ) -> Result<Response<pb::DisconnectBotResponse>, Status> {
        let caller = caller(&request)?;
        let campaign = campaign(&caller, &request.get_ref().campaign_id)?;
        let meta = meta(&request, &caller)?;
        let committed = self.0.disconnect(campaign, &meta).await.map_err(failure)?;
        Ok(Response::new(pb::DisconnectBotResponse { position: committed.position }))
    }

    async fn get_bot(
        &self,
        request: Request<pb::GetBotRequest>,
    ) -> Result<Response<pb::Bot>, Status> {
        let caller = caller(&request)?;
        let campaign = campaign(&caller, &request.get_ref().campaign_id)?;
        let bot = self.0.bot(campaign, request.get_ref().min_position).await;
        let bot = bot.map_err(|error| match error {
            QueryError::Database(error) => unavailable(&error),
            QueryError::Behind => Status::unavailable("the read model is behind; try again"),
        })?;
        let bot = bot.ok_or_else(|| not_found("bot_hub.bot.not_found"))?;
        let stopped = campaigns::stopped(self.0.log.pool(), &[campaign]).await;
        let stopped = stopped.map_err(|error| unavailable(&error))?;
        Ok(Response::new(bot_out(bot, &stopped)))
    }

    async fn list_bots(
        &self,
        _request: Request<pb::ListBotsRequest>,
    ) -> Result<Response<pb::ListBotsResponse>, Status> {
        let bots = bots::all(self.0.log.pool()).await.map_err(|error| unavailable(&error))?;
        let campaigns = bots.iter().map(|bot| bot.tenant_id).collect::<Vec<_>>();
        let stopped = campaigns::stopped(self.0.log.pool(), &campaigns).await;
        let stopped = stopped.map_err(|error| unavailable(&error))?;
        let bots = bots.into_iter().map(|bot| bot_out(bot, &stopped)).collect();
        Ok(Response::new(pb::ListBotsResponse { bots }))
    }
}

/// A bot. That of a campaign that does not run is paused.
fn bot_out(bot: BotRow, stopped: &HashMap<Uuid, Own>) -> pb::Bot {
    let state = match bot.state.as_str() {
        "connecting" => pb::BotState::Connecting,
        "live" if stopped.contains_key(&bot.tenant_id) => pb::BotState::Paused,
        "live" => pb::BotState::Live,
        "revoked" => pb::BotState::Revoked,
        "failed" => pb::BotState::Failed,
        _ => pb::BotState::Unspecified,
    };
    let mode = match bot.mode.as_deref() {
        Some("webhook") => pb::Mode::Webhook,
        Some("polling") => pb::Mode::Polling,
        _ => pb::Mode::Unspecified,
    };
    pb::Bot {
        bot_id: bot.bot_id.map(|id| id.to_string()).unwrap_or_default(),
        campaign_id: bot.tenant_id.to_string(),
        state: state.into(),
        problem: bot.problem.unwrap_or_default(),
        username: bot.username,
        name: bot.name,
        mode: mode.into(),
    }
}
