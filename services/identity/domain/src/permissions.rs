//! Who may do what in a campaign: the whole catalogue. A line is a permission and the roles that hold it
//! without being granted it; an owner holds all of them.

use serde::{Deserialize, Serialize};

use self::Role::{Content, Manager, SocialMedia, Staff, Support};

/// A member's place in a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The candidate, or whom they trust with everything.
    Owner,
    /// Runs the campaign for its owner, the team included.
    Manager,
    /// Works in the inbox.
    Staff,
    /// Speaks for the campaign in public, and answers.
    SocialMedia,
    /// Writes what the campaign publishes, and reads what citizens ask.
    Content,
    /// Helps in the inbox, and sees nothing of the team.
    Support,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Owner, Self::Manager, Self::Staff, Self::SocialMedia, Self::Content, Self::Support];

    /// Name under which it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Staff => "staff",
            Self::SocialMedia => "social_media",
            Self::Content => "content",
            Self::Support => "support",
        }
    }

    /// The role of a stored name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// What it may do, as `context:action`.
    #[must_use]
    pub fn permissions(self) -> Vec<&'static str> {
        let held = CATALOGUE.iter().filter(|permission| permission.is_of(self));
        held.map(|permission| permission.name).collect()
    }
}

/// Something that may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// `context:action`, as calls carry it.
    pub name: &'static str,
    /// Key of the text that tells people what it is.
    pub text: &'static str,
    roles: &'static [Role],
}

impl Permission {
    /// Whether a role holds it.
    #[must_use]
    pub fn is_of(&self, role: Role) -> bool {
        role == Role::Owner || self.roles.contains(&role)
    }
}

const fn permission(name: &'static str, text: &'static str, roles: &'static [Role]) -> Permission {
    Permission { name, text, roles }
}

/// Every permission.
pub const CATALOGUE: &[Permission] = &[
    permission(
        "crm:ticket.read",
        "permission-ticket-read",
        &[Manager, Staff, SocialMedia, Content, Support],
    ),
    permission(
        "crm:ticket.reply",
        "permission-ticket-reply",
        &[Manager, Staff, SocialMedia, Support],
    ),
    permission("crm:ticket.move", "permission-ticket-move", &[Manager, Staff, Support]),
    permission("bot:bot.read", "permission-bot-read", &[Manager, Staff, SocialMedia, Content]),
    permission("bot:bot.connect", "permission-bot-connect", &[Manager]),
    permission(
        "identity:member.read",
        "permission-member-read",
        &[Manager, Staff, SocialMedia, Content],
    ),
    permission("identity:member.invite", "permission-member-invite", &[Manager]),
    permission("identity:member.manage", "permission-member-manage", &[Manager]),
    permission("identity:api_key.manage", "permission-api-key-manage", &[]),
    permission("identity:audit.read", "permission-audit-read", &[]),
];

/// The permission of a name.
#[must_use]
pub fn permission_named(name: &str) -> Option<&'static Permission> {
    CATALOGUE.iter().find(|permission| permission.name == name)
}
