//! `Tickets`: what members do. Every call is within the campaign of the caller, so another campaign's
//! number is simply not found.

use crm_domain::Person;
use meydan_event_log::Meta;
use meydan_rpc::{
    caller::{Caller, Who},
    form::{Form, instant, timestamp},
    guard::{caller, campaign, command_id},
    pb::crm::{self as pb, tickets_server::Tickets},
};
use time::{Date, Duration, OffsetDateTime};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{failure, wire};
use crate::{
    app::{Conversation, Crm, Page, Reply},
    projections::{figures::DayRow, tickets::Filter},
};

/// Longest answer, in UTF-16 units, as Telegram counts.
const LONGEST: usize = 16_384;
/// Days on the candidate's home page, today included.
const DAYS: i64 = 14;

#[derive(Debug)]
pub(super) struct TicketsApi(pub(super) Crm);

impl TicketsApi {
    /// When the caller acts: services may say, members act now.
    fn when(&self, caller: &Caller, said: Option<prost_types::Timestamp>) -> OffsetDateTime {
        match caller.who {
            Who::Service { .. } => said.and_then(instant).unwrap_or_else(|| self.0.now()),
            Who::Account { .. } | Who::Impersonator { .. } | Who::ApiKey { .. } => self.0.now(),
        }
    }
}

#[tonic::async_trait]
impl Tickets for TicketsApi {
    async fn list_tickets(
        &self,
        request: Request<pb::ListTicketsRequest>,
    ) -> Result<Response<pb::ListTicketsResponse>, Status> {
        let tenant = campaign(&caller(&request)?)?;
        let wire = request.into_inner();
        let mut form = Form::default();
        let before = form.field("before", cursor(&wire.before)).flatten();
        let limit = match wire.limit {
            0 => 30,
            limit @ 1..=100 => i64::from(limit),
            _ => {
                form.reject("limit", "must be at most 100");
                30
            }
        };
        form.finish()?;
        let filter = Filter {
            status: wire::status_in(wire.status).map(crm_domain::TicketStatus::name),
            unanswered: wire.unanswered,
            undelivered: wire.undelivered,
            before,
            citizen: None,
            limit,
        };
        let page = self.0.list(tenant, filter, wire.min_position).await.map_err(failure::query)?;
        Ok(Response::new(page_out(&page)))
    }

    async fn get_ticket(
        &self,
        request: Request<pb::GetTicketRequest>,
    ) -> Result<Response<pb::GetTicketResponse>, Status> {
        let tenant = campaign(&caller(&request)?)?;
        let wire = request.into_inner();
        let conversation = self
            .0
            .conversation(tenant, wire.number, wire.min_position)
            .await
            .map_err(failure::query)?;
        Ok(Response::new(conversation_out(conversation)))
    }

    async fn reply(
        &self,
        request: Request<pb::ReplyRequest>,
    ) -> Result<Response<pb::ReplyResponse>, Status> {
        let caller = caller(&request)?;
        let tenant = campaign(&caller)?;
        let meta = Meta::new(command_id(&request)?, caller.actor());
        let wire = request.into_inner();
        let mut form = Form::default();
        let text = form.field("text", answer_text(&wire.text));
        form.finish()?;
        let reply = Reply {
            number: wire.number,
            text: text.unwrap_or_default(),
            author: match caller.who {
                Who::Account { id, .. } | Who::Impersonator { id, .. } | Who::ApiKey { id } => id,
                // The demo's members answer under names of its own.
                Who::Service { .. } => Uuid::new_v5(&tenant, wire.author_name.as_bytes()),
            },
            author_name: wire.author_name,
            at: self.when(&caller, wire.at),
        };
        let (message, committed) =
            self.0.reply(tenant, &reply, &meta).await.map_err(failure::ticket)?;
        Ok(Response::new(pb::ReplyResponse {
            message_id: message.to_string(),
            position: committed.position,
        }))
    }

    async fn change_status(
        &self,
        request: Request<pb::ChangeStatusRequest>,
    ) -> Result<Response<pb::ChangeStatusResponse>, Status> {
        let caller = caller(&request)?;
        let tenant = campaign(&caller)?;
        let meta = Meta::new(command_id(&request)?, caller.actor());
        let wire = request.into_inner();
        let mut form = Form::default();
        let to = form.field("status", wire::status_in(wire.status).ok_or("must be a status"));
        form.finish()?;
        let Some(to) = to else {
            return Err(Status::internal("a field was neither read nor rejected"));
        };
        let at = self.when(&caller, wire.at);
        let committed = self
            .0
            .change_status(tenant, wire.number, to, at, &meta)
            .await
            .map_err(failure::ticket)?;
        Ok(Response::new(pb::ChangeStatusResponse { position: committed.position }))
    }

    async fn get_attachment(
        &self,
        request: Request<pb::GetAttachmentRequest>,
    ) -> Result<Response<pb::File>, Status> {
        let tenant = campaign(&caller(&request)?)?;
        let mut form = Form::default();
        let message = form.id("message_id", &request.get_ref().message_id);
        form.finish()?;
        let message = message.unwrap_or_default();
        let file = self.0.attachment(tenant, message).await.map_err(failure::query)?;
        Ok(Response::new(wire::file_out(file)))
    }

    async fn get_figures(
        &self,
        request: Request<pb::GetFiguresRequest>,
    ) -> Result<Response<pb::Figures>, Status> {
        let tenant = campaign(&caller(&request)?)?;
        let now = self.0.now();
        let week = Duration::days(7);
        // The campaign's day, not Greenwich's: Iran keeps +03:30 all the year round since 2022.
        let today = now.to_offset(time::macros::offset!(+3:30)).date();
        let span = (today - Duration::days(DAYS - 1), today);
        let position = request.get_ref().min_position;
        let (totals, days) =
            self.0.figures(tenant, span, "Asia/Tehran", position).await.map_err(failure::query)?;
        let spans = [(now - week, now), (now - week - week, now - week)];
        let [late, early] = self.0.first_response(tenant, spans).await.map_err(failure::query)?;
        Ok(Response::new(pb::Figures {
            unanswered: count(totals.unanswered),
            oldest_waiting: totals.oldest_waiting.map(timestamp),
            undelivered: count(totals.undelivered),
            citizens: count(totals.citizens),
            tickets: count(totals.tickets),
            answers: count(totals.answers),
            days: days.iter().map(day_out).collect(),
            first_response_minutes: late,
            first_response_minutes_before: early,
        }))
    }
}

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or(0)
}

fn day_out(row: &DayRow) -> pb::Day {
    pb::Day {
        date: row.day.to_julian_day() - Date::to_julian_day(time::macros::date!(1970 - 01 - 01)),
        tickets: count(row.tickets),
        new_citizens: count(row.citizens),
        answers: count(row.answers),
        first_response_minutes: row.first_response,
    }
}

fn answer_text(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty");
    }
    if text.encode_utf16().count() > LONGEST {
        return Err("must have at most 16,384 characters");
    }
    Ok(text.to_owned())
}

/// A place in the list: microseconds since 1970, a dash, the number.
fn cursor(text: &str) -> Result<Option<(OffsetDateTime, i64)>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let parse = || {
        let (micros, number) = text.split_once('-')?;
        let nanos = micros.parse::<i128>().ok()?.checked_mul(1_000)?;
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
        Some((at, number.parse().ok()?))
    };
    parse().map(Some).ok_or("must be the `next` of an earlier page")
}

fn page_out(page: &Page) -> pb::ListTicketsResponse {
    let next = page
        .next
        .map(|(at, number)| format!("{}-{number}", at.unix_timestamp_nanos() / 1_000))
        .unwrap_or_default();
    let counts = page.counts.iter().filter_map(|(status, rows)| {
        let status = wire::status_out(wire::status_named(status)?).into();
        Some(pb::StatusCount { status, count: count(*rows) })
    });
    pb::ListTicketsResponse {
        tickets: page.tickets.iter().map(wire::ticket_out).collect(),
        next,
        counts: counts.collect(),
        unanswered: count(page.unanswered),
        position: page.position,
    }
}

fn conversation_out(conversation: Conversation) -> pb::GetTicketResponse {
    let moves = wire::status_named(&conversation.ticket.row.status)
        .map_or(&[][..], crm_domain::TicketStatus::moves);
    let erased = conversation.ticket.person.is_none();
    let person: Option<Person> = conversation.ticket.person.clone();
    let citizen = conversation.citizen.map(|citizen| pb::Citizen {
        citizen_id: citizen.row.citizen_id.to_string(),
        person: person.map(|person| wire::person_out(person, &citizen)),
        first_seen: Some(timestamp(citizen.row.first_seen)),
        last_seen: Some(timestamp(citizen.row.last_seen)),
        blocked: citizen.row.blocked,
        erased,
        tickets: conversation.others.iter().map(wire::ticket_out).collect(),
    });
    pb::GetTicketResponse {
        ticket: Some(wire::ticket_out(&conversation.ticket)),
        messages: conversation.messages.into_iter().map(wire::message_out).collect(),
        citizen,
        moves: moves.iter().map(|status| wire::status_out(*status).into()).collect(),
        position: conversation.position,
    }
}
