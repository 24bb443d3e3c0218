//! The admin's campaigns: list, form, and one campaign with its bot and its invitation link.

use askama::Template;
use time::OffsetDateTime;

use super::bot::{BotPanel, BotState};
use crate::{form::Problems, locale::Locale, regions, shell::Shell};

/// Where a campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignStatus {
    /// Being set up.
    Draft,
    /// Open to citizens.
    Active,
    /// Stopped by the platform for a while.
    Suspended,
    /// Over.
    Archived,
    /// Gone.
    Deleted,
}

impl CampaignStatus {
    /// Every status.
    pub const ALL: [Self; 5] =
        [Self::Draft, Self::Active, Self::Suspended, Self::Archived, Self::Deleted];

    /// The value in forms.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Archived => "archived",
            Self::Deleted => "deleted",
        }
    }

    /// The status of a form's value, or `None` when there is no such status.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Draft => "campaign-status-draft",
            Self::Active => "campaign-status-active",
            Self::Suspended => "campaign-status-suspended",
            Self::Archived => "campaign-status-archived",
            Self::Deleted => "campaign-status-deleted",
        }
    }

    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::Draft => "tone-plain",
            Self::Active => "tone-good",
            Self::Suspended => "tone-bad",
            Self::Archived | Self::Deleted => "tone-quiet",
        }
    }
}

/// A campaign in the list and on its page.
#[derive(Debug, Clone)]
pub struct CampaignRow {
    /// Its name in addresses.
    pub slug: String,
    /// The candidate.
    pub candidate_name: String,
    /// What they stand for, such as "member of parliament".
    pub office: String,
    /// Where they stand.
    pub constituency: String,
    /// Their home region, by its code; empty where none was said.
    pub home_region: String,
    /// Language in which the campaign speaks.
    pub locale: Locale,
    /// Where it stands.
    pub status: CampaignStatus,
    /// Its bot; `None` when there is none.
    pub bot: Option<BotState>,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// Where it may be moved.
    pub moves: Vec<CampaignStatus>,
    /// Whether its deletion may be asked for.
    pub may_be_deleted: bool,
    /// When it will be deleted, if nobody withdraws that.
    pub deletion_due_at: Option<OffsetDateTime>,
}

/// `GET /admin/campaigns`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/campaigns.html")]
pub struct CampaignsPage {
    /// What pages share.
    pub shell: Shell,
    /// The campaigns, the newest first.
    pub campaigns: Vec<CampaignRow>,
    /// Whether the viewer is to prove their address.
    pub unproved: bool,
}

/// What was typed into the form of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CampaignFields {
    /// `candidate_name`.
    pub candidate_name: String,
    /// `slug`. Fixed once the campaign exists.
    pub slug: String,
    /// `office`.
    pub office: String,
    /// `constituency`.
    pub constituency: String,
    /// `home_region`: a code, or empty.
    pub home_region: String,
    /// `locale`: `fa` or `en`.
    pub locale: Locale,
    /// `owner_name`, only for a new campaign.
    pub owner_name: String,
    /// `owner_email`, only for a new campaign.
    pub owner_email: String,
}

/// `GET /admin/campaigns/new` and `GET /admin/campaigns/{slug}/edit`, and the answers to refused
/// `POST /admin/campaigns` and `POST /admin/campaigns/{slug}/edit`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/campaign_form.html")]
pub struct CampaignFormPage {
    /// What pages share.
    pub shell: Shell,
    /// The slug of the campaign that is edited; `None` for a new one.
    pub editing: Option<String>,
    /// What stands in the fields.
    pub fields: CampaignFields,
    /// What is wrong, by field.
    pub problems: Problems,
    /// For idempotency: sent back as `command_id`.
    pub command_id: String,
}

/// `GET /admin/campaigns/{slug}`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/campaign.html")]
pub struct CampaignPage {
    /// What pages share.
    pub shell: Shell,
    /// The campaign.
    pub campaign: CampaignRow,
    /// Its bot.
    pub panel: BotPanel,
    /// The owner's one-time link, whole. Shown this once only. Empty where mail brings it.
    pub invitation_link: Option<String>,
    /// The campaign's id.
    pub campaign_id: String,
    /// The accounts that are asked to own it and have not come yet.
    pub invited_owners: Vec<String>,
    /// What is wrong with a refused change, by field.
    pub problems: Problems,
}

impl CampaignFormPage {
    /// The regions to choose from.
    fn regions(&self) -> Vec<regions::Region> {
        regions::all(self.shell.locale)
    }
}

impl CampaignPage {
    /// What the home region is called; empty where none was said.
    fn home_region(&self) -> String {
        regions::name(&self.campaign.home_region, self.shell.locale)
    }
}

super::renders!(CampaignsPage, CampaignFormPage, CampaignPage);
