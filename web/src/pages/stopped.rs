//! What a member sees instead of a campaign that does not run.

use askama::Template;
use time::OffsetDateTime;

use super::campaigns::CampaignStatus;
use crate::shell::Shell;

/// Any `/c/{slug}/…` while the campaign does not run.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/stopped.html")]
pub struct StoppedPage {
    /// What pages share.
    pub shell: Shell,
    /// The candidate.
    pub name: String,
    /// Where the campaign stands.
    pub status: CampaignStatus,
    /// When it will be deleted, if nobody withdraws that.
    pub deletion_due_at: Option<OffsetDateTime>,
}

impl StoppedPage {
    /// Keys of the heading and of what follows from it.
    const fn keys(&self) -> (&'static str, &'static str) {
        match self.status {
            CampaignStatus::Draft => ("stopped-draft-title", "stopped-draft-text"),
            CampaignStatus::Archived | CampaignStatus::Deleted => {
                ("stopped-archived-title", "stopped-archived-text")
            }
            CampaignStatus::Suspended | CampaignStatus::Active => {
                ("stopped-suspended-title", "stopped-suspended-text")
            }
        }
    }
}

super::renders!(StoppedPage);
