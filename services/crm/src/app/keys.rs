//! Which unique keys a fact took: what a restored log is told, when the stream gives facts back.

use crm_domain::TicketEvent;
use meydan_event_log::{KeyChange, Recorded, Unreadable};

use super::command::{message_key, ticket_id, ticket_key};

/// Tickets that a citizen may have had, to find out which one this is.
const MOST: u64 = 100_000;

/// What a fact of the inbox did to the unique keys. Facts of before 2026-11-22 do not say from whom and through which
/// bot a message came: nobody finds those messages to change them.
///
/// # Errors
///
/// Fails when the fact is none that this program knows.
pub fn keys_of(fact: &Recorded) -> Result<Vec<KeyChange>, Unreadable> {
    if fact.aggregate_type != "ticket" {
        return Ok(vec![]);
    }
    let (tenant, ticket) = (fact.tenant, fact.aggregate_id);
    let taken = fact.decode::<TicketEvent>()?.into_iter().filter_map(|event| match event {
        TicketEvent::Opened { citizen_id, .. } => {
            let ordinal = (1..=MOST).find(|number| ticket_id(citizen_id, *number) == ticket)?;
            Some(ticket_key(tenant, citizen_id, ordinal))
        }
        TicketEvent::MessageReceived { from: Some(from), channel_message_id, .. } => {
            let channel = (from.bot_id, channel_message_id);
            Some(message_key(tenant, from.citizen_id, channel))
        }
        _ => None,
    });
    Ok(taken.map(KeyChange::Taken).collect())
}
