//! Who may do what in a campaign: the whole catalogue.

use serde::{Deserialize, Serialize};

/// A member's place in a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The candidate, or whom they trust with everything.
    Owner,
    /// Works in the inbox.
    Staff,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Owner, Self::Staff];

    /// Name under which it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Staff => "staff",
        }
    }

    /// The role of a stored name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// What it may do, as `context:action`.
    #[must_use]
    pub const fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::Owner => &[
                "crm:ticket.read",
                "crm:ticket.reply",
                "crm:ticket.move",
                "bot:bot.read",
                "bot:bot.connect",
                "identity:member.read",
                "identity:member.invite",
                "identity:audit.read",
            ],
            Self::Staff => &[
                "crm:ticket.read",
                "crm:ticket.reply",
                "crm:ticket.move",
                "bot:bot.read",
                "identity:member.read",
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn staff_may_do_nothing_that_an_owner_may_not() {
        let owner = Role::Owner.permissions();
        assert!(Role::Staff.permissions().iter().all(|permission| owner.contains(permission)));
    }

    #[test]
    fn staff_neither_connect_bots_nor_invite() {
        let staff = Role::Staff.permissions();
        assert!(!staff.contains(&"bot:bot.connect"));
        assert!(!staff.contains(&"identity:member.invite"));
    }
}
