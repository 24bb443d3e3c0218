//! The keys with which programs of a campaign's own read what they may.

use askama::Template;
use time::OffsetDateTime;

use super::inbox::TicketStatus;
use crate::{form::Problems, shell::Shell};

/// A key.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Names it in addresses.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Keys of the texts of what it may do now: no more than whoever made it.
    pub permissions: Vec<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends by itself, if it does.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, if it was.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was revoked, and why.
    pub revoked: Option<(OffsetDateTime, Revoked)>,
    /// Whether it opens nothing now, because whoever made it lacks the second factor that the campaign demands.
    pub closed: bool,
}

impl ApiKey {
    fn has_expired(&self, now: &OffsetDateTime) -> bool {
        self.expires_at.is_some_and(|at| at <= *now)
    }
}

/// Why a key was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// Somebody did it by hand.
    ByHand,
    /// Whoever made it is out of the team.
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

impl Revoked {
    /// The reason of a name on the wire.
    #[must_use]
    pub fn from_code(code: &str) -> Self {
        match code {
            "maker_left" => Self::MakerLeft,
            "maker_deactivated" => Self::MakerDeactivated,
            "maker_lost_permission" => Self::MakerLostPermission,
            "maker_suspended" => Self::MakerSuspended,
            "maker_erased" => Self::MakerErased,
            _ => Self::ByHand,
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::ByHand => "api-key-revoked-by-hand",
            Self::MakerLeft => "api-key-revoked-left",
            Self::MakerDeactivated => "api-key-revoked-deactivated",
            Self::MakerLostPermission => "api-key-revoked-permission",
            Self::MakerSuspended => "api-key-revoked-suspended",
            Self::MakerErased => "api-key-revoked-erased",
        }
    }
}

/// Something that a key can be allowed.
#[derive(Debug, Clone)]
pub struct Scope {
    /// `context:action`.
    pub name: String,
    /// Key of its text.
    pub text: String,
}

/// How long a key lasts, in days; 0 for ever.
pub const LIFETIMES: [u64; 4] = [30, 90, 365, 0];

/// `GET /c/{slug}/api-keys`, and the answer to `POST /c/{slug}/api-keys` (`name`, `may`, `days`, `command_id`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/api_keys.html")]
pub struct ApiKeysPage {
    /// What pages share.
    pub shell: Shell,
    /// The campaign.
    pub slug: String,
    /// The keys that were not revoked, the newest first; then those that were, within the last month.
    pub keys: Vec<ApiKey>,
    /// What a key of the viewer's can be allowed.
    pub scopes: Vec<Scope>,
    /// The name, as it was typed.
    pub name: String,
    /// The lifetime, as it was chosen.
    pub days: u64,
    /// What is wrong, by field.
    pub problems: Problems,
    /// A new key, whole. Shown this once only.
    pub secret: Option<String>,
    /// Where the panel is, as programs write it.
    pub origin: String,
    /// For idempotency: sent back as `command_id`.
    pub command_id: String,
}

impl ApiKeysPage {
    /// A command that reads tickets, whole once there is a new key.
    fn example(&self) -> String {
        let (key, origin) = (self.secret.as_deref().unwrap_or("mk_…"), &self.origin);
        format!(
            "curl -H 'Authorization: Bearer {key}' '{origin}/api/v1/tickets?status={}&limit=20'",
            TicketStatus::New.code()
        )
    }

    /// What `status` may be.
    fn statuses() -> String {
        TicketStatus::ALL.map(TicketStatus::code).join(", ")
    }
}

super::renders!(ApiKeysPage);
