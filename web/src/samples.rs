//! Every page filled with invented people, for tests and screenshots.
//!
//! The content is Persian in both languages, as a campaign's would be.

use time::{OffsetDateTime, macros::datetime};

use crate::{
    format::Zone,
    locale::{Locale, Theme},
    shell::{CampaignLink, Nav, Shell, Viewer},
};

mod accounts;
mod admin;
mod audit;
mod campaign;
mod entry;
mod inbox;
mod security;
mod team;

/// The moment at which the samples are rendered.
pub const NOW: OffsetDateTime = datetime!(2026-11-21 08:30 UTC);

/// A rendered page or fragment.
#[derive(Debug, Clone)]
pub struct Sample {
    /// A name that is unique among the samples, fit for a file.
    pub name: &'static str,
    /// The HTML.
    pub html: String,
}

/// Every page in one language and theme.
#[must_use]
pub fn all(locale: Locale, theme: Theme) -> Vec<Sample> {
    let make = Samples { locale, theme };
    let mut samples = Vec::new();
    samples.extend(entry::samples(&make));
    samples.extend(admin::samples(&make));
    samples.extend(accounts::samples(&make));
    samples.extend(campaign::samples(&make));
    samples.extend(team::samples(&make));
    samples.extend(inbox::samples(&make));
    samples.extend(security::samples(&make));
    samples.extend(audit::samples(&make));
    samples
}

/// Makes shells for the sample pages.
pub(crate) struct Samples {
    locale: Locale,
    theme: Theme,
}

impl Samples {
    /// Nobody is logged in.
    fn outside(&self, path: &str) -> Shell {
        Shell {
            locale: self.locale,
            theme: self.theme,
            zone: Zone::default(),
            csrf: "sample-token".to_owned(),
            viewer: None,
            campaign: None,
            opens: Vec::new(),
            active: Nav::None,
            unread: 0,
            now: NOW,
            notice: None,
            demo: false,
            impersonation: None,
            position: 0,
            path: path.to_owned(),
        }
    }

    /// The platform's admin.
    fn admin(&self, path: &str) -> Shell {
        Shell {
            viewer: Some(Viewer {
                name: "نرگس کاویانی".to_owned(),
                is_admin: true,
                campaigns: Vec::new(),
            }),
            active: Nav::Campaigns,
            ..self.outside(path)
        }
    }

    /// The owner of a campaign, who is also in another one.
    fn owner(&self, active: Nav, path: &str) -> Shell {
        let own =
            CampaignLink { slug: "isfahan-ahmadi".into(), name: "مریم احمدی".into() };
        let other =
            CampaignLink { slug: "shiraz-rostami".into(), name: "بهرام رستمی".into() };
        Shell {
            viewer: Some(Viewer {
                name: "مریم احمدی".to_owned(),
                is_admin: false,
                campaigns: vec![own.clone(), other],
            }),
            campaign: Some(own),
            opens: vec![Nav::Team, Nav::ApiKeys, Nav::Audit],
            active,
            unread: 12,
            demo: true,
            ..self.outside(path)
        }
    }
}
