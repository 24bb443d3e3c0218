//! One-time links: how accounts begin, and how people join teams.

mod asking;
mod links;

use std::collections::BTreeSet;

use identity_domain::{
    Account, AccountCommand, AccountEvent, AccountRefusal, Member, MemberCommand, Operation,
    OperationEvent, Profile, Proof, Role,
};
use meydan_event_log::{Actor, ExecuteError, Meta, PLATFORM, Refusal, Target, UniqueKey};
use meydan_keyring::Sealed;
use time::Duration;
use uuid::Uuid;

pub(super) use self::{asking::AskedOne, links::Link};
use super::{
    AppError, Entered, Guest, Identity, Result, acts::Act, addresses::Proved, admins, member_of,
    passwords::words_of, places, profile_place, quotas::Quota, said_place, whom,
};
use crate::{
    invitations::{self, InvitationRow},
    password::Chooser,
    projections::{accounts, campaigns, members},
    tokens::Token,
};

/// Letters that one campaign writes to an address. Over all campaigns, the count would tell each of them that others
/// have invited the same person.
const PER_ADDRESS: Quota = Quota { of: "invitation.address", most: 5, window: Duration::days(1) };
/// Letters that a campaign writes to anybody.
const PER_CAMPAIGN: Quota =
    Quota { of: "invitation.campaign", most: 200, window: Duration::days(1) };

/// For whom a one-time link is.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Whose it is; `None` for the first admin.
    pub account: Option<Uuid>,
    /// Who, as the inviter gave it; `None` for the first admin.
    pub profile: Option<Profile>,
    /// The candidate whose campaign invites; `None` for admins.
    pub candidate_name: Option<String>,
    /// Whether the account has a password.
    pub begun: bool,
    /// Whether it makes an admin.
    pub admin: bool,
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
        let (token, first) =
            (Token::fresh(), InvitationRow { account_id: None, campaign_id: None, mailed: false });
        let operator = Actor::Service { name: "meydan".to_owned() };
        let mut act = self.act(Meta::new(Uuid::now_v7(), operator), &[]).await?;
        let at = act.at;
        // On record before anybody has it.
        let platform = Target { tenant: PLATFORM, id: PLATFORM };
        act.ask::<Operation>(platform, OperationEvent::FirstLinkMade { at });
        invitations::keep_invitation(act.db(), &token, &first, at).await?;
        act.done().await?;
        Ok(token)
    }

    /// Counts an invitation, before anything is done for it.
    pub(super) async fn may_write(&self, campaign: Uuid, email: &str) -> Result<()> {
        let address = format!("{campaign}|{}", email.trim().to_lowercase());
        let address = self.counted(PER_ADDRESS, &address).await?;
        let all = self.counted(PER_CAMPAIGN, &campaign.to_string()).await?;
        let mut db = self.log.pool().acquire().await?;
        let open = self.within(&mut db, &address).await? && self.within(&mut db, &all).await?;
        if open {
            return Ok(());
        }
        let words = "too many were invited today";
        Err(AppError::Refused("identity.member.invited_too_often", words))
    }

    /// What a link is for, unless whose it is was suspended: then it says and opens nothing.
    async fn invitation(&self, token: &str) -> Result<InvitationRow> {
        let pool = self.log.pool();
        let found = invitations::invitation(pool, token, self.clock.now()).await?;
        let invitation = found.ok_or(AppError::NotFound)?;
        match invitation.account_id {
            Some(account) if accounts::is_suspended(pool, account).await? => {
                Err(AppError::NotFound)
            }
            _ => Ok(invitation),
        }
    }

    /// Says for whom a one-time link is. Of an account it tells no more than the inviter gave, and whether it
    /// has begun.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] for one that is unknown, used or too old.
    pub async fn entry(&self, token: &str) -> Result<Entry> {
        let invitation = self.invitation(token).await?;
        let Some(account) = invitation.account_id else {
            let (profile, candidate_name, begun) = (None, None, false);
            return Ok(Entry { account: None, profile, candidate_name, begun, admin: true });
        };
        let profile = self.said_of(invitation.campaign_id, account).await?;
        let candidate = match invitation.campaign_id {
            Some(campaign) => campaigns::find(self.log.pool(), Some(campaign), None).await?,
            None => None,
        };
        Ok(Entry {
            account: Some(account),
            profile: Some(profile.ok_or(AppError::NotFound)?),
            candidate_name: candidate.map(|campaign| campaign.candidate_name),
            begun: self.hash_of(account).await?.is_some(),
            admin: invitation.campaign_id.is_none(),
        })
    }

    /// Who is invited, as the inviter gave it: into a campaign, or to become an admin.
    async fn said_of(&self, campaign: Option<Uuid>, account: Uuid) -> Result<Option<Profile>> {
        let Some(campaign) = campaign else { return self.asked_as_admin(account).await };
        let said = members::said(self.log.pool(), campaign, account).await?;
        self.revealed(&said.ok_or(AppError::NotFound)?, &said_place(campaign, account)).await
    }

    /// Uses a one-time link of an account that has not begun: sets its first password, and begins a session.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; nothing is used up when a field is wrong. `identity.invitation.begun` when the account
    /// has a password: a link opens nothing of it, its holder logs in and joins.
    pub async fn accept(
        &self,
        token: &str,
        said: &Profile,
        password: String,
        guest: &Guest,
    ) -> Result<Entered> {
        let invitation = self.invitation(token).await?;
        if guest.outside && invitation.campaign_id.is_none() {
            return Err(AppError::NotFound);
        }
        let Some(account) = invitation.account_id else {
            return self.begin_first_admin(token, said, password, guest).await;
        };
        if self.hash_of(account).await?.is_some() {
            return Err(AppError::Refused("identity.invitation.begun", "log in to accept"));
        }
        let (row, profile) = self.account(account).await?;
        let admin = row.admin || invitation.campaign_id.is_none();
        let chooser = self.chooser((account, admin), &profile, invitation.campaign_id).await?;
        let hash = self.choose("password", password, chooser).await?;
        let seat = self.seat(&invitation, account).await?;
        let arrival = self.arrival_of((account, admin), (Proof::Password, guest), false).await?;
        let mut act = self.act_from(account, &guest.address).await?;
        let at = act.at;
        // Of two links that are used at once, one alone begins the account; the other stays good for its holder.
        if !invitations::set_first_password(act.db(), account, &hash, at).await? {
            return Err(AppError::NotFound);
        }
        act.record(account, AccountEvent::PasswordSet { at });
        act.take_up(account, token, seat).await?;
        let entered = act.enter(arrival).await?;
        let done = act.done().await.map_err(refused)?;
        self.show(done.position).await;
        Ok(entered)
    }

    async fn begin_first_admin(
        &self,
        token: &str,
        said: &Profile,
        password: String,
        guest: &Guest,
    ) -> Result<Entered> {
        let (profile, mut wrong) = whom(said);
        let chooser = Chooser { admin: true, words: words_of(&profile) };
        let pepper = self.pepper().await?;
        let hash = match self.passwords.choose(password, chooser, pepper).await? {
            Ok(hash) if wrong.is_empty() => hash,
            Ok(_) => return Err(AppError::Malformed(wrong)),
            Err(weakness) => {
                wrong.push(("password", weakness.to_string()));
                return Err(AppError::Malformed(wrong));
            }
        };
        let account = Uuid::new_v4();
        let newcomer = self.newcomer(account, &profile, true).await?;
        let arrival = self.arrival_of((account, true), (Proof::Password, guest), false).await?;
        let meta = self.person_from(account, Uuid::now_v7(), &guest.address).await?;
        let platform = Meta { actor: own(), address: None, ..meta.clone() };
        let mut act = self.act(meta, &[account]).await?;
        let at = act.at;
        if !invitations::use_up(act.db(), token, None, at).await?
            || !invitations::set_first_password(act.db(), account, &hash, at).await?
        {
            return Err(AppError::NotFound);
        }
        act.register(newcomer, Some(&platform));
        act.record(account, AccountEvent::PasswordSet { at });
        let entered = act.enter(arrival).await?;
        let done = act.done().await?;
        self.show(done.position).await;
        Ok(entered)
    }

    /// Uses a one-time link for somebody who is logged in. Whoever becomes an admin by it shows their password, which
    /// must be one that admins may have; their sessions end.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] for a link that is another account's, used, too old or unknown, and when the session has
    /// ended; `identity.password.wrong`, also when it was changed this moment.
    pub async fn join(
        &self,
        (account, session): (Uuid, Uuid),
        token: &str,
        password: String,
        guest: &Guest,
    ) -> Result<i64> {
        let invitation = self.invitation(token).await?;
        if invitation.account_id != Some(account) {
            return Err(AppError::NotFound);
        }
        let hash = match invitation.campaign_id {
            Some(_) => None,
            None => Some(self.prove_for_admin((account, session), password, guest).await?),
        };
        let seat = self.seat(&invitation, account).await?;
        let mut act = self.act_of(account).await?;
        act.confirmed((account, session), hash.as_deref()).await?;
        act.take_up(account, token, seat).await?;
        let done = act.done().await.map_err(refused)?;
        self.show(done.position).await;
        self.changes.tell(account).await;
        Ok(done.position)
    }

    /// What somebody takes up with a link.
    async fn seat(&self, invitation: &InvitationRow, account: Uuid) -> Result<Seat> {
        let campaign = invitation.campaign_id;
        let said = if invitation.mailed { self.said_of(campaign, account).await? } else { None };
        let proved = self.proof_by_link(said, account).await?;
        let owner = match campaign {
            Some(campaign) => self.place(campaign, account).await?.role() == Some(Role::Owner),
            None => true,
        };
        let standing = self.standing(campaign).await?;
        Ok(Seat { campaign, owner, standing, proved })
    }

    /// An account that begins, sealed before the act in which it does.
    pub(super) async fn newcomer(
        &self,
        account: Uuid,
        profile: &Profile,
        admin: bool,
    ) -> Result<Newcomer> {
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let sealed = sealer.seal(&profile_place(account), profile);
        Ok(Newcomer { account, profile: sealed, admin, key: self.email_key(&profile.email).await? })
    }
}

/// An account that is about to begin.
pub(super) struct Newcomer {
    account: Uuid,
    profile: Sealed<Profile>,
    admin: bool,
    key: UniqueKey,
}

/// A place that a link leads to: in a campaign, or among the admins.
struct Seat {
    campaign: Option<Uuid>,
    owner: bool,
    /// The owners or the admins whom the tables show.
    standing: BTreeSet<Uuid>,
    /// The address that the link proves.
    proved: Option<Proved>,
}

impl Act<'_> {
    /// Begins an account. An address that is taken is refused.
    pub(super) fn register(&mut self, newcomer: Newcomer, from: Option<&Meta>) {
        let Newcomer { account, profile, admin, key } = newcomer;
        let command = AccountCommand::Register { profile, admin, at: self.at };
        let target = Target { tenant: PLATFORM, id: account };
        self.ask_with::<Account>(target, command, key, from);
    }

    /// Uses a link up, and takes what it leads to.
    async fn take_up(&mut self, account: Uuid, token: &str, seat: Seat) -> Result<()> {
        let Seat { campaign, owner, standing, proved } = seat;
        let at = self.at;
        if !invitations::use_up(self.db(), token, Some(account), at).await? {
            return Err(AppError::NotFound);
        }
        if let Some(proved) = proved {
            self.prove(account, proved).await?;
        }
        match campaign {
            Some(campaign) => {
                let target = Target { tenant: campaign, id: member_of(campaign, account) };
                self.ask::<Member>(target, MemberCommand::Join { owner, at });
                self.list(campaign, (account, owner), standing);
                Ok(())
            }
            None => self.administer(account, true, standing).await,
        }
    }
}

/// Why a link led nowhere.
fn refused(error: ExecuteError<Refusal>) -> AppError {
    match &error {
        ExecuteError::Refused(refusal) if refusal.is::<AccountRefusal>() => admins::refused(error),
        _ => places::refused(error),
    }
}

fn own() -> Actor {
    Actor::Service { name: crate::NAME.to_owned() }
}
