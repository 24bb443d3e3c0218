//! Sessions: who holds one, proving oneself again, and their end.

use identity_domain::{AccountEvent, CampaignStatus, Origin, Preferences, Profile, Proof, Role};
use meydan_event_log::PLATFORM;
use meydan_keyring::Place;
use meydan_rpc::guard::PROOF_NEEDED;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    AppError, Identity, Result,
    failures::Failed,
    gate::{Claim, Credential},
    impersonation::Impersonated,
    login::{Guest, origin_place},
};
use crate::{
    factors,
    letters::{self, Notice},
    password::Verdict,
    projections::{history, members},
    tokens::{self, OpenSession, SessionRow, Token, lifetime},
};

/// How long a proof is good for what is dangerous.
const FRESH: Duration = Duration::minutes(5);

/// Who holds a session.
#[derive(Debug, Clone)]
pub struct Held {
    /// The session.
    pub session: SessionRow,
    /// Address and name.
    pub profile: Profile,
    /// In what language and time zone they work, if they chose.
    pub preferences: Option<Preferences>,
    /// Platform staff.
    pub admin: bool,
    /// Whether the account has a second factor.
    pub has_factor: bool,
    /// Whether its last recovery code was used: it works with nothing before it has new ones.
    pub needs_codes: bool,
    /// As whom they look, if they do.
    pub impersonated: Option<Impersonated>,
    /// Where they work, as what, and whether the campaign runs.
    pub places: Vec<(members::PlaceRow, Role)>,
}

impl Held {
    /// Whether the account works with nothing before it has a second factor.
    #[must_use]
    pub const fn needs_factor(&self) -> bool {
        self.admin && !self.has_factor
    }
}

/// A session as its holder sees it.
#[derive(Debug, Clone)]
pub struct SeenSession {
    /// As stored.
    pub row: OpenSession,
    /// From where.
    pub origin: Origin,
}

/// Something that happened to an account.
#[derive(Debug, Clone)]
pub struct Happened {
    /// As stored.
    pub row: history::HistoryRow,
    /// From where, if that is known.
    pub origin: Option<Origin>,
}

impl Identity {
    /// Who holds a token, and what they may do.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when the session has ended, or never began.
    pub async fn authenticate(&self, token: &str) -> Result<Held> {
        let pool = self.log.pool();
        let session = tokens::session(pool, token).await?.ok_or(AppError::NotFound)?;
        let (row, profile) = self.account(session.account_id).await?;
        let now = self.clock.now();
        let idle = now - session.last_seen_at > lifetime(row.admin, session.trusted).idle;
        if idle || now > session.expires_at || row.suspended_at.is_some() {
            tokens::end_session(pool, token).await?;
            return Err(AppError::NotFound);
        }
        tokens::touch_session(pool, token, now).await?;
        let places = members::of_account(pool, session.account_id).await?;
        let places = places.into_iter().filter_map(|place| {
            let role = Role::named(&place.role)?;
            Some((place, role))
        });
        let has_factor = factors::has(pool, session.account_id).await?;
        if has_factor && !session.second_factor {
            // It began before the account had a second factor, and was not there when it was added.
            tokens::end_session(pool, token).await?;
            return Err(AppError::NotFound);
        }
        let needs_codes = has_factor && self.lacks_codes(session.account_id).await?;
        let preferences = self.preferences(&row).await?;
        let (admin, places) = (row.admin, places.collect());
        let impersonated = if admin { self.impersonated(session.session_id).await? } else { None };
        Ok(Held {
            session,
            profile,
            preferences,
            admin,
            has_factor,
            needs_codes,
            impersonated,
            places,
        })
    }

    /// Lets the holder of a session prove once more who they are: with a code where the account has a second
    /// factor, else with the password. The session gets a new token.
    ///
    /// # Errors
    ///
    /// `identity.proof.wrong`, also while too many wrong ones have closed it.
    pub async fn prove_again(
        &self,
        (account, session): (Uuid, Uuid),
        secret: String,
        guest: &Guest,
    ) -> Result<Token> {
        let wrong = || AppError::Refused("identity.proof.wrong", "that is not right");
        if !factors::has(self.log.pool(), account).await? {
            self.confirm((account, session), secret, guest).await.map_err(|error| match error {
                AppError::Refused(..) => wrong(),
                other => other,
            })?;
            return self.renew(account, session, Proof::Password).await;
        }
        let shown = super::factors::kind_of(&secret);
        let claim = Claim { account: Some(account), address: "", guest };
        let tried = self.admit(Credential::CodeAgain(shown), claim).await?;
        if !tried.open {
            return Err(wrong());
        }
        let Some(proof) = self.use_code(account, &secret).await? else {
            let failed = Failed { account: Some(account), proof: shown, guest };
            self.note_failure(failed, &tried).await?;
            return Err(wrong());
        };
        self.forgive(&tried).await?;
        self.renew(account, session, proof).await
    }

    /// Gives a session another token after a proof.
    pub(super) async fn renew(&self, account: Uuid, session: Uuid, proof: Proof) -> Result<Token> {
        let (token, now) = (Token::fresh(), self.clock.now());
        let second = proof != Proof::Password;
        if !tokens::renew_session(self.log.pool(), session, &token, second, now).await? {
            return Err(AppError::NotFound);
        }
        let fact = AccountEvent::ProvedAgain { session_id: session, proof, at: now };
        self.record(account, fact).await?;
        Ok(token)
    }

    /// Whether the holder of a session has proved who they are a moment ago.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed` when not.
    pub(super) async fn fresh(&self, holder: (Uuid, Uuid)) -> Result<()> {
        self.proved_within(FRESH, holder).await
    }

    /// The same, of a proof that may be as old as `window`.
    pub(super) async fn proved_within(
        &self,
        window: Duration,
        (account, session): (Uuid, Uuid),
    ) -> Result<()> {
        let proved = tokens::proved_at(self.log.pool(), account, session).await?;
        let proved = proved.ok_or(AppError::NotFound)?;
        if self.clock.now() - proved > window {
            return Err(AppError::Refused(PROOF_NEEDED, "prove who you are first"));
        }
        Ok(())
    }

    /// Until when the proof of a session is good for what is dangerous.
    #[must_use]
    pub fn fresh_until(session: &SessionRow) -> OffsetDateTime {
        session.proved_at + FRESH
    }

    /// Ends the session of a token, if there is one.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn log_out(&self, token: &str) -> Result<()> {
        if let Some((account, session_id)) = tokens::end_session(self.log.pool(), token).await? {
            let at = self.clock.now();
            self.record(account, AccountEvent::LoggedOut { session_id, at }).await?;
        }
        Ok(())
    }

    /// The sessions of an account.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn sessions(&self, account: Uuid) -> Result<Vec<SeenSession>> {
        let rows = tokens::sessions_of(self.log.pool(), account, self.clock.now()).await?;
        let mut seen = Vec::with_capacity(rows.len());
        for row in rows {
            let place = |field| Place::new(PLATFORM, "session", row.session_id, field);
            let origin = Origin {
                address: self.opened(&row.address_sealed, &place("address")).await?,
                user_agent: self.opened(&row.user_agent_sealed, &place("user_agent")).await?,
            };
            seen.push(SeenSession { row, origin });
        }
        Ok(seen)
    }

    /// Ends one session of an account.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when the account has no such session.
    pub async fn end_session(&self, account: Uuid, session_id: Uuid) -> Result<()> {
        if !tokens::end_session_of(self.log.pool(), account, session_id).await? {
            return Err(AppError::NotFound);
        }
        let at = self.clock.now();
        self.record(account, AccountEvent::LoggedOut { session_id, at }).await
    }

    /// Ends all sessions of an account but one.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn end_other_sessions(&self, account: Uuid, but: Uuid) -> Result<()> {
        tokens::proved_at(self.log.pool(), account, but).await?.ok_or(AppError::NotFound)?;
        let at = self.clock.now();
        for session_id in tokens::end_other_sessions(self.log.pool(), account, but).await? {
            self.record(account, AccountEvent::LoggedOut { session_id, at }).await?;
        }
        Ok(())
    }

    /// What happened to an account, the latest first, from before a position on.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn history(&self, account: Uuid, before: Option<i64>) -> Result<Vec<Happened>> {
        let rows = history::of_account(self.log.pool(), account, before).await?;
        let mut happened = Vec::with_capacity(rows.len());
        for row in rows {
            let origin = match &row.origin_sealed {
                Some(sealed) => self.revealed(sealed, &origin_place(account)).await?,
                None => None,
            };
            happened.push(Happened { row, origin });
        }
        Ok(happened)
    }

    /// Changes a password, and ends the account's other sessions.
    ///
    /// # Errors
    ///
    /// `identity.password.wrong` when the present one is not right, or too many were not; `identity.proof.needed`
    /// of an account with a second factor.
    pub async fn change_password(
        &self,
        (account, session): (Uuid, Uuid),
        (present, new): (String, String),
        guest: &Guest,
    ) -> Result<()> {
        let (row, profile) = self.account(account).await?;
        if factors::has(self.log.pool(), account).await? {
            self.fresh((account, session)).await?;
        }
        let chooser = self.chooser((account, row.admin), &profile, None).await?;
        let hash = self.choose("new_password", new, chooser).await?;
        self.confirm((account, session), present, guest).await?;
        let kept = self.kept(account).await?;
        let letter = self.notice(account, Notice::PasswordChanged(kept)).await?;
        let at = self.clock.now();
        let mut tx = self.log.pool().begin().await?;
        tokens::set_password(&mut tx, account, &hash, at).await?;
        let ended = tokens::end_others(&mut tx, account, session).await?;
        letters::write(&mut tx, &letter).await?;
        tx.commit().await?;
        self.written.notify_one();
        self.record(account, AccountEvent::PasswordSet { at }).await?;
        for session_id in ended {
            self.record(account, AccountEvent::LoggedOut { session_id, at }).await?;
        }
        Ok(())
    }

    /// Has somebody who is logged in show with the password that the account is theirs.
    pub(super) async fn confirm(
        &self,
        (account, session): (Uuid, Uuid),
        password: String,
        guest: &Guest,
    ) -> Result<()> {
        let claim = Claim { account: Some(account), address: "", guest };
        let tried = self.admit(Credential::PasswordAgain(session), claim).await?;
        let hash = self.hash_of(account).await?;
        let verdict = self.judge((password.clone(), hash.clone()), &tried).await?.verdict;
        if verdict != Verdict::Wrong && tried.open {
            self.forgive(&tried).await?;
            return self.keep_up(account, verdict, (password, hash)).await;
        }
        if tried.open {
            let failed = Failed { account: Some(account), proof: Proof::Password, guest };
            self.note_failure(failed, &tried).await?;
        }
        Err(AppError::Refused("identity.password.wrong", "the password is not right"))
    }

    /// A sealed text of an account; empty when its key is gone.
    pub(super) async fn opened(&self, sealed: &str, place: &Place) -> Result<String> {
        Ok(self.revealed(sealed, place).await?.unwrap_or_default())
    }
}

/// Whether the members of a campaign may work in it.
#[must_use]
pub fn is_running(status: &str) -> bool {
    status == CampaignStatus::Active.name()
}
