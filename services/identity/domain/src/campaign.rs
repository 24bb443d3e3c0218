//! A campaign: the tenant. What stands here is public, as the candidacy is.
//!
//! Admins create it, running; they may suspend, archive and resume it.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use meydan_event_log::Event;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

/// Names that addresses need for themselves.
const RESERVED: [&str; 8] =
    ["admin", "api", "app", "login", "new", "static", "telegram", "welcome"];

/// Where a campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignStatus {
    /// Being prepared: nobody but admins enters.
    Draft,
    /// Running.
    Active,
    /// Stopped for a while.
    Suspended,
    /// Over.
    Archived,
}

impl CampaignStatus {
    /// Name under which it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Archived => "archived",
        }
    }
}

/// Who stands for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignProfile {
    /// The candidate's name.
    pub candidate_name: String,
    /// The office sought.
    pub office: String,
    /// Where.
    pub constituency: String,
    /// Its first language: `fa` or `en`.
    pub locale: String,
}

/// A name in addresses: 3 to 40 small Latin letters, digits and single dashes.
///
/// ```
/// use identity_domain::slug;
///
/// assert!(slug("isfahan-1405").is_ok());
/// assert!(slug("Isfahan").is_err() && slug("a--b").is_err() && slug("admin").is_err());
/// ```
///
/// # Errors
///
/// What to do instead.
pub fn slug(text: &str) -> Result<String, &'static str> {
    let letters =
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let dashes = text.starts_with('-') || text.ends_with('-') || text.contains("--");
    if !(3..=40).contains(&text.len()) || !letters || dashes {
        return Err("must be 3 to 40 small letters, digits and single dashes");
    }
    if RESERVED.contains(&text) {
        return Err("is kept for the platform; choose another");
    }
    Ok(text.to_owned())
}

/// A campaign, as its events made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Campaign {
    stands: Option<(CampaignStatus, CampaignProfile)>,
}

/// What may be asked of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CampaignCommand {
    /// Begin it.
    Create {
        /// Its name in addresses.
        slug: String,
        /// Who stands for what.
        profile: CampaignProfile,
        /// When.
        at: OffsetDateTime,
    },
    /// Correct what it says.
    Edit {
        /// Who stands for what.
        profile: CampaignProfile,
        /// When.
        at: OffsetDateTime,
    },
    /// Suspend, archive or resume it.
    ChangeStatus {
        /// Where to.
        to: CampaignStatus,
        /// When.
        at: OffsetDateTime,
    },
}

/// A fact about a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum CampaignEvent {
    /// It began.
    #[serde(rename = "campaign.created")]
    Created {
        /// Its name in addresses.
        slug: String,
        /// Who stands for what.
        profile: CampaignProfile,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// What it says was corrected.
    #[serde(rename = "campaign.edited")]
    Edited {
        /// Who stands for what.
        profile: CampaignProfile,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
    /// It was suspended, archived or resumed.
    #[serde(rename = "campaign.status_changed")]
    StatusChanged {
        /// Where it was.
        from: CampaignStatus,
        /// Where it is.
        to: CampaignStatus,
        /// When.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
    },
}

impl Event for CampaignEvent {}

impl DomainEvent for CampaignEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Created { .. } => "campaign.created",
            Self::Edited { .. } => "campaign.edited",
            Self::StatusChanged { .. } => "campaign.status_changed",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why a campaign says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CampaignRefusal {
    /// There is no such campaign.
    #[error("there is no such campaign")]
    NotCreated,
}

impl Campaign {
    /// Judges `command` against the present state. An empty list means: already so.
    ///
    /// # Errors
    ///
    /// The rule that the command would break.
    pub fn decide(&self, command: CampaignCommand) -> Result<Vec<CampaignEvent>, CampaignRefusal> {
        let Some((status, present)) = &self.stands else {
            return match command {
                CampaignCommand::Create { slug, profile, at } => {
                    Ok(vec![CampaignEvent::Created { slug, profile, at }])
                }
                CampaignCommand::Edit { .. } | CampaignCommand::ChangeStatus { .. } => {
                    Err(CampaignRefusal::NotCreated)
                }
            };
        };
        Ok(match command {
            CampaignCommand::Create { .. } => vec![],
            CampaignCommand::Edit { profile, .. } if profile == *present => vec![],
            CampaignCommand::Edit { profile, at } => vec![CampaignEvent::Edited { profile, at }],
            CampaignCommand::ChangeStatus { to, .. } if to == *status => vec![],
            CampaignCommand::ChangeStatus { to, at } => {
                vec![CampaignEvent::StatusChanged { from: *status, to, at }]
            }
        })
    }
}

impl Aggregate for Campaign {
    const TYPE: &'static str = "campaign";

    type Command = CampaignCommand;
    type Event = CampaignEvent;
    type Error = CampaignRefusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: CampaignCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), CampaignRefusal> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: CampaignEvent) {
        match (event, &mut self.stands) {
            (CampaignEvent::Created { profile, .. }, stands) => {
                *stands = Some((CampaignStatus::Active, profile));
            }
            (CampaignEvent::Edited { profile, .. }, Some(stands)) => stands.1 = profile,
            (CampaignEvent::StatusChanged { to, .. }, Some(stands)) => stands.0 = to,
            (_, None) => {}
        }
    }
}
