//! `Records`: who reads the record.

use meydan_event_log::PLATFORM;
use meydan_rpc::{
    form::Form,
    guard::caller,
    outcome::not_found,
    pb::identity::{self as pb, records_server::Records},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{failure::status, meta};
use crate::app::{Identity, Reading};

#[derive(Debug)]
pub(super) struct RecordsApi(pub(super) Identity);

#[tonic::async_trait]
impl Records for RecordsApi {
    async fn note_reading(
        &self,
        request: Request<pb::NoteReadingRequest>,
    ) -> Result<Response<pb::NoteReadingResponse>, Status> {
        let caller = caller(&request)?;
        let meta = meta(&request, &caller)?;
        let wire = request.into_inner();
        let mut form = Form::default();
        let ids: Vec<Option<Uuid>> =
            wire.campaign_ids.iter().map(|id| form.id("campaign_ids", id)).collect();
        form.finish()?;
        for campaign in ids.into_iter().flatten() {
            let own = campaign != PLATFORM && caller.campaign == Some(campaign);
            if !own && !caller.is_admin() {
                return Err(not_found("identity.record.not_found"));
            }
            let reading = match (wire.exported, own) {
                (true, _) => Reading::Exported,
                (false, false) => Reading::Opened(wire.page.clone()),
                // A team that reads its own is at home.
                (false, true) => continue,
            };
            self.0.note_reading(campaign, reading, &meta).await.map_err(status)?;
        }
        Ok(Response::new(pb::NoteReadingResponse {}))
    }
}
