//! Failed logins: noted in the answer's path with the same work for every address, made facts outside it.
//!
//! A fact costs a load and a flush that an address without an account would not, and the time of the answer
//! would tell them apart. So the answer waits for one row, which an unknown address leaves as well.

use std::time::Duration;

use identity_domain::{AccountEvent, Origin, Proof};
use meydan_event_log::PLATFORM;
use meydan_keyring::{Place, Sealed};
use sqlx::PgExecutor;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    AppError, Identity, Result,
    gate::Try,
    login::{Guest, origin, origin_place},
};
use crate::{devices, invitations, letters::Notice, tries};

/// How long to wait before looking again, when nothing wakes: after a failure, or what a crash left.
const LOOK: Duration = Duration::from_secs(5);
/// How often what no longer counts is let go of.
const SWEEP: time::Duration = time::Duration::MINUTE;
/// How many rows are read at a time.
const BATCH: i64 = 100;

/// Under whose key origins lie until it is known whose they are: that of nobody, which is made once.
const NOBODY: Uuid = Uuid::from_u128(0x6d65_7964_616e_4e6f_826f_6479_0000_0000);

/// A try that failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed<'a> {
    pub(super) account: Option<Uuid>,
    pub(super) proof: Proof,
    pub(super) guest: &'a Guest,
}

/// A failure as it is noted.
struct Noted {
    failure_id: i64,
    account_id: Option<Uuid>,
    at: OffsetDateTime,
    proof: String,
    origin_sealed: Option<String>,
    closed_until: Option<OffsetDateTime>,
}

impl Identity {
    /// Notes a try with a wrong password or code, and what it has closed.
    pub(super) async fn note_failure(&self, failed: Failed<'_>, tried: &Try) -> Result<()> {
        self.blame(tried).await?;
        let sealer = self.keyring.sealer(PLATFORM, NOBODY).await?;
        let sealed: Sealed<Origin> = sealer.seal(&noted_place(), &origin(failed.guest));
        sqlx::query!(
            r#"
            INSERT INTO login_failures (account_id, at, proof, origin_sealed, closed_until)
            VALUES ($1, $2, $3, $4, $5)
            "#,
            failed.account,
            self.clock.now(),
            failed.proof.name(),
            sealed.to_string(),
            tried.closes_until,
        )
        .execute(self.log.pool())
        .await?;
        self.noted.notify_one();
        Ok(())
    }

    /// Makes facts of what is noted until `end`, and then of what is left.
    pub async fn record_failures(self, end: CancellationToken) {
        let mut swept = None;
        loop {
            let last = end.is_cancelled();
            if let Err(error) = self.record_noted().await {
                tracing::warn!(%error, "failed logins wait to be recorded");
            }
            let now = self.clock.now();
            if swept.is_none_or(|swept| now - swept > SWEEP) {
                swept = Some(now);
                let pool = self.log.pool();
                let swept = [
                    tries::sweep(pool, now).await,
                    devices::sweep(pool, now).await,
                    invitations::sweep(pool, now).await,
                ];
                for swept in swept {
                    if let Err(error) = swept {
                        tracing::warn!(%error, "what no longer counts is not let go of yet");
                    }
                }
                if let Err(error) = self.expire_rested().await {
                    tracing::warn!(%error, "sessions that are over are not ended yet");
                }
            }
            if last {
                return;
            }
            tokio::select! {
                () = end.cancelled() => {}
                () = self.noted.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Goes once through what is noted. A row that cannot be recorded stays, and does not hold up the others.
    async fn record_noted(&self) -> Result<()> {
        let mut after = 0;
        loop {
            let rows = sqlx::query_as!(
                Noted,
                r#"
                SELECT failure_id, account_id, at, proof, origin_sealed, closed_until FROM login_failures
                WHERE failure_id > $1 ORDER BY failure_id LIMIT $2
                "#,
                after,
                BATCH,
            )
            .fetch_all(self.log.pool())
            .await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                after = row.failure_id;
                let recorded = match row.account_id {
                    Some(account) => self.record_failure(account, &row).await,
                    None => Err(AppError::NotFound),
                };
                match recorded {
                    Ok(()) => {}
                    // An account that is erased, or never was, has nothing to be recorded.
                    Err(AppError::NotFound) => {
                        forget(self.log.pool(), &row).await?;
                    }
                    Err(error) => tracing::warn!(%error, "a failed login waits to be recorded"),
                }
            }
        }
    }

    /// Makes facts of a row, which goes with them.
    async fn record_failure(&self, account: Uuid, noted: &Noted) -> Result<()> {
        let proof = Proof::named(&noted.proof);
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let origin = self.origin_of(noted).await?;
        let address = origin.as_ref().map(|origin| origin.address.clone()).unwrap_or_default();
        let origin = origin.map(|origin| sealer.seal(&origin_place(account), &origin));
        let holder = self.addressee(account).await?;
        let mut act = self.act_from(account, &address).await?;
        if !forget(act.db(), noted).await? {
            return Ok(());
        }
        let failed = AccountEvent::LogInFailed { proof, origin: origin.clone(), at: noted.at };
        act.record(account, failed);
        if let Some(until) = noted.closed_until {
            let (locked, notice) = if tries::is_until_recovered(noted.at, until) {
                (AccountEvent::FactorLocked { proof, origin, at: noted.at }, Notice::FactorLocked)
            } else {
                (AccountEvent::Locked { until, origin, at: noted.at }, Notice::Locked)
            };
            act.record(account, locked);
            act.tell(holder, notice).await?;
        }
        act.done().await?;
        Ok(())
    }

    /// From where a failure came.
    async fn origin_of(&self, noted: &Noted) -> Result<Option<Origin>> {
        let Some(sealed) = noted.origin_sealed.as_deref().and_then(|text| text.parse().ok()) else {
            return Ok(None);
        };
        Ok(self.keyring.reveal(&sealed, PLATFORM, &noted_place()).await?)
    }
}

/// Lets go of a row; `false` when somebody else did.
async fn forget(db: impl PgExecutor<'_>, noted: &Noted) -> sqlx::Result<bool> {
    let gone = sqlx::query!("DELETE FROM login_failures WHERE failure_id = $1", noted.failure_id)
        .execute(db)
        .await?;
    Ok(gone.rows_affected() == 1)
}

/// Where an origin belongs while it waits.
const fn noted_place() -> Place {
    Place::new(PLATFORM, "login", NOBODY, "origin")
}
