//! `/api/v1/…`: what programs of a campaign's own read, as JSON. The key says which campaign.
//!
//! Names and values stay as they are once given: fields are added, never changed.

use axum::{
    Json,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use meydan_rpc::{
    form::{Form, instant},
    outcome::Failure,
    pb::{
        crm::{self, GetTicketRequest, ListTicketsRequest},
        identity::{GetCampaignRequest, get_campaign_request::Which},
    },
};
use meydan_web::pages::inbox::TicketStatus;
use serde::Deserialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::{
    api::{Program, failed},
    app::App,
    views::ticket,
};

/// Which tickets. What is empty was not said.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    status: String,
    before: String,
    limit: String,
}

impl Asked {
    /// The question to crm, or every field that is wrong and what it may be. What `before` may be, and how large
    /// `limit`, crm knows.
    fn read(self) -> Result<ListTicketsRequest, Failure> {
        let mut form = Form::default();
        let status = match self.status.as_str() {
            "" => Some(crm::TicketStatus::Unspecified),
            said => {
                let known = TicketStatus::from_code(said).map(ticket::status_out);
                let codes = TicketStatus::ALL.map(TicketStatus::code).join(", ");
                form.field("status", known.ok_or(format!("must be one of {codes}").as_str()))
            }
        };
        let limit = match self.limit.as_str() {
            "" => Some(0),
            said => {
                let most = "must be a number, at most 100";
                form.field("limit", said.parse::<u32>().map_err(|_| most))
            }
        };
        form.finish()?;
        Ok(ListTicketsRequest {
            status: status.unwrap_or_default().into(),
            before: self.before,
            limit: limit.unwrap_or_default(),
            ..ListTicketsRequest::default()
        })
    }
}

/// An answer, or what went wrong.
fn answer(answer: Result<Value, Failure>) -> Response {
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(failure) => failed(&failure),
    }
}

/// `GET /api/v1/campaign`
pub(super) async fn campaign(State(app): State<App>, Program(caller): Program) -> Response {
    let found = async {
        let id = caller.campaign.ok_or(Failure::NotFound)?;
        let which = Some(Which::CampaignId(id.to_string()));
        let request = app.identity.ask(&caller, GetCampaignRequest { which, min_position: 0 });
        let campaign = app.campaigns().get_campaign(request).await?.into_inner();
        Ok(json!({
            "id": campaign.campaign_id,
            "slug": campaign.slug,
            "candidate_name": campaign.candidate_name,
            "office": campaign.office,
            "constituency": campaign.constituency,
            "locale": campaign.locale,
        }))
    };
    answer(found.await)
}

/// `GET /api/v1/tickets?status=&before=&limit=`
pub(super) async fn tickets(
    State(app): State<App>,
    Program(caller): Program,
    Query(asked): Query<Asked>,
) -> Response {
    let found = async {
        let message = asked.read()?;
        let page = app.tickets().list_tickets(app.crm.ask(&caller, message)).await?.into_inner();
        Ok(json!({
            "tickets": page.tickets.iter().map(ticket_out).collect::<Vec<_>>(),
            "next": (!page.next.is_empty()).then_some(page.next),
            "unanswered": page.unanswered,
        }))
    };
    answer(found.await)
}

/// `GET /api/v1/tickets/{number}`
pub(super) async fn ticket(
    State(app): State<App>,
    Program(caller): Program,
    Path(number): Path<String>,
) -> Response {
    let found = async {
        let number = number.parse().map_err(|_| Failure::NotFound)?;
        let message = GetTicketRequest { number, min_position: 0 };
        let found = app.tickets().get_ticket(app.crm.ask(&caller, message)).await?.into_inner();
        let messages = found.messages.iter().map(message_out).collect::<Vec<_>>();
        let ticket = found.ticket.as_ref().map(ticket_out);
        Ok(json!({ "ticket": ticket, "messages": messages }))
    };
    answer(found.await)
}

fn time_out(at: Option<prost_types::Timestamp>) -> Option<String> {
    at.and_then(instant).and_then(|at| at.format(&Rfc3339).ok())
}

fn ticket_out(ticket: &crm::Ticket) -> Value {
    json!({
        "number": ticket.number,
        "status": ticket::status(ticket.status()).code(),
        "subject": ticket.subject,
        "citizen": { "id": ticket.citizen_id, "name": ticket.citizen_name, "erased": ticket.erased },
        "opened_at": time_out(ticket.opened_at),
        "last_at": time_out(ticket.last_at),
        "waiting_since": time_out(ticket.waiting_since),
    })
}

fn message_out(message: &crm::Message) -> Value {
    let kind = message.body.as_ref().map(|body| {
        let name = body.kind().as_str_name();
        name.strip_prefix("KIND_").unwrap_or(name).to_lowercase()
    });
    json!({
        "id": message.message_id,
        "from": if message.incoming { "citizen" } else { "campaign" },
        "at": time_out(message.at),
        "kind": kind,
        "text": message.body.as_ref().map(|body| body.text.as_str()),
    })
}
