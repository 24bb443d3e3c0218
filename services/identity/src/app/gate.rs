//! The gate: every path that takes a credential passes here, before the credential is judged.
//!
//! A login is closed to where too many wrong ones came from, never to its holder: five wrong tries in fifteen
//! minutes close the account to that browser, when the account knows it, or else to that network, for fifteen
//! minutes, then for twice as long, up to a day. Browsers that the account does not know share fifty tries a
//! day; an address that failed at more than fifteen accounts in three hours is closed for a day. Codes and
//! recovery codes are counted apart, so that a right password forgives no wrong code.
//!
//! Apart from all that, an account takes a few logins a minute, right or wrong: of each browser that it knows, and of
//! all others together.

use identity_domain::{Network, NetworkCommand, Proof};
use meydan_event_log::{Actor, Meta, PLATFORM, Target};
use time::{Duration, OffsetDateTime};
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

use super::{AppError, Guest, Identity, Result, quotas::Quota};
use crate::{
    devices,
    projections::accounts,
    tries::{self, Limit},
};

/// Tries of one browser or network at one account.
const PAIR: Limit = Limit { most: 5, window: Duration::minutes(15), closed: Duration::minutes(15) };
/// Tries of all browsers that an account does not know. The day begins with the first of them, so that two days
/// may meet: fewer than a hundred tries fall into any 24 hours.
const STRANGERS: Limit = Limit { most: 50, window: Duration::DAY, closed: Duration::DAY };
/// Tries at the second factor, where the password was right.
const CODES: Limit = Limit { most: 20, window: Duration::DAY, closed: Duration::DAY };
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
            Self::Code(_) | Self::CodeAgain(_) => CODES,
        }
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
    pair: Vec<u8>,
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
    /// Tries of all of them.
    all: Vec<u8>,
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
        // Nobody has the nil id: an unknown address asks the same table.
        let known = devices::is_known(pool, &device, claim.account.unwrap_or_default()).await?;
        if turn.is_none() {
            turn = self.turn(known || credential.is_again()).await;
        }
        let from = match credential {
            Credential::PasswordAgain(session) => session.to_string(),
            Credential::CodeAgain(_) => String::new(),
            _ if known => format!("{device:02x?}"),
            _ => network(&claim.guest.address),
        };
        let kind = credential.name();
        let pair = self.counted_under(&[kind, &who, &from]).await?;
        if credential == Credential::Password && known {
            self.not_too_fast(&who, &from).await?;
        }
        let limit = credential.limit();
        let counted = tries::count(pool, &pair, limit, now).await?;
        let (mut open, mut closes_until) = (counted.admitted, counted.closed_until);
        let mut stranger = None;
        if !known && !credential.is_again() {
            let source = self.counted_under(&["address", &whole(&claim.guest.address)]).await?;
            let closed = tries::is_closed(pool, &source, now).await?;
            let all = self.counted_under(&[kind, &who, "strangers"]).await?;
            // Whoever is closed already takes nothing from the others.
            open = open && !closed;
            if credential == Credential::Password {
                // Those who are closed out already are counted by themselves, lest they use up the others' minute.
                let whom = if open { "strangers" } else { "closed" };
                if let Err(error) = self.not_too_fast(&who, whom).await {
                    tries::take_back(pool, &pair, limit.most).await?;
                    return Err(error);
                }
            }
            if open {
                let all = tries::count(pool, &all, STRANGERS, now).await?;
                open = all.admitted;
                closes_until = closes_until.max(all.closed_until);
            }
            let target = self.counted_under(&["target", &who]).await?;
            stranger = Some(Stranger { all, source, target });
        }
        // Whoever is suspended is told what everybody is told whose password is wrong.
        let account = claim.account.unwrap_or_default();
        let counts = open && !accounts::is_suspended(pool, account).await?;
        // So is an admin where staff does not work, whose tries are facts like those of others.
        let misplaced = claim.guest.outside && accounts::is_admin(pool, account).await?;
        open = counts && !misplaced;
        // What is open is what a guesser learns from.
        metrics::counter!("identity_tries", "credential" => kind, "open" => if open { "yes" } else { "no" })
            .increment(1);
        drop(turn);
        let closes_until = closes_until.filter(|_| counts);
        Ok(Try { open, counts, closes_until, pair, limit, stranger })
    }

    /// Lets strangers write a few at a time; others need not wait for a turn.
    pub(super) async fn turn(&self, known: bool) -> Option<SemaphorePermit<'_>> {
        if known { None } else { self.turns.acquire().await.ok() }
    }

    /// Takes a try back that could not be judged: whoever was told to come again has not failed.
    pub(super) async fn take_back(&self, tried: &Try) -> Result<()> {
        tries::take_back(self.log.pool(), &tried.pair, tried.limit.most).await?;
        if let Some(Stranger { all, .. }) = &tried.stranger {
            tries::take_back(self.log.pool(), all, STRANGERS.most).await?;
        }
        Ok(())
    }

    /// Forgets the tries of somebody who was right.
    pub(super) async fn forgive(&self, tried: &Try) -> Result<()> {
        tries::forgive(self.log.pool(), &tried.pair).await?;
        if let Some(Stranger { all, source, target }) = &tried.stranger {
            tries::take_back(self.log.pool(), all, STRANGERS.most).await?;
            tries::forget_target(self.log.pool(), source, target).await?;
        }
        Ok(())
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
        let mut db = self.log.pool().acquire().await?;
        if self.within(&mut db, a_minute, &format!("{who}|{from}")).await? {
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
