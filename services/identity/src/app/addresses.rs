//! Whose an address is: whoever proves it, before whoever says so.

use identity_domain::{Account, AccountCommand, AccountEvent, Profile};
use meydan_event_log::{ExecuteError, PLATFORM, Target};
use meydan_keyring::Place;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AppError, Identity, Result, login::person};

impl Identity {
    /// Puts on record that an address is the account's, and frees the one that it had. Somebody who only said that
    /// it is theirs loses it.
    pub(super) async fn email_is_proved(&self, account: Uuid, address: &str) -> Result<i64> {
        let at = self.clock.now();
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let email = sealer.seal(&email_place(account), address);
        let key = self.email_key(address).await?;
        let target = Target { tenant: PLATFORM, id: account };
        let prove = async |key: &_| {
            let fact = AccountEvent::EmailVerified { email: email.clone(), at };
            let command = AccountCommand::Record(fact);
            let meta = person(account, Uuid::now_v7());
            self.log
                .execute_with::<Account>(target, command, &meta, std::slice::from_ref(key))
                .await
        };
        let done = match prove(&key).await {
            Err(ExecuteError::KeyTaken) => {
                self.release_unproved(address, at).await?;
                prove(&key).await
            }
            done => done,
        };
        let done = match done {
            Err(ExecuteError::KeyTaken) => {
                let words = "another account has proved the address";
                return Err(AppError::Refused("identity.email.taken", words));
            }
            done => done?,
        };
        sqlx::query!(
            "DELETE FROM es.unique_keys WHERE scope = 'account.email' AND aggregate_id = $1 AND key <> $2",
            account,
            key.key,
        )
        .execute(self.log.pool())
        .await?;
        self.reach(done.position).await?;
        Ok(done.position)
    }

    /// Takes an address from whoever said, and never proved, that it is theirs. Staff keep theirs: an admin who has
    /// not proved the address yet must not be shut out by it.
    async fn release_unproved(&self, address: &str, at: OffsetDateTime) -> Result<()> {
        let Some(holder) = self.account_of(address).await? else { return Ok(()) };
        let (row, _) = self.account(holder).await?;
        if row.email_proved_at.is_some() || row.admin {
            return Ok(());
        }
        let (pool, key) = (self.log.pool(), self.email_key(address).await?);
        self.record(holder, AccountEvent::EmailLost { at }).await?;
        sqlx::query!(
            r#"
            DELETE FROM es.unique_keys
            WHERE tenant_id = $1 AND scope = 'account.email' AND key = $2 AND aggregate_id = $3
            "#,
            PLATFORM,
            key.key,
            holder,
        )
        .execute(pool)
        .await?;
        sqlx::query!("DELETE FROM sessions WHERE account_id = $1", holder).execute(pool).await?;
        Ok(())
    }

    /// A link that went to an address alone proves it, as long as it is still the account's.
    pub(super) async fn prove_by_link(&self, said: Option<Profile>, account: Uuid) -> Result<()> {
        let (row, profile) = self.account(account).await?;
        let present = said.is_some_and(|said| said.email.eq_ignore_ascii_case(&profile.email));
        if present && row.email_proved_at.is_none() && row.email_lost_at.is_none() {
            self.email_is_proved(account, &profile.email).await?;
        }
        Ok(())
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

/// Where a proved address belongs.
pub(super) fn email_place(account: Uuid) -> Place {
    Place::new(PLATFORM, "account", account, "email")
}
