//! `Files`: what citizens sent, fetched from Telegram when somebody looks at it. Nothing is stored.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use meydan_rpc::{
    guard::{caller, campaign},
    outcome::{not_found, unavailable},
    pb::bot_hub::{FetchFileRequest, FetchFileResponse, files_server::Files},
};
use meydan_telegram::{ApiFailure, Telegram};
use tonic::{Request, Response, Status};

use crate::{app::BotHub, projections::bots};

#[derive(Debug)]
pub(super) struct FilesApi {
    pub(super) hub: BotHub,
    pub(super) telegram: Telegram,
}

#[tonic::async_trait]
impl Files for FilesApi {
    type FetchFileStream =
        Pin<Box<dyn Stream<Item = Result<FetchFileResponse, Status>> + Send + 'static>>;

    async fn fetch_file(
        &self,
        request: Request<FetchFileRequest>,
    ) -> Result<Response<Self::FetchFileStream>, Status> {
        let tenant = campaign(&caller(&request)?)?;
        let bot = bots::of_campaign(self.hub.log.pool(), tenant).await;
        let bot = bot.map_err(|error| unavailable(&error))?;
        // A bot that the campaign does not hold may be another campaign's.
        let bot = bot.filter(|bot| bot.bot_id.is_some());
        let bot = bot.ok_or_else(|| not_found("bot_hub.bot.not_found"))?;
        let token = self.hub.token(&bot).await.map_err(|error| unavailable(&error))?;
        let token = token.ok_or_else(|| not_found("bot_hub.bot.not_found"))?;
        let file = self.telegram.file(&token, &request.get_ref().file_id).await;
        let pieces = file.map_err(|error| failure(&error))?.map(|piece| {
            piece
                .map(|data| FetchFileResponse { data: data.to_vec() })
                .map_err(|error| failure(&error))
        });
        Ok(Response::new(Box::pin(pieces)))
    }
}

fn failure(failure: &ApiFailure) -> Status {
    match failure {
        ApiFailure::Rejected | ApiFailure::ChatNotFound | ApiFailure::Unauthorized => {
            not_found("bot_hub.file.not_found")
        }
        ApiFailure::Blocked
        | ApiFailure::Conflict
        | ApiFailure::RetryAfter(_)
        | ApiFailure::Unreachable
        | ApiFailure::AnswerLost => unavailable(failure),
    }
}
