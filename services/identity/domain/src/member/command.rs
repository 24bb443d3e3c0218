//! What may be asked of a member, and how it is judged.

use std::collections::BTreeSet;

use cqrs_es::Aggregate;
use meydan_keyring::Sealed;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Member, MemberEvent};
use crate::{
    account::Profile,
    permissions::{Role, permission_named},
};

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
        /// The place that the inviter was judged on; `None` where they may ask whatever it is.
        judged: Option<Member>,
        /// When.
        at: OffsetDateTime,
    },
    /// They accepted.
    Join {
        /// Whether they own the campaign by it.
        owner: bool,
        /// When.
        at: OffsetDateTime,
    },
    /// An admin of the platform looks as them.
    Impersonate {
        /// As whom.
        account_id: Uuid,
        /// When that ends by itself.
        until: OffsetDateTime,
        /// When.
        at: OffsetDateTime,
    },
    /// The admin opens a page meanwhile.
    LookAt {
        /// As whom.
        account_id: Uuid,
        /// Which.
        page: String,
        /// When.
        at: OffsetDateTime,
    },
    /// They ask something of somebody else, as whoever they were judged by their place: nothing changes.
    Stand {
        /// The place.
        judged: Member,
    },
    /// Somebody who may do so changes their place.
    Change {
        /// Whose.
        account_id: Uuid,
        /// How.
        change: MemberChange,
        /// Whether they own the campaign afterwards. The list of owners is changed with it or not at all, so
        /// a place that was changed meanwhile is looked at again.
        owner: bool,
        /// The place that whoever asks was judged on; `None` where they may ask whatever it is.
        judged: Option<Member>,
        /// When.
        at: OffsetDateTime,
    },
}

/// A change of a member's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// Another role.
    Role(Role),
    /// Exactly these exceptions from the role.
    Permissions {
        /// Granted on top.
        granted: BTreeSet<String>,
        /// Denied.
        denied: BTreeSet<String>,
    },
    /// Nothing may be done any more.
    Deactivate,
    /// It may again.
    Reactivate,
    /// Out of the team.
    Remove,
    /// A new one-time link in place of the one before.
    RenewInvitation,
    /// Not asked any more.
    WithdrawInvitation,
}

/// Why a member says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub enum MemberRefusal {
    /// They have not been asked.
    NotInvited,
    /// They are in the team.
    AlreadyMember,
    /// They have not accepted yet.
    NotJoined,
    /// Their place was changed by somebody else this moment.
    Changed,
    /// There is no such permission.
    UnknownPermission,
    /// An owner has every permission.
    OwnersHaveAll,
    /// Whoever asks does not hold it themselves.
    NotHeld,
    /// Nobody changes their own place.
    Oneself,
    /// Owners are made and unmade by owners.
    OwnersOnly,
}

impl MemberRefusal {
    /// It in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotInvited => "the person has not been invited",
            Self::AlreadyMember => "the person is in the team already",
            Self::NotJoined => "the person has not joined yet",
            Self::Changed => "the member's place was changed meanwhile",
            Self::UnknownPermission => "there is no such permission",
            Self::OwnersHaveAll => "an owner has every permission",
            Self::NotHeld => "only somebody who holds a permission grants it",
            Self::Oneself => "nobody changes their own place",
            Self::OwnersOnly => "only an owner changes who owns the campaign",
        }
    }
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
            // Who was allowed to change the place of a moment ago may not be allowed to change this one.
            MemberCommand::Invite { judged: Some(judged), .. }
            | MemberCommand::Change { judged: Some(judged), .. }
            | MemberCommand::Stand { judged }
                if judged != *self =>
            {
                Err(MemberRefusal::Changed)
            }
            MemberCommand::Stand { .. } => Ok(vec![]),
            // The links from before end by it, which is for the record to say.
            MemberCommand::Invite { account_id, role, at, .. } if self.is_asked_as(role) => {
                Ok(vec![MemberEvent::InvitationRenewed { account_id, at }])
            }
            MemberCommand::Invite { account_id, role, said, at, .. } => {
                Ok(vec![MemberEvent::Invited { account_id, role, said: Some(said), at }])
            }
            MemberCommand::Join { .. } if self.role.is_none() => Err(MemberRefusal::NotInvited),
            MemberCommand::Join { .. } if self.joined => Ok(vec![]),
            MemberCommand::Join { owner, at } => {
                self.as_seen(vec![MemberEvent::Joined { at }], owner)
            }
            MemberCommand::Impersonate { .. } | MemberCommand::LookAt { .. }
                if !self.is_active() =>
            {
                Err(MemberRefusal::NotJoined)
            }
            MemberCommand::LookAt { account_id, page, at } => {
                Ok(vec![MemberEvent::LookedAt { account_id, page, at }])
            }
            MemberCommand::Impersonate { account_id, until, at } => {
                Ok(vec![MemberEvent::Impersonated { account_id, until, at }])
            }
            MemberCommand::Change { account_id, change, owner, at, .. } => {
                self.as_seen(self.changed(account_id, change, at)?, owner)
            }
        }
    }

    /// Whether they are asked as `role`, with that and nothing else.
    fn is_asked_as(&self, role: Role) -> bool {
        self.said && self.role == Some(role) && self.granted.is_empty() && self.denied.is_empty()
    }

    /// The member that `events` make of this one.
    #[must_use]
    pub fn after(&self, events: &[MemberEvent]) -> Self {
        let mut after = self.clone();
        for event in events {
            after.apply(event.clone());
        }
        after
    }

    /// The events, if they leave what whoever asks believes.
    fn as_seen(
        &self,
        events: Vec<MemberEvent>,
        owner: bool,
    ) -> Result<Vec<MemberEvent>, MemberRefusal> {
        if self.after(&events).is_owner() == owner {
            Ok(events)
        } else {
            Err(MemberRefusal::Changed)
        }
    }

    /// What a change comes to.
    ///
    /// # Errors
    ///
    /// The rule that it would break.
    pub fn changed(
        &self,
        account_id: Uuid,
        change: MemberChange,
        at: OffsetDateTime,
    ) -> Result<Vec<MemberEvent>, MemberRefusal> {
        let Some(role) = self.role else { return Err(MemberRefusal::NotInvited) };
        let event = match change {
            MemberChange::Role(to) if to == role => return Ok(vec![]),
            MemberChange::Role(to) => MemberEvent::RoleChanged { account_id, from: role, to, at },
            MemberChange::Permissions { .. } if role == Role::Owner => {
                return Err(MemberRefusal::OwnersHaveAll);
            }
            MemberChange::Permissions { granted, denied } => {
                let (granted, denied) = exceptions(role, granted, denied)?;
                if granted == self.granted && denied == self.denied {
                    return Ok(vec![]);
                }
                MemberEvent::PermissionsChanged { account_id, granted, denied, at }
            }
            MemberChange::RenewInvitation | MemberChange::WithdrawInvitation if self.joined => {
                return Err(MemberRefusal::AlreadyMember);
            }
            MemberChange::RenewInvitation => MemberEvent::InvitationRenewed { account_id, at },
            MemberChange::WithdrawInvitation => MemberEvent::InvitationWithdrawn { account_id, at },
            _ if !self.joined => return Err(MemberRefusal::NotJoined),
            MemberChange::Deactivate if self.deactivated => return Ok(vec![]),
            MemberChange::Reactivate if !self.deactivated => return Ok(vec![]),
            MemberChange::Deactivate => MemberEvent::Deactivated { account_id, at },
            MemberChange::Reactivate => MemberEvent::Reactivated { account_id, at },
            MemberChange::Remove => MemberEvent::Removed { account_id, at },
        };
        Ok(vec![event])
    }
}

/// Those exceptions that are any: granted beyond the role, denied of the role.
fn exceptions(
    role: Role,
    granted: BTreeSet<String>,
    denied: BTreeSet<String>,
) -> Result<(BTreeSet<String>, BTreeSet<String>), MemberRefusal> {
    if granted.union(&denied).any(|name| permission_named(name).is_none()) {
        return Err(MemberRefusal::UnknownPermission);
    }
    let own = |name: &String| permission_named(name).is_some_and(|known| known.is_of(role));
    let granted = granted.into_iter().filter(|name| !own(name)).collect();
    Ok((granted, denied.into_iter().filter(own).collect()))
}
