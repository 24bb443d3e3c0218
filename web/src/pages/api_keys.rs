//! The keys with which programs of a campaign's own read what they may.

use askama::Template;
use time::OffsetDateTime;

use crate::{form::Problems, shell::Shell};

/// A key.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Names it in addresses.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Keys of the texts of what it may do.
    pub permissions: Vec<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends by itself, if it does.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, if it was.
    pub last_used_at: Option<OffsetDateTime>,
}

impl ApiKey {
    fn has_expired(&self, now: &OffsetDateTime) -> bool {
        self.expires_at.is_some_and(|at| at <= *now)
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
    /// The keys that were not revoked, the newest first.
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
    /// For idempotency: sent back as `command_id`.
    pub command_id: String,
}

super::renders!(ApiKeysPage);
