//! How often something may be asked for. Counted in PostgreSQL, so that replicas count together.

use meydan_event_log::PLATFORM;
use sqlx::PgConnection;
use time::Duration;

use super::{Identity, Result};

/// The longest window of any quota.
const LONGEST: Duration = Duration::days(1);

/// How often, in how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    /// What is counted.
    pub(super) of: &'static str,
    /// How often it may be.
    pub(super) most: i32,
    /// In which time, from the first one.
    pub(super) window: Duration,
}

/// Whose quota.
pub(super) struct Counted {
    quota: Quota,
    /// The keyed hash under which it is counted.
    source: Vec<u8>,
}

impl Identity {
    /// Under what a quota of `who` is counted: named before a session of the database is taken.
    pub(super) async fn counted(&self, quota: Quota, who: &str) -> Result<Counted> {
        let source = format!("{}|{who}", quota.of);
        let source = self.keyring.blind_index(PLATFORM, "quota", source.as_bytes()).await?;
        Ok(Counted { quota, source: source.to_vec() })
    }

    /// Counts one; whether it is within the quota.
    pub(super) async fn within(&self, db: &mut PgConnection, counted: &Counted) -> Result<bool> {
        let Counted { quota, source } = counted;
        let now = self.clock.now();
        let used = sqlx::query_scalar!(
            r#"
            WITH old AS (
              DELETE FROM quotas WHERE source IN (
                SELECT source FROM quotas WHERE began_at <= $4 AND source <> $1
                FOR UPDATE SKIP LOCKED LIMIT 100))
            INSERT INTO quotas AS q (source, used, began_at) VALUES ($1, 1, $2)
            ON CONFLICT (source) DO UPDATE SET
              used = CASE WHEN q.began_at <= $3 THEN 1 ELSE q.used + 1 END,
              began_at = CASE WHEN q.began_at <= $3 THEN $2 ELSE q.began_at END
            RETURNING used
            "#,
            source,
            now,
            now - quota.window,
            now - LONGEST,
        )
        .fetch_one(db)
        .await?;
        Ok(used <= quota.most)
    }
}
