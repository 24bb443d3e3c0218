//! A member: an account's place in one campaign.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use meydan_keyring::Sealed;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

use crate::{account::Profile, permissions::Role};

/// A member, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Member {
    role: Option<Role>,
    /// Whether what the inviter said is known. It is not of who was asked before that was kept.
    #[serde(default)]
    said: bool,
    joined: bool,
}

/// What may be asked of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberCommand {
    /// Ask an account to join.
    Invite {
        /// Whom.
        account_id: Uuid,
        /// As what.
        role: Role,
        /// Name and address as the inviter gave them: all that the team knows before the person accepts.
        said: Sealed<Profile>,
        /// When.
        at: OffsetDateTime,
    },
    /// They accepted.
    Join {
        /// When.
        at: OffsetDateTime,
    },
}

/// A fact about a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum MemberEvent {
    /// They were asked to join.
    #[serde(rename = "member.invited")]
    Invited {
        /// Whom.
        account_id: Uuid,
        /// As what.
        role: Role,
        /// Name and address as the inviter gave them. Facts of before have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<Sealed<Profile>>,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// They accepted.
    #[serde(rename = "member.joined")]
    Joined {
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for MemberEvent {}

impl DomainEvent for MemberEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Invited { .. } => "member.invited",
            Self::Joined { .. } => "member.joined",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why a member says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemberRefusal {
    /// They have not been asked.
    #[error("the person has not been invited")]
    NotInvited,
    /// They are in the team.
    #[error("the person is in the team already")]
    AlreadyMember,
}

impl Member {
    /// Judges `command` against the present state. An empty list means: already so.
    ///
    /// # Errors
    ///
    /// The rule that the command would break.
    pub fn decide(&self, command: MemberCommand) -> Result<Vec<MemberEvent>, MemberRefusal> {
        match command {
            MemberCommand::Invite { .. } if self.joined => Err(MemberRefusal::AlreadyMember),
            MemberCommand::Invite { role, .. } if self.said && self.role == Some(role) => {
                Ok(vec![])
            }
            MemberCommand::Invite { account_id, role, said, at } => {
                Ok(vec![MemberEvent::Invited { account_id, role, said: Some(said), at }])
            }
            MemberCommand::Join { .. } if self.role.is_none() => Err(MemberRefusal::NotInvited),
            MemberCommand::Join { .. } if self.joined => Ok(vec![]),
            MemberCommand::Join { at } => Ok(vec![MemberEvent::Joined { at }]),
        }
    }
}

impl Aggregate for Member {
    const TYPE: &'static str = "member";

    type Command = MemberCommand;
    type Event = MemberEvent;
    type Error = MemberRefusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: MemberCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), MemberRefusal> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: MemberEvent) {
        match event {
            MemberEvent::Invited { role, said, .. } => {
                self.role = Some(role);
                self.said = said.is_some();
            }
            MemberEvent::Joined { .. } => self.joined = true,
        }
    }
}
