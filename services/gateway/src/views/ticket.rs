//! Tickets, messages and citizens, as the panel shows them.

use meydan_rpc::pb::crm as pb;
use meydan_web::pages::inbox::{
    CitizenCard, Composer, Content, Conversation, Delivery, Failure, File, Filter, Message,
    OtherTicket, Preview, TicketList, TicketRow, TicketStatus,
};

use super::instant;

/// Largest file that the Bot API hands out, in bytes.
const LARGEST_FILE: u64 = 20 * 1024 * 1024;

/// Where a ticket stands.
#[must_use]
pub const fn status(status: pb::TicketStatus) -> TicketStatus {
    match status {
        pb::TicketStatus::Unspecified | pb::TicketStatus::New => TicketStatus::New,
        pb::TicketStatus::InProgress => TicketStatus::InProgress,
        pb::TicketStatus::Waiting => TicketStatus::Waiting,
        pb::TicketStatus::Resolved => TicketStatus::Resolved,
        pb::TicketStatus::Closed => TicketStatus::Closed,
    }
}

/// A status on the wire.
#[must_use]
pub const fn status_out(status: TicketStatus) -> pb::TicketStatus {
    match status {
        TicketStatus::New => pb::TicketStatus::New,
        TicketStatus::InProgress => pb::TicketStatus::InProgress,
        TicketStatus::Waiting => pb::TicketStatus::Waiting,
        TicketStatus::Resolved => pb::TicketStatus::Resolved,
        TicketStatus::Closed => pb::TicketStatus::Closed,
    }
}

const fn preview(kind: pb::Kind) -> Preview {
    match kind {
        pb::Kind::Unspecified | pb::Kind::Text => Preview::Text,
        pb::Kind::Photo => Preview::Photo,
        pb::Kind::Voice => Preview::Voice,
        pb::Kind::Video => Preview::Video,
        pb::Kind::Audio => Preview::Audio,
        pb::Kind::Document => Preview::Document,
        pb::Kind::Location => Preview::Location,
        pb::Kind::Contact => Preview::Contact,
        pb::Kind::Sticker => Preview::Sticker,
    }
}

/// A row of the list.
#[must_use]
pub fn row(ticket: &pb::Ticket) -> TicketRow {
    TicketRow {
        number: ticket.number,
        citizen_name: ticket.citizen_name.clone(),
        subject: ticket.subject.clone(),
        first_kind: preview(ticket.first_kind()),
        status: status(ticket.status()),
        last_at: instant(ticket.last_at),
        waiting_since: ticket.waiting_since.and_then(meydan_rpc::form::instant),
        undelivered: ticket.undelivered.into(),
        erased: ticket.erased,
    }
}

/// What a list shows.
#[must_use]
pub fn list(
    slug: String,
    (filter, before, open): (Filter, Option<String>, Option<i64>),
    page: &pb::ListTicketsResponse,
) -> TicketList {
    let mut all = 0;
    let mut counts: Vec<(Filter, u64)> = vec![];
    for entry in &page.counts {
        all += entry.count;
        counts.push((Filter::Status(status(entry.status())), entry.count));
    }
    counts.extend([(Filter::All, all), (Filter::Unanswered, page.unanswered)]);
    TicketList {
        slug,
        filter,
        counts,
        rows: page.tickets.iter().map(row).collect(),
        before,
        older: Some(page.next.clone()).filter(|next| !next.is_empty()),
        open,
    }
}

/// A conversation; `None` when the answer lacks its ticket.
#[must_use]
pub fn conversation(
    slug: String,
    answer: pb::GetTicketResponse,
    composer: Composer,
) -> Option<Conversation> {
    let moves = answer.moves().map(status).collect();
    let ticket = answer.ticket?;
    let citizen = card(answer.citizen.unwrap_or_default());
    let messages = answer.messages.into_iter().map(|each| message(&slug, each)).collect();
    Some(Conversation {
        slug,
        number: ticket.number,
        first_kind: preview(ticket.first_kind()),
        status: status(ticket.status()),
        subject: ticket.subject,
        moves,
        messages,
        citizen,
        composer,
    })
}

fn card(citizen: pb::Citizen) -> CitizenCard {
    let person = citizen.person.unwrap_or_default();
    let name = format!("{} {}", person.first_name, person.last_name);
    CitizenCard {
        name: name.trim().to_owned(),
        username: person.username,
        language: person.language,
        phone: person.phone,
        source: person.source,
        first_seen: instant(citizen.first_seen),
        last_seen: instant(citizen.last_seen),
        blocked: citizen.blocked,
        erased: citizen.erased,
        others: citizen.tickets.iter().map(other).collect(),
    }
}

fn other(ticket: &pb::Ticket) -> OtherTicket {
    OtherTicket {
        number: ticket.number,
        subject: ticket.subject.clone(),
        first_kind: preview(ticket.first_kind()),
        status: status(ticket.status()),
        last_at: instant(ticket.last_at),
    }
}

fn message(slug: &str, message: pb::Message) -> Message {
    let delivery = match message.delivery() {
        pb::Delivery::Unspecified => None,
        pb::Delivery::Queued => Some(Delivery::Queued),
        pb::Delivery::Sent => Some(Delivery::Sent),
        pb::Delivery::Failed => Some(Delivery::Failed(Failure::from_code(&message.failure))),
        pb::Delivery::InDoubt => Some(Delivery::InDoubt),
    };
    let (content, text) = match message.body {
        None => (Content::Erased, String::new()),
        Some(body) => content(slug, &message.message_id, body),
    };
    Message {
        at: instant(message.at),
        edited_at: message.edited_at.and_then(meydan_rpc::form::instant),
        album: Some(message.album).filter(|album| !album.is_empty()),
        id: message.message_id,
        incoming: message.incoming,
        content,
        text,
        earlier: message.earlier,
        delivery,
        author: message.author_name,
    }
}

fn content(slug: &str, message: &str, body: pb::Body) -> (Content, String) {
    let kind = body.kind();
    let file = file(slug, message, body.file.unwrap_or_default());
    let content = match kind {
        pb::Kind::Unspecified | pb::Kind::Text => Content::Text,
        pb::Kind::Photo => Content::Photo(file),
        pb::Kind::Voice => Content::Voice(file),
        pb::Kind::Video => Content::Video(file),
        pb::Kind::Audio => Content::Audio(file),
        pb::Kind::Document => Content::Document(file),
        pb::Kind::Location => Content::Location {
            latitude: body.latitude,
            longitude: body.longitude,
            label: body.label,
        },
        pb::Kind::Contact => {
            Content::Contact { name: body.contact_name, phone: body.contact_phone }
        }
        pb::Kind::Sticker => Content::Sticker { emoji: body.label },
    };
    (content, body.text)
}

fn file(slug: &str, message: &str, file: pb::File) -> File {
    let can_be_fetched = !file.file_id.is_empty() && file.size <= LARGEST_FILE;
    File {
        url: can_be_fetched.then(|| format!("/c/{slug}/files/{message}")),
        name: file.name,
        size: file.size,
        seconds: file.seconds,
        width: file.width,
        height: file.height,
    }
}
