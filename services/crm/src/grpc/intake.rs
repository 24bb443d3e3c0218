//! `Intake`: what the bot hub reports.

use crm_domain::ticket::DeliveryFailure;
use meydan_event_log::{Actor, Meta, Target};
use meydan_rpc::{
    form::Form,
    guard::{caller, campaign, origin_of_answer},
    pb::crm::{self as pb, intake_server::Intake},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{failure, wire};
use crate::app::{Crm, IncomingMessage, Settled};

#[derive(Debug)]
pub(super) struct IntakeApi(pub(super) Crm);

/// The campaign and the origin of what a service reports about a citizen.
fn origin<T>(request: &Request<T>, citizen: Option<Uuid>) -> Result<(Uuid, Meta), Status> {
    let caller = caller(request)?;
    let tenant = campaign(&caller)?;
    let actor = citizen.map_or_else(|| caller.actor(), |id| Actor::Citizen { id });
    Ok((tenant, origin_of_answer(request, actor)?))
}

#[tonic::async_trait]
impl Intake for IntakeApi {
    async fn receive_message(
        &self,
        request: Request<pb::ReceiveMessageRequest>,
    ) -> Result<Response<pb::ReceiveMessageResponse>, Status> {
        let citizen = Uuid::try_parse(&request.get_ref().citizen_id).ok();
        let (tenant, meta) = origin(&request, citizen)?;
        let message = receive_message(request.into_inner())?;
        let (ticket, committed) =
            self.0.receive(tenant, &message, &meta).await.map_err(failure::ticket)?;
        Ok(Response::new(pb::ReceiveMessageResponse {
            ticket_id: ticket.to_string(),
            position: committed.position,
        }))
    }

    async fn edit_message(
        &self,
        request: Request<pb::EditMessageRequest>,
    ) -> Result<Response<pb::EditMessageResponse>, Status> {
        let citizen = Uuid::try_parse(&request.get_ref().citizen_id).ok();
        let (tenant, meta) = origin(&request, citizen)?;
        let wire = request.into_inner();
        let mut form = Form::default();
        let citizen = form.id("citizen_id", &wire.citizen_id);
        let bot = form.id("bot_id", &wire.bot_id);
        let body = wire::body(&mut form, wire.body);
        let at = form.instant("edited_at", wire.edited_at);
        form.finish()?;
        let (Some(citizen), Some(bot), Some(body), Some(at)) = (citizen, bot, body, at) else {
            return Err(Status::internal("a field was neither read nor rejected"));
        };
        let message = ((bot, wire.channel_message_id), &body);
        let committed =
            self.0.edit(tenant, citizen, message, at, &meta).await.map_err(failure::ticket)?;
        Ok(Response::new(pb::EditMessageResponse { position: committed.position }))
    }

    async fn record_reachability(
        &self,
        request: Request<pb::RecordReachabilityRequest>,
    ) -> Result<Response<pb::RecordReachabilityResponse>, Status> {
        let citizen = Uuid::try_parse(&request.get_ref().citizen_id).ok();
        let (tenant, meta) = origin(&request, citizen)?;
        let wire = request.into_inner();
        let mut form = Form::default();
        let citizen = form.id("citizen_id", &wire.citizen_id);
        let at = form.instant("at", wire.at);
        form.finish()?;
        let (Some(citizen), Some(at)) = (citizen, at) else {
            return Err(Status::internal("a field was neither read nor rejected"));
        };
        let shown = wire::shown(wire.person);
        let met = self.0.meet((tenant, citizen), &shown, false, at, &meta).await;
        met.map_err(failure::citizen)?;
        let committed = self
            .0
            .set_blocked(tenant, citizen, wire.blocked, at, &meta)
            .await
            .map_err(failure::citizen)?;
        Ok(Response::new(pb::RecordReachabilityResponse { position: committed.position }))
    }

    async fn record_delivery(
        &self,
        request: Request<pb::RecordDeliveryRequest>,
    ) -> Result<Response<pb::RecordDeliveryResponse>, Status> {
        let (tenant, meta) = origin(&request, None)?;
        let wire = request.into_inner();
        let mut form = Form::default();
        let ticket = form.id("ticket_id", &wire.ticket_id);
        let message = form.id("message_id", &wire.message_id);
        let settled = delivery(&mut form, wire.delivery);
        let at = form.instant("at", wire.at);
        form.finish()?;
        let (Some(id), Some(message), Some(settled), Some(at)) = (ticket, message, settled, at)
        else {
            return Err(Status::internal("a field was neither read nor rejected"));
        };
        let done = self.0.settle(Target { tenant, id }, message, settled, at, &meta).await;
        let done = done.map_err(failure::ticket)?;
        Ok(Response::new(pb::RecordDeliveryResponse { position: done.position }))
    }
}

fn delivery(form: &mut Form, wire: i32) -> Option<Settled> {
    match pb::Delivery::try_from(wire).unwrap_or_default() {
        pb::Delivery::Sent => Some(Settled::Sent),
        pb::Delivery::Failed => Some(Settled::Failed(DeliveryFailure::Blocked)),
        pb::Delivery::InDoubt => Some(Settled::InDoubt),
        pb::Delivery::Queued | pb::Delivery::Unspecified => {
            form.reject("delivery", "must be sent, failed or in doubt");
            None
        }
    }
}

fn receive_message(wire: pb::ReceiveMessageRequest) -> Result<IncomingMessage, Status> {
    let mut form = Form::default();
    let citizen_id = form.id("citizen_id", &wire.citizen_id);
    let bot = form.id("bot_id", &wire.bot_id);
    let body = wire::body(&mut form, wire.body);
    let at = form.instant("sent_at", wire.sent_at);
    form.finish()?;
    let (Some(citizen_id), Some(bot), Some(body), Some(at)) = (citizen_id, bot, body, at) else {
        return Err(Status::internal("a field was neither read nor rejected"));
    };
    Ok(IncomingMessage {
        citizen_id,
        shown: wire::shown(wire.person),
        body,
        channel: (bot, wire.channel_message_id),
        album: Some(wire.album).filter(|album| !album.is_empty()),
        at,
    })
}
