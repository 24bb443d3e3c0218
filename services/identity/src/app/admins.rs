//! Admins: asked by another one, appointed when they accept, dismissed by another one.
//!
//! The role changes together with the list of admins, so that of two who dismiss each other one stays.

use std::collections::BTreeSet;

use identity_domain::{Account, AccountCommand, AccountRefusal, Profile, TeamRefusal};
use meydan_event_log::{Committed, ExecuteError, Meta, PLATFORM, Refusal, Target};
use meydan_keyring::{Place, Sealed};
use uuid::Uuid;

use super::{
    AppError, Guest, Identity, Result,
    acts::Act,
    certain::By,
    invitations::{AskedOne, Link},
    step, whom,
};
use crate::{
    invitations::{self, Links},
    letters::{Letter, Locale},
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
            AccountRefusal::Registered => {
                Self::Refused("command_id_taken", "the id of the command belongs to another one")
            }
            AccountRefusal::AlreadyAdmin => {
                Self::Refused("identity.admin.already", "that is an admin already")
            }
            AccountRefusal::NotJudgedAsAdmins => Self::Conflict,
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
        let by = By::Admin(by);
        let ask = |asked| self.ask_to_administer(&who, asked, &by, meta);
        let (account, link, asked) = self.once_begun(&who, meta, ask).await?;
        self.show(asked.position).await;
        Ok((account, self.shown(link, asked, &by, meta).await?))
    }

    /// Asks somebody who is known, or about to begin.
    async fn ask_to_administer(
        &self,
        who: &Profile,
        asked: AskedOne,
        by: &By,
        meta: &Meta,
    ) -> Result<(Uuid, Link, Committed)> {
        let AskedOne { account, begins } = asked;
        let locale = match self.account(account).await {
            Ok((row, _)) => self.locale_of(&row).await?,
            // It is about to begin, or has begun this moment.
            Err(AppError::NotFound) => Locale::default(),
            Err(error) => return Err(error),
        };
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let said = sealer.seal(&asked_place(account), who);
        let says = |token| Letter::AdminInvitation { token };
        let link = self.link((account, None), (who.email.clone(), locale), says, meta).await?;
        let mut act = self.act_on(&[account], by, step(meta, "invite")).await?;
        let at = act.at;
        if let Some(newcomer) = begins {
            act.register(newcomer, None);
        }
        let target = Target { tenant: PLATFORM, id: account };
        act.ask::<Account>(target, AccountCommand::AskToAdminister { said, at });
        act.keep_link(&link).await?;
        let asked = act.done().await.map_err(refused)?;
        Ok((account, link, asked))
    }

    /// Asks somebody once more who is asked still, in the words of then, and keeps another link to it.
    pub(super) async fn ask_once_more(
        &self,
        (account, link): (Uuid, &Link),
        by: &By,
        meta: Meta,
    ) -> Result<()> {
        let said = self.asking(account).await?;
        let damaged = |_| AppError::Damaged("what is stored is not sealed".to_owned());
        let said: Sealed<Profile> = said.parse().map_err(damaged)?;
        let mut act = self.act_on(&[account], by, meta).await?;
        let (at, target) = (act.at, Target { tenant: PLATFORM, id: account });
        act.ask::<Account>(target, AccountCommand::AskToAdminister { said, at });
        act.keep_link(link).await?;
        act.done().await.map_err(refused)?;
        Ok(())
    }

    /// Takes back that somebody was asked to become an admin: their links open nothing any more.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when nobody asked them, or they have accepted.
    pub async fn withdraw_admin(&self, by: (Uuid, Uuid), account: Uuid, meta: &Meta) -> Result<()> {
        let mut act = self.act_on(&[account], &By::Admin(by), meta.clone()).await?;
        let (at, target) = (act.at, Target { tenant: PLATFORM, id: account });
        act.ask::<Account>(target, AccountCommand::WithdrawAsking { at });
        invitations::end_links(act.db(), (None, account), Links::All).await?;
        let withdrawn = act.done().await.map_err(refused)?;
        self.show(withdrawn.position).await;
        Ok(())
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
        self.dismiss(account, by, meta.clone()).await?;
        // Asked of the log: the tables may be late to show it.
        let target = Target { tenant: PLATFORM, id: account };
        if self.log.load::<Account>(target).await?.aggregate.is_admin() {
            // A form from before they were appointed anew must not be answered for the dismissal of that time.
            self.dismiss(account, by, Meta { command_id: Uuid::now_v7(), ..meta.clone() }).await?;
        }
        Ok(())
    }

    async fn dismiss(&self, account: Uuid, by: (Uuid, Uuid), meta: Meta) -> Result<()> {
        let standing = self.standing(None).await?;
        let mut act = self.act_on(&[account], &By::Admin(by), meta).await?;
        act.administer(account, false, standing).await?;
        let done = act.done().await.map_err(refused)?;
        self.show(done.position).await;
        self.changes.tell(account).await;
        Ok(())
    }

    /// Who an account's holder is, as the admin said who asked them to become one.
    pub(super) async fn asked_as_admin(&self, account: Uuid) -> Result<Option<Profile>> {
        self.revealed(&self.asking(account).await?, &asked_place(account)).await
    }

    /// The same, sealed.
    async fn asking(&self, account: Uuid) -> Result<String> {
        let row = accounts::by_id(self.log.pool(), account).await?.ok_or(AppError::NotFound)?;
        row.admin_said_sealed.ok_or(AppError::NotFound)
    }

    /// Lets the holder of a session show that their password is right, and one that admins may have; the hash that it
    /// is right by.
    pub(super) async fn prove_for_admin(
        &self,
        (account, session): (Uuid, Uuid),
        password: String,
        guest: &Guest,
    ) -> Result<String> {
        let hash = self.confirm((account, session), password.clone(), guest).await?;
        let (_, profile) = self.account(account).await?;
        let chooser = self.chooser((account, true), &profile, None).await?;
        self.choose("password", password, chooser).await?;
        Ok(hash)
    }
}

impl Act<'_> {
    /// Gives or takes the role. Sessions from before end: they lasted as long as the former role's may. So do links to a
    /// new password, which may be judged by the rules of members.
    pub(super) async fn administer(
        &mut self,
        account: Uuid,
        admin: bool,
        standing: BTreeSet<Uuid>,
    ) -> Result<()> {
        let (at, target) = (self.at, Target { tenant: PLATFORM, id: account });
        self.ask::<Account>(target, AccountCommand::Administer { admin, at });
        self.list(PLATFORM, (account, admin), standing);
        if admin {
            sqlx::query!("DELETE FROM recoveries WHERE account_id = $1", account)
                .execute(self.db())
                .await?;
        }
        self.end_sessions(account).await
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
