//! `directory`: accounts with their history, campaigns, members and keys, filled together.

pub mod accounts;
pub mod api_keys;
pub mod campaigns;
pub mod history;
pub mod members;
pub mod subjects;

use identity_domain::{AccountEvent, ApiKeyEvent, CampaignEvent, MemberEvent};
use meydan_erasure::SubjectEvent;
use meydan_event_log::{Projection, ProjectionError, Recorded};
use sqlx::PgConnection;

use crate::changes::Changes;

/// Fills the tables, and tells gateways of changes.
#[derive(Debug)]
pub struct Directory {
    /// Tells them; `None` when tables are filled that nobody reads yet.
    pub changes: Option<Changes>,
}

impl Projection for Directory {
    const NAME: &'static str = "directory";
    const TABLES: &'static [&'static str] =
        &["accounts", "api_keys", "campaigns", "login_history", "members"];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        match event.aggregate_type.as_str() {
            "account" => {
                for fact in event.decode::<AccountEvent>()? {
                    accounts::apply(db, event, &fact).await?;
                    history::apply(db, event, &fact).await?;
                }
            }
            "api_key" => {
                for fact in event.decode::<ApiKeyEvent>()? {
                    api_keys::apply(db, event, &fact).await?;
                }
            }
            "campaign" => {
                for fact in event.decode::<CampaignEvent>()? {
                    campaigns::apply(db, event, &fact).await?;
                }
            }
            "member" => {
                for fact in event.decode::<MemberEvent>()? {
                    members::apply(db, event, &fact).await?;
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
        let Some(changes) = &self.changes else { return };
        for event in events {
            changes.tell_of(event).await;
        }
    }
}
