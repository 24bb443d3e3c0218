//! Coming in and going out: passwords and sessions.

use identity_domain::{Account, AccountCommand, CampaignStatus, Profile, Role};
use meydan_event_log::{Actor, Meta, PLATFORM, Target};
use meydan_keyring::Place;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AppError, Identity, Result, profile_place};
use crate::{
    letters::{self, Notice},
    password::acceptable,
    projections::{accounts, members},
    tokens::{self, NewSession, SessionRow, Token, lifetime},
};

/// From where somebody comes.
#[derive(Debug, Clone, Default)]
pub struct Guest {
    /// Network address.
    pub address: String,
    /// What the browser calls itself.
    pub user_agent: String,
}

/// A session that has begun.
#[derive(Debug)]
pub struct Entered {
    /// What the browser keeps.
    pub token: Token,
    /// When it ends whatever happens.
    pub expires_at: OffsetDateTime,
}

/// Who holds a session.
#[derive(Debug, Clone)]
pub struct Held {
    /// The session.
    pub session: SessionRow,
    /// Address and name.
    pub profile: Profile,
    /// Platform staff.
    pub admin: bool,
    /// Where they work, as what, and whether the campaign runs.
    pub places: Vec<(members::PlaceRow, Role)>,
}

impl Identity {
    pub(super) async fn account(&self, account: Uuid) -> Result<(accounts::AccountRow, Profile)> {
        let row = accounts::by_id(self.log.pool(), account).await?.ok_or(AppError::NotFound)?;
        let mut profile = self
            .opened::<Profile>(&row.profile_sealed, &profile_place(account))
            .await?
            .ok_or(AppError::NotFound)?;
        if row.email_lost_at.is_some() {
            profile.email = String::new();
        }
        self.renew(&mut profile, account, row.email_sealed.as_deref()).await?;
        Ok((row, profile))
    }

    pub(super) async fn record(&self, account: Uuid, command: AccountCommand) -> Result<()> {
        let target = Target { tenant: PLATFORM, id: account };
        let meta = person(account, Uuid::now_v7());
        self.log.execute::<Account>(target, command, &meta).await?;
        Ok(())
    }

    /// Proves an account with its password, and begins a session.
    ///
    /// # Errors
    ///
    /// `identity.login.failed`, in the same words and after the same time, for an unknown address, a wrong
    /// password, and an account that is closed for a while.
    pub async fn log_in(&self, address: &str, password: String, guest: &Guest) -> Result<Entered> {
        let account = self.account_of(address).await?;
        let (account, admin) = self.prove(account, address, password, guest).await?;
        self.begin(account, admin, guest).await
    }

    /// Judges a password: whose it is, and whether they are platform staff. Every password that somebody
    /// without a session gives passes here, so that guesses count together wherever they are made.
    pub(super) async fn prove(
        &self,
        account: Option<Uuid>,
        address: &str,
        password: String,
        guest: &Guest,
    ) -> Result<(Uuid, bool)> {
        let failed = || AppError::Refused("identity.login.failed", "address or password is wrong");
        let source = self.source(account, address, guest).await?;
        let open = self.admit(&source).await?;
        // Nobody has the nil id: an unknown address asks the same table.
        let hash = self.hash_of(account.unwrap_or_default()).await?;
        let genuine = self.passwords.verify(password, hash).await?;
        match account {
            Some(account) if genuine && open => {
                self.forgive(&source).await?;
                let (row, _) = self.account(account).await?;
                Ok((account, row.admin))
            }
            // Closed is closed: only tries that could have succeeded are facts, or guessing would fill the log.
            _ if open => {
                self.note_failure(account).await?;
                Err(failed())
            }
            _ => Err(failed()),
        }
    }

    pub(super) async fn begin(&self, account: Uuid, admin: bool, guest: &Guest) -> Result<Entered> {
        let (token, session_id, now) = (Token::fresh(), Uuid::now_v7(), self.clock.now());
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let seal = |field, value: &str| {
            let sealed: meydan_keyring::Sealed<String> =
                sealer.seal(&Place::new(PLATFORM, "session", session_id, field), value);
            sealed.to_string()
        };
        let session = NewSession {
            session_id,
            account_id: account,
            address: seal("address", &guest.address),
            user_agent: seal("user_agent", &guest.user_agent),
            expires_at: now + lifetime(admin).absolute,
        };
        self.record(account, AccountCommand::RecordLogIn { session_id, at: now }).await?;
        tokens::keep_session(self.log.pool(), &token, &session, now).await?;
        Ok(Entered { token, expires_at: session.expires_at })
    }

    /// Ends the session of a token, if there is one.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn log_out(&self, token: &str) -> Result<()> {
        if let Some((account, session_id)) = tokens::end_session(self.log.pool(), token).await? {
            let at = self.clock.now();
            self.record(account, AccountCommand::RecordLogOut { session_id, at }).await?;
        }
        Ok(())
    }

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
        let idle = now - session.last_seen_at > lifetime(row.admin).idle;
        if idle || now > session.expires_at {
            tokens::end_session(pool, token).await?;
            return Err(AppError::NotFound);
        }
        tokens::touch_session(pool, token, now).await?;
        let places = members::of_account(pool, session.account_id).await?;
        let places = places.into_iter().filter_map(|place| {
            let role = Role::named(&place.role)?;
            Some((place, role))
        });
        Ok(Held { session, profile, admin: row.admin, places: places.collect() })
    }

    /// Changes a password, and ends the account's other sessions.
    ///
    /// # Errors
    ///
    /// `identity.password.wrong` when the present one is not right.
    pub async fn change_password(
        &self,
        (account, session): (Uuid, Uuid),
        present: String,
        new: String,
    ) -> Result<()> {
        let (row, _) = self.account(account).await?;
        if let Err(problem) = acceptable(&new, row.admin) {
            return Err(AppError::Malformed(vec![("new_password", problem)]));
        }
        self.confirm(account, present).await?;
        let hash = self.passwords.hash(new).await?;
        let letter = self.notice(account, Notice::PasswordChanged).await?;
        let at = self.clock.now();
        let mut tx = self.log.pool().begin().await?;
        tokens::set_password(&mut tx, account, &hash, at).await?;
        letters::write(&mut tx, &letter).await?;
        tx.commit().await?;
        self.written.notify_one();
        self.record(account, AccountCommand::RecordPasswordSet { at }).await?;
        Ok(tokens::end_other_sessions(self.log.pool(), account, session).await?)
    }

    /// Has somebody who is logged in show that the account is theirs.
    pub(super) async fn confirm(&self, account: Uuid, password: String) -> Result<()> {
        let hash = self.hash_of(account).await?;
        if self.passwords.verify(password, hash).await? {
            Ok(())
        } else {
            Err(AppError::Refused("identity.password.wrong", "the password is not right"))
        }
    }
}

/// Whether the members of a campaign may work in it.
#[must_use]
pub fn is_running(status: &str) -> bool {
    status == CampaignStatus::Active.name()
}

pub(super) fn person(account: Uuid, command: Uuid) -> Meta {
    Meta::new(command, Actor::Account { id: account, session: None })
}
