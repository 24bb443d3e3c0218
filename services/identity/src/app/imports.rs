//! Accounts that come from another system, with the hashes of their passwords.

use identity_domain::{AccountEvent, Profile};
use meydan_event_log::{Actor, Meta};
use uuid::Uuid;

use super::{AppError, Identity, Result, whom};
use crate::password::Imported;

impl Identity {
    /// Begins an account of a member with a password that another system has hashed. Its address is only said, and
    /// it works nowhere before a campaign invites it.
    ///
    /// # Errors
    ///
    /// [`AppError::Malformed`] for fields that are wrong, and for a hash of another form or that costs too much to
    /// check; `identity.key_taken` when the address has an account.
    pub async fn import(&self, said: &Profile, hash: &str) -> Result<Uuid> {
        let (profile, mut wrong) = whom(said);
        if let Err(problem) = Imported::read(hash) {
            wrong.push(("hash", problem.to_string()));
        }
        if !wrong.is_empty() {
            return Err(AppError::Malformed(wrong));
        }
        let (account, now, pool) = (Uuid::new_v4(), self.clock.now(), self.log.pool());
        // The password first: cut off in between, it is nobody's, and the next try begins another account.
        sqlx::query!(
            "INSERT INTO credentials (account_id, password, changed_at) VALUES ($1, $2, $3)",
            account,
            hash,
            now,
        )
        .execute(pool)
        .await?;
        let meta = Meta::new(Uuid::now_v7(), Actor::Service { name: crate::NAME.to_owned() });
        if let Err(error) = self.register(account, &profile, false, &meta).await {
            if matches!(error, AppError::Refused(..)) {
                sqlx::query!("DELETE FROM credentials WHERE account_id = $1", account)
                    .execute(pool)
                    .await?;
            }
            return Err(error);
        }
        self.record(account, AccountEvent::PasswordSet { at: now }).await?;
        Ok(account)
    }
}
