//! Who may change whose place: nobody gives what they do not hold, nobody changes their own place, and owners
//! are made and unmade by owners alone.

use super::{Member, MemberChange, MemberRefusal};
use crate::permissions::Role;

impl Member {
    /// Whether this member may ask somebody whose place is `before` to join as `role`.
    ///
    /// # Errors
    ///
    /// The rule that it would break.
    pub fn may_invite(&self, before: &Self, role: Role) -> Result<(), MemberRefusal> {
        let asked_to_own = !before.joined && before.role == Some(Role::Owner);
        if (role == Role::Owner || asked_to_own) && !self.is_owner() {
            return Err(MemberRefusal::OwnersOnly);
        }
        self.may_give(&role.permissions())
    }

    /// Whether this member may change the place of somebody else from `before` to `after`.
    ///
    /// # Errors
    ///
    /// The rule that it would break.
    pub fn may_change(&self, before: &Self, after: &Self) -> Result<(), MemberRefusal> {
        let owner = Some(Role::Owner);
        if (before.role == owner || after.role == owner) && !self.is_owner() {
            return Err(MemberRefusal::OwnersOnly);
        }
        // Who only waits to be let in holds nothing yet, and gets all of it.
        let held = before.permissions();
        let mut gained = if after.joined { after.permissions() } else { after.allowed() };
        gained.retain(|permission| !held.contains(permission));
        self.may_give(&gained)
    }

    fn may_give(&self, permissions: &[&'static str]) -> Result<(), MemberRefusal> {
        let own = self.permissions();
        if permissions.iter().all(|permission| own.contains(permission)) {
            Ok(())
        } else {
            Err(MemberRefusal::NotHeld)
        }
    }
}

impl MemberChange {
    /// What whoever asks for it must be allowed.
    #[must_use]
    pub const fn permission(&self) -> &'static str {
        match self {
            Self::RenewInvitation | Self::WithdrawInvitation => "identity:member.invite",
            Self::Role(_)
            | Self::Permissions { .. }
            | Self::Deactivate
            | Self::Reactivate
            | Self::Remove => "identity:member.manage",
        }
    }
}
