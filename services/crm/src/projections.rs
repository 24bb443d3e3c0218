//! `inbox`: what members see. One reader fills the tables together, so a page never shows a ticket without
//! its message, or a message without its citizen.

pub mod citizens;
pub mod figures;
pub mod messages;
pub mod subjects;
pub mod tickets;

use async_nats::HeaderMap;
use crm_domain::{CitizenEvent, TicketEvent};
use meydan_erasure::SubjectEvent;
use meydan_event_log::{Projection, ProjectionError, Recorded};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Fills the inbox, and tells open pages.
#[derive(Debug)]
pub struct Inbox {
    /// Where open pages are told.
    pub nats: Option<async_nats::Client>,
    /// Where the tables are.
    pub pool: PgPool,
}

impl Projection for Inbox {
    const NAME: &'static str = "inbox";
    const TABLES: &'static [&'static str] = &["citizens", "ticket_numbers", "tickets", "messages"];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        match event.aggregate_type.as_str() {
            "ticket" => {
                for fact in event.decode::<TicketEvent>()? {
                    tickets::apply(db, event, &fact).await?;
                    messages::apply(db, event, &fact).await?;
                    citizens::apply_ticket(db, event, &fact).await?;
                }
            }
            "citizen" => {
                for fact in event.decode::<CitizenEvent>()? {
                    citizens::apply(db, event, &fact).await?;
                }
            }
            "subject" => {
                for SubjectEvent::Erased { .. } in event.decode()? {
                    subjects::forget(db, event).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn committed(&self, events: &[&Recorded]) {
        let Some(nats) = &self.nats else { return };
        for event in events {
            if let Err(error) = self.tell(nats, event).await {
                // Pages that miss a ping catch up with the next one, or when they reconnect.
                tracing::debug!(%error, "open pages were not told");
            }
        }
    }
}

impl Inbox {
    async fn tell(
        &self,
        nats: &async_nats::Client,
        event: &Recorded,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (tenant, id) = (event.tenant, event.aggregate_id);
        let changed = match event.aggregate_type.as_str() {
            "ticket" => tickets::number(&self.pool, tenant, id).await?.into_iter().collect(),
            "subject" => subjects::tickets(&self.pool, tenant, id).await?,
            _ => vec![],
        };
        for number in changed {
            ping(nats, event, number).await?;
        }
        Ok(())
    }
}

/// Tells that a ticket changed.
async fn ping(
    nats: &async_nats::Client,
    event: &Recorded,
    number: i64,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let ping = serde_json::json!({
        "position": event.position,
        "ticket": number,
        "incoming": event.event_type == "ticket.message_received",
    });
    let mut headers = HeaderMap::new();
    if let Some(traceparent) = &event.meta.traceparent {
        headers.insert("traceparent", traceparent.as_str());
    }
    let subject = live_subject(event.tenant);
    nats.publish_with_headers(subject, headers, ping.to_string().into()).await?;
    Ok(())
}

/// Where a campaign's open pages are told of changes.
#[must_use]
pub fn live_subject(campaign: Uuid) -> String {
    format!("live.{campaign}")
}
