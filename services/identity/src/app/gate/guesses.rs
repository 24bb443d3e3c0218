//! What is counted of guesses at second factors, and what forgets it: a new password, which whoever guessed does not know.

use identity_domain::{AccountEvent, Proof};
use uuid::Uuid;

use super::{ALL_STRANGERS, Credential, browser};
use crate::{
    app::{Identity, Result, acts::Act},
    devices, tries,
};

/// Under what guesses at second factors are counted, apart from those of single browsers.
pub(in crate::app) struct Guesses {
    /// Codes, of all browsers that the account does not know.
    at_logins: Vec<u8>,
    /// Codes, of whoever is in.
    in_sessions: Vec<u8>,
    /// What else they show.
    of_other_factors: [Vec<u8>; 2],
}

impl Act<'_> {
    /// Opens second factors again whatever closed them, because the holder recovered the account.
    pub(in crate::app) async fn forgive_guesses(&mut self, guesses: Guesses) -> Result<()> {
        let Guesses { at_logins, in_sessions, of_other_factors: [codes, passkeys] } = guesses;
        let all = [at_logins, in_sessions, codes, passkeys];
        Ok(tries::forgive_all(self.db(), &all).await?)
    }

    /// Opens authenticators to logins again that guessers closed, to strangers and to the browser that stays known,
    /// because the password that they knew is not it any more. To whoever is in, and chooses it, they stay closed:
    /// that is on record once more, after the new password.
    pub(in crate::app) async fn forgive_guesses_at_logins(
        &mut self,
        account: Uuid,
        (guesses, on_browser): (Guesses, Option<Vec<u8>>),
    ) -> Result<()> {
        let at = self.at;
        let mut forgiven = vec![guesses.at_logins];
        forgiven.extend(on_browser);
        tries::forgive_all(self.db(), &forgiven).await?;
        if tries::is_closed(self.db(), &guesses.in_sessions, at).await? {
            let proof = Some(Proof::Totp);
            self.record(account, AccountEvent::FactorLocked { proof, origin: None, at });
        }
        Ok(())
    }
}

impl Identity {
    /// What is counted of an account's second factors, named before the act that forgets it.
    pub(in crate::app) async fn guesses_at_factors(&self, account: Uuid) -> Result<Guesses> {
        let account = account.to_string();
        let name = async |credential: Credential, from| {
            self.counted_under(&[credential.name(), &account, from]).await
        };
        Ok(Guesses {
            at_logins: name(Credential::Code(Proof::Totp), ALL_STRANGERS).await?,
            in_sessions: name(Credential::CodeAgain(Proof::Totp), "").await?,
            of_other_factors: [
                name(Credential::CodeAgain(Proof::RecoveryCode), "").await?,
                name(Credential::CodeAgain(Proof::Passkey), "").await?,
            ],
        })
    }

    /// Under what codes are counted that are shown to come in on the browser of a session, named as early.
    pub(in crate::app) async fn codes_on_browser(
        &self,
        (account, session): (Uuid, Uuid),
    ) -> Result<Option<Vec<u8>>> {
        let device = devices::of_session(self.log.pool(), account, session).await?;
        let Some(device) = device else { return Ok(None) };
        let (kind, from) = (Credential::Code(Proof::Totp).name(), browser(&device));
        Ok(Some(self.counted_under(&[kind, &account.to_string(), &from]).await?))
    }
}
