//! How often a client may ask. Each replica counts for itself; the counters of accounts are in identity.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use time::OffsetDateTime;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateClass {
    /// Telegram, assets and health: not counted here.
    Free,
    /// Pages and forms.
    Panel,
    /// Whatever takes a password or a one-time link.
    Login,
}

/// The minute, and how often each client has asked in it.
type Counters = (i64, HashMap<(IpAddr, RateClass), u32>);

/// Counters that begin anew every minute.
#[derive(Debug)]
pub struct Limits {
    panel: u32,
    login: u32,
    counters: Mutex<Counters>,
}

impl Limits {
    /// So many requests, and so many tries to log in, a minute.
    #[must_use]
    pub fn new(panel: u32, login: u32) -> Self {
        Self { panel, login, counters: Mutex::new((0, HashMap::new())) }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// When it is one too many: the seconds until the next may come.
    pub fn count(&self, class: RateClass, client: IpAddr, now: OffsetDateTime) -> Result<(), u8> {
        let most = match class {
            RateClass::Free => return Ok(()),
            RateClass::Panel => self.panel,
            RateClass::Login => self.login,
        };
        let minute = now.unix_timestamp().div_euclid(60);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.0 != minute {
            *counters = (minute, HashMap::new());
        }
        let count = counters.1.entry((client, class)).or_default();
        *count = count.saturating_add(1);
        if *count > most { Err(60 - now.second()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::{Limits, RateClass};

    #[test]
    fn the_next_minute_begins_anew() {
        let limits = Limits::new(2, 1);
        let client = std::net::Ipv4Addr::LOCALHOST.into();
        let noon = datetime!(2026-11-21 12:00:15 UTC);

        assert_eq!(limits.count(RateClass::Login, client, noon), Ok(()));
        assert_eq!(limits.count(RateClass::Login, client, noon), Err(45));
        assert_eq!(limits.count(RateClass::Panel, client, noon), Ok(()));
        assert_eq!(limits.count(RateClass::Login, client, noon + Duration::seconds(45)), Ok(()));
    }
}
