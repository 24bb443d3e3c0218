//! Failed logins: noted in the answer's path with the same work for every address, made facts outside it.
//!
//! A fact costs a load and a flush that an address without an account would not, and the time of the answer
//! would tell them apart. So the answer waits for one row, which an unknown address leaves as well.

use std::time::Duration;

use identity_domain::AccountCommand;
use meydan_event_log::{PLATFORM, Target};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{AppError, Identity, Result, login::person};

/// How long to wait before looking again, when nothing wakes: after a failure, or what a crash left.
const LOOK: Duration = Duration::from_secs(5);
/// How many rows are read at a time.
const BATCH: i64 = 100;
/// Under which the commands that make facts of rows are named.
const NAMES: Uuid = Uuid::from_u128(0x6d65_7964_616e_4c6f_8149_6e46_6169_6c73);

impl Identity {
    /// Notes a try with a wrong password.
    pub(super) async fn note_failure(&self, account: Option<Uuid>) -> Result<()> {
        sqlx::query!(
            "INSERT INTO login_failures (account_id, at) VALUES ($1, $2)",
            account,
            self.clock.now(),
        )
        .execute(self.log.pool())
        .await?;
        self.noted.notify_one();
        Ok(())
    }

    /// Makes facts of what is noted until `end`, and then of what is left.
    pub async fn record_failures(self, end: CancellationToken) {
        loop {
            let last = end.is_cancelled();
            if let Err(error) = self.record_noted().await {
                tracing::warn!(%error, "failed logins wait to be recorded");
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
            let rows = sqlx::query!(
                r#"
                SELECT failure_id, account_id, at FROM login_failures
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
                    && let Err(error) = self.record_failure(account, row.failure_id, row.at).await
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

    /// The command is named after the row, so that a crash before the row goes makes no second fact.
    async fn record_failure(
        &self,
        account: Uuid,
        failure: i64,
        at: time::OffsetDateTime,
    ) -> Result<()> {
        let target = Target { tenant: PLATFORM, id: account };
        let meta = person(account, Uuid::new_v5(&NAMES, &failure.to_be_bytes()));
        let command = AccountCommand::RecordLogInFailed { at };
        let done = self.log.execute::<identity_domain::Account>(target, command, &meta).await;
        match done.map_err(AppError::from) {
            // An account that was never registered has nothing to be recorded.
            Ok(_) | Err(AppError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
