//! `directory`: accounts, campaigns and members, filled together.

pub mod accounts;
pub mod campaigns;
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

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        match event.aggregate_type.as_str() {
            "account" => accounts::apply(db, event, &event.decode::<AccountEvent>()?).await?,
            "campaign" => campaigns::apply(db, event, &event.decode::<CampaignEvent>()?).await?,
            "member" => members::apply(db, event, &event.decode::<MemberEvent>()?).await?,
            "subject" => match event.decode::<SubjectEvent>()? {
                SubjectEvent::Erased { .. } => subjects::forget(db, event).await?,
            },
            _ => {}
        }
        Ok(())
    }
}
