//! Between the wire's words and ours.

use crm_domain::{Body, File, Kind, Person, TicketStatus};
use meydan_rpc::{
    form::{Form, timestamp},
    pb::crm as pb,
};

use crate::app::{OpenedCitizen, OpenedMessage, OpenedTicket, Shown};

pub(super) fn body(form: &mut Form, wire: Option<pb::Body>) -> Option<Body> {
    let Some(wire) = wire else {
        form.reject("body", "must be there");
        return None;
    };
    let kind = match pb::Kind::try_from(wire.kind).unwrap_or_default() {
        pb::Kind::Unspecified => {
            form.reject("body.kind", "must be a kind of content");
            return None;
        }
        pb::Kind::Text => Kind::Text,
        pb::Kind::Photo => Kind::Photo,
        pb::Kind::Voice => Kind::Voice,
        pb::Kind::Video => Kind::Video,
        pb::Kind::Audio => Kind::Audio,
        pb::Kind::Document => Kind::Document,
        pb::Kind::Location => Kind::Location,
        pb::Kind::Contact => Kind::Contact,
        pb::Kind::Sticker => Kind::Sticker,
    };
    Some(Body {
        kind,
        text: wire.text,
        file: wire.file.map(file),
        place: (kind == Kind::Location).then_some((wire.latitude, wire.longitude)),
        contact: (kind == Kind::Contact).then_some((wire.contact_name, wire.contact_phone)),
        label: wire.label,
    })
}

fn file(wire: pb::File) -> File {
    File {
        file_id: wire.file_id,
        name: wire.name,
        mime_type: wire.mime_type,
        size: wire.size,
        seconds: wire.seconds,
        width: wire.width,
        height: wire.height,
    }
}

pub(super) fn file_out(file: File) -> pb::File {
    pb::File {
        file_id: file.file_id,
        name: file.name,
        mime_type: file.mime_type,
        size: file.size,
        seconds: file.seconds,
        width: file.width,
        height: file.height,
    }
}

pub(super) fn shown(wire: Option<pb::Person>) -> Shown {
    let wire = wire.unwrap_or_default();
    let person = Person {
        first_name: wire.first_name,
        last_name: wire.last_name,
        username: wire.username,
        language: wire.language,
    };
    Shown { person, phone: wire.phone, source: wire.source }
}

pub(super) fn person_out(person: Person, citizen: &OpenedCitizen) -> pb::Person {
    pb::Person {
        first_name: person.first_name,
        last_name: person.last_name,
        username: person.username,
        language: person.language,
        phone: citizen.phone.clone().unwrap_or_default(),
        source: citizen.source.clone().unwrap_or_default(),
    }
}

pub(super) fn status_in(wire: i32) -> Option<TicketStatus> {
    match pb::TicketStatus::try_from(wire).ok()? {
        pb::TicketStatus::Unspecified => None,
        pb::TicketStatus::New => Some(TicketStatus::New),
        pb::TicketStatus::InProgress => Some(TicketStatus::InProgress),
        pb::TicketStatus::Waiting => Some(TicketStatus::Waiting),
        pb::TicketStatus::Resolved => Some(TicketStatus::Resolved),
        pb::TicketStatus::Closed => Some(TicketStatus::Closed),
    }
}

pub(super) const fn status_out(status: TicketStatus) -> pb::TicketStatus {
    match status {
        TicketStatus::New => pb::TicketStatus::New,
        TicketStatus::InProgress => pb::TicketStatus::InProgress,
        TicketStatus::Waiting => pb::TicketStatus::Waiting,
        TicketStatus::Resolved => pb::TicketStatus::Resolved,
        TicketStatus::Closed => pb::TicketStatus::Closed,
    }
}

/// A status as the read model names it.
pub(super) fn status_named(name: &str) -> Option<TicketStatus> {
    serde_json::from_value(serde_json::Value::from(name)).ok()
}

const fn kind_out(kind: Kind) -> pb::Kind {
    match kind {
        Kind::Text => pb::Kind::Text,
        Kind::Photo => pb::Kind::Photo,
        Kind::Voice => pb::Kind::Voice,
        Kind::Video => pb::Kind::Video,
        Kind::Audio => pb::Kind::Audio,
        Kind::Document => pb::Kind::Document,
        Kind::Location => pb::Kind::Location,
        Kind::Contact => pb::Kind::Contact,
        Kind::Sticker => pb::Kind::Sticker,
    }
}

pub(super) fn body_out(body: Body) -> pb::Body {
    let (latitude, longitude) = body.place.unwrap_or_default();
    let (contact_name, contact_phone) = body.contact.unwrap_or_default();
    pb::Body {
        kind: kind_out(body.kind).into(),
        text: body.text,
        file: body.file.map(file_out),
        latitude,
        longitude,
        contact_name,
        contact_phone,
        label: body.label,
    }
}

pub(super) fn ticket_out(ticket: &OpenedTicket) -> pb::Ticket {
    let row = &ticket.row;
    let kind = serde_json::from_value(serde_json::Value::from(row.first_kind.as_str()));
    pb::Ticket {
        ticket_id: row.ticket_id.to_string(),
        number: row.number,
        citizen_id: row.citizen_id.to_string(),
        citizen_name: ticket.person.as_ref().map(Person::name).unwrap_or_default(),
        subject: ticket.subject.clone().unwrap_or_default(),
        first_kind: kind.map_or(pb::Kind::Text, kind_out).into(),
        status: status_named(&row.status).map_or(pb::TicketStatus::Unspecified, status_out).into(),
        opened_at: Some(timestamp(row.opened_at)),
        last_at: Some(timestamp(row.last_at)),
        waiting_since: row.waiting_since.map(timestamp),
        undelivered: u32::try_from(row.undelivered).unwrap_or(0),
        erased: ticket.subject.is_none(),
    }
}

pub(super) fn message_out(message: OpenedMessage) -> pb::Message {
    let row = message.row;
    let delivery = match row.delivery.as_deref() {
        Some("queued") => pb::Delivery::Queued,
        Some("sent") => pb::Delivery::Sent,
        Some("failed") => pb::Delivery::Failed,
        Some("in_doubt") => pb::Delivery::InDoubt,
        _ => pb::Delivery::Unspecified,
    };
    pb::Message {
        message_id: row.message_id.to_string(),
        incoming: row.incoming,
        at: Some(timestamp(row.at)),
        body: message.body.map(body_out),
        album: row.album.unwrap_or_default(),
        edited_at: row.edited_at.map(timestamp),
        earlier: message.earlier,
        delivery: delivery.into(),
        failure: row.failure.unwrap_or_default(),
        author_id: row.author.map(|author| author.to_string()).unwrap_or_default(),
        author_name: message.author.unwrap_or_default(),
    }
}
