//! Sessions: who holds one, proving oneself again, and their end.

use identity_domain::{AccountEvent, CampaignStatus, Origin, Preferences, Profile, Proof, Role};
use meydan_event_log::PLATFORM;
use meydan_keyring::Place;
use meydan_rpc::guard::PROOF_NEEDED;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    AppError, Identity, Result,
    acts::Act,
    failures::Failed,
    gate::{Claim, Credential},
    impersonation::Impersonated,
    login::{Guest, origin_place},
};
use crate::{
    devices, factors,
    projections::{accounts, history, members},
    tokens::{self, Given, OpenSession, SessionRow, Token, lifetime},
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
        let session = tokens::session(self.log.pool(), token).await?.ok_or(AppError::NotFound)?;
        if let Some(held) = self.held(session).await? {
            return Ok(held);
        }
        self.log_out(token).await?;
        Err(AppError::NotFound)
    }

    /// The same of a session by its name, whatever its token is by now.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when the session has ended, or is about to.
    pub async fn authenticate_session(&self, (account, session): (Uuid, Uuid)) -> Result<Held> {
        let found = tokens::session_of(self.log.pool(), account, session).await?;
        self.held(found.ok_or(AppError::NotFound)?).await?.ok_or(AppError::NotFound)
    }

    /// Who holds a session; `None` when it opens nothing any more, and has to end.
    async fn held(&self, session: SessionRow) -> Result<Option<Held>> {
        let pool = self.log.pool();
        self.settled(session.account_id).await?;
        let (row, profile) = self.account(session.account_id).await?;
        let now = self.clock.now();
        let idle = now - session.last_seen_at > lifetime(row.admin, session.trusted).idle;
        if idle || now > session.expires_at {
            self.expire(session.account_id, session.session_id).await?;
            return Err(AppError::NotFound);
        }
        if row.suspended_at.is_some() {
            return Ok(None);
        }
        tokens::touch_session(pool, &session, now).await?;
        let places = members::of_account(pool, session.account_id).await?;
        let places = places.into_iter().filter_map(|place| {
            let role = Role::named(&place.role)?;
            Some((place, role))
        });
        let has_factor = factors::has(pool, session.account_id).await?;
        if has_factor && !session.second_factor {
            // It began before the account had a second factor, and was not there when it was added.
            return Ok(None);
        }
        let needs_codes = has_factor && self.lacks_codes(session.account_id).await?;
        let preferences = self.preferences(&row).await?;
        let (admin, places) = (row.admin, places.collect());
        let impersonated = if admin { self.impersonated(session.session_id).await? } else { None };
        Ok(Some(Held {
            session,
            profile,
            preferences,
            admin,
            has_factor,
            needs_codes,
            impersonated,
            places,
        }))
    }

    /// Lets the holder of a session prove once more who they are: with a code where the account has a second
    /// factor, else with the password. The session gets a new token.
    ///
    /// # Errors
    ///
    /// `identity.proof.wrong`, also while too many wrong ones have closed it, and for a password that was changed this
    /// moment.
    pub async fn prove_again(
        &self,
        (account, session): (Uuid, Uuid),
        secret: String,
        guest: &Guest,
    ) -> Result<Given> {
        let wrong = || AppError::Refused("identity.proof.wrong", "that is not right");
        if !factors::has(self.log.pool(), account).await? {
            let shown = self.confirm((account, session), secret, guest).await;
            let hash = shown.map_err(|error| match error {
                AppError::Refused(..) => wrong(),
                other => other,
            })?;
            let mut act = self.act_of(account).await?;
            if !act.is_still_proved(account, &hash).await? {
                return Err(wrong());
            }
            let given = act.renew((account, session), Proof::Password).await?;
            act.done().await?;
            return Ok(given);
        }
        let shown = super::factors::kind_of(&secret);
        let claim = Claim { account: Some(account), address: "", guest };
        let tried = self.admit(Credential::CodeAgain(shown), claim).await?;
        if !tried.open {
            return Err(wrong());
        }
        if let Some(right) = self.right_code(account, &secret).await? {
            let told = self.addressee(account).await?;
            let mut act = self.act_of(account).await?;
            if act.spend(&right, told).await? {
                let given = act.renew((account, session), shown).await?;
                act.done().await?;
                self.forgive_proved(&tried).await;
                self.tell_of_codes(account, shown).await?;
                return Ok(given);
            }
            drop(act);
            self.note_replay(account, &right).await?;
        }
        let failed = Failed { account: Some(account), proof: shown, guest };
        self.note_failure(failed, &tried).await?;
        Err(wrong())
    }

    /// Whether the holder of a session has proved who they are a moment ago.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed` when not.
    pub(super) async fn fresh(&self, holder: (Uuid, Uuid)) -> Result<()> {
        self.proved_within(FRESH, holder).await
    }

    /// The same of an account with a second factor, which no password alone changes.
    pub(super) async fn fresh_factor(&self, (account, session): (Uuid, Uuid)) -> Result<()> {
        if factors::has(self.log.pool(), account).await? {
            self.fresh((account, session)).await?;
        }
        Ok(())
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
        let Some(session) = tokens::session(self.log.pool(), token).await? else { return Ok(()) };
        let account = session.account_id;
        let mut act = self.act_of(account).await?;
        if let Some((_, session_id)) = tokens::end_session(act.db(), token).await? {
            act.ended(account, vec![session_id]).await?;
            act.done().await?;
        }
        Ok(())
    }

    /// Gives a session another token in place of this one, when its holder's role has changed since it was made; `None`
    /// when it has not, or somebody else was quicker.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when the session has ended, or the token is of none.
    pub async fn renew_token(&self, before: &str) -> Result<Option<Given>> {
        let pool = self.log.pool();
        let session = tokens::session(pool, before).await?.ok_or(AppError::NotFound)?;
        let (account, token) = (session.account_id, Token::fresh());
        let keep_until = tokens::kept_until(pool, account, session.session_id).await?;
        if !tokens::exchange(pool, before, &token).await? {
            return Ok(None);
        }
        // What gateways believe of the token that is no more, they forget.
        self.changes.tell(account).await;
        Ok(Some(Given { token, keep_until }))
    }

    /// Trusts the browser of a session no longer: that rests like any other from now on.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when the account has no such session.
    pub async fn stop_trusting(&self, account: Uuid, session: Uuid) -> Result<()> {
        if !devices::distrust(self.log.pool(), account, session).await? {
            return Err(AppError::NotFound);
        }
        // The browser keeps its cookie until it is closed, from its next page on.
        Ok(tokens::let_renew(self.log.pool(), account, Some(session)).await?)
    }

    /// The sessions of an account.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn sessions(&self, account: Uuid) -> Result<Vec<SeenSession>> {
        let now = self.clock.now();
        let rows = tokens::sessions_of(self.log.pool(), account, now).await?;
        let admin = accounts::is_admin(self.log.pool(), account).await?;
        let mut seen = Vec::with_capacity(rows.len());
        for mut row in rows {
            row.trusted &= !admin;
            // It opens nothing any more, and is not there for its holder.
            if now - row.last_seen_at > lifetime(admin, row.trusted).idle {
                continue;
            }
            let place = |field| Place::new(PLATFORM, "session", row.session_id, field);
            let origin = Origin {
                address: self.opened(&row.address_sealed, &place("address")).await?,
                user_agent: self.opened(&row.user_agent_sealed, &place("user_agent")).await?,
            };
            seen.push(SeenSession { row, origin });
        }
        Ok(seen)
    }

    /// Ends one session of an account, for the holder of another one, or of the same.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`: a session that lies open shuts nobody out; [`AppError::NotFound`] when the account has
    /// no such session.
    pub async fn end_session(
        &self,
        (account, present): (Uuid, Uuid),
        session_id: Uuid,
    ) -> Result<()> {
        self.fresh((account, present)).await?;
        let mut act = self.act_of(account).await?;
        if !tokens::end_session_of(act.db(), account, session_id).await? {
            return Err(AppError::NotFound);
        }
        act.ended(account, vec![session_id]).await?;
        act.done().await?;
        Ok(())
    }

    /// Ends all sessions of an account but that of whoever asks.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`.
    pub async fn end_other_sessions(&self, (account, but): (Uuid, Uuid)) -> Result<()> {
        self.fresh((account, but)).await?;
        let mut act = self.act_of(account).await?;
        let ended = tokens::end_other_sessions(act.db(), account, but).await?;
        act.ended(account, ended).await?;
        act.done().await?;
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

    /// A sealed text of an account; empty when its key is gone.
    pub(super) async fn opened(&self, sealed: &str, place: &Place) -> Result<String> {
        Ok(self.revealed(sealed, place).await?.unwrap_or_default())
    }
}

impl Act<'_> {
    /// Gives a session another token after a proof.
    pub(super) async fn renew(
        &mut self,
        (account, session): (Uuid, Uuid),
        proof: Proof,
    ) -> Result<Given> {
        let (token, at) = (Token::fresh(), self.at);
        let second = proof != Proof::Password;
        if !tokens::renew_session(self.db(), (account, session), &token, second, at).await? {
            return Err(AppError::NotFound);
        }
        let keep_until = tokens::kept_until(self.db(), account, session).await?;
        self.record(account, AccountEvent::ProvedAgain { session_id: session, proof, at });
        Ok(Given { token, keep_until })
    }
}

/// Whether the members of a campaign may work in it.
#[must_use]
pub fn is_running(status: &str) -> bool {
    status == CampaignStatus::Active.name()
}
