//! The team of a campaign: who is in it, one member, and who may do what.

use askama::Template;
use time::OffsetDateTime;

use crate::{
    form::{Problem, Problems},
    shell::Shell,
};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Everything in the campaign, the team included.
    Owner,
    /// Runs the campaign for its owner.
    Manager,
    /// The inbox.
    #[default]
    Staff,
    /// Speaks in public, and answers.
    SocialMedia,
    /// Writes, and reads what citizens ask.
    Content,
    /// Helps in the inbox.
    Support,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Owner, Self::Manager, Self::Staff, Self::SocialMedia, Self::Content, Self::Support];

    /// The value in forms.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Staff => "staff",
            Self::SocialMedia => "social_media",
            Self::Content => "content",
            Self::Support => "support",
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
            Self::Manager => "role-manager",
            Self::Staff => "role-staff",
            Self::SocialMedia => "role-social-media",
            Self::Content => "role-content",
            Self::Support => "role-support",
        }
    }

    pub(crate) const fn explanation(self) -> &'static str {
        match self {
            Self::Owner => "role-owner-text",
            Self::Manager => "role-manager-text",
            Self::Staff => "role-staff-text",
            Self::SocialMedia => "role-social-media-text",
            Self::Content => "role-content-text",
            Self::Support => "role-support-text",
        }
    }
}

/// How a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Asked, and not here yet.
    Invited,
    /// Asked, and the link works no more.
    Expired,
    /// At work.
    Active,
    /// Kept out until somebody reactivates the place.
    Deactivated,
}

impl Standing {
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Invited => "member-invited",
            Self::Expired => "member-expired",
            Self::Active => "member-active",
            Self::Deactivated => "member-deactivated",
        }
    }

    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::Invited => "tone-wait",
            Self::Expired => "tone-bad",
            Self::Active => "tone-good",
            Self::Deactivated => "tone-quiet",
        }
    }

    /// Whether the invitation is open.
    #[must_use]
    pub const fn is_invited(self) -> bool {
        matches!(self, Self::Invited | Self::Expired)
    }

    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::Invited => "mail",
            Self::Expired => "link-off",
            Self::Active => "user-check",
            Self::Deactivated => "user-off",
        }
    }
}

/// A member of the team.
#[derive(Debug, Clone)]
pub struct Member {
    /// Names them in addresses.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// How they stand.
    pub standing: Standing,
    /// Whether they have other permissions than their role.
    pub excepted: bool,
    /// Whether it is the viewer.
    pub oneself: bool,
    /// When they joined; `None` while the invitation is open.
    pub joined_at: Option<OffsetDateTime>,
    /// Until when the link of an open invitation works, or worked.
    pub link_ends_at: Option<OffsetDateTime>,
    /// The day on which they last used the panel, if known.
    pub last_seen_on: Option<OffsetDateTime>,
    /// Whether they have a second factor; `None` when the viewer is not told.
    pub second_factor: Option<bool>,
}

/// A second factor, demanded of the whole team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorDemand {
    /// Whether it is.
    pub demanded: bool,
    /// Whether the viewer may change that.
    pub changeable: bool,
    /// Whether the viewer has one.
    pub own: bool,
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
    /// Whether everybody needs a second factor.
    pub demand: FactorDemand,
    /// Whether the viewer may invite.
    pub may_invite: bool,
    /// The roles that the viewer may invite into.
    pub roles: Vec<Role>,
    /// Whether a proof comes before inviting an owner.
    pub prove_for_owner: bool,
    /// The name, as it was typed.
    pub name: String,
    /// The address, as it was typed.
    pub email: String,
    /// The role, as it was chosen.
    pub role: Role,
    /// What is wrong, by field.
    pub problems: Problems,
    /// Why something else was refused.
    pub refusal: Option<Problem>,
    /// The new member's one-time link, whole. Shown this once only. Empty where mail brings it.
    pub invitation_link: Option<String>,
    /// For idempotency: sent back as `command_id`.
    pub command_id: String,
}

impl TeamPage {
    /// How many members have none.
    fn without_factor(&self) -> u64 {
        self.members.iter().filter(|member| member.second_factor == Some(false)).map(|_| 1).sum()
    }
}

/// A permission of a member.
#[derive(Debug, Clone)]
pub struct MemberPermission {
    /// `context:action`.
    pub name: String,
    /// Key of its text.
    pub text: String,
    /// Whether it comes with the role.
    pub of_role: bool,
    /// Whether the member has it.
    pub may: bool,
    /// Whether the viewer may change that.
    pub changeable: bool,
}

/// `GET /c/{slug}/team/{member}`, and the answer to a refused change of the member.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/member.html")]
pub struct MemberPage {
    /// What pages share.
    pub shell: Shell,
    /// The campaign.
    pub slug: String,
    /// The member.
    pub member: Member,
    /// Their permissions, all of the catalogue.
    pub permissions: Vec<MemberPermission>,
    /// The roles that the viewer may give.
    pub roles: Vec<Role>,
    /// Whether the viewer may change the member's place.
    pub may_manage: bool,
    /// Whether the viewer may renew and withdraw invitations.
    pub may_invite: bool,
    /// Why a change was refused.
    pub refusal: Option<Problem>,
    /// A new one-time link, whole. Shown this once only.
    pub invitation_link: Option<String>,
    /// For idempotency: sent back as `command_id`.
    pub command_id: String,
}

impl MemberPage {
    /// Why boxes of permissions are closed to the viewer; `None` when none is.
    fn why_fixed(&self) -> Option<&'static str> {
        let why = match (self.member.role, self.member.oneself) {
            (Role::Owner, _) => "member-permissions-owner",
            (_, true) => "member-own-place",
            _ if !self.may_manage => "member-permissions-read",
            _ => "member-permissions-fixed",
        };
        self.permissions.iter().any(|permission| !permission.changeable).then_some(why)
    }
}

/// A permission, and who has it by their role.
#[derive(Debug, Clone)]
pub struct Permission {
    /// `context:action`.
    pub name: String,
    /// Key of its text.
    pub text: String,
    /// The roles that hold it.
    pub roles: Vec<Role>,
}

/// A member, and what they may do by their role and otherwise.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Names them in addresses.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// How they stand.
    pub standing: Standing,
    /// Keys of the texts of what they may beyond their role.
    pub granted: Vec<String>,
    /// Keys of the texts of what was taken from them.
    pub denied: Vec<String>,
}

/// `GET /c/{slug}/team/permissions` and `GET /admin/permissions`: roles and what they may do.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/permissions.html")]
pub struct PermissionsPage {
    /// What pages share.
    pub shell: Shell,
    /// The campaign; `None` on the platform's page.
    pub slug: Option<String>,
    /// The catalogue.
    pub permissions: Vec<Permission>,
    /// The campaign's team, owners first; empty on the platform's page.
    pub holders: Vec<Holder>,
}

super::renders!(TeamPage, MemberPage, PermissionsPage);

/// The key of the words that the team's pages have for a permission.
pub(super) fn permission_key(name: &str) -> String {
    let act = name.split_once(':').map_or(name, |(_, act)| act);
    format!("permission-{}", act.replace(['.', '_'], "-"))
}

#[cfg(test)]
mod tests {
    use super::permission_key;

    #[test]
    fn a_permission_is_called_as_on_the_pages_of_the_team() {
        assert_eq!(permission_key("crm:ticket.read"), "permission-ticket-read");
        assert_eq!(permission_key("identity:api_key.manage"), "permission-api-key-manage");
    }
}
