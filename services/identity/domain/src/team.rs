//! A team: who owns a campaign; of the platform, its admins that are not suspended. It changes together with the place of whoever becomes or ceases to be an
//! owner, so that the last owner stays even when all of them are asked to go at the same moment.

use std::collections::BTreeSet;

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

/// A team, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Team {
    /// `None` while nobody has come or gone since owners are listed.
    owners: Option<BTreeSet<Uuid>>,
}

/// What may be asked of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TeamCommand {
    /// List a member as an owner, or not any more.
    List {
        /// Whom.
        account_id: Uuid,
        /// Whether they own the campaign.
        owner: bool,
        /// The owners whom the tables show. A team from before owners were listed begins with them; and an
        /// owner whose account was erased is not among them, so they keep nobody from being the last.
        standing: BTreeSet<Uuid>,
        /// When.
        at: OffsetDateTime,
    },
}

/// A fact about a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum TeamEvent {
    /// Somebody became or ceased to be an owner.
    #[serde(rename = "team.owners_changed")]
    OwnersChanged {
        /// The accounts that own the campaign now.
        owners: BTreeSet<Uuid>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for TeamEvent {}

impl DomainEvent for TeamEvent {
    fn event_type(&self) -> String {
        "team.owners_changed".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why a team says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TeamRefusal {
    /// Nobody would own the campaign.
    #[error("a campaign keeps at least one owner")]
    LastOwner,
}

impl Team {
    /// Judges `command` against the present state. An empty list means: already so.
    ///
    /// # Errors
    ///
    /// The rule that the command would break.
    pub fn decide(&self, command: TeamCommand) -> Result<Vec<TeamEvent>, TeamRefusal> {
        let TeamCommand::List { account_id, owner, standing, at } = command;
        let present = self.owners.as_ref().unwrap_or(&standing);
        if present.contains(&account_id) == owner {
            return Ok(vec![]);
        }
        let mut owners = present.clone();
        if owner {
            owners.insert(account_id);
        } else {
            owners.remove(&account_id);
            if owners.is_disjoint(&standing) {
                return Err(TeamRefusal::LastOwner);
            }
        }
        Ok(vec![TeamEvent::OwnersChanged { owners, at }])
    }
}

impl Aggregate for Team {
    const TYPE: &'static str = "team";

    type Command = TeamCommand;
    type Event = TeamEvent;
    type Error = TeamRefusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: TeamCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), TeamRefusal> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: TeamEvent) {
        let TeamEvent::OwnersChanged { owners, .. } = event;
        self.owners = Some(owners);
    }
}
