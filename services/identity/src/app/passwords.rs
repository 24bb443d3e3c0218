//! Choosing a password: by whom, and what of them others know; and judging it, with a newer hash where it is time.

use identity_domain::Profile;
use uuid::Uuid;

use super::{AppError, Identity, Result, gate::Try};
use crate::{
    password::{Chooser, Judged, Verdict},
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

    /// Judges a password that was counted. One that is not, because there are too many, is not counted either.
    pub(super) async fn judge(
        &self,
        (password, hash): (String, Option<String>),
        tried: &Try,
    ) -> Result<Judged> {
        match self.passwords.verify(password, hash, tried.is_known()).await {
            Ok(judged) => Ok(judged),
            Err(busy) => {
                self.take_back(tried).await?;
                Err(busy.into())
            }
        }
    }

    /// Replaces the hash of a right password that is another system's or was less work, unless the password was
    /// changed meanwhile. When there is too much to do, the next login does it.
    pub(super) async fn keep_up(
        &self,
        account: Uuid,
        verdict: Verdict,
        (password, old): (String, Option<String>),
    ) -> Result<()> {
        let (Verdict::Outdated, Some(old)) = (verdict, old) else { return Ok(()) };
        let Ok(new) = self.passwords.hash_again(password).await else { return Ok(()) };
        sqlx::query!(
            "UPDATE credentials SET password = $3 WHERE account_id = $1 AND password = $2",
            account,
            old,
            new,
        )
        .execute(self.log.pool())
        .await?;
        Ok(())
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
