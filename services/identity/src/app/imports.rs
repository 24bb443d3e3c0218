//! Accounts that come from another system, with the hashes of their passwords.

use identity_domain::{AccountEvent, Profile};
use meydan_event_log::{Actor, Meta};
use uuid::Uuid;

use super::{AppError, Identity, Result, whom};
use crate::{password::Imported, tokens};

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
        let account = Uuid::new_v4();
        let newcomer = self.newcomer(account, &profile, false).await?;
        let meta = Meta::new(Uuid::now_v7(), Actor::Service { name: crate::NAME.to_owned() });
        let mut act = self.act(meta, &[account]).await?;
        let at = act.at;
        tokens::set_password(act.db(), account, hash, at).await?;
        act.register(newcomer, None);
        act.record(account, AccountEvent::PasswordSet { at });
        let done = act.done().await?;
        self.show(done.position).await;
        Ok(account)
    }
}
