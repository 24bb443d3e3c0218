//! Coming in: a password, then a second factor where the account has one, then a session.

use identity_domain::{Account, AccountCommand, AccountEvent, Origin, Profile, Proof};
use meydan_event_log::{Actor, Meta, PLATFORM, Target};
use meydan_keyring::{Place, Sealed};
use uuid::Uuid;

use super::{
    AppError, Identity, Result,
    acts::Act,
    failures::Failed,
    gate::{Claim, Credential},
    profile_place,
};
use crate::{
    challenges, devices, factors,
    letters::Written,
    password::Verdict,
    projections::accounts,
    tokens::{self, Given, NewSession, Token, lifetime},
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
    /// The token of the session that the browser has. It ends where another one begins.
    pub session: Option<String>,
    /// Whether staff does not work from there.
    pub outside: bool,
}

/// A session that has begun.
#[derive(Debug)]
pub struct Entered {
    /// What the browser keeps for the session.
    pub given: Given,
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

    /// Records one thing that happened to an account, and nothing beside it.
    pub(super) async fn record(&self, account: Uuid, fact: AccountEvent) -> Result<()> {
        let target = Target { tenant: PLATFORM, id: account };
        let by = person(account, Uuid::now_v7());
        self.log.execute::<Account>(target, AccountCommand::Record(fact), &by).await?;
        Ok(())
    }

    /// Judges a password. It opens a session, or, where the account has a second factor, the way to it. `trusted` says
    /// that nobody else uses the browser, and counts with whatever opens the session: a password does not say it for an
    /// account with a second factor.
    ///
    /// # Errors
    ///
    /// `identity.login.failed`, in the same words and after the same time, for an unknown address, a wrong
    /// password, and an account that is closed for a while; in the same words for one that was changed meanwhile.
    pub async fn log_in(
        &self,
        address: &str,
        password: String,
        guest: &Guest,
        trusted: bool,
    ) -> Result<Entrance> {
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
        let (Some(account), Some(hash)) = (account.filter(|_| genuine && tried.open), hash) else {
            // Closed is closed: only tries that guessers were open to are facts, or guessing would fill the log.
            // The others leave a row as well, for the time it takes.
            let account = account.filter(|_| tried.counts);
            self.note_failure(Failed { account, proof: Proof::Password, guest }, &tried).await?;
            self.passwords.even(judged).await;
            return Err(failed());
        };
        self.forgive(&tried).await?;
        let hash = self.keep_up(account, verdict, (password, hash)).await?;
        if factors::has(self.log.pool(), account).await? {
            let token = Token::fresh();
            let sealer = self.keyring.sealer(PLATFORM, account).await?;
            let origin = Some(sealer.seal(&origin_place(account), &origin(guest)));
            let mut act = self.act_from(account, &guest.address).await?;
            let at = act.at;
            if !act.is_still_proved(account, &hash).await? {
                return Err(failed());
            }
            challenges::begin(act.db(), &token.hash(), account, at).await?;
            act.record(account, AccountEvent::Challenged { origin, at });
            act.done().await?;
            return Ok(Entrance::Challenged(token));
        }
        let arrival = self.arrival(account, (Proof::Password, guest), trusted).await?;
        let mut act = self.act_from(account, &guest.address).await?;
        if !act.is_still_proved(account, &hash).await? {
            return Err(failed());
        }
        let entered = act.enter(arrival).await?;
        act.done().await?;
        Ok(Entrance::Entered(entered))
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
        let tried_at = challenges::try_at(pool, &challenge, self.clock.now()).await?;
        let challenges::Tried { account, last } = tried_at.ok_or_else(over)?;
        let claim = Claim { account: Some(account), address: "", guest };
        let tried = self.admit(Credential::Code(super::factors::kind_of(code)), claim).await?;
        let wrong = AppError::Refused("identity.code.wrong", "the code is not right");
        if !tried.open {
            return Err(wrong);
        }
        let shown = super::factors::kind_of(code);
        let entered = match self.right_code(account, code).await? {
            Some(right) => {
                let arrival = self.arrival(account, (shown, guest), trusted).await?;
                let told = self.addressee(account).await?;
                let mut act = self.act_from(account, &guest.address).await?;
                if act.spend(&right, told).await? {
                    if !challenges::end(act.db(), &challenge).await? {
                        return Err(over());
                    }
                    let entered = act.enter(arrival).await?;
                    act.done().await?;
                    Some(entered)
                } else {
                    drop(act);
                    self.note_replay(account, &right).await?;
                    None
                }
            }
            None => None,
        };
        let Some(entered) = entered else {
            let failed = Failed { account: Some(account), proof: shown, guest };
            self.note_failure(failed, &tried).await?;
            self.tell_of_guesses(account, last).await?;
            return Err(wrong);
        };
        self.forgive_proved(&tried).await;
        self.tell_of_codes(account, shown).await?;
        Ok(entered)
    }

    /// What a session of somebody who has proved who they are needs, sealed before the act that begins it. The one that
    /// the browser had ends, whosever that was: nobody has its token any more who should. No browser is an admin's own.
    pub(super) async fn arrival(
        &self,
        account: Uuid,
        (proof, guest): (Proof, &Guest),
        trusted: bool,
    ) -> Result<Arrival> {
        let (row, profile) = self.account(account).await?;
        let mut arrival = self.arrival_of((account, row.admin), (proof, guest), trusted).await?;
        if !arrival.is_known {
            let letter = self.notice_of_device(&row, profile.email, &guest.address).await?;
            arrival.letter = Some(letter);
        }
        Ok(arrival)
    }

    /// The same for an account that begins, or is about to get another role.
    pub(super) async fn arrival_of(
        &self,
        (account, admin): (Uuid, bool),
        (proof, guest): (Proof, &Guest),
        trusted: bool,
    ) -> Result<Arrival> {
        let trusted = trusted && !admin;
        if let Some(before) = &guest.session {
            self.log_out(before).await?;
        }
        let (token, session_id, now) = (Token::fresh(), Uuid::now_v7(), self.clock.now());
        let (device, is_known) = self.device_of(account, guest).await?;
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
            expires_at: now + lifetime(admin, trusted).absolute,
            device: device.hash(),
            second_factor: proof != Proof::Password,
        };
        let origin = sealer.seal(&origin_place(account), &origin(guest));
        Ok(Arrival { token, device, session, origin, proof, trusted, is_known, letter: None })
    }

    /// Whether a browser is known to an account. Of an unknown address ask it of the nil id, which nobody has: it costs
    /// the same.
    pub(super) async fn knows(&self, account: Uuid, device: &[u8]) -> Result<bool> {
        Ok(devices::is_known(self.log.pool(), device, account, self.clock.now()).await?)
    }

    /// The origin of what somebody does who is not in yet. Those who are in come from where their calls do.
    pub(super) async fn person_from(
        &self,
        account: Uuid,
        command: Uuid,
        address: &str,
    ) -> Result<Meta> {
        let origin = meydan_rpc::origin::origin(&self.keyring, account, address).await?;
        Ok(Meta { address: origin.map(|origin| origin.sealed), ..person(account, command) })
    }

    /// The cookie by which a browser is known to an account: the one it has, or a new one. One that another
    /// account is known by is not taken over: whoever copied it would be known to both. And whether it was known.
    async fn device_of(&self, account: Uuid, guest: &Guest) -> Result<(Token, bool)> {
        if let Some(device) = &guest.device
            && self.knows(account, &tokens::hash(device)).await?
        {
            return Ok((Token::shown(device), true));
        }
        Ok((Token::fresh(), false))
    }
}

/// A session that is about to begin.
pub(super) struct Arrival {
    token: Token,
    device: Token,
    session: NewSession,
    origin: Sealed<Origin>,
    proof: Proof,
    trusted: bool,
    /// Whether the account knows the browser.
    is_known: bool,
    /// What its holder is told if the browser is new beside others.
    letter: Option<Written>,
}

impl Act<'_> {
    /// Begins a session.
    pub(super) async fn enter(&mut self, arrival: Arrival) -> Result<Entered> {
        let Arrival { token, device, session, origin, proof, trusted, letter, .. } = arrival;
        let (account, session_id, at) = (session.account_id, session.session_id, self.at);
        let strange = devices::note(self.db(), &session.device, account, trusted, at).await?;
        tokens::keep_session(self.db(), &token, &session, at).await?;
        let (proof, origin) = (Some(proof), Some(origin));
        self.record(account, AccountEvent::LoggedIn { session_id, proof, origin, at });
        self.letters(letter.filter(|_| strange).as_slice()).await?;
        let keep_until = trusted.then_some(session.expires_at);
        Ok(Entered { given: Given { token, keep_until }, device })
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
