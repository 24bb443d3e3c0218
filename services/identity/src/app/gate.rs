//! The gate: on every path that takes a password, a code of an authenticator, a recovery code or a passkey, the try
//! passes here before it is judged. Codes that were sent are counted in `proofs`; links, tokens and keys are 256 random
//! bits, and nobody guesses them (`docs/decisions/2026-11-22-the-gate-counts-what-can-be-guessed.md`).
//!
//! A login is closed to where too many wrong ones came from, never to its holder: five wrong tries in fifteen
//! minutes close the account to that browser, when the account knows it, or else to that network, for fifteen
//! minutes, then for twice as long, up to a day. Browsers that the account does not know share fifty tries a
//! day; an address that failed at more than fifteen accounts in three hours is closed for a day.
//!
//! Codes and recovery codes are counted apart, so that a right password forgives no wrong code. Whoever guesses codes
//! knows the password: wherever it comes from, that is one guesser, and twenty wrong codes in a day close codes to all
//! browsers that the account does not know, and from one that it knows codes to that one, until its holder sets a new
//! password. Of recovery codes five an hour are taken.
//!
//! Apart from all that, an account takes a few logins a minute, right or wrong: of each browser that it knows, and of
//! all others together.

mod guesses;

use identity_domain::{Network, NetworkCommand, Proof};
use meydan_event_log::{Actor, Meta, PLATFORM, Target};
use time::{Duration, OffsetDateTime};
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

use super::{AppError, Guest, Identity, Result, quotas::Quota};
use crate::{
    projections::accounts,
    tries::{self, Limit},
};

/// Tries of one browser or network at one account.
const PAIR: Limit = Limit { most: 5, window: Duration::minutes(15), closed: Duration::minutes(15) };
/// Tries of all browsers that an account does not know. The day begins with the first of them, so that two days
/// may meet: fewer than a hundred tries fall into any 24 hours.
const STRANGERS: Limit = Limit { most: 50, window: Duration::DAY, closed: Duration::DAY };
/// Tries at an authenticator, where the password was right.
const CODES: Limit = Limit { most: 20, window: Duration::DAY, closed: tries::UNTIL_RECOVERED };
/// Tries at recovery codes, where the password was right.
const RECOVERY_CODES: Limit =
    Limit { most: 5, window: Duration::hours(1), closed: Duration::hours(1) };
/// Tries at passkeys, whose signatures nobody guesses.
const PASSKEYS: Limit = Limit { most: 20, window: Duration::DAY, closed: Duration::DAY };
/// How the counter is called that all browsers share which an account does not know.
const ALL_STRANGERS: &str = "strangers";
/// Accounts at which an address may fail.
const TARGETS: i64 = 15;
/// Within which time.
const TARGETS_WINDOW: Duration = Duration::hours(3);
/// For how long it is closed then.
const TARGETS_CLOSED: Duration = Duration::DAY;

/// Names what an address is called in the log, after the keyed hash that it is counted under.
const NETWORKS: Uuid = Uuid::from_u128(0x6d65_7964_616e_4e65_7477_6f72_6b73_0000);

/// What is shown to prove somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    /// A password, to come in.
    Password,
    /// A code of an authenticator, a recovery code or a passkey, to come in.
    Code(Proof),
    /// A password, by somebody who is in: counted by session.
    PasswordAgain(Uuid),
    /// A code or a passkey, by somebody who is in: counted by account, whatever session it comes from.
    CodeAgain(Proof),
}

impl Credential {
    const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code(Proof::RecoveryCode) => "recovery code",
            Self::Code(Proof::Passkey) => "passkey",
            Self::Code(_) => "code",
            Self::PasswordAgain(_) => "password again",
            Self::CodeAgain(Proof::RecoveryCode) => "recovery code again",
            Self::CodeAgain(Proof::Passkey) => "passkey again",
            Self::CodeAgain(_) => "code again",
        }
    }

    const fn limit(self) -> Limit {
        match self {
            Self::Password | Self::PasswordAgain(_) => PAIR,
            Self::Code(Proof::RecoveryCode) | Self::CodeAgain(Proof::RecoveryCode) => {
                RECOVERY_CODES
            }
            Self::Code(Proof::Passkey) | Self::CodeAgain(Proof::Passkey) => PASSKEYS,
            Self::Code(_) | Self::CodeAgain(_) => CODES,
        }
    }

    /// Of all browsers together that the account does not know.
    const fn limit_of_strangers(self) -> Limit {
        if self.is_guessed_as_one() { CODES } else { STRANGERS }
    }

    /// Whether strangers are one guesser wherever they come from.
    const fn is_guessed_as_one(self) -> bool {
        matches!(self, Self::Code(Proof::Totp))
    }

    /// Whether it is shown by somebody who has a session.
    const fn is_again(self) -> bool {
        matches!(self, Self::PasswordAgain(_) | Self::CodeAgain(_))
    }
}

/// Whom somebody claims to be, and from where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) account: Option<Uuid>,
    /// The address they gave, for when it has no account.
    pub(super) address: &'a str,
    pub(super) guest: &'a Guest,
}

/// A try that was counted.
pub(super) struct Try {
    /// Whether it may succeed.
    pub(super) open: bool,
    /// Whether it was open to guessers, and is a fact when it fails.
    pub(super) counts: bool,
    /// Until when it has closed what it was counted on, unless it succeeds.
    pub(super) closes_until: Option<OffsetDateTime>,
    /// What is counted for where it comes from alone; nothing where all strangers are one.
    pair: Option<Vec<u8>>,
    limit: Limit,
    stranger: Option<Stranger>,
}

impl Try {
    /// Whether it comes from a browser that the account knows, or from somebody who is in.
    pub(super) const fn is_known(&self) -> bool {
        self.stranger.is_none()
    }
}

/// What else is counted for a browser that the account does not know.
struct Stranger {
    /// Tries of all of them; `None` when this one is not among them, because it was closed already.
    all: Option<Vec<u8>>,
    /// How many they have.
    limit: Limit,
    /// The address they come from.
    source: Vec<u8>,
    /// The account, or the address without one.
    target: Vec<u8>,
}

impl Identity {
    /// Counts a try, and says whether it is open. A closed one is judged all the same, for the time it takes,
    /// and never succeeds.
    pub(super) async fn admit(&self, credential: Credential, claim: Claim<'_>) -> Result<Try> {
        let (pool, now) = (self.log.pool(), self.clock.now());
        let who = claim
            .account
            .map_or_else(|| claim.address.trim().to_lowercase(), |account| account.to_string());
        let device = claim.guest.device.as_deref().map(crate::tokens::hash).unwrap_or_default();
        // Whoever shows no browser is a stranger, and waits before anything is asked.
        let strange = claim.guest.device.is_none() && !credential.is_again();
        let mut turn = self.turn(!strange).await;
        let known = self.knows(claim.account.unwrap_or_default(), &device).await?;
        if turn.is_none() {
            turn = self.turn(known || credential.is_again()).await;
        }
        let from = match credential {
            Credential::PasswordAgain(session) => session.to_string(),
            Credential::CodeAgain(_) => String::new(),
            _ if known => browser(&device),
            _ => network(&claim.guest.address),
        };
        let kind = credential.name();
        if credential == Credential::Password && known {
            self.not_too_fast(&who, &from).await?;
        }
        let limit = credential.limit();
        let mut tried = Try {
            open: true,
            counts: false,
            closes_until: None,
            pair: None,
            limit,
            stranger: None,
        };
        if known || !credential.is_guessed_as_one() {
            let source = self.counted_under(&[kind, &who, &from]).await?;
            let counted = tries::count(pool, &source, limit, now).await?;
            (tried.open, tried.closes_until) = (counted.admitted, counted.closed_until);
            tried.pair = Some(source);
        }
        if !known && !credential.is_again() {
            tried = self.count_stranger(credential, (&who, &claim.guest.address), tried).await?;
        }
        // Whoever is suspended is told what everybody is told whose password is wrong.
        let account = claim.account.unwrap_or_default();
        tried.counts = tried.open && !accounts::is_suspended(pool, account).await?;
        // So is an admin where staff does not work, whose tries are facts like those of others.
        let misplaced = claim.guest.outside && accounts::is_admin(pool, account).await?;
        tried.open = tried.counts && !misplaced;
        // What is open is what a guesser learns from.
        metrics::counter!("identity_tries", "credential" => kind, "open" => if tried.open { "yes" } else { "no" })
            .increment(1);
        drop(turn);
        tried.closes_until = tried.closes_until.filter(|_| tried.counts);
        Ok(tried)
    }

    /// Counts what is counted besides for a browser that the account does not know.
    async fn count_stranger(
        &self,
        credential: Credential,
        (who, address): (&str, &str),
        mut tried: Try,
    ) -> Result<Try> {
        let (pool, now) = (self.log.pool(), self.clock.now());
        let source = self.counted_under(&["address", &whole(address)]).await?;
        let closed = tries::is_closed(pool, &source, now).await?;
        let name = self.counted_under(&[credential.name(), who, ALL_STRANGERS]).await?;
        let limit = credential.limit_of_strangers();
        // Whoever is closed already takes nothing from the others.
        tried.open = tried.open && !closed;
        if credential == Credential::Password {
            // Those who are closed out already are counted by themselves, lest they use up the others' minute.
            let whom = if tried.open { ALL_STRANGERS } else { "closed" };
            if let Err(error) = self.not_too_fast(who, whom).await {
                self.take_back(&tried).await?;
                return Err(error);
            }
        }
        let mut all = None;
        if tried.open {
            let counted = tries::count(pool, &name, limit, now).await?;
            tried.open = counted.admitted;
            tried.closes_until = tried.closes_until.max(counted.closed_until);
            all = Some(name);
        }
        let target = self.counted_under(&["target", who]).await?;
        tried.stranger = Some(Stranger { all, limit, source, target });
        Ok(tried)
    }

    /// Lets strangers write a few at a time; others need not wait for a turn.
    pub(super) async fn turn(&self, known: bool) -> Option<SemaphorePermit<'_>> {
        if known { None } else { self.turns.acquire().await.ok() }
    }

    /// Takes a try back that could not be judged: whoever was told to come again has not failed.
    pub(super) async fn take_back(&self, tried: &Try) -> Result<()> {
        if let Some(pair) = &tried.pair {
            tries::take_back(self.log.pool(), pair, tried.limit.most).await?;
        }
        self.take_back_of_strangers(tried).await
    }

    /// Takes a try back from what all strangers have, if it was counted there.
    async fn take_back_of_strangers(&self, tried: &Try) -> Result<()> {
        if let Some(Stranger { all: Some(all), limit, .. }) = &tried.stranger {
            tries::take_back(self.log.pool(), all, limit.most).await?;
        }
        Ok(())
    }

    /// Forgets the tries of somebody who was right, and of what is counted for many together this one alone.
    pub(super) async fn forgive(&self, tried: &Try) -> Result<()> {
        if let Some(pair) = &tried.pair {
            tries::forgive(self.log.pool(), pair).await?;
        }
        self.take_back_of_strangers(tried).await?;
        if let Some(Stranger { source, target, .. }) = &tried.stranger {
            tries::forget_target(self.log.pool(), source, target).await?;
        }
        Ok(())
    }

    /// Forgives whoever has proved who they are, and is in already. Tries that stay counted are no reason to say that
    /// they are not.
    pub(super) async fn forgive_proved(&self, tried: &Try) {
        if let Err(error) = self.forgive(tried).await {
            tracing::warn!(%error, "the tries of somebody who was right stay counted");
        }
    }

    /// Notes a wrong one against the address it came from.
    pub(super) async fn blame(&self, tried: &Try) -> Result<()> {
        let Some(Stranger { source, target, .. }) = &tried.stranger else { return Ok(()) };
        let _turn = self.turn(false).await;
        let (pool, now) = (self.log.pool(), self.clock.now());
        let targets = tries::note_target(pool, source, target, now, TARGETS_WINDOW).await?;
        if targets > TARGETS {
            metrics::counter!("identity_addresses_closed").increment(1);
            tries::close(pool, source, now, now + TARGETS_CLOSED).await?;
            let until = now + TARGETS_CLOSED;
            let id = Uuid::new_v5(&NETWORKS, source);
            let command = NetworkCommand::Close { until, at: now };
            let actor = Actor::Service { name: crate::NAME.to_owned() };
            let target = Target { tenant: PLATFORM, id };
            self.log.execute::<Network>(target, command, &Meta::new(Uuid::now_v7(), actor)).await?;
        }
        Ok(())
    }

    /// Counts a login of this minute at an account, or at an address without one: a browser that the account knows by
    /// itself, all strangers together.
    async fn not_too_fast(&self, who: &str, from: &str) -> Result<()> {
        let a_minute =
            Quota { of: "login.account", most: self.login_limit, window: Duration::MINUTE };
        let counted = self.counted(a_minute, &format!("{who}|{from}")).await?;
        let mut db = self.log.pool().acquire().await?;
        if self.within(&mut db, &counted).await? {
            return Ok(());
        }
        Err(AppError::Refused("identity.login.too_many", "wait a minute"))
    }

    /// The name of a counter: a keyed hash, because it is made of addresses.
    async fn counted_under(&self, parts: &[&str]) -> Result<Vec<u8>> {
        let name = parts.join("|");
        Ok(self.keyring.blind_index(PLATFORM, "login.source", name.as_bytes()).await?.to_vec())
    }
}

/// What a browser that an account knows is called, by the hash of its cookie.
fn browser(device: &[u8]) -> String {
    format!("{device:02x?}")
}

/// The network of an address: its first 24 bits, or 48 of IPv6.
pub(super) fn network(address: &str) -> String {
    prefix(address, (24, 48))
}

/// An address that is counted by itself; of IPv6 the first 64 bits, because whoever has one of them has all.
fn whole(address: &str) -> String {
    prefix(address, (32, 64))
}

/// The first bits of an address, of IPv4 or of IPv6; nothing of what is none.
fn prefix(address: &str, (of_v4, of_v6): (u32, u32)) -> String {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    match address.parse() {
        Ok(IpAddr::V4(address)) => {
            let kept = address.to_bits() & u32::MAX.unbounded_shl(32 - of_v4);
            format!("{}/{of_v4}", Ipv4Addr::from_bits(kept))
        }
        Ok(IpAddr::V6(address)) => {
            let kept = address.to_bits() & u128::MAX.unbounded_shl(128 - of_v6);
            format!("{}/{of_v6}", Ipv6Addr::from_bits(kept))
        }
        Err(_) => String::new(),
    }
}
