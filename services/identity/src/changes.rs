//! Tells everybody who believes what identity said of an account that it is not so any more.
//!
//! A ping on core NATS names the account and nothing else. Who misses it believes the old word for as long as
//! they believe any, which is seconds.

use identity_domain::MemberEvent;
use meydan_event_log::Recorded;
use sqlx::PgPool;
use uuid::Uuid;

use crate::projections::members;

/// What the subjects of pings begin with; the account follows.
pub const SUBJECT: &str = "identity.changed";

/// Tells of changes.
#[derive(Debug, Clone)]
pub struct Changes {
    /// Where others listen.
    pub nats: async_nats::Client,
    /// Where members are.
    pub pool: PgPool,
}

impl Changes {
    /// Tells that what an account may do has changed, or that a session of it has ended.
    pub async fn tell(&self, account: Uuid) {
        let subject = format!("{SUBJECT}.{account}");
        if let Err(error) = self.nats.publish(subject, "".into()).await {
            tracing::warn!(%error, "gateways were not told of a change; they find out in seconds");
        }
    }

    /// Tells what facts changed, once the tables show it.
    pub(crate) async fn tell_of(&self, event: &Recorded) {
        match self.accounts(event).await {
            Ok(accounts) => {
                for account in accounts {
                    self.tell(account).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "gateways were not told of a change; they find out in seconds");
            }
        }
    }

    /// The accounts that a fact changes something for.
    async fn accounts(&self, event: &Recorded) -> sqlx::Result<Vec<Uuid>> {
        match (event.aggregate_type.as_str(), event.event_type.as_str()) {
            // A session that begins and one that did not change nothing of what was said before.
            (
                "account",
                "account.registered"
                | "account.logged_in"
                | "account.log_in_failed"
                | "account.challenged"
                | "account.locked"
                | "account.factor_locked"
                | "account.looked_at",
            )
            // Sessions end after the tables show these; whoever ends them tells of both at once.
            | ("member", "member.deactivated" | "member.removed" | "member.looked_at") => Ok(vec![]),
            ("account" | "subject", _) => Ok(vec![event.aggregate_id]),
            ("member", _) => {
                let named = event.decode_one::<MemberEvent>().ok().flatten();
                let account = match named.and_then(|fact| fact.account_id()) {
                    Some(account) => Some(account),
                    None => {
                        members::account_of(&self.pool, event.tenant, event.aggregate_id).await?
                    }
                };
                Ok(account.into_iter().collect())
            }
            ("campaign", _) => members::accounts_of(&self.pool, event.tenant).await,
            _ => Ok(vec![]),
        }
    }
}
