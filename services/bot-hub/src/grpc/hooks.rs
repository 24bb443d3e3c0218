//! `Hooks`: whose webhook a path is, for the gateway.

use meydan_rpc::{
    outcome::{broken, not_found, unavailable},
    pb::bot_hub::{GetHookRequest, GetHookResponse, hooks_server::Hooks},
};
use tonic::{Request, Response, Status};

use crate::{app::BotHub, projections::bots};

#[derive(Debug)]
pub(super) struct HooksApi(pub(super) BotHub);

#[derive(Debug, thiserror::Error)]
#[error("the hash of a webhook's secret cannot be read")]
struct BadHash;

#[tonic::async_trait]
impl Hooks for HooksApi {
    async fn get_hook(
        &self,
        request: Request<GetHookRequest>,
    ) -> Result<Response<GetHookResponse>, Status> {
        let bot = bots::of_hook(self.0.log.pool(), &request.get_ref().hook_id).await;
        let bot = bot.map_err(|error| unavailable(&error))?;
        let bot = bot.ok_or_else(|| not_found("bot_hub.hook.not_found"))?;
        let bot_id = bot.bot_id.ok_or_else(|| not_found("bot_hub.hook.not_found"))?;
        Ok(Response::new(GetHookResponse {
            secret_sha256: from_hex(&bot.secret_sha256).ok_or_else(|| broken(&BadHash))?,
            bot_id: bot_id.to_string(),
            campaign_id: bot.tenant_id.to_string(),
        }))
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
