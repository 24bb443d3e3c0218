//! Coming in: a password, then a second factor where the account has one, then a session.

use identity_domain::{Account, AccountCommand, AccountEvent, Origin, Profile, Proof};
use meydan_event_log::{Actor, Meta, PLATFORM, Target};
use meydan_keyring::{Place, Sealed};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    AppError, Identity, Result,
    failures::Failed,
    gate::{Claim, Credential},
    profile_place,
};
use crate::{
    challenges, devices, factors,
    letters::Notice,
    password::Verdict,
    projections::accounts,
    tokens::{self, NewSession, Token, lifetime},
};

/// From where somebody comes.
#[derive(Debug, Clone, Default)]
pub struct Guest {
    /// Network address.
    pub address: String,
    /// What the browser calls itself.
    pub user_agent: String,
    /// The cookie by which a browser is known from which somebody has logged in.
    pub device: Option<String>,
    /// Whether staff does not work from there.
    pub outside: bool,
}

/// A session that has begun.
#[derive(Debug)]
pub struct Entered {
    /// What the browser keeps for the session.
    pub token: Token,
    /// When it ends whatever happens.
    pub expires_at: OffsetDateTime,
    /// What the browser keeps to be known again.
    pub device: Token,
}

/// How a right password ends.
#[derive(Debug)]
pub enum Entrance {
    /// A session.
    Entered(Entered),
    /// The second factor is awaited, from whoever shows this.
    Challenged(Token),
}

impl Identity {
    pub(super) async fn account(&self, account: Uuid) -> Result<(accounts::AccountRow, Profile)> {
        let row = accounts::by_id(self.log.pool(), account).await?.ok_or(AppError::NotFound)?;
        let mut profile = self
            .revealed::<Profile>(&row.profile_sealed, &profile_place(account))
            .await?
            .ok_or(AppError::NotFound)?;
        if row.email_lost_at.is_some() {
            profile.email = String::new();
        }
        self.with_proved_email(&mut profile, account, row.email_sealed.as_deref()).await?;
        Ok((row, profile))
    }

    pub(super) async fn record(&self, account: Uuid, fact: AccountEvent) -> Result<()> {
        self.record_by(account, fact, &person(account, Uuid::now_v7())).await
    }

    /// Records what somebody else did to an account.
    pub(super) async fn record_by(
        &self,
        account: Uuid,
        fact: AccountEvent,
        meta: &Meta,
    ) -> Result<()> {
        let target = Target { tenant: PLATFORM, id: account };
        let ended = if let AccountEvent::LoggedOut { session_id, .. } = &fact {
            Some(*session_id)
        } else {
            None
        };
        self.log.execute::<Account>(target, AccountCommand::Record(fact), meta).await?;
        // Whoever looked with the session that ended looks no more.
        match ended {
            Some(session) => self.end_look(session, meta).await,
            None => Ok(()),
        }
    }

    /// Judges a password. It opens a session, or, where the account has a second factor, the way to it.
    ///
    /// # Errors
    ///
    /// `identity.login.failed`, in the same words and after the same time, for an unknown address, a wrong
    /// password, and an account that is closed for a while.
    pub async fn log_in(&self, address: &str, password: String, guest: &Guest) -> Result<Entrance> {
        let turn = self.turn(guest.device.is_some()).await;
        let account = self.account_of(address).await?;
        drop(turn);
        let claim = Claim { account, address, guest };
        let tried = self.admit(Credential::Password, claim).await?;
        // Nobody has the nil id: an unknown address asks the same table.
        let hash = self.hash_of(account.unwrap_or_default()).await?;
        let judged = self.judge((password.clone(), hash.clone()), &tried).await?;
        let verdict = judged.verdict;
        let genuine = verdict != Verdict::Wrong;
        let Some(account) = account.filter(|_| genuine && tried.open) else {
            // Closed is closed: only tries that guessers were open to are facts, or guessing would fill the log.
            // The others leave a row as well, for the time it takes.
            let account = account.filter(|_| tried.counts);
            self.note_failure(Failed { account, proof: Proof::Password, guest }, &tried).await?;
            self.passwords.even(judged).await;
            return Err(failed());
        };
        self.forgive(&tried).await?;
        self.keep_up(account, verdict, (password, hash)).await?;
        if factors::has(self.log.pool(), account).await? {
            let token = Token::fresh();
            let now = self.clock.now();
            challenges::begin(self.log.pool(), &token.hash(), account, now).await?;
            let sealer = self.keyring.sealer(PLATFORM, account).await?;
            let origin = Some(sealer.seal(&origin_place(account), &origin(guest)));
            self.record(account, AccountEvent::Challenged { origin, at: now }).await?;
            return Ok(Entrance::Challenged(token));
        }
        Ok(Entrance::Entered(self.begin(account, Proof::Password, guest, false).await?))
    }

    /// Judges the second factor of a login, and begins a session. `trusted` says that nobody else uses the
    /// browser.
    ///
    /// # Errors
    ///
    /// `identity.code.wrong` for a wrong code and while codes are closed; `identity.challenge.over` when the
    /// password has to be given again: after five wrong codes or five minutes.
    pub async fn prove_factor(
        &self,
        challenge: &str,
        code: &str,
        guest: &Guest,
        trusted: bool,
    ) -> Result<Entered> {
        let over =
            || AppError::Refused("identity.challenge.over", "the password has to come first");
        let (pool, challenge) = (self.log.pool(), tokens::hash(challenge));
        let account = challenges::try_at(pool, &challenge, self.clock.now()).await?;
        let account = account.ok_or_else(over)?;
        let claim = Claim { account: Some(account), address: "", guest };
        let tried = self.admit(Credential::Code(super::factors::kind_of(code)), claim).await?;
        let wrong = AppError::Refused("identity.code.wrong", "the code is not right");
        if !tried.open {
            return Err(wrong);
        }
        let Some(proof) = self.use_code(account, code).await? else {
            let proof = crate::app::factors::kind_of(code);
            self.note_failure(Failed { account: Some(account), proof, guest }, &tried).await?;
            return Err(wrong);
        };
        if !challenges::end(pool, &challenge).await? {
            return Err(over());
        }
        self.forgive(&tried).await?;
        self.begin(account, proof, guest, trusted).await
    }

    /// Begins a session of somebody who has proved who they are.
    pub(super) async fn begin(
        &self,
        account: Uuid,
        proof: Proof,
        guest: &Guest,
        trusted: bool,
    ) -> Result<Entered> {
        let (row, _) = self.account(account).await?;
        let (token, session_id, now) = (Token::fresh(), Uuid::now_v7(), self.clock.now());
        let device = self.device_of(account, guest).await?;
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let seal = |field, value: &str| {
            let sealed: Sealed<String> =
                sealer.seal(&Place::new(PLATFORM, "session", session_id, field), value);
            sealed.to_string()
        };
        let session = NewSession {
            session_id,
            account_id: account,
            address: seal("address", &guest.address),
            user_agent: seal("user_agent", &guest.user_agent),
            expires_at: now + lifetime(row.admin, trusted).absolute,
            device: device.hash(),
            second_factor: proof != Proof::Password,
        };
        let origin = sealer.seal(&origin_place(account), &origin(guest));
        let fact = AccountEvent::LoggedIn {
            session_id,
            proof: Some(proof),
            origin: Some(origin),
            at: now,
        };
        self.record(account, fact).await?;
        let strange =
            devices::note(self.log.pool(), &session.device, account, trusted, now).await?;
        tokens::keep_session(self.log.pool(), &token, &session, now).await?;
        if strange {
            self.notify(account, Notice::NewDevice).await?;
        }
        Ok(Entered { token, expires_at: session.expires_at, device })
    }

    /// The cookie by which a browser is known to an account: the one it has, or a new one. One that another
    /// account is known by is not taken over: whoever copied it would be known to both.
    async fn device_of(&self, account: Uuid, guest: &Guest) -> Result<Token> {
        if let Some(device) = &guest.device
            && devices::is_known(self.log.pool(), &tokens::hash(device), account).await?
        {
            return Ok(Token::shown(device));
        }
        Ok(Token::fresh())
    }
}

/// The words for every password that opens nothing.
fn failed() -> AppError {
    AppError::Refused("identity.login.failed", "address or password is wrong")
}

pub(super) fn origin(guest: &Guest) -> Origin {
    Origin { address: guest.address.clone(), user_agent: guest.user_agent.clone() }
}

/// Where the origin of a login belongs.
pub(super) fn origin_place(account: Uuid) -> Place {
    Place::new(PLATFORM, "account", account, "origin")
}

pub(super) fn person(account: Uuid, command: Uuid) -> Meta {
    Meta::new(command, Actor::Account { id: account, session: None })
}
