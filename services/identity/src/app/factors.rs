//! Second factors: authenticators and recovery codes. Passkeys are factors as well.

use identity_domain::{AccountEvent, Proof};
use meydan_event_log::PLATFORM;
use meydan_keyring::{Place, Sealed};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{AppError, Identity, Result, acts::Act, letters::Addressee, name};
use crate::{
    factors::{self, Confirmation, FactorRow, Removal, TOTP},
    letters::Notice,
    projections::members,
    tokens::{self, Given, Token, hash},
    totp,
};

/// How old a proof may be for new recovery codes when none is left.
const WITHOUT_CODES: Duration = Duration::minutes(30);

/// A factor as its holder sees it.
#[derive(Debug, Clone)]
pub struct Factor {
    /// Its id.
    pub factor_id: Uuid,
    /// What it is called.
    pub name: String,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When it was last used.
    pub last_used_at: Option<OffsetDateTime>,
    /// Whether it is a passkey, and not an authenticator.
    pub passkey: bool,
}

/// An authenticator that has still to be confirmed.
#[derive(Clone)]
pub struct Enrolment {
    /// Its id.
    pub factor_id: Uuid,
    /// Its secret, in base 32.
    pub secret: String,
    /// The same for scanning.
    pub url: String,
}

/// Says nothing of the secret.
impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment").field("factor_id", &self.factor_id).finish_non_exhaustive()
    }
}

/// A factor that works now.
#[derive(Debug)]
pub struct Confirmed {
    /// Recovery codes, when it is the first one.
    pub codes: Vec<String>,
    /// The session's new token.
    pub given: Given,
}

impl Identity {
    /// The factors of an account, and how many recovery codes are left.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn factors(&self, account: Uuid) -> Result<(Vec<Factor>, i64)> {
        let pool = self.log.pool();
        let mut theirs = Vec::new();
        for row in factors::of_account(pool, account).await? {
            let name = self.opened(&row.name_sealed, &place(row.factor_id, "name")).await?;
            let FactorRow { factor_id, created_at, last_used_at, kind, .. } = row;
            let passkey = kind != TOTP;
            theirs.push(Factor { factor_id, name, created_at, last_used_at, passkey });
        }
        Ok((theirs, factors::codes_left(pool, account).await?))
    }

    /// Makes the secret of an authenticator. It works once a code has been shown.
    ///
    /// # Errors
    ///
    /// `identity.factor.too_many`; `identity.proof.needed`: a session that lies open adds nothing.
    pub async fn begin_factor(
        &self,
        (account, session): (Uuid, Uuid),
        called: &str,
    ) -> Result<Enrolment> {
        let called = name(called)
            .map_err(|problem| AppError::Malformed(vec![("name", problem.to_owned())]))?;
        self.fresh((account, session)).await?;
        let (_, profile) = self.account(account).await?;
        let secret = totp::fresh_secret();
        let factor_id = self.keep_begun(account, &called, (TOTP, &secret)).await?;
        let url = totp::url(&secret, &profile.email);
        Ok(Enrolment { factor_id, secret, url })
    }

    /// Keeps a factor that has still to be confirmed; its id.
    pub(super) async fn keep_begun(
        &self,
        account: Uuid,
        called: &str,
        (kind, secret): (&str, &str),
    ) -> Result<Uuid> {
        let factor_id = Uuid::now_v7();
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let seal = |field, value: &str| {
            let sealed: Sealed<String> = sealer.seal(&place(factor_id, field), value);
            sealed.to_string()
        };
        let row = FactorRow {
            factor_id,
            name_sealed: seal("name", called),
            kind: kind.to_owned(),
            secret_sealed: seal("secret", secret),
            created_at: self.clock.now(),
            last_used_at: None,
        };
        if !factors::begin(self.log.pool(), account, &row).await? {
            return Err(AppError::Refused("identity.factor.too_many", "remove one first"));
        }
        Ok(factor_id)
    }

    /// Lets an authenticator work whose code is shown. With the first one come recovery codes, and the
    /// account's other sessions, which had no second factor, end.
    ///
    /// # Errors
    ///
    /// `identity.code.wrong`; [`AppError::NotFound`] when there is nothing to confirm.
    pub async fn confirm_factor(
        &self,
        (account, session): (Uuid, Uuid),
        factor_id: Uuid,
        code: &str,
    ) -> Result<Confirmed> {
        self.fresh((account, session)).await?;
        let (pool, now) = (self.log.pool(), self.clock.now());
        let begun = factors::begun(pool, account, factor_id, now).await?;
        let begun = begun.ok_or(AppError::NotFound)?;
        let secret = self.secret_of(&begun).await?;
        let step = totp::step(&secret, &totp::typed(code), now.unix_timestamp());
        let wrong = AppError::Refused("identity.code.wrong", "the code is not right");
        let step = step.ok_or(wrong)?;
        self.let_work(Confirmation { account, session, factor_id, step, now }, None).await
    }

    /// Lets a factor work that has shown that it does; of a passkey with its key and the hash of its id.
    pub(super) async fn let_work(
        &self,
        confirmation: Confirmation,
        key: Option<(String, Vec<u8>)>,
    ) -> Result<Confirmed> {
        let Confirmation { account, session, factor_id, now, .. } = confirmation;
        let (token, codes) = (Token::fresh(), totp::recovery_codes());
        let hashes = codes.iter().map(|code| hash(&totp::typed(code))).collect::<Vec<_>>();
        let letter = self.notice(account, Notice::FactorAdded).await?;
        let mut act = self.act_of(account).await?;
        let confirmed =
            factors::confirm(act.db(), &confirmation, &token.hash(), &hashes, key).await?;
        let confirmed = confirmed.ok_or(AppError::NotFound)?;
        act.record(account, AccountEvent::FactorAdded { factor_id, at: now });
        if confirmed.is_first {
            act.record(account, AccountEvent::RecoveryCodesMade { at: now });
        }
        let keep_until = tokens::kept_until(act.db(), account, session).await?;
        act.ended(account, confirmed.ended).await?;
        act.letter(&letter).await?;
        act.done().await?;
        let codes = if confirmed.is_first { codes } else { Vec::new() };
        Ok(Confirmed { codes, given: Given { token, keep_until } })
    }

    /// The secret of a factor; [`AppError::NotFound`] when its key is gone.
    pub(super) async fn secret_of(&self, row: &FactorRow) -> Result<String> {
        let place = place(row.factor_id, "secret");
        self.revealed(&row.secret_sealed, &place).await?.ok_or(AppError::NotFound)
    }

    /// Gives an authenticator or a passkey another name.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn rename_factor(&self, account: Uuid, factor: Uuid, called: &str) -> Result<()> {
        let called = name(called)
            .map_err(|problem| AppError::Malformed(vec![("name", problem.to_owned())]))?;
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let sealed: Sealed<String> = sealer.seal(&place(factor, "name"), called.as_str());
        if factors::rename(self.log.pool(), account, factor, &sealed.to_string()).await? {
            Ok(())
        } else {
            Err(AppError::NotFound)
        }
    }

    /// Removes an authenticator or a passkey.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`; `identity.factor.last` for the last one of an admin, and of whoever works where one is
    /// demanded.
    pub async fn remove_factor(
        &self,
        (account, session): (Uuid, Uuid),
        factor_id: Uuid,
    ) -> Result<()> {
        self.fresh((account, session)).await?;
        let (row, _) = self.account(account).await?;
        let needed = row.admin || members::demand_factor(self.log.pool(), account).await?;
        let letter = self.notice(account, Notice::FactorRemoved).await?;
        let mut act = self.act_of(account).await?;
        match factors::remove(act.db(), account, factor_id, needed).await? {
            Removal::Removed => {
                let at = act.at;
                act.record(account, AccountEvent::FactorRemoved { factor_id, at });
                act.letter(&letter).await?;
                act.done().await?;
                Ok(())
            }
            Removal::Last => {
                Err(AppError::Refused("identity.factor.last", "a second factor is needed"))
            }
            Removal::Unknown => Err(AppError::NotFound),
        }
    }

    /// Makes new recovery codes, in place of those before.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`; `identity.factor.none` without an authenticator. Whoever has none left may have nothing to
    /// prove themselves with any more: then the login itself is a proof for longer.
    pub async fn renew_codes(&self, (account, session): (Uuid, Uuid)) -> Result<Vec<String>> {
        if self.lacks_codes(account).await? {
            self.proved_within(WITHOUT_CODES, (account, session)).await?;
        } else {
            self.fresh((account, session)).await?;
        }
        if !factors::has(self.log.pool(), account).await? {
            return Err(AppError::Refused("identity.factor.none", "add an authenticator first"));
        }
        self.make_codes(account).await
    }

    async fn make_codes(&self, account: Uuid) -> Result<Vec<String>> {
        let codes = totp::recovery_codes();
        let hashes = codes.iter().map(|code| hash(&totp::typed(code))).collect::<Vec<_>>();
        let mut act = self.act_of(account).await?;
        let at = act.at;
        factors::replace_codes(act.db(), account, &hashes).await?;
        act.record(account, AccountEvent::RecoveryCodesMade { at });
        act.done().await?;
        Ok(codes)
    }

    /// Judges a code of an authenticator or a recovery code, whichever was typed; `None` when it is not right. It still
    /// has to be used up, by the act that it opens ([`Act::spend`]).
    pub(super) async fn right_code(&self, account: Uuid, code: &str) -> Result<Option<Right>> {
        let (pool, now, code) = (self.log.pool(), self.clock.now(), totp::typed(code));
        if !totp::is_short(&code) {
            let hash = hash(&code);
            let has = factors::has_code(pool, account, &hash).await?;
            return Ok(has.then_some(Right::Recovery(hash)));
        }
        let theirs = factors::of_account(pool, account).await?;
        for row in theirs.into_iter().filter(|row| row.kind == TOTP) {
            let secret = self.secret_of(&row).await?;
            if let Some(step) = totp::step(&secret, &code, now.unix_timestamp()) {
                return Ok(Some(Right::Step { factor_id: row.factor_id, step }));
            }
        }
        Ok(None)
    }

    /// Notes that a right code was shown once more.
    pub(super) async fn note_replay(&self, account: Uuid, right: &Right) -> Result<()> {
        match right {
            Right::Step { .. } => {
                self.record(account, AccountEvent::CodeReplayed { at: self.clock.now() }).await
            }
            Right::Recovery(_) => Ok(()),
        }
    }

    /// Tells gateways of an account whose last recovery code was used.
    pub(super) async fn tell_of_codes(&self, account: Uuid, shown: Proof) -> Result<()> {
        if shown == Proof::RecoveryCode && self.lacks_codes(account).await? {
            self.changes.tell(account).await;
        }
        Ok(())
    }
}

/// A code that is right, and may have been used.
pub(super) enum Right {
    /// Of an authenticator, for a moment.
    Step { factor_id: Uuid, step: i64 },
    /// A recovery code, by its hash.
    Recovery(Vec<u8>),
}

impl Act<'_> {
    /// Uses a code up, and tells its holder of a recovery code; `false` when it was used.
    pub(super) async fn spend(&mut self, right: &Right, holder: Addressee) -> Result<bool> {
        let at = self.at;
        let hash = match right {
            Right::Step { factor_id, step } => {
                return Ok(factors::use_step(self.db(), *factor_id, *step, at).await?);
            }
            Right::Recovery(hash) => hash,
        };
        if !factors::use_code(self.db(), holder.account, hash).await? {
            return Ok(false);
        }
        let left = factors::codes_left(self.db(), holder.account).await?;
        let notice = match u32::try_from(left) {
            Ok(left @ 1..) => Notice::RecoveryCodeUsed { left },
            _ => Notice::LastRecoveryCodeUsed,
        };
        self.tell(holder, notice).await?;
        Ok(true)
    }
}

/// What somebody who typed this meant to show.
pub(super) fn kind_of(code: &str) -> Proof {
    if totp::is_short(&totp::typed(code)) { Proof::Totp } else { Proof::RecoveryCode }
}

/// Where the fields of a factor belong.
pub(super) fn place(factor: Uuid, field: &'static str) -> Place {
    Place::new(PLATFORM, "factor", factor, field)
}
