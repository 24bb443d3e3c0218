//! Whose an address is: whoever proves it, before whoever says so.

use identity_domain::{Account, AccountCommand, AccountEvent, Profile};
use meydan_event_log::{PLATFORM, Target, UniqueKey};
use meydan_keyring::{Place, Sealed};
use uuid::Uuid;

use super::{AppError, Identity, Result, acts::Act};
use crate::tokens;

impl Identity {
    /// An address that the account is about to prove, sealed. Somebody who only said that it is theirs loses it before,
    /// by an act of its own.
    ///
    /// # Errors
    ///
    /// `identity.email.taken` when somebody else has proved it.
    pub(super) async fn proof_of(&self, account: Uuid, address: &str) -> Result<Proved> {
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let email = sealer.seal(&email_place(account), address);
        let key = self.email_key(address).await?;
        match self.log.holder(&key).await? {
            Some(holder) if holder != account => self.release_unproved(holder, &key).await?,
            _ => {}
        }
        Ok(Proved { email, key })
    }

    /// Takes an address from whoever said, and never proved, that it is theirs. Staff keep theirs: an admin who has
    /// not proved the address yet must not be shut out by it.
    async fn release_unproved(&self, holder: Uuid, key: &UniqueKey) -> Result<()> {
        let (row, _) = self.account(holder).await?;
        if row.email_proved_at.is_some() || row.admin {
            return Err(taken());
        }
        let mut act = self.act_of(holder).await?;
        let at = act.at;
        let released = sqlx::query!(
            r#"
            DELETE FROM es.unique_keys
            WHERE tenant_id = $1 AND scope = 'account.email' AND key = $2 AND aggregate_id = $3
            "#,
            PLATFORM,
            key.key,
            holder,
        )
        .execute(act.db())
        .await?;
        if released.rows_affected() == 0 {
            return Ok(());
        }
        act.record(holder, AccountEvent::EmailLost { at });
        let ended = tokens::end_other_sessions(act.db(), holder, Uuid::nil()).await?;
        act.ended(holder, ended).await?;
        act.end_recovery(holder).await?;
        act.done().await?;
        Ok(())
    }

    /// What a link proves that went to an address alone, as long as that is still the account's.
    pub(super) async fn proof_by_link(
        &self,
        said: Option<Profile>,
        account: Uuid,
    ) -> Result<Option<Proved>> {
        let (row, profile) = self.account(account).await?;
        let present = said.is_some_and(|said| said.email.eq_ignore_ascii_case(&profile.email));
        if present && row.email_proved_at.is_none() && row.email_lost_at.is_none() {
            return Ok(Some(self.proof_of(account, &profile.email).await?));
        }
        Ok(None)
    }

    /// Puts a proved address in the place of the one with which an account began.
    pub(super) async fn with_proved_email(
        &self,
        profile: &mut Profile,
        account: Uuid,
        email_sealed: Option<&str>,
    ) -> Result<()> {
        if let Some(sealed) = email_sealed
            && let Some(email) = self.revealed(sealed, &email_place(account)).await?
        {
            profile.email = email;
        }
        Ok(())
    }
}

/// An address whose proof is about to be on record.
pub(super) struct Proved {
    email: Sealed<String>,
    key: UniqueKey,
}

impl Act<'_> {
    /// Puts on record that an address is the account's, and frees the one that it had.
    pub(super) async fn prove(&mut self, account: Uuid, proved: Proved) -> Result<()> {
        let Proved { email, key } = proved;
        let freed = sqlx::query!(
            "DELETE FROM es.unique_keys WHERE scope = 'account.email' AND aggregate_id = $1 AND key <> $2",
            account,
            key.key,
        )
        .execute(self.db())
        .await?;
        if freed.rows_affected() > 0 {
            self.end_recovery(account).await?;
        }
        let fact = AccountEvent::EmailVerified { email, at: self.at };
        let target = Target { tenant: PLATFORM, id: account };
        self.ask_with::<Account>(target, AccountCommand::Record(fact), key, None);
        Ok(())
    }

    /// Ends the link to a new password that went to the address which an account had.
    async fn end_recovery(&mut self, account: Uuid) -> Result<()> {
        sqlx::query!("DELETE FROM recoveries WHERE account_id = $1", account)
            .execute(self.db())
            .await?;
        Ok(())
    }
}

/// What is said of an address that somebody else has proved.
pub(super) fn taken() -> AppError {
    AppError::Refused("identity.email.taken", "another account has proved the address")
}

/// Where a proved address belongs.
pub(super) fn email_place(account: Uuid) -> Place {
    Place::new(PLATFORM, "account", account, "email")
}
