//! Places in teams: who holds which, who changes them, and what ends with them.

use std::collections::BTreeSet;

use identity_domain::{
    Member, MemberChange, MemberCommand, MemberRefusal, Profile, Team, TeamCommand, TeamRefusal,
};
use meydan_event_log::{Committed, ExecuteError, Meta, Refusal, Target};
use uuid::Uuid;

use super::{AppError, Identity, Result, login::person, member_of, profile_place, said_place};
use crate::{
    factors,
    projections::members::{self, MemberRow},
    tokens::Token,
};

/// A member with what could be opened of them.
#[derive(Debug, Clone)]
pub struct TeamMember {
    /// What the team calls them: it tells nothing of the account behind it.
    pub member_id: Uuid,
    /// As stored.
    pub row: MemberRow,
    /// Address and name: of somebody who joined their own, of somebody invited what the inviter gave. `None`
    /// when erased.
    pub profile: Option<Profile>,
    /// Whether the account has a second factor.
    pub second_factor: bool,
}

impl From<MemberRefusal> for AppError {
    fn from(refusal: MemberRefusal) -> Self {
        let code = match refusal {
            MemberRefusal::NotInvited => return Self::NotFound,
            MemberRefusal::Changed => return Self::Conflict,
            MemberRefusal::UnknownPermission => {
                return Self::Malformed(vec![("permissions", refusal.to_string())]);
            }
            MemberRefusal::AlreadyMember => "identity.member.already",
            MemberRefusal::NotJoined => "identity.member.not_joined",
            MemberRefusal::OwnersHaveAll => "identity.member.owners_have_all",
            MemberRefusal::NotHeld => "identity.member.not_held",
            MemberRefusal::Oneself => "identity.member.oneself",
            MemberRefusal::OwnersOnly => "identity.member.owners_only",
        };
        Self::Refused(code, refusal.words())
    }
}

/// What a change of a place and of the list of owners together were refused for.
fn refused(error: ExecuteError<Refusal>) -> AppError {
    let ExecuteError::Refused(refusal) = error else { return error.into() };
    if let Some(refusal) = refusal.downcast_ref::<MemberRefusal>() {
        return (*refusal).into();
    }
    match refusal.downcast_ref() {
        Some(TeamRefusal::LastOwner) => {
            AppError::Refused("identity.member.last_owner", "a campaign keeps at least one owner")
        }
        None => AppError::Damaged("a refusal that nobody knows".to_owned()),
    }
}

impl Identity {
    /// The place of an account in a campaign, as the log has it this moment.
    pub(super) async fn place(&self, campaign: Uuid, account: Uuid) -> Result<Member> {
        let target = Target { tenant: campaign, id: member_of(campaign, account) };
        Ok(self.log.load::<Member>(target).await?.aggregate)
    }

    /// What the team of a campaign calls an account: a keyed hash, so that nobody can tell by it whether an
    /// address that they invited was known.
    async fn member_id(&self, campaign: Uuid, account: Uuid) -> Result<Uuid> {
        let hash = self.keyring.blind_index(campaign, "member.name", account.as_bytes()).await?;
        Ok(Uuid::from_bytes(hash))
    }

    /// The team of a campaign.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn team(&self, campaign: Uuid, min_position: i64) -> Result<Vec<TeamMember>> {
        self.reach(min_position).await?;
        let rows = members::of_campaign(self.log.pool(), campaign).await?;
        let mut team = Vec::with_capacity(rows.len());
        for row in rows {
            let mut profile: Option<Profile> = match (row.joined_at, &row.said_sealed) {
                (Some(_), _) => {
                    self.revealed(&row.profile_sealed, &profile_place(row.account_id)).await?
                }
                (None, Some(said)) => {
                    self.revealed(said, &said_place(campaign, row.account_id)).await?
                }
                (None, None) => None,
            };
            if let (Some(_), Some(profile)) = (row.joined_at, &mut profile) {
                self.with_proved_email(profile, row.account_id, row.email_sealed.as_deref())
                    .await?;
            }
            let member_id = self.member_id(campaign, row.account_id).await?;
            let second_factor = factors::has(self.log.pool(), row.account_id).await?;
            team.push(TeamMember { member_id, row, profile, second_factor });
        }
        Ok(team)
    }

    /// The account behind a name of the team.
    async fn named(&self, campaign: Uuid, member_id: Uuid) -> Result<Uuid> {
        for account in members::accounts_of(self.log.pool(), campaign).await? {
            if self.member_id(campaign, account).await? == member_id {
                return Ok(account);
            }
        }
        Err(AppError::NotFound)
    }

    /// Changes the place of a member, on behalf of another one. Both are judged by what the log says now,
    /// not by what their sessions were told a moment ago.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; refused with the rule of [`MemberRefusal`] or [`TeamRefusal`].
    pub async fn change_member(
        &self,
        (campaign, by): (Uuid, Uuid),
        member_id: Uuid,
        change: MemberChange,
        meta: &Meta,
    ) -> Result<Committed> {
        let account = self.named(campaign, member_id).await?;
        let actor = self.actor(campaign, by).await?;
        if account == by {
            return Err(MemberRefusal::Oneself.into());
        }
        if !actor.permissions().contains(&change.permission()) {
            return Err(MemberRefusal::NotHeld.into());
        }
        let before = self.place(campaign, account).await?;
        let after = before.after(&before.changed(account, change.clone(), self.clock.now())?);
        actor.may_change(&before, &after)?;
        self.settle((campaign, account), change, after.is_owner(), meta).await
    }

    /// Takes somebody out of a team who wants to go.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; `identity.member.last_owner` for the last owner.
    pub async fn leave(&self, campaign: Uuid, account: Uuid, meta: &Meta) -> Result<Committed> {
        self.settle((campaign, account), MemberChange::Remove, false, meta).await
    }

    /// Makes a new link for somebody who has not joined, where mail does not bring it; the one before ends.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn renew_invitation(
        &self,
        (campaign, by): (Uuid, Uuid),
        member_id: Uuid,
        meta: &Meta,
    ) -> Result<(Option<Token>, Committed)> {
        let account = self.named(campaign, member_id).await?;
        let said = members::said(self.log.pool(), campaign, account).await?;
        let said = said.ok_or(AppError::NotFound)?;
        let said: Option<Profile> = self.revealed(&said, &said_place(campaign, account)).await?;
        let email = said.ok_or(AppError::NotFound)?.email;
        self.may_write(campaign, &email).await?;
        let change = MemberChange::RenewInvitation;
        let renewed = self.change_member((campaign, by), member_id, change, meta).await?;
        Ok((self.invite(account, campaign, &email, meta).await?, renewed))
    }

    /// Changes a place together with the list of owners, waits until the tables show it, and ends what ends
    /// with it.
    pub(super) async fn settle(
        &self,
        (campaign, account): (Uuid, Uuid),
        change: MemberChange,
        owner: bool,
        meta: &Meta,
    ) -> Result<Committed> {
        let (at, account_id) = (self.clock.now(), account);
        let command = MemberCommand::Change { account_id, change: change.clone(), owner, at };
        let committed = self.in_team((campaign, account), command, owner, meta).await?;
        match change {
            MemberChange::RenewInvitation | MemberChange::WithdrawInvitation => {
                self.end_links(campaign, account).await?;
            }
            MemberChange::Deactivate | MemberChange::Remove => {
                self.end_links(campaign, account).await?;
                self.end_sessions_without_a_place(account).await?;
                self.changes.tell(account).await;
                self.end_looks((Some(account), Some(campaign)), meta).await?;
            }
            MemberChange::Role(_) | MemberChange::Permissions { .. } | MemberChange::Reactivate => {
            }
        }
        Ok(committed)
    }

    /// Lets an account that was asked join.
    pub(super) async fn take_place(&self, campaign: Uuid, account: Uuid) -> Result<Committed> {
        let role = self.place(campaign, account).await?.role();
        let owner = role == Some(identity_domain::Role::Owner);
        let command = MemberCommand::Join { owner, at: self.clock.now() };
        let meta = person(account, Uuid::now_v7());
        self.in_team((campaign, account), command, owner, &meta).await
    }

    async fn in_team(
        &self,
        (campaign, account): (Uuid, Uuid),
        command: MemberCommand,
        owner: bool,
        meta: &Meta,
    ) -> Result<Committed> {
        let head = *self.log.head(0).borrow();
        self.reach(head).await?;
        let standing = members::owners_of(self.log.pool(), campaign).await?;
        let standing = standing.into_iter().collect::<BTreeSet<_>>();
        let at = self.clock.now();
        let listed = TeamCommand::List { account_id: account, owner, standing, at };
        let group = self.log.group(campaign);
        let group = group.ask::<Member>(member_of(campaign, account), command);
        let group = group.ask::<Team>(campaign, listed);
        let committed = group.execute(meta).await.map_err(refused)?;
        self.reach(committed.position).await?;
        Ok(committed)
    }

    /// Ends the one-time links with which an account could join a campaign.
    async fn end_links(&self, campaign: Uuid, account: Uuid) -> Result<()> {
        sqlx::query!(
            "DELETE FROM invitations WHERE campaign_id = $1 AND account_id = $2 AND used_at IS NULL",
            campaign,
            account,
        )
        .execute(self.log.pool())
        .await?;
        Ok(())
    }

    /// Ends the sessions of an account that has no place to work left. Whoever has one goes on there.
    async fn end_sessions_without_a_place(&self, account: Uuid) -> Result<()> {
        sqlx::query!(
            r#"
            DELETE FROM sessions WHERE account_id = $1
              AND NOT EXISTS (SELECT 1 FROM accounts WHERE account_id = $1 AND admin)
              AND NOT EXISTS (
                SELECT 1 FROM members WHERE account_id = $1 AND joined_at IS NOT NULL AND NOT deactivated)
            "#,
            account,
        )
        .execute(self.log.pool())
        .await?;
        Ok(())
    }
}
