//! A member: an account's place in one campaign.

mod authority;
mod command;
mod event;

use std::collections::BTreeSet;

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

pub use self::{
    command::{MemberChange, MemberCommand, MemberRefusal},
    event::MemberEvent,
};
use crate::permissions::{CATALOGUE, Role};

/// A member, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Member {
    role: Option<Role>,
    /// Whether what the inviter said is known. It is not of who was asked before that was kept.
    #[serde(default)]
    said: bool,
    joined: bool,
    #[serde(default)]
    deactivated: bool,
    /// Permissions beyond those of the role.
    #[serde(default)]
    granted: BTreeSet<String>,
    /// Permissions of the role that this member has not.
    #[serde(default)]
    denied: BTreeSet<String>,
}

/// What a role may do with single permissions granted and denied on top. Whatever is not in the catalogue
/// any more is nobody's; an owner has everything.
#[must_use]
pub fn effective(role: Role, granted: &[String], denied: &[String]) -> Vec<&'static str> {
    let has = |list: &[String], name: &str| list.iter().any(|listed| listed == name);
    let held = CATALOGUE.iter().filter(|permission| {
        let name = permission.name;
        role == Role::Owner || has(granted, name) || (permission.is_of(role) && !has(denied, name))
    });
    held.map(|permission| permission.name).collect()
}

impl Member {
    /// As what they were asked, or work; `None` when they are not in the team.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        self.role
    }

    /// Whether they work in the campaign now.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.role.is_some() && self.joined && !self.deactivated
    }

    /// Whether they own the campaign now.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.is_active() && self.role == Some(Role::Owner)
    }

    /// What they may do now.
    #[must_use]
    pub fn permissions(&self) -> Vec<&'static str> {
        if self.is_active() { self.allowed() } else { vec![] }
    }

    /// What they may do once they work.
    fn allowed(&self) -> Vec<&'static str> {
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        let (granted, denied) = (list(&self.granted), list(&self.denied));
        self.role.map(|role| effective(role, &granted, &denied)).unwrap_or_default()
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
                // Whoever asks gives the role, and answers for nothing that others gave beside it.
                self.granted.clear();
                self.denied.clear();
            }
            MemberEvent::InvitationRenewed { .. }
            | MemberEvent::Impersonated { .. }
            | MemberEvent::LookedAt { .. } => {}
            MemberEvent::Joined { .. } => self.joined = true,
            MemberEvent::RoleChanged { to, .. } => {
                self.role = Some(to);
                // Exceptions were made of another role: what they meant with this one is for a person to say.
                self.granted.clear();
                self.denied.clear();
            }
            MemberEvent::PermissionsChanged { granted, denied, .. } => {
                (self.granted, self.denied) = (granted, denied);
            }
            MemberEvent::Deactivated { .. } => self.deactivated = true,
            MemberEvent::Reactivated { .. } => self.deactivated = false,
            MemberEvent::InvitationWithdrawn { .. } | MemberEvent::Removed { .. } => {
                *self = Self::default();
            }
        }
    }
}
