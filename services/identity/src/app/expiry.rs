//! Sessions that end by themselves: nobody used them for long, or they lasted as long as one may. That is on record
//! like a logout, whether somebody comes back to them or not.

use identity_domain::AccountEvent;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Identity, Result, acts::Looks};
use crate::tokens::{self, lifetime};

impl Identity {
    /// Ends a session whose time is over. However many notice it, it is one fact.
    pub(super) async fn expire(&self, account: Uuid, session_id: Uuid) -> Result<()> {
        let mut act = self.act_of(account).await?;
        if tokens::end_session_of(act.db(), account, session_id).await? {
            let at = act.at;
            act.record(account, AccountEvent::SessionExpired { session_id, at });
            let sessions = Some(vec![session_id]);
            act.end_looks(Looks { sessions, ..Looks::default() }).await?;
            act.done().await?;
        }
        Ok(())
    }

    /// Ends the sessions whose time is over, some at a time. One that cannot be ended holds up no others.
    pub(super) async fn expire_rested(&self) -> Result<()> {
        for (account, session) in rested(self.log.pool(), self.clock.now()).await? {
            if let Err(error) = self.expire(account, session).await {
                tracing::warn!(%error, %session, "a session that is over waits to be ended");
            }
        }
        Ok(())
    }
}

/// Sessions whose time is over, each with its account; some of them, when there are many.
async fn rested(pool: &PgPool, now: OffsetDateTime) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    let since = |admin, trusted| now - lifetime(admin, trusted).idle;
    let rows = sqlx::query!(
        r#"
        SELECT s.account_id, s.session_id FROM sessions s JOIN accounts a ON a.account_id = s.account_id
        WHERE s.expires_at < $1 OR s.last_seen_at < CASE
          WHEN a.admin THEN $2::timestamptz
          WHEN EXISTS (SELECT 1 FROM devices d WHERE d.device_sha256 = s.device_sha256
                       AND d.account_id = s.account_id AND d.trusted) THEN $3::timestamptz
          ELSE $4::timestamptz END
        LIMIT 200
        "#,
        now,
        since(true, false),
        since(false, true),
        since(false, false),
    );
    let rows = rows.fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row.session_id)).collect())
}
