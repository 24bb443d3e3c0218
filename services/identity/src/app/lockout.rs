//! Guessing passwords: an account is closed to a network for a while after some wrong ones.

use meydan_event_log::PLATFORM;
use time::Duration;
use uuid::Uuid;

use super::{Guest, Identity, Result};

/// Tries, after which the account is closed to the network.
const TRIES: i32 = 5;
/// The time in which they count, from the first one.
const WINDOW: Duration = Duration::minutes(15);

/// What tries are counted under: a keyed hash of the account, or the address that is none, and the network.
pub(super) struct Source(Vec<u8>);

impl Identity {
    pub(super) async fn source(
        &self,
        account: Option<Uuid>,
        address: &str,
        guest: &Guest,
    ) -> Result<Source> {
        let who = account.map_or_else(|| address.trim().to_lowercase(), |id| id.to_string());
        let source = format!("{who}|{}", network(&guest.address));
        let index = self.keyring.blind_index(PLATFORM, "login.source", source.as_bytes()).await?;
        Ok(Source(index.to_vec()))
    }

    /// Counts a try before it is judged, so that many at once count like many in turn; whether it is still
    /// open to them.
    pub(super) async fn admit(&self, Source(source): &Source) -> Result<bool> {
        let now = self.clock.now();
        let tries = sqlx::query_scalar!(
            r#"
            WITH old AS (DELETE FROM login_tries WHERE began_at <= $3 AND source <> $1)
            INSERT INTO login_tries AS t (source, tries, began_at) VALUES ($1, 1, $2)
            ON CONFLICT (source) DO UPDATE SET
              tries = CASE WHEN t.began_at <= $3 THEN 1 ELSE t.tries + 1 END,
              began_at = CASE WHEN t.began_at <= $3 THEN $2 ELSE t.began_at END
            RETURNING tries
            "#,
            source,
            now,
            now - WINDOW,
        )
        .fetch_one(self.log.pool())
        .await?;
        Ok(tries <= TRIES)
    }

    /// Forgets the tries of somebody who is in.
    pub(super) async fn forgive(&self, Source(source): &Source) -> Result<()> {
        sqlx::query!("DELETE FROM login_tries WHERE source = $1", source)
            .execute(self.log.pool())
            .await?;
        Ok(())
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
