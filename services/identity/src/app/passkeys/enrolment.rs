//! Adding a passkey, which has first to show that it works.

use meydan_event_log::PLATFORM;
use meydan_keyring::Sealed;
use uuid::Uuid;

use super::{passkey_hash, unasked, wrong};
use crate::{
    app::{AppError, Confirmed, Identity, Result, factors::place, name},
    factors::{Confirmation, PASSKEY},
    passkeys,
    relying_party::Question,
};

impl Identity {
    /// Begins to enrol a passkey: its id, and what the browser is asked.
    ///
    /// # Errors
    ///
    /// `identity.factor.too_many`; `identity.proof.needed`: a session that lies open adds nothing.
    pub async fn begin_passkey(
        &self,
        (account, session): (Uuid, Uuid),
        called: &str,
    ) -> Result<(Uuid, String)> {
        let party = self.relying_party()?;
        let called = name(called)
            .map_err(|problem| AppError::Malformed(vec![("name", problem.to_owned())]))?;
        self.fresh((account, session)).await?;
        let (_, profile) = self.account(account).await?;
        let present = self.passkeys_of(account).await?;
        // Whoever lost their address still has a name.
        let email = Some(&profile.email).filter(|email| !email.is_empty());
        let email = email.unwrap_or(&profile.display_name);
        let asked = party.invite(account, (email, &profile.display_name), &present);
        let Question { options, state } = asked.map_err(|error| unasked(&error))?;
        let factor_id = self.keep_begun(account, &called, (PASSKEY, &state)).await?;
        Ok((factor_id, options))
    }

    /// Lets a new passkey work. With the first factor come recovery codes, and the account's other sessions, which
    /// had no second factor, end.
    ///
    /// # Errors
    ///
    /// `identity.passkey.wrong`; [`AppError::NotFound`] when there is nothing to confirm, or not any more.
    pub async fn confirm_passkey(
        &self,
        (account, session): (Uuid, Uuid),
        factor_id: Uuid,
        shown: &str,
    ) -> Result<Confirmed> {
        let party = self.relying_party()?;
        self.fresh((account, session)).await?;
        let (pool, now) = (self.log.pool(), self.clock.now());
        let begun = passkeys::take_begun(pool, account, factor_id, now).await?;
        let begun = begun.ok_or(AppError::NotFound)?;
        let place = place(factor_id, "secret");
        let state: String = self.revealed(&begun, &place).await?.ok_or(AppError::NotFound)?;
        let (key, id) = party.welcome(&state, shown).ok_or_else(wrong)?;
        let id = passkey_hash(&id);
        if passkeys::owner(pool, &id).await?.is_some() {
            return Err(wrong());
        }
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let sealed: Sealed<String> = sealer.seal(&place, key.as_str());
        let confirmation = Confirmation { account, session, factor_id, step: 0, now };
        self.let_work(confirmation, Some((sealed.to_string(), id))).await
    }
}
