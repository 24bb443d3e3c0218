//! `hub`: the tables of bots and dialogues, filled together.

pub mod bots;
pub mod dialogues;

use std::sync::Arc;

use bot_hub_domain::{BotEvent, DialogueEvent};
use meydan_event_log::{Projection, ProjectionError, Recorded};
use sqlx::PgConnection;
use tokio::sync::Notify;

/// Fills the tables.
#[derive(Debug)]
pub struct Hub {
    /// Told when a bot has changed.
    pub bots_changed: Arc<Notify>,
}

impl Projection for Hub {
    const NAME: &'static str = "hub";

    async fn apply(&self, db: &mut PgConnection, event: &Recorded) -> Result<(), ProjectionError> {
        match event.aggregate_type.as_str() {
            "bot" => bots::apply(db, event, &event.decode::<BotEvent>()?).await?,
            "dialogue" => dialogues::apply(db, event, &event.decode::<DialogueEvent>()?).await?,
            _ => {}
        }
        Ok(())
    }
    async fn committed(&self, events: &[Recorded]) {
        if events.iter().any(|event| event.aggregate_type == "bot") {
            self.bots_changed.notify_one();
        }
    }
}
