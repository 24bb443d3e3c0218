//! A key with which a program of a campaign's own reads what it may. The secret itself is no fact: its hash
//! lies beside the log.

use std::collections::BTreeSet;

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

/// Why a key ended that nobody ended by hand: whoever made it is not who they were, and it would come to life again
/// with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedBecause {
    /// They are out of the team.
    MakerLeft,
    /// Their place was deactivated.
    MakerDeactivated,
    /// They may not have keys any more.
    MakerLostPermission,
    /// Their account was suspended.
    MakerSuspended,
    /// Their account was erased.
    MakerErased,
}

impl RevokedBecause {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::MakerLeft,
        Self::MakerDeactivated,
        Self::MakerLostPermission,
        Self::MakerSuspended,
        Self::MakerErased,
    ];

    /// Name under which it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MakerLeft => "maker_left",
            Self::MakerDeactivated => "maker_deactivated",
            Self::MakerLostPermission => "maker_lost_permission",
            Self::MakerSuspended => "maker_suspended",
            Self::MakerErased => "maker_erased",
        }
    }

    /// The reason of a stored name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// A key, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ApiKey {
    created: bool,
    revoked: bool,
}

/// What may be asked of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiKeyCommand {
    /// Begin it.
    Create {
        /// What it is called, under the key of whoever made it.
        name: Sealed<String>,
        /// What it may do, at most.
        permissions: BTreeSet<String>,
        /// Whose it is: it never may more than they.
        created_by: Uuid,
        /// When it ends by itself.
        expires_at: Option<OffsetDateTime>,
        /// When.
        at: OffsetDateTime,
    },
    /// End it.
    Revoke {
        /// Why, when nobody does it by hand.
        because: Option<RevokedBecause>,
        /// When.
        at: OffsetDateTime,
    },
}

/// A fact about a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ApiKeyEvent {
    /// It began.
    #[serde(rename = "api_key.created")]
    Created {
        /// What it is called, under the key of whoever made it.
        name: Sealed<String>,
        /// What it may do, at most.
        permissions: BTreeSet<String>,
        /// Whose it is.
        created_by: Uuid,
        /// When it ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339::option")]
        expires_at: Option<OffsetDateTime>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It was ended.
    #[serde(rename = "api_key.revoked")]
    Revoked {
        /// Why, when nobody did it by hand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<RevokedBecause>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for ApiKeyEvent {}

impl DomainEvent for ApiKeyEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Created { .. } => "api_key.created",
            Self::Revoked { .. } => "api_key.revoked",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why a key says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyRefusal {
    /// There is no such key.
    #[error("there is no such key")]
    NotCreated,
}

impl ApiKey {
    /// Judges `command` against the present state. An empty list means: already so.
    ///
    /// # Errors
    ///
    /// The rule that the command would break.
    pub fn decide(&self, command: ApiKeyCommand) -> Result<Vec<ApiKeyEvent>, ApiKeyRefusal> {
        Ok(vec![match command {
            ApiKeyCommand::Create { .. } if self.created => return Ok(vec![]),
            ApiKeyCommand::Create { name, permissions, created_by, expires_at, at } => {
                ApiKeyEvent::Created { name, permissions, created_by, expires_at, at }
            }
            ApiKeyCommand::Revoke { .. } if !self.created => {
                return Err(ApiKeyRefusal::NotCreated);
            }
            ApiKeyCommand::Revoke { .. } if self.revoked => return Ok(vec![]),
            ApiKeyCommand::Revoke { because, at } => ApiKeyEvent::Revoked { because, at },
        }])
    }
}

impl Aggregate for ApiKey {
    const TYPE: &'static str = "api_key";

    type Command = ApiKeyCommand;
    type Event = ApiKeyEvent;
    type Error = ApiKeyRefusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: ApiKeyCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), ApiKeyRefusal> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: ApiKeyEvent) {
        match event {
            ApiKeyEvent::Created { .. } => self.created = true,
            ApiKeyEvent::Revoked { .. } => self.revoked = true,
        }
    }
}
