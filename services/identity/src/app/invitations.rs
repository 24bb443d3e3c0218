//! One-time links: how accounts begin.

use identity_domain::{Account, AccountCommand, Member, MemberCommand, Profile};
use meydan_event_log::{Actor, Meta, PLATFORM, Target};
use uuid::Uuid;

use super::{
    AppError, Entered, Guest, Identity, Result, email, login::person, member_of, name,
    profile_place,
};
use crate::{
    password::acceptable,
    projections::{accounts, campaigns},
    tokens::{self, InvitationRow, Token},
};

/// For whom a one-time link is.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who; `None` for the first admin.
    pub profile: Option<Profile>,
    /// The candidate whose campaign invites.
    pub candidate_name: Option<String>,
}

impl Identity {
    /// Makes a one-time link for the first admin.
    ///
    /// # Errors
    ///
    /// `identity.admin.exists` when there is an admin.
    pub async fn invite_first_admin(&self) -> Result<Token> {
        let head = *self.log.head(0).borrow();
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

    /// A link begins an account. One left over from another campaign does not open what has begun.
    async fn invitation(&self, token: &str) -> Result<InvitationRow> {
        let found = tokens::invitation(self.log.pool(), token, self.clock.now()).await?;
        let found = found.ok_or(AppError::NotFound)?;
        match found.account_id {
            Some(account) if self.hash_of(account).await?.is_some() => Err(AppError::NotFound),
            _ => Ok(found),
        }
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
        let account = invitation.account_id.unwrap_or_else(Uuid::new_v4);
        if let Some(campaign) = invitation.campaign_id {
            self.join(campaign, account).await?;
        }
        // The link and the password go together, and before the account of an admin: whoever is cut off in
        // between has a link that still works, or an account that opens.
        let now = self.clock.now();
        if !tokens::use_invitation(self.log.pool(), token, account, &hash, now).await? {
            return Err(AppError::NotFound);
        }
        if let Some(profile) = profile {
            self.register(account, &profile, true, &own(Uuid::now_v7())).await?;
        }
        self.record(account, AccountCommand::RecordPasswordSet { at: now }).await?;
        self.begin(account, admin, guest).await
    }

    async fn join(&self, campaign: Uuid, account: Uuid) -> Result<()> {
        let meta = person(account, Uuid::now_v7());
        let target = Target { tenant: campaign, id: member_of(campaign, account) };
        let command = MemberCommand::Join { at: self.clock.now() };
        let joined = self.log.execute::<Member>(target, command, &meta).await?;
        self.reach(joined.position).await
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
}

fn own(command: Uuid) -> Meta {
    Meta::new(command, Actor::Service { name: crate::NAME.to_owned() })
}
