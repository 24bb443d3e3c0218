//! `meydan.crm.v1`: parse, ask, answer. Nothing is decided here.

mod failure;
mod intake;
mod tickets;
mod wire;

use meydan_rpc::{
    guard::{Need, Policies},
    pb::crm::{intake_server::IntakeServer, tickets_server::TicketsServer},
};
use tonic::service::Routes;

use crate::app::Crm;

/// Services that may look into any campaign's inbox on their own account: the demo writes through them.
const OURS: &[&str] = &["demo"];

/// What a campaign's own programs may read as well.
const READ: Need =
    Need::KeyOr("crm:ticket.read", &Need::PermissionOrService("crm:ticket.read", OURS));

/// Who may call what.
pub const POLICIES: Policies = &[
    ("/meydan.crm.v1.Intake/ReceiveMessage", Need::Service(&["bot-hub", "demo"])),
    ("/meydan.crm.v1.Intake/EditMessage", Need::Service(&["bot-hub", "demo"])),
    ("/meydan.crm.v1.Intake/RecordReachability", Need::Service(&["bot-hub", "demo"])),
    ("/meydan.crm.v1.Intake/RecordDelivery", Need::Service(OURS)),
    ("/meydan.crm.v1.Tickets/ListTickets", READ),
    ("/meydan.crm.v1.Tickets/GetTicket", READ),
    ("/meydan.crm.v1.Tickets/Reply", Need::PermissionOrService("crm:ticket.reply", OURS)),
    ("/meydan.crm.v1.Tickets/ChangeStatus", Need::PermissionOrService("crm:ticket.move", OURS)),
    ("/meydan.crm.v1.Tickets/GetAttachment", Need::Permission("crm:ticket.read")),
    ("/meydan.crm.v1.Tickets/GetFigures", Need::Permission("crm:ticket.read")),
];

/// The services, ready to be guarded and served.
#[must_use]
pub fn routes(crm: Crm) -> Routes {
    Routes::new(IntakeServer::new(intake::IntakeApi(crm.clone())))
        .add_service(TicketsServer::new(tickets::TicketsApi(crm)))
}
