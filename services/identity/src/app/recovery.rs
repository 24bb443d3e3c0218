//! A new password by mail, for somebody who forgot theirs.
//!
//! The answer to a request waits for one row, which every address leaves; a worker looks whose it is, and writes the
//! letter. The link sets a password and opens nothing: the person logs in as ever, with whatever else that asks.

use std::time::Duration as Pause;

use identity_domain::AccountEvent;
use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{AppError, Identity, Result, email, gate::network, quotas::Quota};
use crate::{
    factors,
    letters::{self, Kept, Letter, Locale, Notice},
    projections::accounts::AccountRow,
    tokens::{self, Token},
};

/// How long a link is good.
const GOOD: Duration = Duration::minutes(30);
/// How long to wait before looking again, when nothing wakes: after a failure, or what a crash left.
const LOOK: Pause = Pause::from_secs(5);
const PER_NETWORK: Quota = Quota { of: "recovery.network", most: 3, window: Duration::hours(1) };
const PER_ADDRESS: Quota = Quota { of: "recovery.address", most: 1, window: Duration::hours(1) };

/// A link that can be used.
#[derive(Debug)]
pub struct Recoverable {
    /// The address of the account.
    pub email: String,
    /// Platform staff.
    pub admin: bool,
    /// Until when it is good.
    pub expires_at: OffsetDateTime,
}

/// Whether a letter may let somebody in again. An admin proves the address first: what an unproved address of staff
/// opens must not hang on a letter that was typed wrong.
const fn may_recover(row: &AccountRow) -> bool {
    row.email_lost_at.is_none()
        && row.suspended_at.is_none()
        && (!row.admin || row.email_proved_at.is_some())
}

impl Identity {
    /// Notes that somebody wants a new password for an address.
    ///
    /// # Errors
    ///
    /// [`AppError::Malformed`] for what is no address; `identity.recovery.too_many` for a network that asks too
    /// often. Neither depends on whether the address is known.
    pub async fn ask_recovery(&self, typed: &str, network_of: &str, locale: Locale) -> Result<()> {
        let typed = email(typed)
            .map_err(|problem| AppError::Malformed(vec![("email", problem.to_owned())]))?;
        let mut db = self.log.pool().acquire().await?;
        if !self.within(&mut db, PER_NETWORK, &network(network_of)).await? {
            let words = "too many were asked for from this network";
            return Err(AppError::Refused("identity.recovery.too_many", words));
        }
        let account = self.account_of(&typed).await?;
        // One letter an hour: to say so here would say that somebody asked.
        let open = self.within(&mut db, PER_ADDRESS, &typed.to_lowercase()).await?;
        sqlx::query!(
            "INSERT INTO recovery_requests (account_id, locale, at) VALUES ($1, $2, $3)",
            account.filter(|_| open),
            locale.code(),
            self.clock.now(),
        )
        .execute(&mut *db)
        .await?;
        self.asked.notify_one();
        Ok(())
    }

    /// Writes the letters that are asked for, until `end`.
    pub async fn answer_recoveries(self, end: CancellationToken) {
        while !end.is_cancelled() {
            if let Err(error) = self.answer_asked().await {
                tracing::warn!(%error, "requests for new passwords wait");
            }
            tokio::select! {
                () = end.cancelled() => {}
                () = self.asked.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn answer_asked(&self) -> Result<()> {
        let rows = sqlx::query!(
            r#"
            SELECT request_id, account_id, locale, at FROM recovery_requests ORDER BY request_id LIMIT 100
            "#,
        )
        .fetch_all(self.log.pool())
        .await?;
        for row in rows {
            let locale = Locale::from_code(&row.locale);
            match row.account_id {
                // A letter that comes after its hour answers nobody.
                Some(account) if self.clock.now() - row.at < GOOD => {
                    self.answer(row.request_id, account, locale).await?;
                }
                _ => self.forget_request(row.request_id).await?,
            }
        }
        Ok(())
    }

    async fn forget_request(&self, request: i64) -> Result<()> {
        sqlx::query!("DELETE FROM recovery_requests WHERE request_id = $1", request)
            .execute(self.log.pool())
            .await?;
        Ok(())
    }

    /// Request, link and letter change hands in one transaction.
    async fn answer(&self, request: i64, account: Uuid, locale: Locale) -> Result<()> {
        let (row, profile) = match self.account(account).await {
            Ok(found) if may_recover(&found.0) => found,
            Ok(_) | Err(AppError::NotFound) => return self.forget_request(request).await,
            Err(error) => return Err(error),
        };
        let token = Token::fresh();
        let letter = Letter::Recovery { token: token.clone().into_text() };
        let names = (Uuid::now_v7(), row.account_id);
        let letter = self.letter(names, (profile.email, locale), letter).await?;
        let mut tx = self.log.pool().begin().await?;
        let taken = sqlx::query!("DELETE FROM recovery_requests WHERE request_id = $1", request)
            .execute(&mut *tx)
            .await?;
        if taken.rows_affected() == 0 {
            return Ok(tx.rollback().await?);
        }
        sqlx::query!(
            r#"
            INSERT INTO recoveries (account_id, token_sha256, expires_at) VALUES ($1, $2, $3)
            ON CONFLICT (account_id) DO UPDATE SET token_sha256 = $2, expires_at = $3
            "#,
            account,
            token.hash(),
            self.clock.now() + GOOD,
        )
        .execute(&mut *tx)
        .await?;
        letters::write(&mut tx, &letter).await?;
        tx.commit().await?;
        self.written.notify_one();
        Ok(())
    }

    /// Says for whom a link is.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] for one that is unknown, used, replaced or too old.
    pub async fn recovery(&self, token: &str) -> Result<Recoverable> {
        let (account, expires_at) = self.recovering(token).await?;
        let (row, profile) = self.account(account).await?;
        Ok(Recoverable { email: profile.email, admin: row.admin, expires_at })
    }

    async fn recovering(&self, token: &str) -> Result<(Uuid, OffsetDateTime)> {
        let found = sqlx::query!(
            "SELECT account_id, expires_at FROM recoveries WHERE token_sha256 = $1 AND expires_at > $2",
            tokens::hash(token),
            self.clock.now(),
        )
        .fetch_optional(self.log.pool())
        .await?;
        found.map(|row| (row.account_id, row.expires_at)).ok_or(AppError::NotFound)
    }

    /// Uses a link: the one place where a recovery ends. The password is set, every session ends, and the account is
    /// told. It gives no session: whatever a login asks beside the password, it asks afterwards.
    ///
    /// Whoever claimed the address without proving it loses the account here, with the second factors that they
    /// added, to whom the address belongs.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] for a link that cannot be used; nothing is used up when the password is refused.
    pub async fn finish_recovery(&self, token: &str, password: String) -> Result<()> {
        let (account, _) = self.recovering(token).await?;
        let (row, profile) = self.account(account).await?;
        if row.suspended_at.is_some() {
            return Err(AppError::NotFound);
        }
        let chooser = self.chooser((account, row.admin), &profile, None).await?;
        let hash = self.choose("new_password", password, chooser).await?;
        let proved = row.email_proved_at.is_some();
        let kept = if proved { self.kept(account).await? } else { Kept::default() };
        let letter = self.notice(account, Notice::Recovered(kept)).await?;
        let now = self.clock.now();
        let mut tx = self.log.pool().begin().await?;
        let used = sqlx::query!(
            "DELETE FROM recoveries WHERE token_sha256 = $1 AND expires_at > $2",
            tokens::hash(token),
            now,
        )
        .execute(&mut *tx)
        .await?;
        if used.rows_affected() == 0 {
            tx.rollback().await?;
            return Err(AppError::NotFound);
        }
        tokens::set_password(&mut tx, account, &hash, now).await?;
        let dropped = if proved { vec![] } else { factors::drop_all(&mut tx, account).await? };
        let ended = sqlx::query_scalar!(
            "DELETE FROM sessions WHERE account_id = $1 RETURNING session_id",
            account,
        )
        .fetch_all(&mut *tx)
        .await?;
        sqlx::query!("DELETE FROM login_challenges WHERE account_id = $1", account)
            .execute(&mut *tx)
            .await?;
        letters::write(&mut tx, &letter).await?;
        tx.commit().await?;
        self.written.notify_one();
        let gone = dropped.into_iter();
        let gone = gone.map(|factor_id| AccountEvent::FactorRemoved { factor_id, at: now });
        let out = ended.into_iter();
        let out = out.map(|session_id| AccountEvent::LoggedOut { session_id, at: now });
        let set = [AccountEvent::Recovered { at: now }, AccountEvent::PasswordSet { at: now }];
        for fact in set.into_iter().chain(gone).chain(out) {
            self.record(account, fact).await?;
        }
        // The letter went to the address on file.
        if !proved {
            self.email_is_proved(account, &profile.email).await?;
        }
        Ok(())
    }
}
