//! Admins: asked by another one, appointed when they accept, dismissed by another one.
//!
//! The role changes together with the list of admins, so that of two who dismiss each other one stays.

use identity_domain::{
    Account, AccountCommand, AccountRefusal, Profile, Team, TeamCommand, TeamRefusal,
};
use meydan_event_log::{ExecuteError, Meta, PLATFORM, Refusal, Target};
use meydan_keyring::Place;
use uuid::Uuid;

use super::{AppError, Guest, Identity, Result, login::person, step, whom};
use crate::{
    invitations::{self, InvitationRow},
    letters::Letter,
    projections::accounts,
    tokens::Token,
};

impl From<AccountRefusal> for AppError {
    fn from(refusal: AccountRefusal) -> Self {
        match refusal {
            AccountRefusal::NotRegistered | AccountRefusal::NotAsked | AccountRefusal::NotAdmin => {
                Self::NotFound
            }
            AccountRefusal::Suspended => {
                Self::Refused("identity.account.suspended", "the account is suspended")
            }
            AccountRefusal::AlreadyAdmin => {
                Self::Refused("identity.admin.already", "that is an admin already")
            }
        }
    }
}

impl Identity {
    /// Asks somebody to become an admin, once more if they were asked before: their account, made when they have
    /// none, and their one-time link, where mail does not bring it. Links from before end.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`; `identity.admin.already`; `identity.account.suspended`;
    /// `identity.member.invited_too_often`.
    pub async fn invite_admin(
        &self,
        by: (Uuid, Uuid),
        who: &Profile,
        meta: &Meta,
    ) -> Result<(Uuid, Option<Token>)> {
        let (who, wrong) = whom(who);
        if !wrong.is_empty() {
            return Err(AppError::Malformed(wrong));
        }
        self.fresh(by).await?;
        self.may_write(PLATFORM, &who.email).await?;
        let account = match self.account_of(&who.email).await? {
            Some(account) => account,
            None => {
                let account = Uuid::new_v5(&meta.command_id, b"account");
                self.register(account, &who, false, &step(meta, "register")).await?
            }
        };
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let said = sealer.seal(&asked_place(account), &who);
        let command = AccountCommand::AskToAdminister { said, at: self.clock.now() };
        let target = Target { tenant: PLATFORM, id: account };
        let asked = self.log.execute::<Account>(target, command, &step(meta, "invite")).await;
        let asked = match asked {
            Err(ExecuteError::Refused(refusal)) => return Err(refusal.into()),
            other => other?,
        };
        self.reach(asked.position).await?;
        if !asked.repeated {
            self.end_admin_links(account).await?;
        }
        Ok((account, self.write_to_admin(account, who.email, meta).await?))
    }

    /// Sends the link. Where mail reaches nobody, one more is made to be shown; it proves less.
    async fn write_to_admin(
        &self,
        account: Uuid,
        email: String,
        meta: &Meta,
    ) -> Result<Option<Token>> {
        let (pool, now) = (self.log.pool(), self.clock.now());
        let (row, _) = self.account(account).await?;
        let (token, to) = (Token::fresh(), (email, self.locale_of(&row).await?));
        let says = Letter::AdminInvitation { token: token.clone().into_text() };
        let letter = self.letter((step(meta, "letter").command_id, account), to, says).await?;
        let mut link = InvitationRow { account_id: Some(account), campaign_id: None, mailed: true };
        invitations::keep_invitation(pool, &token, &link, Some(&letter), now).await?;
        self.written.notify_one();
        if self.post.mail.reaches_people() {
            return Ok(None);
        }
        let token = Token::fresh();
        link.mailed = false;
        invitations::keep_invitation(pool, &token, &link, None, now).await?;
        Ok(Some(token))
    }

    /// Takes back that somebody was asked to become an admin: their links open nothing any more.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when nobody asked them, or they have accepted.
    pub async fn withdraw_admin(&self, account: Uuid, meta: &Meta) -> Result<()> {
        let command = AccountCommand::WithdrawAsking { at: self.clock.now() };
        let target = Target { tenant: PLATFORM, id: account };
        let withdrawn = match self.log.execute::<Account>(target, command, meta).await {
            Err(ExecuteError::Refused(refusal)) => return Err(refusal.into()),
            other => other?,
        };
        self.end_admin_links(account).await?;
        self.reach(withdrawn.position).await
    }

    /// Takes the role from an admin. Their sessions end; what else they are, they stay.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`; `identity.account.oneself`; `identity.account.last_admin`; [`AppError::NotFound`]
    /// for whoever is no admin.
    pub async fn dismiss_admin(&self, by: (Uuid, Uuid), account: Uuid, meta: &Meta) -> Result<()> {
        self.fresh(by).await?;
        if account == by.0 {
            let words = "nobody takes their own role";
            return Err(AppError::Refused("identity.account.oneself", words));
        }
        self.administer(account, false, meta).await?;
        if accounts::is_admin(self.log.pool(), account).await? {
            // A form from before they were appointed anew must not be answered for the dismissal of that time.
            self.administer(account, false, &Meta { command_id: Uuid::now_v7(), ..meta.clone() })
                .await?;
        }
        Ok(())
    }

    /// Who an account's holder is, as the admin said who asked them to become one.
    pub(super) async fn asked_as_admin(&self, account: Uuid) -> Result<Option<Profile>> {
        let row = accounts::by_id(self.log.pool(), account).await?.ok_or(AppError::NotFound)?;
        let said = row.admin_said_sealed.ok_or(AppError::NotFound)?;
        self.revealed(&said, &asked_place(account)).await
    }

    /// Makes an admin of somebody who was asked and has accepted.
    pub(super) async fn appoint(&self, account: Uuid) -> Result<i64> {
        self.administer(account, true, &person(account, Uuid::now_v7())).await
    }

    /// Lets the holder of a session show that their password is right, and one that admins may have.
    pub(super) async fn prove_for_admin(
        &self,
        (account, session): (Uuid, Uuid),
        password: String,
        guest: &Guest,
    ) -> Result<()> {
        self.confirm((account, session), password.clone(), guest).await?;
        let (_, profile) = self.account(account).await?;
        let chooser = self.chooser((account, true), &profile, None).await?;
        self.choose("password", password, chooser).await?;
        Ok(())
    }

    /// Gives or takes the role. Sessions from before end: they lasted as long as the former role's may.
    async fn administer(&self, account: Uuid, admin: bool, meta: &Meta) -> Result<i64> {
        let head = *self.log.head(0).borrow();
        self.reach(head).await?;
        let at = self.clock.now();
        let standing = accounts::admins(self.log.pool()).await?.into_iter().collect();
        let listed = TeamCommand::List { account_id: account, owner: admin, standing, at };
        let group = self.log.group(PLATFORM);
        let group = group.ask::<Account>(account, AccountCommand::Administer { admin, at });
        let done = group.ask::<Team>(PLATFORM, listed).execute(meta).await.map_err(refused)?;
        self.reach(done.position).await?;
        self.end_sessions_of(account, &step(meta, "sessions")).await?;
        Ok(done.position)
    }

    async fn end_admin_links(&self, account: Uuid) -> Result<()> {
        sqlx::query!(
            "DELETE FROM invitations WHERE campaign_id IS NULL AND account_id = $1 AND used_at IS NULL",
            account,
        )
        .execute(self.log.pool())
        .await?;
        Ok(())
    }
}

/// What a change of an account and of the list of admins together were refused for.
pub(super) fn refused(error: ExecuteError<Refusal>) -> AppError {
    let ExecuteError::Refused(refusal) = error else { return error.into() };
    if let Some(refusal) = refusal.downcast_ref::<AccountRefusal>() {
        return (*refusal).into();
    }
    match refusal.downcast_ref() {
        Some(TeamRefusal::LastOwner) => {
            AppError::Refused("identity.account.last_admin", "the platform keeps an admin")
        }
        None => AppError::Damaged("a refusal that nobody knows".to_owned()),
    }
}

/// Where an admin's words about whom they ask belong. They lie under the account's own key, so that they go when the
/// account is erased.
fn asked_place(account: Uuid) -> Place {
    Place::new(PLATFORM, "account", account, "asked")
}
