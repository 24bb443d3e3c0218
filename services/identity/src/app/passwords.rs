//! Choosing a password: by whom, and what of them others know.

use identity_domain::Profile;
use uuid::Uuid;

use super::{AppError, Identity, Result};
use crate::{
    password::Chooser,
    projections::{campaigns, members},
};

impl Identity {
    /// Who chooses, with the names and places of the campaigns where they work, and of the one that `invites` them.
    pub(super) async fn chooser(
        &self,
        (account, admin): (Uuid, bool),
        profile: &Profile,
        invites: Option<Uuid>,
    ) -> Result<Chooser> {
        let pool = self.log.pool();
        let mut words = words_of(profile);
        let places = members::of_account(pool, account).await?;
        let works = places.into_iter().map(|place| place.campaign_id);
        for campaign in works.chain(invites) {
            if let Some(row) = campaigns::find(pool, Some(campaign), None).await? {
                words.extend([row.candidate_name, row.slug, row.constituency, row.office]);
            }
        }
        Ok(Chooser { admin, words })
    }

    /// Hashes a password, if it may be chosen; what is wrong with it else, for the form's `field`.
    pub(super) async fn choose(
        &self,
        field: &'static str,
        password: String,
        chooser: Chooser,
    ) -> Result<String> {
        let chosen = self.passwords.choose(password, chooser).await?;
        chosen.map_err(|weakness| AppError::Malformed(vec![(field, weakness.to_string())]))
    }
}

/// What of a person others know.
pub(super) fn words_of(profile: &Profile) -> Vec<String> {
    vec![profile.display_name.clone(), profile.email.clone()]
}
