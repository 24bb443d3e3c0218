//! The team of a campaign.

use askama::Template;
use time::OffsetDateTime;

use crate::{form::Problems, shell::Shell};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Everything in the campaign, the team included.
    Owner,
    /// The inbox.
    #[default]
    Staff,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Owner, Self::Staff];

    /// The value in forms.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Staff => "staff",
        }
    }

    /// The role of a form's value, or `None` when there is no such role.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Owner => "role-owner",
            Self::Staff => "role-staff",
        }
    }

    pub(crate) const fn explanation(self) -> &'static str {
        match self {
            Self::Owner => "role-owner-text",
            Self::Staff => "role-staff-text",
        }
    }
}

/// A member of the team.
#[derive(Debug, Clone)]
pub struct Member {
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// When they joined; `None` while the invitation is open.
    pub joined_at: Option<OffsetDateTime>,
}

/// `GET /c/{slug}/team`, and the answer to a refused `POST /c/{slug}/team/invite` (`name`,
/// `email`, `role`, `command_id`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/team.html")]
pub struct TeamPage {
    /// What pages share.
    pub shell: Shell,
    /// The campaign.
    pub slug: String,
    /// The members, owners first.
    pub members: Vec<Member>,
    /// Whether the viewer may invite.
    pub may_invite: bool,
    /// The name, as it was typed.
    pub name: String,
    /// The address, as it was typed.
    pub email: String,
    /// The role, as it was chosen.
    pub role: Role,
    /// What is wrong, by field.
    pub problems: Problems,
    /// The new member's one-time link, whole. Shown this once only. Empty where mail brings it.
    pub invitation_link: Option<String>,
    /// For idempotency: sent back as `command_id`.
    pub command_id: String,
}

super::renders!(TeamPage);
