//! A campaign: the tenant. What stands here is public, as the candidacy is.
//!
//! Admins create it, running; they may suspend, archive and resume it, and delete it, which they can withdraw
//! for thirty days.

mod event;

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

pub use self::event::CampaignEvent;

/// How long a deletion can be withdrawn.
pub const GRACE: Duration = Duration::days(30);

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
    /// Gone: nothing that was said in it can be read again.
    Deleted,
}

impl CampaignStatus {
    /// Every status.
    pub const ALL: [Self; 5] =
        [Self::Draft, Self::Active, Self::Suspended, Self::Archived, Self::Deleted];

    /// The status of a stored name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Name under which it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Archived => "archived",
            Self::Deleted => "deleted",
        }
    }

    /// Where it may be moved. It is deleted in another way, which takes its time.
    #[must_use]
    pub const fn moves(self) -> &'static [Self] {
        match self {
            Self::Draft | Self::Suspended => &[Self::Active, Self::Archived],
            Self::Active => &[Self::Suspended, Self::Archived],
            Self::Archived => &[Self::Suspended],
            Self::Deleted => &[],
        }
    }

    /// Whether its deletion may be asked for: not while people work in it.
    #[must_use]
    pub const fn may_be_deleted(self) -> bool {
        matches!(self, Self::Draft | Self::Suspended | Self::Archived)
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
    /// The candidate's home region, by its code of ISO 3166-2. Empty where none was said, as of earlier days.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub home_region: String,
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
    /// When its deletion falls due, once that was asked for.
    #[serde(default)]
    due_at: Option<OffsetDateTime>,
    /// Whether everybody who works in it needs a second factor.
    #[serde(default)]
    factor_demanded: bool,
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
    /// Demand a second factor of everybody who works in it, or not any more.
    DemandFactor {
        /// Whether.
        demanded: bool,
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
    /// Delete it, after [`GRACE`].
    RequestDeletion {
        /// When.
        at: OffsetDateTime,
    },
    /// Keep it after all.
    WithdrawDeletion {
        /// When.
        at: OffsetDateTime,
    },
    /// The time has come.
    Delete {
        /// When.
        at: OffsetDateTime,
    },
}

/// Why a campaign says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CampaignRefusal {
    /// There is no such campaign.
    #[error("there is no such campaign")]
    NotCreated,
    /// From where it stands it cannot go there.
    #[error("the campaign cannot be moved there from where it stands")]
    IllegalMove,
    /// It is to be deleted, or is.
    #[error("the campaign is being deleted")]
    BeingDeleted,
    /// Its deletion was asked for too early.
    #[error("the campaign must be stopped before it is deleted")]
    Running,
    /// Its deletion is not due.
    #[error("the deletion is not due")]
    NotDue,
}

impl Campaign {
    /// Whether everybody who works in it needs a second factor.
    #[must_use]
    pub const fn demands_factor(&self) -> bool {
        self.factor_demanded
    }

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
                _ => Err(CampaignRefusal::NotCreated),
            };
        };
        let gone = self.due_at.is_some() || *status == CampaignStatus::Deleted;
        Ok(vec![match command {
            CampaignCommand::Create { .. } => return Ok(vec![]),
            CampaignCommand::RequestDeletion { .. } if self.due_at.is_some() => return Ok(vec![]),
            CampaignCommand::WithdrawDeletion { at } if self.due_at.is_some() => {
                CampaignEvent::DeletionWithdrawn { at }
            }
            CampaignCommand::Delete { at } => {
                if self.due_at.is_none_or(|due| at < due) {
                    return Err(CampaignRefusal::NotDue);
                }
                CampaignEvent::Deleted { at }
            }
            CampaignCommand::WithdrawDeletion { .. } if !gone => return Ok(vec![]),
            _ if gone => return Err(CampaignRefusal::BeingDeleted),
            CampaignCommand::Edit { profile, .. } if profile == *present => return Ok(vec![]),
            CampaignCommand::Edit { profile, at } => CampaignEvent::Edited { profile, at },
            CampaignCommand::DemandFactor { demanded, .. } if demanded == self.factor_demanded => {
                return Ok(vec![]);
            }
            CampaignCommand::DemandFactor { demanded: true, at } => {
                CampaignEvent::FactorDemanded { at }
            }
            CampaignCommand::DemandFactor { at, .. } => CampaignEvent::FactorWaived { at },
            CampaignCommand::ChangeStatus { to, .. } if to == *status => return Ok(vec![]),
            CampaignCommand::ChangeStatus { to, at } if status.moves().contains(&to) => {
                CampaignEvent::StatusChanged { from: *status, to, at }
            }
            CampaignCommand::ChangeStatus { .. } => return Err(CampaignRefusal::IllegalMove),
            CampaignCommand::RequestDeletion { at } if status.may_be_deleted() => {
                CampaignEvent::DeletionRequested { due_at: at + GRACE, at }
            }
            _ => return Err(CampaignRefusal::Running),
        }])
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
            (CampaignEvent::DeletionRequested { due_at, .. }, _) => self.due_at = Some(due_at),
            (CampaignEvent::DeletionWithdrawn { .. }, _) => self.due_at = None,
            (CampaignEvent::FactorDemanded { .. }, _) => self.factor_demanded = true,
            (CampaignEvent::FactorWaived { .. }, _) => self.factor_demanded = false,
            (CampaignEvent::Deleted { .. }, Some(stands)) => {
                stands.0 = CampaignStatus::Deleted;
                self.due_at = None;
            }
            (_, None) => {}
        }
    }
}
