//! How often a client may ask. Every gateway counts what it sees, and adds it to what all have counted together
//! ([`shared`]): a login waits for that sum; whatever else is asked is answered meanwhile, and the sum counts for what
//! comes next. Without the broker each counts for itself. The counters of accounts are in identity.
//!
//! A client is an address: of IPv6 the network of 64 bits, because whoever has one of its addresses has all
//! of them. The parts of open pages are counted by session, so that a page that sees much going on takes
//! nothing from its neighbours behind the same address.

pub mod shared;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::app::App;

/// Clients that are counted at a time. Whoever has more addresses than that is not stopped by counting them,
/// and must not fill the memory: then all begin anew.
const MOST: usize = 100_000;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateClass {
    /// Machines: assets, health, and Telegram, which are not counted here.
    Free,
    /// Pages and forms.
    Panel,
    /// The moving parts of open pages, and their streams.
    Live,
    /// Whatever takes a password or a code that could be guessed, or sends a letter.
    Login,
    /// What programs ask with a key.
    Api,
    /// Calls of webhooks that nobody knows.
    Hook,
}

/// How often a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Pages and forms, of one client; as many questions with one key; and as many calls of unknown webhooks.
    pub panel: u32,
    /// Tries to log in, of one client.
    pub login: u32,
    /// Parts of open pages, of one session.
    pub live: u32,
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// Whoever has addresses in a network.
    Network(IpAddr),
    /// Whoever holds a session.
    Session(Uuid),
    /// Whoever holds a key.
    Key(Uuid),
}

impl From<IpAddr> for Asker {
    fn from(address: IpAddr) -> Self {
        Self::Network(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
            }
        })
    }
}

/// The minute, and how often each has asked in it.
type Counters = (i64, HashMap<(Asker, RateClass), u32>);

/// Counters that begin anew every minute.
#[derive(Debug)]
pub struct Limits {
    rates: Rates,
    counters: Mutex<Counters>,
}

impl Limits {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self { rates, counters: Mutex::new((0, HashMap::new())) }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// When it is one too many: the seconds until the next may come.
    pub fn count(&self, class: RateClass, asker: Asker, now: OffsetDateTime) -> Result<(), u8> {
        self.counted((class, asker), now, |count| count.saturating_add(1))
    }

    /// Learns how much all gateways have counted together, which alone says whether it is too much: what this one has
    /// refused meanwhile is no reason to refuse what came before.
    ///
    /// # Errors
    ///
    /// The same, when it is.
    pub fn learn(
        &self,
        class: RateClass,
        asker: Asker,
        total: u32,
        now: OffsetDateTime,
    ) -> Result<(), u8> {
        // For the requests that come after this one.
        let _ = self.counted((class, asker), now, |count| count.max(total));
        if total > self.most(class) { Err(60 - now.second()) } else { Ok(()) }
    }

    const fn most(&self, class: RateClass) -> u32 {
        match class {
            RateClass::Free => u32::MAX,
            RateClass::Panel | RateClass::Api | RateClass::Hook => self.rates.panel,
            RateClass::Login => self.rates.login,
            RateClass::Live => self.rates.live,
        }
    }

    fn counted(
        &self,
        (class, asker): (RateClass, Asker),
        now: OffsetDateTime,
        change: impl FnOnce(u32) -> u32,
    ) -> Result<(), u8> {
        if class == RateClass::Free {
            return Ok(());
        }
        let minute = minute(now);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if minute < counters.0 {
            // The broker answered late: that minute is over, and this one goes on.
            return Ok(());
        }
        if counters.0 < minute || counters.1.len() >= MOST {
            *counters = (minute, HashMap::new());
        }
        let count = counters.1.entry((asker, class)).or_default();
        *count = change(*count);
        if *count > self.most(class) { Err(60 - now.second()) } else { Ok(()) }
    }
}

fn minute(now: OffsetDateTime) -> i64 {
    now.unix_timestamp().div_euclid(60)
}

/// Counts a request with all gateways. What one gateway has already had too much of is told to nobody.
///
/// # Errors
///
/// When it is one too many: the seconds until the next may come.
pub async fn admit(app: &App, class: RateClass, asker: Asker) -> Result<(), u8> {
    let now = app.clock.now();
    app.limits.count(class, asker, now)?;
    match class {
        RateClass::Free => Ok(()),
        RateClass::Login => match app.rates.add(class, asker, minute(now)).await {
            Some(total) => app.limits.learn(class, asker, total, now),
            None => Ok(()),
        },
        RateClass::Panel | RateClass::Live | RateClass::Api | RateClass::Hook => {
            let (rates, limits) = (app.rates.clone(), app.limits.clone());
            tokio::spawn(async move {
                if let Some(total) = rates.add(class, asker, minute(now)).await {
                    // It is for the next request to be refused.
                    let _ = limits.learn(class, asker, total, now);
                }
            });
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use time::{Duration, OffsetDateTime, macros::datetime};
    use uuid::Uuid;

    use super::{Asker, Limits, MOST, RateClass, Rates};

    const NOON: OffsetDateTime = datetime!(2026-11-21 12:00:15 UTC);

    fn limits() -> Limits {
        Limits::new(Rates { panel: 2, login: 1, live: 1 })
    }

    fn asker(address: &str) -> Asker {
        address.parse::<IpAddr>().expect("it is an address").into()
    }

    #[test]
    fn the_next_minute_begins_anew() {
        let (limits, client) = (limits(), asker("127.0.0.1"));

        assert_eq!(limits.count(RateClass::Login, client, NOON), Ok(()));
        assert_eq!(limits.count(RateClass::Login, client, NOON), Err(45));
        assert_eq!(limits.count(RateClass::Panel, client, NOON), Ok(()));
        assert_eq!(limits.count(RateClass::Login, client, NOON + Duration::seconds(45)), Ok(()));
    }

    #[test]
    fn the_sum_of_all_gateways_counts_and_what_was_refused_here_meanwhile_does_not() {
        let (limits, client) = (limits(), asker("127.0.0.1"));
        let count = || limits.count(RateClass::Panel, client, NOON);

        assert_eq!([count(), count(), count()], [Ok(()), Ok(()), Err(45)]);
        assert_eq!(limits.learn(RateClass::Panel, client, 2, NOON), Ok(()), "it came before those");
        assert_eq!(limits.learn(RateClass::Panel, client, 3, NOON), Err(45));
        let other = asker("127.0.0.2");
        assert_eq!(limits.learn(RateClass::Panel, other, 2, NOON), Ok(()));
        assert_eq!(limits.count(RateClass::Panel, other, NOON), Err(45), "others had the two");
    }

    #[test]
    fn addresses_of_one_network_and_both_writings_of_one_address_are_one_client() {
        let limits = limits();

        assert_eq!(limits.count(RateClass::Login, asker("2001:db8:0:1::1"), NOON), Ok(()));
        assert!(limits.count(RateClass::Login, asker("2001:db8:0:1:ffff::2"), NOON).is_err());
        assert_eq!(limits.count(RateClass::Login, asker("2001:db8:0:2::1"), NOON), Ok(()));
        assert_eq!(limits.count(RateClass::Login, asker("203.0.113.7"), NOON), Ok(()));
        assert!(limits.count(RateClass::Login, asker("::ffff:203.0.113.7"), NOON).is_err());
    }

    #[test]
    fn sessions_behind_one_address_are_counted_apart() {
        let limits = limits();
        let session = |number| Asker::Session(Uuid::from_u128(number));

        assert_eq!(limits.count(RateClass::Live, session(1), NOON), Ok(()));
        assert!(limits.count(RateClass::Live, session(1), NOON).is_err());
        assert_eq!(limits.count(RateClass::Live, session(2), NOON), Ok(()));
    }

    #[test]
    fn whoever_has_very_many_addresses_does_not_fill_the_memory() {
        let limits = limits();
        for number in 0..=u32::try_from(MOST).expect("it fits") {
            let client = IpAddr::from(Ipv4Addr::from_bits(number));
            assert_eq!(limits.count(RateClass::Login, client.into(), NOON), Ok(()));
        }

        let counted = limits.counters.lock().expect("nobody panicked").1.len();
        assert!(counted <= MOST, "{counted} are remembered");
        let other = IpAddr::from(Ipv6Addr::LOCALHOST);
        assert_eq!(limits.count(RateClass::Login, other.into(), NOON), Ok(()));
    }
}
