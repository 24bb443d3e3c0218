//! The rules of the inbox: tickets, and the citizens who write them. Pure: its manifest is the proof.

pub mod body;
pub mod citizen;
pub mod ticket;

pub use self::{
    body::{Body, File, Kind},
    citizen::{Citizen, CitizenCommand, CitizenEvent, CitizenRefusal, Person},
    ticket::{Ticket, TicketCommand, TicketEvent, TicketRefusal, TicketStatus},
};
