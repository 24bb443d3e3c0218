//! Letters that commands write. The worker of [`crate::letters`] sends them.

use uuid::Uuid;

use super::{Identity, Result};
use crate::{
    factors::{self, PASSKEY, TOTP},
    letters::{self, Content, Kept, Letter, Locale, Notice, Written},
};

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

    /// A notice, to be put in the ledger with what it tells.
    pub(super) async fn notice(&self, account: Uuid, notice: Notice) -> Result<Written> {
        let (row, profile) = self.account(account).await?;
        let locale = self.locale_of(&row).await?;
        let names = (Uuid::now_v7(), account);
        self.letter(names, (profile.email, locale), Letter::Notice(notice)).await
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
        let content = Content { to, locale, letter };
        Ok(Written::seal(&self.keyring, names, &content, self.clock.now()).await?)
    }

    /// Puts a letter in the ledger by itself.
    pub(super) async fn send(&self, letter: &Written) -> Result<()> {
        let mut db = self.log.pool().acquire().await?;
        letters::write(&mut db, letter).await?;
        self.written.notify_one();
        Ok(())
    }
}
