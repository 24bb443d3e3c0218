//! Letters that commands write. The worker of [`crate::letters`] sends them.

use meydan_event_log::PLATFORM;
use meydan_keyring::Sealer;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{AppError, Identity, Result, quotas::Quota};
use crate::{
    factors::{self, PASSKEY, TOTP},
    letters::{self, Content, Kept, Letter, Locale, Notice, Written},
    projections::{accounts::AccountRow, campaigns::CampaignRow, members},
};

/// Letters that tell somebody of wrong codes.
const GUESSES: Quota = Quota { of: "letter.guesses", most: 1, window: Duration::days(1) };

impl Identity {
    /// Tells the holder of an account what happened to it, at the address on file.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`]; [`super::AppError::NotFound`] for an account that is none, or was erased.
    pub async fn notify(&self, account: Uuid, notice: Notice) -> Result<()> {
        let letter = self.notice(account, notice).await?;
        self.send(&letter).await
    }

    /// Tells the holder of an account, once a day, that a login with the right password was ended by wrong codes.
    pub(super) async fn tell_of_guesses(&self, account: Uuid, ended: bool) -> Result<()> {
        if !ended {
            return Ok(());
        }
        let guesses = self.counted(GUESSES, &account.to_string()).await?;
        let mut db = self.log.pool().acquire().await?;
        let first = self.within(&mut db, &guesses).await?;
        drop(db);
        if first { self.notify(account, Notice::CodesGuessed).await } else { Ok(()) }
    }

    /// Tells the holder of an account that somebody logs in with a browser that it does not know, and from which city if
    /// that is known.
    pub(super) async fn notice_of_device(
        &self,
        row: &AccountRow,
        to: String,
        address: &str,
    ) -> Result<Written> {
        let locale = self.locale_of(row).await?;
        let place = self.post.cities.of(address, locale.code());
        let letter =
            place.map_or(Letter::Notice(Notice::NewDevice), |place| Letter::NewDeviceAt { place });
        self.letter((Uuid::now_v7(), row.account_id), (to, locale), letter).await
    }

    /// Where the holder of an account is written to, for what is known in the midst of an act alone.
    pub(super) async fn addressee(&self, account: Uuid) -> Result<Addressee> {
        let (row, profile) = self.account(account).await?;
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        Ok(Addressee { account, email: profile.email, locale: self.locale_of(&row).await?, sealer })
    }

    /// Tells everybody who works in a campaign by mail, unless what they are told of is no news any more. Of the
    /// same thing nobody is told twice.
    ///
    /// # Errors
    ///
    /// See [`super::AppError`]; [`super::AppError::NotFound`] where there is no such campaign.
    pub async fn tell_team(
        &self,
        campaign: Uuid,
        (about, at): (Uuid, OffsetDateTime),
        news: Duration,
        says: impl Fn(&CampaignRow) -> Letter,
    ) -> Result<()> {
        if self.clock.now() - at > news {
            return Ok(());
        }
        let campaign = self.campaign(Some(campaign), None, 0).await?;
        for account in members::at_work(self.log.pool(), campaign.campaign_id).await? {
            let (row, profile) = match self.account(account).await {
                // Erased meanwhile.
                Err(AppError::NotFound) => continue,
                found => found?,
            };
            let to = (profile.email, self.locale_of(&row).await?);
            let names = (Uuid::new_v5(&about, account.as_bytes()), account);
            let letter = self.letter(names, to, says(&campaign)).await?;
            self.send(&letter).await?;
        }
        Ok(())
    }

    /// A notice, to be put in the ledger with what it tells.
    pub(super) async fn notice(&self, account: Uuid, notice: Notice) -> Result<Written> {
        let (row, profile) = self.account(account).await?;
        self.notice_to(&row, profile.email, notice).await
    }

    /// The same to an address that is known.
    pub(super) async fn notice_to(
        &self,
        row: &AccountRow,
        to: String,
        notice: Notice,
    ) -> Result<Written> {
        let locale = self.locale_of(row).await?;
        let names = (Uuid::now_v7(), row.account_id);
        self.letter(names, (to, locale), Letter::Notice(notice)).await
    }

    /// What opens an account besides its password.
    pub(super) async fn kept(&self, account: Uuid) -> Result<Kept> {
        let pool = self.log.pool();
        let theirs = factors::of_account(pool, account).await?;
        let of_kind = |kind| u32::try_from(theirs.iter().filter(|row| row.kind == kind).count());
        Ok(Kept {
            passkeys: of_kind(PASSKEY).unwrap_or(u32::MAX),
            authenticators: of_kind(TOTP).unwrap_or(u32::MAX),
            codes: u32::try_from(factors::codes_left(pool, account).await?).unwrap_or(u32::MAX),
        })
    }

    /// A letter of a name, about an account, to be put in the ledger with what causes it.
    pub(super) async fn letter(
        &self,
        names: (Uuid, Uuid),
        (to, locale): (String, Locale),
        letter: Letter,
    ) -> Result<Written> {
        let sealer = self.keyring.sealer(PLATFORM, names.1).await?;
        let content = Content { to, locale, letter };
        Ok(Written::seal(&sealer, names, &content, self.clock.now()))
    }

    /// Puts a letter in the ledger by itself.
    pub(super) async fn send(&self, letter: &Written) -> Result<()> {
        let mut db = self.log.pool().acquire().await?;
        letters::write(&mut db, letter).await?;
        self.written.notify_one();
        Ok(())
    }
}

/// To whom an act writes.
pub(super) struct Addressee {
    pub(super) account: Uuid,
    pub(super) email: String,
    pub(super) locale: Locale,
    /// Seals what is written to them.
    pub(super) sealer: Sealer,
}
