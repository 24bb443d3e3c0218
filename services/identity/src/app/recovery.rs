//! A new password by mail, for somebody who forgot theirs.
//!
//! The answer to a request waits for one row, which every address leaves; a worker looks whose it is, and writes the
//! letter. The link sets a password and opens nothing: the person logs in as ever, with whatever else that asks.
//!
//! Nobody keeps anybody else from a link. Whoever asks for somebody's address puts a link into that mailbox, which is
//! good for as long as no other is sent. A network that asks too often costs its neighbours nothing on a browser that
//! the account knows, and elsewhere leaves them one link a day.

use std::time::Duration as Pause;

use identity_domain::AccountEvent;
use sqlx::Connection;
use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{AppError, Guest, Identity, Result, admins, email, gate::network, quotas::Quota};
use crate::{
    devices, factors,
    letters::{Kept, Letter, Locale, Notice},
    projections::accounts::AccountRow,
    tokens::{self, Token},
};

/// How long a link is good: as long as [`PER_ADDRESS`] lets no newer one be sent.
const GOOD: Duration = Duration::hours(1);
/// How long to wait before looking again, when nothing wakes: after a failure, or what a crash left.
const LOOK: Pause = Pause::from_secs(5);
/// How many requests are read at a time.
const BATCH: i64 = 100;
const PER_NETWORK: Quota = Quota { of: "recovery.network", most: 3, window: Duration::hours(1) };
const PER_ADDRESS: Quota = Quota { of: "recovery.address", most: 1, window: Duration::hours(1) };
/// Letters to one address that were asked for where [`PER_NETWORK`] was used up, over all such networks.
const BEYOND: Quota = Quota { of: "recovery.beyond", most: 1, window: Duration::days(1) };

/// A link that can be used.
#[derive(Debug)]
pub struct Recoverable {
    /// The address of the account.
    pub email: String,
    /// Platform staff.
    pub admin: bool,
    /// Whether it takes second factors away, because the address was never proved.
    pub removes_factors: bool,
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
    /// Notes that somebody wants a new password for an address. The answer is the same whether a letter is sent or
    /// not: to say that too many were asked for would say that somebody asked.
    ///
    /// # Errors
    ///
    /// [`AppError::Malformed`] for what is no address.
    pub async fn ask_recovery(&self, typed: &str, guest: &Guest, locale: Locale) -> Result<()> {
        let typed = email(typed)
            .map_err(|problem| AppError::Malformed(vec![("email", problem.to_owned())]))?;
        let account = self.account_of(&typed).await?;
        let open = self.may_recovery_be_asked(&typed.to_lowercase(), account, guest).await?;
        sqlx::query!(
            "INSERT INTO recovery_requests (account_id, locale, at) VALUES ($1, $2, $3)",
            account.filter(|_| open),
            locale.code(),
            self.clock.now(),
        )
        .execute(self.log.pool())
        .await?;
        self.asked.notify_one();
        Ok(())
    }

    /// Counts a request. What is counted for the address is used up by a letter alone, so that nobody takes it from
    /// its holder without one; an unknown address costs the same work.
    async fn may_recovery_be_asked(
        &self,
        address: &str,
        account: Option<Uuid>,
        guest: &Guest,
    ) -> Result<bool> {
        let device = guest.device.as_deref().map(tokens::hash).unwrap_or_default();
        let known = self.knows(account.unwrap_or_default(), &device).await?;
        let near = self.counted(PER_NETWORK, &network(&guest.address)).await?;
        let [all, beyond] =
            [self.counted(PER_ADDRESS, address).await?, self.counted(BEYOND, address).await?];
        let mut db = self.log.pool().acquire().await?;
        let near = known || self.within(&mut db, &near).await?;
        let mut tx = db.begin().await?;
        let open =
            self.within(&mut tx, &all).await? && (near || self.within(&mut tx, &beyond).await?);
        if open {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        Ok(open)
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

    /// Goes once through what is asked. A request that cannot be answered stays for its hour, and holds up no others.
    async fn answer_asked(&self) -> Result<()> {
        let mut after = 0;
        loop {
            let rows = sqlx::query!(
                r#"
                SELECT request_id, account_id, locale, at FROM recovery_requests
                WHERE request_id > $1 ORDER BY request_id LIMIT $2
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
                after = row.request_id;
                let locale = Locale::from_code(&row.locale);
                match row.account_id {
                    // A letter that comes after its hour answers nobody.
                    Some(account) if self.clock.now() - row.at < GOOD => {
                        if let Err(error) = self.answer(row.request_id, account, locale).await {
                            tracing::warn!(%error, "a request for a new password waits");
                        }
                    }
                    _ => self.forget_request(row.request_id).await?,
                }
            }
        }
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
        let removes_factors = self.removes_factors(&row).await?;
        let letter = Letter::Recovery { token: token.clone().into_text(), removes_factors };
        let names = (Uuid::now_v7(), row.account_id);
        let letter = self.letter(names, (profile.email, locale), letter).await?;
        let mut act = self.act_of(account).await?;
        let at = act.at;
        let taken = sqlx::query!("DELETE FROM recovery_requests WHERE request_id = $1", request)
            .execute(act.db())
            .await?;
        if taken.rows_affected() == 0 {
            return Ok(());
        }
        sqlx::query!(
            r#"
            INSERT INTO recoveries (account_id, token_sha256, expires_at) VALUES ($1, $2, $3)
            ON CONFLICT (account_id) DO UPDATE SET token_sha256 = $2, expires_at = $3
            "#,
            account,
            token.hash(),
            at + GOOD,
        )
        .execute(act.db())
        .await?;
        act.letter(&letter).await?;
        act.done().await?;
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
        if row.suspended_at.is_some() {
            return Err(AppError::NotFound);
        }
        let removes_factors = self.removes_factors(&row).await?;
        Ok(Recoverable { email: profile.email, admin: row.admin, removes_factors, expires_at })
    }

    /// Whether a recovery takes second factors away: those of whoever only claimed the address.
    async fn removes_factors(&self, row: &AccountRow) -> Result<bool> {
        let proved = row.email_proved_at.is_some();
        Ok(!proved && factors::has(self.log.pool(), row.account_id).await?)
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
    /// told. It gives no session: whatever a login asks beside the password, it asks afterwards. All browsers that the
    /// account knew are strangers, and the one that shows the link is known by what this returns, so that whoever
    /// guesses at the account meanwhile does not keep its holder out. Factors that guessers closed are open again.
    ///
    /// Whoever claimed the address without proving it loses the account here, with the second factors that they
    /// added, to whom the address belongs.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] for a link that cannot be used; nothing is used up when the password is refused.
    /// [`AppError::Conflict`] for one that is not enough for the admin who they have become meanwhile.
    pub async fn finish_recovery(&self, token: &str, password: String) -> Result<Token> {
        let (account, _) = self.recovering(token).await?;
        let (row, profile) = self.account(account).await?;
        if row.suspended_at.is_some() {
            return Err(AppError::NotFound);
        }
        let chooser = self.chooser((account, row.admin), &profile, None).await?;
        let hash = self.choose("new_password", password, chooser).await?;
        let proved = row.email_proved_at.is_some();
        let told = match self.removes_factors(&row).await? {
            true => Notice::RecoveredWithoutFactors,
            false if proved => Notice::Recovered(self.kept(account).await?),
            false => Notice::Recovered(Kept::default()),
        };
        let letter = self.notice(account, told).await?;
        // The letter went to the address on file.
        let address =
            if proved { None } else { Some(self.proof_of(account, &profile.email).await?) };
        let guesses = self.guesses_at_factors(account).await?;
        let mut act = self.act_of(account).await?;
        let at = act.at;
        let used = sqlx::query!(
            "DELETE FROM recoveries WHERE token_sha256 = $1 AND expires_at > $2",
            tokens::hash(token),
            at,
        )
        .execute(act.db())
        .await?;
        if used.rows_affected() == 0 {
            return Err(AppError::NotFound);
        }
        tokens::set_password(act.db(), account, &hash, at).await?;
        act.record(account, AccountEvent::Recovered { at });
        act.set_password(account, row.admin);
        if !proved {
            for factor_id in factors::drop_all(act.db(), account).await? {
                act.record(account, AccountEvent::FactorRemoved { factor_id, at });
            }
        }
        // No session has the nil id.
        let ended = tokens::end_others(act.db(), account, Uuid::nil()).await?;
        act.ended(account, ended).await?;
        let device = Token::fresh();
        devices::note(act.db(), &device.hash(), account, false, at).await?;
        act.forgive_guesses(guesses).await?;
        if let Some(address) = address {
            act.prove(account, address).await?;
        }
        act.letter(&letter).await?;
        let done = act.done().await.map_err(admins::refused)?;
        if !proved {
            self.show(done.position).await;
        }
        Ok(device)
    }
}
