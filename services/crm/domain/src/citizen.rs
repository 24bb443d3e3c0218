//! A citizen, as one campaign knows them: a person who reached its bot.
//!
//! What they are called is sealed under their own key. The fingerprint, a keyed hash of it under the same key,
//! tells whether it has changed without opening it, and tells nothing once the key is destroyed. What they
//! tell once, their number and the link through which they came, are facts of their own: a name that changes
//! later does not take them away.

#[cfg(test)]
mod tests;

use std::fmt;

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What a citizen is called, as each of their messages tells.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person {
    /// First name; may be empty.
    pub first_name: String,
    /// Last name; may be empty.
    pub last_name: String,
    /// Telegram handle without the @; may be empty.
    pub username: String,
    /// Language of their Telegram, for instance `fa`; may be empty.
    pub language: String,
}

/// Says nothing about the person.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}

impl Person {
    /// First and last name, or the handle where there is neither.
    #[must_use]
    pub fn name(&self) -> String {
        let name = format!("{} {}", self.first_name, self.last_name);
        let name = name.trim();
        if name.is_empty() { self.username.clone() } else { name.to_owned() }
    }
}

/// What is known about a citizen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Citizen {
    fingerprint: String,
    /// Fingerprint of their number.
    phone: String,
    /// Fingerprint of the link through which they came last.
    source: String,
    blocked: bool,
}

impl Citizen {
    /// Whether they have blocked the bot.
    #[must_use]
    pub const fn is_blocked(&self) -> bool {
        self.blocked
    }
}

/// What may be asked of a citizen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CitizenCommand {
    /// They showed themselves.
    Meet {
        /// What they are called now.
        person: Sealed<Person>,
        /// Keyed hash of it.
        fingerprint: String,
        /// Whether they wrote, which nobody can who has blocked the bot.
        wrote: bool,
        /// When.
        at: OffsetDateTime,
    },
    /// They shared their number.
    SharePhone {
        /// The number.
        phone: Sealed<String>,
        /// Keyed hash of it.
        fingerprint: String,
        /// When.
        at: OffsetDateTime,
    },
    /// They came through a link.
    ComeFrom {
        /// What the link carried.
        source: Sealed<String>,
        /// Keyed hash of it.
        fingerprint: String,
        /// When.
        at: OffsetDateTime,
    },
    /// They blocked the bot, or came back.
    SetBlocked {
        /// Which of the two.
        blocked: bool,
        /// When.
        at: OffsetDateTime,
    },
}

/// A fact about one citizen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum CitizenEvent {
    /// They reached the campaign for the first time.
    #[serde(rename = "citizen.met")]
    Met {
        /// What they are called.
        person: Sealed<Person>,
        /// Keyed hash of it.
        fingerprint: String,
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// They are called otherwise now.
    #[serde(rename = "citizen.changed")]
    Changed {
        /// What they are called.
        person: Sealed<Person>,
        /// Keyed hash of it.
        fingerprint: String,
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// They shared their number.
    #[serde(rename = "citizen.phone_shared")]
    PhoneShared {
        /// The number.
        phone: Sealed<String>,
        /// Keyed hash of it.
        fingerprint: String,
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// They came through a link.
    #[serde(rename = "citizen.came_from")]
    CameFrom {
        /// What the link carried.
        source: Sealed<String>,
        /// Keyed hash of it.
        fingerprint: String,
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// They blocked the bot: nothing may be written to them.
    #[serde(rename = "citizen.blocked_bot")]
    BlockedBot {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// They let the bot write again.
    #[serde(rename = "citizen.unblocked_bot")]
    UnblockedBot {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for CitizenEvent {}

impl DomainEvent for CitizenEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Met { .. } => "citizen.met",
            Self::Changed { .. } => "citizen.changed",
            Self::PhoneShared { .. } => "citizen.phone_shared",
            Self::CameFrom { .. } => "citizen.came_from",
            Self::BlockedBot { .. } => "citizen.blocked_bot",
            Self::UnblockedBot { .. } => "citizen.unblocked_bot",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why a citizen's record says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CitizenRefusal {
    /// Nobody by this id has reached the campaign.
    #[error("the citizen is not known")]
    NotMet,
}

impl Citizen {
    /// Judges `command` against the present state. An empty list means: already so.
    ///
    /// # Errors
    ///
    /// The rule that the command would break.
    pub fn decide(&self, command: CitizenCommand) -> Result<Vec<CitizenEvent>, CitizenRefusal> {
        let met = !self.fingerprint.is_empty();
        match command {
            CitizenCommand::Meet { person, fingerprint, wrote, at } => {
                let mut events = Vec::new();
                if !met {
                    events.push(CitizenEvent::Met { person, fingerprint, at });
                } else if fingerprint != self.fingerprint {
                    events.push(CitizenEvent::Changed { person, fingerprint, at });
                }
                if wrote && self.blocked {
                    events.push(CitizenEvent::UnblockedBot { at });
                }
                Ok(events)
            }
            CitizenCommand::SharePhone { .. }
            | CitizenCommand::ComeFrom { .. }
            | CitizenCommand::SetBlocked { .. }
                if !met =>
            {
                Err(CitizenRefusal::NotMet)
            }
            CitizenCommand::SharePhone { phone, fingerprint, at } => {
                let news = fingerprint != self.phone;
                let event = CitizenEvent::PhoneShared { phone, fingerprint, at };
                Ok(news.then_some(event).into_iter().collect())
            }
            CitizenCommand::ComeFrom { source, fingerprint, at } => {
                let news = fingerprint != self.source;
                let event = CitizenEvent::CameFrom { source, fingerprint, at };
                Ok(news.then_some(event).into_iter().collect())
            }
            CitizenCommand::SetBlocked { blocked, .. } if blocked == self.blocked => Ok(vec![]),
            CitizenCommand::SetBlocked { blocked: true, at } => {
                Ok(vec![CitizenEvent::BlockedBot { at }])
            }
            CitizenCommand::SetBlocked { blocked: false, at } => {
                Ok(vec![CitizenEvent::UnblockedBot { at }])
            }
        }
    }
}

impl Aggregate for Citizen {
    const TYPE: &'static str = "citizen";

    type Command = CitizenCommand;
    type Event = CitizenEvent;
    type Error = CitizenRefusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: CitizenCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), CitizenRefusal> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: CitizenEvent) {
        match event {
            CitizenEvent::Met { fingerprint, .. } | CitizenEvent::Changed { fingerprint, .. } => {
                self.fingerprint = fingerprint;
            }
            CitizenEvent::PhoneShared { fingerprint, .. } => self.phone = fingerprint,
            CitizenEvent::CameFrom { fingerprint, .. } => self.source = fingerprint,
            CitizenEvent::BlockedBot { .. } => self.blocked = true,
            CitizenEvent::UnblockedBot { .. } => self.blocked = false,
        }
    }
}
