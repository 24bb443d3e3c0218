//! How often a client may ask. Each replica counts for itself; the counters of accounts are in identity.
//!
//! A client is an address: of IPv6 the network of 64 bits, because whoever has one of its addresses has all
//! of them. The parts of open pages are counted by session, so that a page that sees much going on takes
//! nothing from its neighbours behind the same address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use time::OffsetDateTime;
use uuid::Uuid;

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
    /// Whatever takes a password or a one-time link.
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
        let most = match class {
            RateClass::Free => return Ok(()),
            RateClass::Panel | RateClass::Api | RateClass::Hook => self.rates.panel,
            RateClass::Login => self.rates.login,
            RateClass::Live => self.rates.live,
        };
        let minute = now.unix_timestamp().div_euclid(60);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.0 != minute || counters.1.len() >= MOST {
            *counters = (minute, HashMap::new());
        }
        let count = counters.1.entry((asker, class)).or_default();
        *count = count.saturating_add(1);
        if *count > most { Err(60 - now.second()) } else { Ok(()) }
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
