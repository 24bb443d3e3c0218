//! Places in teams: who holds which, who changes them, and what ends with them.

use std::collections::BTreeSet;

use identity_domain::{
    AccountRefusal, CampaignRefusal, Member, MemberChange, MemberCommand, MemberRefusal, Profile,
    Role, Team, TeamCommand, TeamRefusal,
};
use meydan_event_log::{Committed, ExecuteError, Meta, Refusal, Target};
use uuid::Uuid;

use super::{
    AppError, Identity, Result,
    acts::{Act, Looks},
    certain::By,
    invitations::Link,
    member_of, profile_place, said_place,
};
use crate::{
    factors,
    invitations::{self, Links},
    projections::{
        accounts,
        members::{self, MemberRow},
    },
    tokens::{self, Token},
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

/// On whose word a place is changed.
pub(super) struct Judged {
    /// Whose.
    by: By,
    /// The place on which they were judged, and as which it is changed or not at all, and the place as it will be;
    /// `None` for whoever may change it whatever it is.
    places: Option<(Member, Member)>,
}

impl Judged {
    /// On the word of somebody who may change it whatever it is.
    pub(super) const fn unasked(by: By) -> Self {
        Self { by, places: None }
    }
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

/// What a change of a place, a campaign or the list of owners was refused for; without an account there is none.
pub(super) fn refused(error: ExecuteError<Refusal>) -> AppError {
    let ExecuteError::Refused(refusal) = error else { return error.into() };
    if let Some(refusal) = refusal.downcast_ref::<MemberRefusal>() {
        return (*refusal).into();
    }
    if let Some(refusal) = refusal.downcast_ref::<CampaignRefusal>() {
        return (*refusal).into();
    }
    match refusal.downcast_ref() {
        Some(AccountRefusal::Registered) => return AccountRefusal::Registered.into(),
        Some(_) => return AppError::NotFound,
        None => {}
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
        (campaign, by): (Uuid, (Uuid, Uuid)),
        member_id: Uuid,
        change: MemberChange,
        meta: &Meta,
    ) -> Result<Committed> {
        let account = self.named(campaign, member_id).await?;
        let judged = self.may_change((campaign, by), account, &change).await?;
        self.settle((campaign, account), (change, judged, None), meta).await
    }

    /// What a member who may do so makes of the place of another one.
    async fn may_change(
        &self,
        (campaign, by): (Uuid, (Uuid, Uuid)),
        account: Uuid,
        change: &MemberChange,
    ) -> Result<Judged> {
        let actor = self.actor(campaign, by.0).await?;
        if account == by.0 {
            return Err(MemberRefusal::Oneself.into());
        }
        if !actor.permissions().contains(&change.permission()) {
            return Err(MemberRefusal::NotHeld.into());
        }
        let before = self.place(campaign, account).await?;
        let after = before.after(&before.changed(account, change.clone(), self.clock.now())?);
        actor.may_change(&before, &after)?;
        let by = By::Member { campaign, holder: by, place: actor };
        Ok(Judged { by, places: Some((before, after)) })
    }

    /// Whether a member may give the place of somebody who has not joined, as it is this moment, to whoever has a new
    /// link; `identity.proof.needed` where that makes an owner.
    pub(super) async fn may_renew(
        &self,
        (campaign, by): (Uuid, (Uuid, Uuid)),
        account: Uuid,
    ) -> Result<Judged> {
        let change = MemberChange::RenewInvitation;
        let judged = self.may_change((campaign, by), account, &change).await?;
        let seat = judged.places.as_ref().and_then(|(before, _)| before.role());
        if seat == Some(Role::Owner) {
            self.fresh(by).await?;
        }
        Ok(judged)
    }

    /// Takes somebody out of a team who wants to go.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; `identity.member.last_owner` for the last owner.
    pub async fn leave(&self, campaign: Uuid, account: Uuid, meta: &Meta) -> Result<Committed> {
        let change = (MemberChange::Remove, Judged::unasked(By::Anybody), None);
        self.settle((campaign, account), change, meta).await
    }

    /// Makes a new link for somebody who has not joined, where mail does not bring it; the ones before end.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; `identity.proof.needed` for somebody who is to own the campaign.
    pub async fn renew_invitation(
        &self,
        (campaign, by): (Uuid, (Uuid, Uuid)),
        member_id: Uuid,
        meta: &Meta,
    ) -> Result<(Option<Token>, Committed)> {
        let account = self.named(campaign, member_id).await?;
        let said = members::said(self.log.pool(), campaign, account).await?;
        let said = said.ok_or(AppError::NotFound)?;
        let said: Option<Profile> = self.revealed(&said, &said_place(campaign, account)).await?;
        let email = said.ok_or(AppError::NotFound)?.email;
        let judged = self.may_renew((campaign, by), account).await?;
        let by = judged.by.clone();
        self.may_write(campaign, &email).await?;
        let link = self.link_into((campaign, account), &email, meta).await?;
        let change = (MemberChange::RenewInvitation, judged, Some(&link));
        let renewed = self.settle((campaign, account), change, meta).await?;
        Ok((self.shown(link, renewed, &by, meta).await?, renewed))
    }

    /// Changes a place together with the list of owners, waits until the tables show it, and ends what ends
    /// with it.
    pub(super) async fn settle(
        &self,
        (campaign, account): (Uuid, Uuid),
        (change, Judged { by, places }, link): (MemberChange, Judged, Option<&Link>),
        meta: &Meta,
    ) -> Result<Committed> {
        let standing = self.standing(Some(campaign)).await?;
        let owner = places.as_ref().is_some_and(|(_, after)| after.is_owner());
        let moves = places.as_ref().is_some_and(|(before, after)| before != after);
        let judged = places.map(|(before, _)| before);
        let mut act = self.act_on(&[account], &by, meta.clone()).await?;
        let (at, account_id) = (act.at, account);
        let command =
            MemberCommand::Change { account_id, change: change.clone(), owner, judged, at };
        let target = Target { tenant: campaign, id: member_of(campaign, account) };
        act.ask::<Member>(target, command);
        act.list(campaign, (account, owner), standing);
        let gone = matches!(change, MemberChange::Deactivate | MemberChange::Remove);
        let out = gone || change == MemberChange::WithdrawInvitation;
        let whose = (Some(campaign), account);
        if out || (moves && !self.post.mail.reaches_people()) {
            invitations::end_links(act.db(), whose, Links::All).await?;
        } else if moves {
            // What was mailed is theirs alone. What somebody was shown would lead that one to what is given now.
            invitations::end_links(act.db(), whose, Links::Shown).await?;
        }
        if gone {
            act.end_sessions_without_a_place(account, campaign).await?;
            let (subject, campaign) = (Some(account), Some(campaign));
            act.end_looks(Looks { subject, campaign, ..Looks::default() }).await?;
        }
        // A token that somebody got hold of before is worth nothing of what the new role may.
        let other_role = matches!(change, MemberChange::Role(_));
        if other_role {
            tokens::let_renew(act.db(), account, None).await?;
        }
        if let Some(link) = link {
            act.keep_link(link).await?;
        }
        let committed = act.done().await.map_err(refused)?;
        self.show(committed.position).await;
        if gone || other_role {
            self.changes.tell(account).await;
        }
        Ok(committed)
    }

    /// The owners of a campaign, or the admins of the platform, whom the tables show now.
    pub(super) async fn standing(&self, campaign: Option<Uuid>) -> Result<BTreeSet<Uuid>> {
        let head = *self.log.head(0).borrow();
        self.reach(head).await?;
        let pool = self.log.pool();
        let standing = match campaign {
            Some(campaign) => members::owners_of(pool, campaign).await?,
            None => accounts::admins(pool).await?,
        };
        Ok(standing.into_iter().collect())
    }
}

impl Act<'_> {
    /// Lists an account as an owner of a campaign or an admin of the platform, or not any more.
    pub(super) fn list(
        &mut self,
        team: Uuid,
        (account_id, owner): (Uuid, bool),
        standing: BTreeSet<Uuid>,
    ) {
        let listed = TeamCommand::List { account_id, owner, standing, at: self.at };
        self.ask::<Team>(Target { tenant: team, id: team }, listed);
    }

    /// Ends the sessions of an account that has no place to work left beside the one that it loses. Whoever has one
    /// goes on there.
    async fn end_sessions_without_a_place(&mut self, account: Uuid, lost: Uuid) -> Result<()> {
        let ended = sqlx::query_scalar!(
            r#"
            DELETE FROM sessions WHERE account_id = $1
              AND NOT EXISTS (SELECT 1 FROM accounts WHERE account_id = $1 AND admin)
              AND NOT EXISTS (
                SELECT 1 FROM members
                WHERE account_id = $1 AND campaign_id <> $2 AND joined_at IS NOT NULL AND NOT deactivated)
            RETURNING session_id
            "#,
            account,
            lost,
        )
        .fetch_all(self.db())
        .await?;
        self.ended(account, ended).await
    }
}
