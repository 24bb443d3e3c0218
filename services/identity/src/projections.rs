//! `directory`: accounts with their history, campaigns and members, filled together.

pub mod accounts;
pub mod campaigns;
pub mod history;
pub mod members;
pub mod subjects;

use identity_domain::{AccountEvent, CampaignEvent, MemberEvent};
use meydan_erasure::SubjectEvent;
use meydan_event_log::{Projection, ProjectionError, Recorded};
use sqlx::PgConnection;

/// Fills the tables.
#[derive(Debug)]
pub struct Directory;

impl Projection for Directory {
    const NAME: &'static str = "directory";
    const TABLES: &'static [&'static str] = &["accounts", "campaigns", "login_history", "members"];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        match event.aggregate_type.as_str() {
            "account" => {
                for fact in event.decode::<AccountEvent>()? {
                    accounts::apply(db, event, &fact).await?;
                    history::apply(db, event, &fact).await?;
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
}
