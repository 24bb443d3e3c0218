//! Accounts as admins see them, and what admins do about them.

use identity_domain::{Account, AccountCommand, MemberChange, Profile};
use meydan_event_log::{Meta, PLATFORM, Target};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    AppError, Identity, Result,
    acts::{Act, Looks},
    certain::By,
    places::Judged,
    said_place, step,
};
use crate::{
    factors,
    letters::{Notice, Written},
    projections::{
        accounts::{self, AccountRow, Which},
        history,
        members::{self, AnyPlaceRow},
    },
    tokens::{self, Token},
};

/// Accounts of a page.
const PAGE: i64 = 25;

/// An account as admins see it.
#[derive(Debug, Clone)]
pub struct SeenAccount {
    /// As stored; nothing is said of what is not closed any more.
    pub row: AccountRow,
    /// Address and name; empty when they cannot be read.
    pub profile: Profile,
    /// Whether it has a password.
    pub begun: bool,
    /// Whether it has a second factor.
    pub second_factor: bool,
    /// When somebody last logged in.
    pub last_login_at: Option<OffsetDateTime>,
    /// Where they work, or were asked to.
    pub places: Vec<AnyPlaceRow>,
}

/// Which accounts.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// The one that logs in with an address.
    Address(&'a str),
    /// A page of these, after the last one of the page before.
    After(Which, Option<Uuid>),
    /// All admins, and whoever is asked to become one, the oldest first.
    Staff,
}

impl Identity {
    /// Accounts, the newest first, and whether there are more.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn accounts(&self, wanted: Wanted<'_>) -> Result<(Vec<SeenAccount>, bool)> {
        let now = self.clock.now();
        let mut ids = match wanted {
            Wanted::Address(email) => self.account_of(email).await?.into_iter().collect(),
            Wanted::After(which, last) => {
                accounts::page(self.log.pool(), (which, now), last, PAGE + 1).await?
            }
            Wanted::Staff => accounts::staff(self.log.pool()).await?,
        };
        let page = usize::try_from(PAGE).expect("a page is small");
        let more = ids.len() > page && !matches!(wanted, Wanted::Staff);
        if more {
            ids.truncate(page);
        }
        let mut seen = Vec::with_capacity(ids.len());
        for id in ids {
            match self.seen_account(id).await {
                Ok(account) => seen.push(account),
                // Erased since.
                Err(AppError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((seen, more))
    }

    /// One account.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when there is none.
    pub async fn seen_account(&self, account: Uuid) -> Result<SeenAccount> {
        let pool = self.log.pool();
        let (mut row, profile) = self.account(account).await?;
        let now = self.clock.now();
        row.locked_until = row.locked_until.filter(|until| *until > now);
        Ok(SeenAccount {
            begun: self.hash_of(account).await?.is_some(),
            second_factor: factors::has(pool, account).await?,
            last_login_at: history::last_login(pool, account).await?,
            places: members::all_of_account(pool, account).await?,
            row,
            profile,
        })
    }

    /// Closes an account, or opens it again, and tells its holder. A closed one loses its sessions, and whatever else
    /// could become one.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`; `identity.account.oneself`; `identity.account.last_admin`.
    pub async fn suspend(
        &self,
        by: (Uuid, Uuid),
        account: Uuid,
        suspended: bool,
        meta: &Meta,
    ) -> Result<()> {
        self.fresh(by).await?;
        if account == by.0 {
            return Err(AppError::Refused(
                "identity.account.oneself",
                "nobody suspends themselves",
            ));
        }
        let (row, profile) = self.account(account).await?;
        let letter = self.told_of_standing((&row, profile), suspended).await?;
        // The admins are listed together with it, so that of two who suspend each other one stays.
        let standing = if row.admin { Some(self.standing(None).await?) } else { None };
        // It is the same however often it is said; a form that is sent again must not be answered for another one.
        let meta = Meta { command_id: Uuid::now_v7(), ..meta.clone() };
        let mut act = self.act_on(&[account], &By::Admin(by), meta).await?;
        let (at, target) = (act.at, Target { tenant: PLATFORM, id: account });
        act.ask::<Account>(target, AccountCommand::Suspend { suspended, at });
        if let Some(standing) = standing {
            act.list(PLATFORM, (account, !suspended), standing);
        }
        if suspended {
            act.end_everything(account).await?;
        }
        act.letters(letter.as_slice()).await?;
        let done = act.done().await.map_err(super::admins::refused)?;
        self.show(done.position).await;
        self.changes.tell(account).await;
        Ok(())
    }

    /// What the holder is told of an account that is closed or opened. Whoever never began it, or whose address turned
    /// out to be another's, is told nothing, and nobody is told twice.
    async fn told_of_standing(
        &self,
        (row, profile): (&AccountRow, Profile),
        suspended: bool,
    ) -> Result<Option<Written>> {
        let new = row.suspended_at.is_some() != suspended;
        if !new || row.email_lost_at.is_some() || self.hash_of(row.account_id).await?.is_none() {
            return Ok(None);
        }
        let notice = if suspended { Notice::Suspended } else { Notice::Reactivated };
        self.notice_to(row, profile.email, notice).await.map(Some)
    }

    /// Ends all sessions of an account, on behalf of an admin.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when there is no such account.
    pub async fn end_sessions_of(
        &self,
        by: (Uuid, Uuid),
        account: Uuid,
        meta: &Meta,
    ) -> Result<()> {
        self.account(account).await?;
        // A form that is sent again ends what has begun since.
        let meta = Meta { command_id: Uuid::now_v7(), ..meta.clone() };
        let mut act = self.act_on(&[account], &By::Admin(by), meta).await?;
        act.end_sessions(account).await?;
        act.done().await?;
        self.changes.tell(account).await;
        Ok(())
    }

    /// Makes a new link for somebody who was asked to join a campaign, on behalf of an admin.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`; [`AppError::NotFound`] when nobody asked them; `identity.member.already` when they joined;
    /// `identity.member.invited_too_often`.
    pub async fn resend_invitation(
        &self,
        by: (Uuid, Uuid),
        (account, campaign): (Uuid, Uuid),
        meta: &Meta,
    ) -> Result<(Option<Token>, i64)> {
        self.fresh(by).await?;
        let said = members::said(self.log.pool(), campaign, account).await?;
        let said = said.ok_or(AppError::NotFound)?;
        let said: Option<Profile> = self.revealed(&said, &said_place(campaign, account)).await?;
        let email = said.ok_or(AppError::NotFound)?.email;
        self.may_write(campaign, &email).await?;
        // A page names one command for all places of an account.
        let meta = &step(meta, &campaign.to_string());
        let link = self.link_into((campaign, account), &email, meta).await?;
        let by = By::Admin(by);
        let judged = Judged::unasked(by.clone());
        let change = (MemberChange::RenewInvitation, judged, Some(&link));
        let renewed = self.settle((campaign, account), change, meta).await?;
        Ok((self.shown(link, renewed, &by, meta).await?, renewed.position))
    }
}

impl Act<'_> {
    /// Ends all sessions of an account.
    pub(super) async fn end_sessions(&mut self, account: Uuid) -> Result<()> {
        // No session has the nil id.
        let ended = tokens::end_other_sessions(self.db(), account, Uuid::nil()).await?;
        // A login whose second factor is awaited is not far from being one.
        sqlx::query!("DELETE FROM login_challenges WHERE account_id = $1", account)
            .execute(self.db())
            .await?;
        self.ended(account, ended).await
    }

    /// Ends whatever an account is in with, or could come in with, and whoever looks as its holder.
    async fn end_everything(&mut self, account: Uuid) -> Result<()> {
        let ended = tokens::end_others(self.db(), account, Uuid::nil()).await?;
        sqlx::query!("DELETE FROM proofs WHERE account_id = $1", account)
            .execute(self.db())
            .await?;
        self.ended(account, ended).await?;
        self.end_looks(Looks { subject: Some(account), ..Looks::default() }).await
    }
}
