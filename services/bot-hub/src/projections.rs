//! `hub`: the tables of bots and dialogues, filled together.

pub mod bots;
pub mod dialogues;
pub mod subjects;

use bot_hub_domain::{BotEvent, DialogueEvent};
use meydan_erasure::SubjectEvent;
use meydan_event_log::{Projection, ProjectionError, Recorded};
use sqlx::PgConnection;

/// Fills the tables.
#[derive(Debug)]
pub struct Hub;

impl Projection for Hub {
    const NAME: &'static str = "hub";

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        match event.aggregate_type.as_str() {
            "bot" => bots::apply(db, event, &event.decode::<BotEvent>()?).await?,
            "dialogue" => dialogues::apply(db, event, &event.decode::<DialogueEvent>()?).await?,
            "subject" => match event.decode::<SubjectEvent>()? {
                SubjectEvent::Erased { .. } => subjects::forget(db, event).await?,
            },
            _ => {}
        }
        Ok(())
    }
}
