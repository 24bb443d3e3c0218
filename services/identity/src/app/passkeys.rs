//! Passkeys: enrolling them, coming in with them, and proving oneself with them.
//!
//! A passkey is a factor like an authenticator, with the same rules for adding and removing it. It makes sure by
//! itself who uses it, so that alone it is worth a password and a second factor.

use identity_domain::{AccountEvent, Proof};
use meydan_event_log::PLATFORM;
use meydan_keyring::Sealed;
use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use super::{
    AppError, Confirmed, Entered, Guest, Identity, Result,
    factors::place,
    failures::Failed,
    gate::{Claim, Credential, Try, network},
    login::{origin, origin_place},
    name,
    quotas::Quota,
};
use crate::{
    challenges,
    factors::{self, Confirmation, PASSKEY, TOTP},
    letters::Notice,
    passkeys::{self, LOGIN_PAGE, PasskeyRow},
    relying_party::{Answer, Judgement, Question, RelyingParty},
    tokens::{self, Token, hash},
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
            let mut tx = self.log.pool().begin_with(LIGHTLY).await?;
            let within = self.within(&mut tx, PER_NETWORK, &network(address)).await?;
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

    /// Begins a session of whoever holds a passkey: it alone says who they are, and proves it.
    ///
    /// # Errors
    ///
    /// `identity.passkey.wrong`, in the same words for an unknown passkey, a wrong one, and one that is closed for a
    /// while; `identity.passkey.over` for a challenge that cannot be answered any more.
    pub async fn log_in_with_passkey(&self, signed: Signed<'_>, guest: &Guest) -> Result<Entered> {
        let credential = Credential::Code(Proof::Passkey);
        let purpose = Purpose { holder: None, bound_to: LOGIN_PAGE, credential };
        let account = self.use_passkey(signed, purpose, guest).await?;
        self.begin(account, Proof::Passkey, guest, false).await
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
        let account = challenges::try_at(pool, &challenge, self.clock.now()).await?;
        let account = account.ok_or_else(over)?;
        let credential = Credential::Code(Proof::Passkey);
        let purpose = Purpose { holder: Some(account), bound_to: &challenge, credential };
        self.use_passkey(signed, purpose, guest).await?;
        if !challenges::end(pool, &challenge).await? {
            return Err(over());
        }
        self.begin(account, Proof::Passkey, guest, trusted).await
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
    ) -> Result<Token> {
        let credential = Credential::CodeAgain(Proof::Passkey);
        let purpose = Purpose { holder: Some(account), bound_to: session.as_bytes(), credential };
        self.use_passkey(signed, purpose, guest).await?;
        self.renew(account, session, Proof::Passkey).await
    }

    /// Takes a challenge away, has the gate count the try, and judges it: whose passkey it is.
    async fn use_passkey(
        &self,
        signed: Signed<'_>,
        purpose: Purpose<'_>,
        guest: &Guest,
    ) -> Result<Uuid> {
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
            && self.judge_signature((account, purpose), &answer, &state, guest).await?
        {
            self.forgive(&tried).await?;
            return Ok(account);
        }
        self.refuse(account, &tried, guest).await
    }

    /// Judges a signature; with a right one the passkey's count is raised. A count that went back is on record, and told
    /// to the holder.
    async fn judge_signature(
        &self,
        (account, purpose): (Uuid, Purpose<'_>),
        answer: &Answer,
        state: &str,
        guest: &Guest,
    ) -> Result<bool> {
        let named = answer.holder();
        // Without a password before it, the passkey itself has to say whose it is (7.2, step 6).
        if named.is_some_and(|named| named != account)
            || (named.is_none() && purpose.holder.is_none())
        {
            return Ok(false);
        }
        let now = self.clock.now();
        let mut tx = self.log.pool().begin().await?;
        let row = passkeys::lock(&mut tx, &passkey_hash(answer.credential())).await?;
        let Some(row) = row.filter(|row| row.account_id == account) else { return Ok(false) };
        let PasskeyRow { factor_id, secret_sealed, .. } = row;
        let place = place(factor_id, "secret");
        let Some(kept) = self.revealed::<String>(&secret_sealed, &place).await? else {
            return Ok(false);
        };
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        match self.relying_party()?.judge(state, answer, &kept) {
            Judgement::Right(key) => {
                let sealed: Sealed<String> = sealer.seal(&place, key.as_str());
                passkeys::used(&mut tx, factor_id, &sealed.to_string(), now).await?;
                tx.commit().await?;
                Ok(true)
            }
            Judgement::Copied => {
                tx.rollback().await?;
                let origin = Some(sealer.seal(&origin_place(account), &origin(guest)));
                let doubted = AccountEvent::PasskeyDoubted { factor_id, origin, at: now };
                self.record(account, doubted).await?;
                self.notify(account, Notice::PasskeyDoubted).await?;
                Ok(false)
            }
            Judgement::Wrong => Ok(false),
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
