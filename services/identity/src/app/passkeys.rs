//! Passkeys: coming in with them, and proving oneself with them.
//!
//! A passkey is a factor like an authenticator, with the same rules for adding and removing it. It makes sure by
//! itself who uses it, so that alone it is worth a password and a second factor.

mod enrolment;

use identity_domain::{AccountEvent, Proof};
use meydan_event_log::PLATFORM;
use meydan_keyring::Sealed;
use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use super::{
    AppError, Entered, Guest, Identity, Result,
    acts::Act,
    factors::place,
    failures::Failed,
    gate::{Claim, Credential, Try, network},
    login::{origin, origin_place},
    quotas::Quota,
};
use crate::{
    challenges,
    factors::{self, PASSKEY, TOTP},
    letters::Notice,
    passkeys::{self, LOGIN_PAGE, PasskeyRow, Used},
    relying_party::{Answer, Judgement, Question, RelyingParty},
    tokens::{self, Given, Token, hash},
};

/// Begins a transaction whose commit does not wait for the disk: a challenge that a crash forgets is asked for again.
const LIGHTLY: &str = "BEGIN; SET LOCAL synchronous_commit = off";
/// Challenges of the login page for one network.
const PER_NETWORK: Quota = Quota { of: "passkey.network", most: 60, window: Duration::minutes(1) };

/// A challenge for a passkey.
#[derive(Debug)]
pub struct Asked {
    /// What the answer is shown with.
    pub token: Token,
    /// What the browser is asked, in the JSON of WebAuthn.
    pub options: String,
}

/// A signed challenge.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// What it was asked with.
    pub token: &'a str,
    /// What the browser answers, in the JSON of WebAuthn.
    pub credential: &'a str,
}

/// With what a login that waits may go on.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// A code of an authenticator.
    pub code: bool,
    /// A passkey.
    pub passkey: bool,
}

/// For what a passkey is shown.
#[derive(Debug, Clone, Copy)]
struct Purpose<'a> {
    /// Whose it has to be, when that is known.
    holder: Option<Uuid>,
    /// What its challenge is bound to.
    bound_to: &'a [u8],
    /// How the gate counts it.
    credential: Credential,
}

impl Identity {
    fn relying_party(&self) -> Result<&RelyingParty> {
        let none = AppError::Refused("identity.passkey.none", "there are no passkeys here");
        self.relying_party.as_ref().ok_or(none)
    }

    /// With what a login that waits for its second factor may go on.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when it waits no more.
    pub async fn ways(&self, challenge: &str) -> Result<Ways> {
        let (pool, now) = (self.log.pool(), self.clock.now());
        let account = challenges::waiting(pool, &hash(challenge), now).await?;
        let theirs = factors::of_account(pool, account.ok_or(AppError::NotFound)?).await?;
        let has = |kind| theirs.iter().any(|row| row.kind == kind);
        Ok(Ways { code: has(TOTP), passkey: has(PASSKEY) && self.relying_party.is_some() })
    }

    /// Makes a challenge for a login that waits for its second factor, or for whoever comes with a passkey alone.
    ///
    /// # Errors
    ///
    /// `identity.challenge.over` when the login waits no more; `identity.passkey.none` when there is no passkey;
    /// `identity.passkey.too_many` for a network that asks too often without having given a password.
    pub async fn ask_passkey(&self, challenge: Option<&str>, address: &str) -> Result<Asked> {
        let Some(challenge) = challenge.map(hash) else {
            // Strangers wait in turn, as with passwords.
            let _turn = self.turn(false).await;
            let counted = self.counted(PER_NETWORK, &network(address)).await?;
            let mut tx = self.log.pool().begin_with(LIGHTLY).await?;
            let within = self.within(&mut tx, &counted).await?;
            let words = "too many were asked for from this network";
            let asked = if within {
                self.challenge(&mut tx, LOGIN_PAGE, &[]).await
            } else {
                Err(AppError::Refused("identity.passkey.too_many", words))
            };
            tx.commit().await?;
            return asked;
        };
        let account = challenges::waiting(self.log.pool(), &challenge, self.clock.now()).await?;
        self.ask_holder(account.ok_or_else(over)?, &challenge).await
    }

    /// Makes a challenge for somebody who is in, to prove once more who they are.
    ///
    /// # Errors
    ///
    /// `identity.passkey.none` when they have no passkey.
    pub async fn ask_passkey_proof(&self, (account, session): (Uuid, Uuid)) -> Result<Asked> {
        self.ask_holder(account, session.as_bytes()).await
    }

    async fn ask_holder(&self, account: Uuid, bound_to: &[u8]) -> Result<Asked> {
        let theirs = self.passkeys_of(account).await?;
        if theirs.is_empty() {
            return Err(AppError::Refused("identity.passkey.none", "there is no passkey"));
        }
        self.challenge(&mut *self.log.pool().acquire().await?, bound_to, &theirs).await
    }

    async fn challenge(
        &self,
        db: &mut PgConnection,
        bound_to: &[u8],
        allowed: &[String],
    ) -> Result<Asked> {
        let Question { options, state } =
            self.relying_party()?.ask(allowed).map_err(|error| unasked(&error))?;
        let (token, now) = (Token::fresh(), self.clock.now());
        passkeys::keep(db, (&token.hash(), bound_to), &state, now).await?;
        Ok(Asked { token, options })
    }

    /// Begins a session of whoever holds a passkey: it alone says who they are, and proves it. `trusted` says that nobody
    /// else uses the browser.
    ///
    /// # Errors
    ///
    /// `identity.passkey.wrong`, in the same words for an unknown passkey, a wrong one, and one that is closed for a
    /// while; `identity.passkey.over` for a challenge that cannot be answered any more.
    pub async fn log_in_with_passkey(
        &self,
        signed: Signed<'_>,
        guest: &Guest,
        trusted: bool,
    ) -> Result<Entered> {
        let credential = Credential::Code(Proof::Passkey);
        let purpose = Purpose { holder: None, bound_to: LOGIN_PAGE, credential };
        let right = self.right_passkey(signed, purpose, guest).await?;
        self.enter_with(right, None, guest, trusted).await
    }

    /// Judges a passkey as the second factor of a login, and begins a session. `trusted` says that nobody else uses the
    /// browser.
    ///
    /// # Errors
    ///
    /// As [`Self::log_in_with_passkey`]; `identity.challenge.over` when the password has to be given again.
    pub async fn prove_with_passkey(
        &self,
        challenge: &str,
        signed: Signed<'_>,
        guest: &Guest,
        trusted: bool,
    ) -> Result<Entered> {
        let (pool, challenge) = (self.log.pool(), hash(challenge));
        let tried = challenges::try_at(pool, &challenge, self.clock.now()).await?;
        let challenges::Tried { account, last } = tried.ok_or_else(over)?;
        let credential = Credential::Code(Proof::Passkey);
        let purpose = Purpose { holder: Some(account), bound_to: &challenge, credential };
        let right = match self.right_passkey(signed, purpose, guest).await {
            Ok(right) => right,
            Err(error) => {
                self.tell_of_guesses(account, last).await?;
                return Err(error);
            }
        };
        self.enter_with(right, Some(&challenge), guest, trusted).await
    }

    /// Begins a session of whoever showed a passkey, and ends the login that waited for it.
    async fn enter_with(
        &self,
        (account, tried, right): (Uuid, Try, Used),
        challenge: Option<&[u8]>,
        guest: &Guest,
        trusted: bool,
    ) -> Result<Entered> {
        let arrival = self.arrival(account, (Proof::Passkey, guest), trusted).await?;
        let mut act = self.act_from(account, &guest.address).await?;
        act.raise(right).await?;
        if let Some(challenge) = challenge
            && !challenges::end(act.db(), challenge).await?
        {
            return Err(over());
        }
        let entered = act.enter(arrival).await?;
        act.done().await?;
        self.forgive_proved(&tried).await;
        Ok(entered)
    }

    /// Lets the holder of a session prove once more who they are. The session gets a new token.
    ///
    /// # Errors
    ///
    /// As [`Self::log_in_with_passkey`].
    pub async fn prove_again_with_passkey(
        &self,
        (account, session): (Uuid, Uuid),
        signed: Signed<'_>,
        guest: &Guest,
    ) -> Result<Given> {
        let credential = Credential::CodeAgain(Proof::Passkey);
        let purpose = Purpose { holder: Some(account), bound_to: session.as_bytes(), credential };
        let (_, tried, right) = self.right_passkey(signed, purpose, guest).await?;
        let mut act = self.act_of(account).await?;
        act.raise(right).await?;
        let given = act.renew((account, session), Proof::Passkey).await?;
        act.done().await?;
        self.forgive_proved(&tried).await;
        Ok(given)
    }

    /// Takes a challenge away, has the gate count the try, and judges it: whose passkey it is. Its count has still to be
    /// raised, by the act that it opens ([`Act::raise`]).
    async fn right_passkey(
        &self,
        signed: Signed<'_>,
        purpose: Purpose<'_>,
        guest: &Guest,
    ) -> Result<(Uuid, Try, Used)> {
        let (pool, now) = (self.log.pool(), self.clock.now());
        let token = tokens::hash(signed.token);
        let state = passkeys::take(pool, &token, purpose.bound_to, now).await?;
        let gone = AppError::Refused("identity.passkey.over", "the challenge is used or too old");
        let state = state.ok_or(gone)?;
        let answer = Answer::read(signed.credential);
        let id = answer.as_ref().map(|answer| passkey_hash(answer.credential()));
        let owner = passkeys::owner(pool, &id.unwrap_or_default()).await?;
        let account = purpose.holder.or(owner);
        let claim = Claim { account, address: "", guest };
        let tried = self.admit(purpose.credential, claim).await?;
        if tried.open
            && let Some(answer) = answer
            && let Some(account) = account
            && let Some(right) =
                self.judge_signature((account, purpose), &answer, &state, guest).await?
        {
            return Ok((account, tried, right));
        }
        self.refuse(account, &tried, guest).await
    }

    /// Judges a signature. A count that went back is on record, and told to the holder.
    async fn judge_signature(
        &self,
        (account, purpose): (Uuid, Purpose<'_>),
        answer: &Answer,
        state: &str,
        guest: &Guest,
    ) -> Result<Option<Used>> {
        let named = answer.holder();
        // Without a password before it, the passkey itself has to say whose it is (7.2, step 6).
        if named.is_some_and(|named| named != account)
            || (named.is_none() && purpose.holder.is_none())
        {
            return Ok(None);
        }
        let row = passkeys::found(self.log.pool(), &passkey_hash(answer.credential())).await?;
        let Some(row) = row.filter(|row| row.account_id == account) else { return Ok(None) };
        let PasskeyRow { factor_id, secret_sealed: before, .. } = row;
        let place = place(factor_id, "secret");
        let Some(kept) = self.revealed::<String>(&before, &place).await? else { return Ok(None) };
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        match self.relying_party()?.judge(state, answer, &kept) {
            Judgement::Right(key) => {
                let after: Sealed<String> = sealer.seal(&place, key.as_str());
                Ok(Some(Used { factor_id, before, after: after.to_string() }))
            }
            Judgement::Copied => {
                let origin = Some(sealer.seal(&origin_place(account), &origin(guest)));
                let letter = self.notice(account, Notice::PasskeyDoubted).await?;
                let mut act = self.act_of(account).await?;
                let at = act.at;
                act.record(account, AccountEvent::PasskeyDoubted { factor_id, origin, at });
                act.letter(&letter).await?;
                act.done().await?;
                Ok(None)
            }
            Judgement::Wrong => Ok(None),
        }
    }

    /// Notes a passkey that opened nothing. Closed is closed: only what guessers were open to is a fact.
    async fn refuse<T>(&self, account: Option<Uuid>, tried: &Try, guest: &Guest) -> Result<T> {
        let account = account.filter(|_| tried.counts);
        let failed = Failed { account, proof: Proof::Passkey, guest };
        self.note_failure(failed, tried).await?;
        Err(wrong())
    }

    /// What is kept of the passkeys of an account.
    async fn passkeys_of(&self, account: Uuid) -> Result<Vec<String>> {
        let mut kept = Vec::new();
        for row in factors::of_account(self.log.pool(), account).await? {
            if row.kind == PASSKEY {
                kept.push(self.secret_of(&row).await?);
            }
        }
        Ok(kept)
    }
}

impl Act<'_> {
    /// Raises the count of a passkey. One that has signed something else meanwhile was judged by a count that is old, and
    /// has to be shown again.
    async fn raise(&mut self, used: Used) -> Result<()> {
        let at = self.at;
        if passkeys::used(self.db(), &used, at).await? { Ok(()) } else { Err(AppError::Conflict) }
    }
}

fn wrong() -> AppError {
    AppError::Refused("identity.passkey.wrong", "the passkey is not right")
}

fn over() -> AppError {
    AppError::Refused("identity.challenge.over", "the password has to come first")
}

fn unasked(error: &webauthn_rs::prelude::WebauthnError) -> AppError {
    AppError::Damaged(error.to_string())
}

/// Under which the id of a passkey is kept.
fn passkey_hash(id: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    Sha256::digest(id).to_vec()
}
