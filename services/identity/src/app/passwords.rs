//! Choosing a password: by whom, and what of them others know; judging it, with a newer hash where it is time; and
//! changing it.

use identity_domain::{Account, AccountCommand, Profile, Proof, region_names};
use meydan_event_log::{PLATFORM, Target};
use uuid::Uuid;

use super::{
    AppError, Guest, Identity, Result,
    acts::Act,
    admins,
    failures::Failed,
    gate::{Claim, Credential, Try},
};
use crate::{
    letters::Notice,
    password::{self, Chooser, Judged, Pepper, Verdict},
    projections::{campaigns, members},
    tokens,
};

/// What the platform's secret of keyed hashes makes the pepper for.
const PEPPER: &str = "identity.password";

impl Identity {
    /// With what passwords are hashed beside themselves. It is asked for once: it stays as long as the platform's keys.
    pub(super) async fn pepper(&self) -> Result<Pepper> {
        let pepper = self.pepper.get_or_try_init(|| async {
            let secret = self.keyring.blind_index(PLATFORM, PEPPER, b"").await?;
            Ok::<_, AppError>(Pepper::new(secret))
        });
        Ok(pepper.await?.clone())
    }

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
                words.extend(region_names(&row.home_region).map(str::to_owned));
                words.extend([row.candidate_name, row.slug, row.constituency, row.office]);
            }
        }
        Ok(Chooser { admin, words })
    }

    /// Judges a password that was counted. One that is not, because there are too many or the keys are away, is not
    /// counted either.
    pub(super) async fn judge(
        &self,
        shown: (String, Option<String>),
        tried: &Try,
    ) -> Result<Judged> {
        let judged = self.judged(shown, tried.is_known()).await;
        if judged.is_err() {
            self.take_back(tried).await?;
        }
        judged
    }

    async fn judged(&self, shown: (String, Option<String>), known: bool) -> Result<Judged> {
        let pepper = self.pepper().await?;
        Ok(self.passwords.verify(shown, pepper, known).await?)
    }

    /// Replaces the hash of a right password that is another system's, was less work or has no pepper, unless the
    /// password was changed meanwhile. When there is too much to do, the next login does it. Returns the hash that the
    /// password was accepted by, which whatever it opens asks for once more ([`Act::is_still_proved`]).
    pub(super) async fn keep_up(
        &self,
        account: Uuid,
        verdict: Verdict,
        (password, old): (String, String),
    ) -> Result<String> {
        if verdict != Verdict::Outdated {
            return Ok(old);
        }
        let pepper = self.pepper().await?;
        let Ok(new) = self.passwords.hash_again(password.clone(), pepper).await else {
            return Ok(old);
        };
        let kept = sqlx::query!(
            "UPDATE credentials SET password = $3 WHERE account_id = $1 AND password = $2",
            account,
            old,
            new,
        )
        .execute(self.log.pool())
        .await?;
        if kept.rows_affected() == 1 {
            return Ok(new);
        }
        // Another login was quicker, or the password is another one by now.
        let Some(present) = self.hash_of(account).await? else { return Ok(old) };
        let judged = self.judged((password, Some(present.clone())), true).await?;
        Ok(if judged.verdict == Verdict::Wrong { old } else { present })
    }

    /// Changes a password, and ends the account's other sessions.
    ///
    /// # Errors
    ///
    /// [`AppError::Malformed`] for one that may not be chosen, or is the present one; `identity.password.wrong` when the
    /// present one is not right, also when it was changed this moment, or too many were not; `identity.proof.needed` of
    /// an account with a second factor; [`AppError::Conflict`] for one that is not enough for the admin who they have
    /// become meanwhile.
    pub async fn change_password(
        &self,
        (account, session): (Uuid, Uuid),
        (present, new): (String, String),
        guest: &Guest,
    ) -> Result<()> {
        let (row, profile) = self.account(account).await?;
        self.fresh_factor((account, session)).await?;
        let chooser = self.chooser((account, row.admin), &profile, None).await?;
        let same = password::are_one(&present, &new);
        let hash = self.choose("new_password", new, chooser).await?;
        let present = self.confirm((account, session), present, guest).await?;
        if same {
            let said = "is the present password; choose another".to_owned();
            return Err(AppError::Malformed(vec![("new_password", said)]));
        }
        let kept = self.kept(account).await?;
        let letter = self.notice(account, Notice::PasswordChanged(kept)).await?;
        let guesses = self.guesses_at_factors(account).await?;
        let on_browser = self.codes_on_browser((account, session)).await?;
        let mut act = self.act_of(account).await?;
        let at = act.at;
        let holder = (account, session);
        if !tokens::change_password(act.db(), holder, (&present, &hash), at).await? {
            return Err(wrong());
        }
        act.set_password(account, row.admin);
        let ended = tokens::end_others(act.db(), account, session).await?;
        act.ended(account, ended).await?;
        act.forgive_guesses_at_logins(account, (guesses, on_browser)).await?;
        act.letter(&letter).await?;
        let done = act.done().await.map_err(admins::refused)?;
        self.show(done.position).await;
        Ok(())
    }

    /// Has somebody who is logged in show with the password that the account is theirs; the hash that it is right by,
    /// which the act that it opens asks for once more ([`Act::confirmed`]).
    pub(super) async fn confirm(
        &self,
        (account, session): (Uuid, Uuid),
        password: String,
        guest: &Guest,
    ) -> Result<String> {
        let claim = Claim { account: Some(account), address: "", guest };
        let tried = self.admit(Credential::PasswordAgain(session), claim).await?;
        let hash = self.hash_of(account).await?;
        let verdict = self.judge((password.clone(), hash.clone()), &tried).await?.verdict;
        if let Some(hash) = hash.filter(|_| verdict != Verdict::Wrong && tried.open) {
            self.forgive(&tried).await?;
            return self.keep_up(account, verdict, (password, hash)).await;
        }
        if tried.open {
            let failed = Failed { account: Some(account), proof: Proof::Password, guest };
            self.note_failure(failed, &tried).await?;
        }
        Err(wrong())
    }

    /// Hashes a password, if it may be chosen; what is wrong with it else, for the form's `field`.
    pub(super) async fn choose(
        &self,
        field: &'static str,
        password: String,
        chooser: Chooser,
    ) -> Result<String> {
        let chosen = self.passwords.choose(password, chooser, self.pepper().await?).await?;
        chosen.map_err(|weakness| AppError::Malformed(vec![(field, weakness.to_string())]))
    }
}

impl Act<'_> {
    /// Whether a hash by which a password was right is still the account's: of what the password opens nothing begins
    /// once it was changed, or the account erased.
    pub(super) async fn is_still_proved(&mut self, account: Uuid, hash: &str) -> Result<bool> {
        let still = sqlx::query_scalar!(
            r#"
            SELECT EXISTS (SELECT 1 FROM credentials WHERE account_id = $1 AND password = $2) AS "still!"
            "#,
            account,
            hash,
        );
        Ok(still.fetch_one(self.db()).await?)
    }

    /// Makes sure of somebody who is logged in, and has shown their password where that is asked: the session goes on,
    /// and the password is the one that was right. Both may have ended while they waited for the account.
    pub(super) async fn confirmed(
        &mut self,
        (account, session): (Uuid, Uuid),
        hash: Option<&str>,
    ) -> Result<()> {
        if tokens::proved_at(self.db(), account, session).await?.is_none() {
            return Err(AppError::NotFound);
        }
        let Some(hash) = hash else { return Ok(()) };
        if self.is_still_proved(account, hash).await? { Ok(()) } else { Err(wrong()) }
    }

    /// Notes that a password was set that was judged as an admin's, or as anybody's. Whoever has become an admin
    /// meanwhile is refused the latter.
    pub(super) fn set_password(&mut self, account: Uuid, by_admin: bool) {
        let (at, target) = (self.at, Target { tenant: PLATFORM, id: account });
        self.ask::<Account>(target, AccountCommand::SetPassword { by_admin, at });
    }
}

fn wrong() -> AppError {
    AppError::Refused("identity.password.wrong", "the password is not right")
}

/// What of a person others know.
pub(super) fn words_of(profile: &Profile) -> Vec<String> {
    vec![profile.display_name.clone(), profile.email.clone()]
}
