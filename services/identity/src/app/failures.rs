//! Failed logins: noted in the answer's path with the same work for every address, made facts outside it.
//!
//! A fact costs a load and a flush that an address without an account would not, and the time of the answer
//! would tell them apart. So the answer waits for one row, which an unknown address leaves as well.

use std::time::Duration;

use identity_domain::{AccountCommand, AccountEvent, Origin, Proof};
use meydan_event_log::{PLATFORM, Target};
use meydan_keyring::{Place, Sealed};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    AppError, Identity, Result,
    gate::Try,
    login::{Guest, origin, origin_place, person},
};
use crate::{letters::Notice, tries};

/// How long to wait before looking again, when nothing wakes: after a failure, or what a crash left.
const LOOK: Duration = Duration::from_secs(5);
/// How often what no longer counts is let go of.
const SWEEP: time::Duration = time::Duration::MINUTE;
/// How many rows are read at a time.
const BATCH: i64 = 100;
/// Under which the commands that make facts of rows are named.
const NAMES: Uuid = Uuid::from_u128(0x6d65_7964_616e_4c6f_8149_6e46_6169_6c73);

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
                if let Err(error) = tries::sweep(self.log.pool(), now).await {
                    tracing::warn!(%error, "what no longer counts is not let go of yet");
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
                if let Some(account) = row.account_id
                    && let Err(error) = self.record_failure(account, &row).await
                {
                    tracing::warn!(%error, "a failed login waits to be recorded");
                    continue;
                }
                sqlx::query!("DELETE FROM login_failures WHERE failure_id = $1", row.failure_id)
                    .execute(self.log.pool())
                    .await?;
            }
        }
    }

    /// The commands are named after the row, so that a crash before the row goes makes no second fact.
    async fn record_failure(&self, account: Uuid, noted: &Noted) -> Result<()> {
        let proof = Proof::named(&noted.proof);
        let sealer = match self.keyring.sealer(PLATFORM, account).await.map_err(AppError::from) {
            Ok(sealer) => sealer,
            // An account that is erased has nothing to be recorded.
            Err(AppError::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        };
        let origin = self.origin_of(noted).await?;
        let origin = origin.map(|origin| sealer.seal(&origin_place(account), &origin));
        let failed = AccountEvent::LogInFailed { proof, origin: origin.clone(), at: noted.at };
        self.record_as(account, failed, (noted.failure_id, "failed")).await?;
        if let Some(until) = noted.closed_until {
            let locked = AccountEvent::Locked { until, origin, at: noted.at };
            self.record_as(account, locked, (noted.failure_id, "locked")).await?;
            self.notify(account, Notice::Locked).await?;
        }
        Ok(())
    }

    /// From where a failure came.
    async fn origin_of(&self, noted: &Noted) -> Result<Option<Origin>> {
        let Some(sealed) = noted.origin_sealed.as_deref().and_then(|text| text.parse().ok()) else {
            return Ok(None);
        };
        Ok(self.keyring.reveal(&sealed, PLATFORM, &noted_place()).await?)
    }

    async fn record_as(
        &self,
        account: Uuid,
        fact: AccountEvent,
        (failure, kind): (i64, &str),
    ) -> Result<()> {
        let target = Target { tenant: PLATFORM, id: account };
        let name = Uuid::new_v5(&NAMES, format!("{kind}|{failure}").as_bytes());
        let command = AccountCommand::Record(fact);
        let meta = person(account, name);
        let done = self.log.execute::<identity_domain::Account>(target, command, &meta).await;
        match done.map_err(AppError::from) {
            // An account that was never registered has nothing to be recorded.
            Ok(_) | Err(AppError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Where an origin belongs while it waits.
const fn noted_place() -> Place {
    Place::new(PLATFORM, "login", NOBODY, "origin")
}
