//! `hub`: the tables of bots and dialogues, filled together.

pub mod bots;
pub mod dialogues;
pub mod subjects;

use std::sync::Arc;

use bot_hub_domain::{BotEvent, DialogueEvent};
use meydan_erasure::SubjectEvent;
use meydan_event_log::{Projection, ProjectionError, Recorded};
use sqlx::PgConnection;
use tokio::sync::Notify;

/// Fills the tables.
#[derive(Debug, Default)]
pub struct Hub {
    /// Told when a bot has changed.
    pub bots_changed: Arc<Notify>,
}

impl Projection for Hub {
    const NAME: &'static str = "hub";
    const TABLES: &'static [&'static str] = &["bots", "bots_left", "dialogues"];

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        match event.aggregate_type.as_str() {
            "bot" => {
                for fact in event.decode::<BotEvent>()? {
                    bots::apply(db, event, &fact).await?;
                }
            }
            "dialogue" => {
                for fact in event.decode::<DialogueEvent>()? {
                    dialogues::apply(db, event, &fact).await?;
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
        if events.iter().any(|event| event.aggregate_type == "bot") {
            self.bots_changed.notify_one();
        }
    }
}
