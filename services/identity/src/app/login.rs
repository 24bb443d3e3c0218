//! Coming in and going out: one-time links, passwords, sessions.

use identity_domain::{
    Account, AccountCommand, CampaignStatus, Member, MemberCommand, Profile, Role,
};
use meydan_event_log::{Actor, Meta, PLATFORM, Target};
use meydan_keyring::Place;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{AppError, Identity, Result, email, member_of, name, profile_place};
use crate::{
    password::acceptable,
    projections::{accounts, campaigns, members},
    tokens::{self, InvitationRow, NewSession, SessionRow, Token, lifetime},
};

/// Wrong passwords after which an account is closed to a network for a while.
const FAILURES: i64 = 5;
/// That while, and the time in which they count.
const WINDOW: Duration = Duration::minutes(15);

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

/// For whom a one-time link is.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who; `None` for the first admin.
    pub profile: Option<Profile>,
    /// The candidate whose campaign invites.
    pub candidate_name: Option<String>,
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
    /// Makes a one-time link for the first admin.
    ///
    /// # Errors
    ///
    /// `identity.admin.exists` when there is an admin.
    pub async fn invite_first_admin(&self) -> Result<Token> {
        let head = *self.log.head().borrow();
        self.reach(head).await?;
        if accounts::has_admin(self.log.pool()).await? {
            return Err(AppError::Refused("identity.admin.exists", "there is an admin"));
        }
        self.invite(None, None).await
    }

    /// Makes a one-time link.
    pub(super) async fn invite(
        &self,
        account_id: Option<Uuid>,
        campaign_id: Option<Uuid>,
    ) -> Result<Token> {
        let token = Token::fresh();
        let invitation = InvitationRow { account_id, campaign_id };
        tokens::keep_invitation(self.log.pool(), &token, &invitation, self.clock.now()).await?;
        Ok(token)
    }

    async fn invitation(&self, token: &str) -> Result<InvitationRow> {
        let found = tokens::invitation(self.log.pool(), token, self.clock.now()).await?;
        found.ok_or(AppError::NotFound)
    }

    /// Says for whom a one-time link is.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] for one that is unknown, used or too old.
    pub async fn entry(&self, token: &str) -> Result<Entry> {
        let invitation = self.invitation(token).await?;
        let Some(account) = invitation.account_id else {
            return Ok(Entry { profile: None, candidate_name: None });
        };
        let (_, profile) = self.account(account).await?;
        let campaign = match invitation.campaign_id {
            Some(id) => campaigns::find(self.log.pool(), Some(id), None).await?,
            None => None,
        };
        let candidate_name = campaign.map(|campaign| campaign.candidate_name);
        Ok(Entry { profile: Some(profile), candidate_name })
    }

    async fn account(&self, account: Uuid) -> Result<(accounts::AccountRow, Profile)> {
        let row = accounts::by_id(self.log.pool(), account).await?.ok_or(AppError::NotFound)?;
        let profile = self.profile(account, &row.profile_sealed).await?;
        Ok((row, profile.ok_or(AppError::NotFound)?))
    }

    /// Uses a one-time link: sets the password, joins, and begins a session.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; nothing is used up when a field is wrong.
    pub async fn accept(
        &self,
        token: &str,
        said: &Profile,
        password: String,
        guest: &Guest,
    ) -> Result<Entered> {
        let invitation = self.invitation(token).await?;
        let admin = invitation.account_id.is_none();
        let mut wrong = Vec::new();
        let mut field = |field, value: std::result::Result<String, &'static str>| {
            value.map_err(|problem| wrong.push((field, problem.to_owned()))).unwrap_or_default()
        };
        let profile = admin.then(|| Profile {
            email: field("email", email(&said.email)),
            display_name: field("display_name", name(&said.display_name)),
        });
        if let Err(problem) = acceptable(&password, admin) {
            wrong.push(("password", problem));
        }
        if !wrong.is_empty() {
            return Err(AppError::Malformed(wrong));
        }
        let hash = self.passwords.hash(password).await?;
        let now = self.clock.now();
        if !tokens::use_invitation(self.log.pool(), token, now).await? {
            return Err(AppError::NotFound);
        }
        let account = match (invitation.account_id, profile) {
            (Some(account), _) => account,
            (None, Some(profile)) => {
                let meta = own(Uuid::now_v7());
                self.register(Uuid::new_v4(), &profile, true, &meta).await?
            }
            (None, None) => return Err(AppError::NotFound),
        };
        self.set_password(account, &hash).await?;
        if let Some(campaign) = invitation.campaign_id {
            let meta = person(account, Uuid::now_v7());
            let target = Target { tenant: campaign, id: member_of(campaign, account) };
            let joined =
                self.log.execute::<Member>(target, MemberCommand::Join { at: now }, &meta).await?;
            self.reach(joined.position).await?;
        }
        self.begin(account, admin, guest).await
    }

    /// Begins an account, and waits until the tables show it. An address that is taken is refused.
    pub(super) async fn register(
        &self,
        account: Uuid,
        profile: &Profile,
        admin: bool,
        meta: &Meta,
    ) -> Result<Uuid> {
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let command = AccountCommand::Register {
            profile: sealer.seal(&profile_place(account), profile),
            admin,
            at: self.clock.now(),
        };
        let key = self.email_key(&profile.email).await?;
        let target = Target { tenant: PLATFORM, id: account };
        let registered = self.log.execute_with::<Account>(target, command, meta, &[key]).await?;
        self.reach(registered.position).await?;
        Ok(account)
    }

    async fn set_password(&self, account: Uuid, hash: &str) -> Result<()> {
        let now = self.clock.now();
        sqlx::query!(
            r#"
            INSERT INTO credentials (account_id, password, changed_at) VALUES ($1, $2, $3)
            ON CONFLICT (account_id) DO UPDATE SET password = $2, changed_at = $3
            "#,
            account,
            hash,
            now,
        )
        .execute(self.log.pool())
        .await?;
        let command = AccountCommand::RecordPasswordSet { at: now };
        self.record(account, command).await
    }

    async fn record(&self, account: Uuid, command: AccountCommand) -> Result<()> {
        let target = Target { tenant: PLATFORM, id: account };
        let meta = person(account, Uuid::now_v7());
        self.log.execute::<Account>(target, command, &meta).await?;
        Ok(())
    }

    pub(super) async fn hash_of(&self, account: Uuid) -> Result<Option<String>> {
        let pool = self.log.pool();
        let found =
            sqlx::query_scalar!("SELECT password FROM credentials WHERE account_id = $1", account);
        Ok(found.fetch_optional(pool).await?)
    }

    /// Proves an account with its password, and begins a session.
    ///
    /// # Errors
    ///
    /// `identity.login.failed`, in the same words and after the same time, for an unknown address, a wrong
    /// password, and an account that is closed for a while.
    pub async fn log_in(&self, address: &str, password: String, guest: &Guest) -> Result<Entered> {
        let failed = || AppError::Refused("identity.login.failed", "address or password is wrong");
        let account = self.account_of(address).await?;
        let source = self.source(account, address, guest).await?;
        let closed = self.failures(&source).await? >= FAILURES;
        let hash = match account {
            Some(account) => self.hash_of(account).await?,
            None => None,
        };
        let genuine = self.passwords.verify(password, hash).await?;
        match account {
            Some(account) if genuine && !closed => {
                let (row, _) = self.account(account).await?;
                self.begin(account, row.admin, guest).await
            }
            _ => {
                self.note_failure(&source).await?;
                if let Some(account) = account {
                    let at = self.clock.now();
                    self.record(account, AccountCommand::RecordLogInFailed { at }).await?;
                }
                Err(failed())
            }
        }
    }

    /// What wrong passwords are counted under: the account, or the address that is none, and the network.
    async fn source(&self, account: Option<Uuid>, address: &str, guest: &Guest) -> Result<Vec<u8>> {
        let who = account.map_or_else(|| address.trim().to_lowercase(), |id| id.to_string());
        let source = format!("{who}|{}", network(&guest.address));
        let index = self.keyring.blind_index(PLATFORM, "login.source", source.as_bytes()).await?;
        Ok(index.to_vec())
    }

    async fn failures(&self, source: &[u8]) -> Result<i64> {
        Ok(sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM login_failures WHERE source = $1 AND failed_at > $2"#,
            source,
            self.clock.now() - WINDOW,
        )
        .fetch_one(self.log.pool())
        .await?)
    }

    async fn note_failure(&self, source: &[u8]) -> Result<()> {
        let now = self.clock.now();
        sqlx::query!(
            r#"
            WITH old AS (DELETE FROM login_failures WHERE source = $1 AND failed_at <= $3)
            INSERT INTO login_failures (source, failed_at) VALUES ($1, $2)
            "#,
            source,
            now,
            now - WINDOW,
        )
        .execute(self.log.pool())
        .await?;
        Ok(())
    }

    async fn begin(&self, account: Uuid, admin: bool, guest: &Guest) -> Result<Entered> {
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
        let hash = self.hash_of(account).await?;
        if !self.passwords.verify(present, hash).await? {
            return Err(AppError::Refused("identity.password.wrong", "the password is not right"));
        }
        let hash = self.passwords.hash(new).await?;
        self.set_password(account, &hash).await?;
        Ok(tokens::end_other_sessions(self.log.pool(), account, session).await?)
    }
}

/// Whether the members of a campaign may work in it.
#[must_use]
pub fn is_running(status: &str) -> bool {
    status == CampaignStatus::Active.name()
}

fn own(command: Uuid) -> Meta {
    Meta::new(command, Actor::Service { name: crate::NAME.to_owned() })
}

fn person(account: Uuid, command: Uuid) -> Meta {
    Meta::new(command, Actor::Account { id: account, session: None })
}

/// The network of an address: its first 24 bits, or 48 of IPv6.
fn network(address: &str) -> String {
    use std::net::IpAddr;
    match address.parse() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}")
        }
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}")
        }
        Err(_) => String::new(),
    }
}
