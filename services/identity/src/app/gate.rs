//! The gate: every path that takes a credential passes here, before the credential is judged.
//!
//! A login is closed to where too many wrong ones came from, never to its holder: five wrong tries in fifteen
//! minutes close the account to that browser, when the account knows it, or else to that network, for fifteen
//! minutes, then for twice as long, up to a day. Browsers that the account does not know share a hundred tries
//! a day; a network that failed at more than fifteen accounts in three hours is closed for a day. Second
//! factors are counted apart, so that a right password forgives no wrong code.

use meydan_event_log::PLATFORM;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Guest, Identity, Result};
use crate::{
    devices,
    tries::{self, Limit},
};

/// Tries of one browser or network at one account.
const PAIR: Limit = Limit { most: 5, window: Duration::minutes(15), closed: Duration::minutes(15) };
/// Tries of all browsers that an account does not know.
const STRANGERS: Limit = Limit { most: 100, window: Duration::DAY, closed: Duration::DAY };
/// Tries at the second factor, where the password was right.
const CODES: Limit = Limit { most: 20, window: Duration::DAY, closed: Duration::DAY };
/// Accounts at which a network may fail.
const TARGETS: i64 = 15;
/// Within which time.
const TARGETS_WINDOW: Duration = Duration::hours(3);
/// For how long it is closed then.
const TARGETS_CLOSED: Duration = Duration::DAY;

/// What is shown to prove somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    /// A password, to come in.
    Password,
    /// A code of an authenticator, or a recovery code, to come in.
    Factor,
    /// Either, by somebody who is in: counted by session.
    Again(Uuid),
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
    /// Until when it has closed what it was counted on, unless it succeeds.
    pub(super) closes_until: Option<OffsetDateTime>,
    pair: Vec<u8>,
    stranger: Option<Stranger>,
}

/// What else is counted for a browser that the account does not know.
struct Stranger {
    /// Tries of all of them.
    all: Vec<u8>,
    /// The network.
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
        // Nobody has the nil id: an unknown address asks the same table.
        let known = devices::is_known(pool, &device, claim.account.unwrap_or_default()).await?;
        let network = network(&claim.guest.address);
        let from = match credential {
            Credential::Again(session) => session.to_string(),
            _ if known => format!("{device:02x?}"),
            _ => network.clone(),
        };
        let kind = match credential {
            Credential::Password => "password",
            Credential::Factor => "factor",
            Credential::Again(_) => "again",
        };
        let pair = self.counted_under(&[kind, &who, &from]).await?;
        let limit = if credential == Credential::Factor { CODES } else { PAIR };
        let counted = tries::count(pool, &pair, limit, now).await?;
        let mut open = counted.admitted;
        let mut stranger = None;
        if !known && !matches!(credential, Credential::Again(_)) {
            let source = self.counted_under(&["network", &network]).await?;
            let closed = tries::is_closed(pool, &source, now).await?;
            let all = self.counted_under(&[kind, &who, "strangers"]).await?;
            // Whoever is closed already takes nothing from the others.
            open = open && !closed && tries::count(pool, &all, STRANGERS, now).await?.admitted;
            let target = self.counted_under(&["target", &who]).await?;
            stranger = Some(Stranger { all, source, target });
        }
        let closes_until = counted.closed_until.filter(|_| open);
        Ok(Try { open, closes_until, pair, stranger })
    }

    /// Forgets the tries of somebody who was right.
    pub(super) async fn forgive(&self, tried: &Try) -> Result<()> {
        tries::forgive(self.log.pool(), &tried.pair).await?;
        if let Some(Stranger { all, .. }) = &tried.stranger {
            tries::take_back(self.log.pool(), all, STRANGERS.most).await?;
        }
        Ok(())
    }

    /// Notes a wrong one against the network it came from.
    pub(super) async fn blame(&self, tried: &Try) -> Result<()> {
        let Some(Stranger { source, target, .. }) = &tried.stranger else { return Ok(()) };
        let (pool, now) = (self.log.pool(), self.clock.now());
        let targets = tries::note_target(pool, source, target, now, TARGETS_WINDOW).await?;
        if targets > TARGETS {
            metrics::counter!("identity_networks_closed").increment(1);
            tries::close(pool, source, now, now + TARGETS_CLOSED).await?;
        }
        Ok(())
    }

    /// The name of a counter: a keyed hash, because it is made of addresses.
    async fn counted_under(&self, parts: &[&str]) -> Result<Vec<u8>> {
        let name = parts.join("|");
        Ok(self.keyring.blind_index(PLATFORM, "login.source", name.as_bytes()).await?.to_vec())
    }
}

/// The network of an address: its first 24 bits, or 48 of IPv6.
pub(super) fn network(address: &str) -> String {
    use std::net::IpAddr;
    match address.parse() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}")
        }
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}")
        }
        Err(_) => String::new(),
    }
}
