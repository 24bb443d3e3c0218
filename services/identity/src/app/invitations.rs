//! One-time links: how accounts begin, and how people join teams.

use identity_domain::{Account, AccountCommand, AccountEvent, Profile, Proof};
use meydan_event_log::{Actor, Meta, PLATFORM, Target};
use time::Duration;
use uuid::Uuid;

use super::{
    AppError, Entered, Guest, Identity, Result, passwords::words_of, profile_place, quotas::Quota,
    said_place, step, whom,
};
use crate::{
    invitations::{self, InvitationRow},
    letters::{Letter, Locale},
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
        let (pool, now) = (self.log.pool(), self.clock.now());
        invitations::keep_invitation(pool, &token, &first, None, now).await?;
        Ok(token)
    }

    /// Counts an invitation, before anything is done for it.
    pub(super) async fn may_write(&self, campaign: Uuid, email: &str) -> Result<()> {
        let mut db = self.log.pool().acquire().await?;
        let address = format!("{campaign}|{}", email.trim().to_lowercase());
        let open = self.within(&mut db, PER_ADDRESS, &address).await?
            && self.within(&mut db, PER_CAMPAIGN, &campaign.to_string()).await?;
        if open {
            return Ok(());
        }
        let words = "too many were invited today";
        Err(AppError::Refused("identity.member.invited_too_often", words))
    }

    /// Sends a one-time link into `campaign` to the address that the inviter gave. Where mail reaches nobody, one
    /// more is made to be shown; it proves less. Asked again under the same command, no second letter is written.
    pub(super) async fn invite(
        &self,
        account: Uuid,
        campaign: Uuid,
        email: &str,
        meta: &Meta,
    ) -> Result<Option<Token>> {
        let (pool, now) = (self.log.pool(), self.clock.now());
        let row = campaigns::find(pool, Some(campaign), None).await?.ok_or(AppError::NotFound)?;
        let (token, to) = (Token::fresh(), (email.to_owned(), Locale::from_code(&row.locale)));
        let says =
            Letter::Invitation { candidate: row.candidate_name, token: token.clone().into_text() };
        let letter_id = step(meta, "letter").command_id;
        let letter = self.letter((letter_id, account), to, says).await?;
        let mut invitation =
            InvitationRow { account_id: Some(account), campaign_id: Some(campaign), mailed: true };
        invitations::keep_invitation(pool, &token, &invitation, Some(&letter), now).await?;
        self.written.notify_one();
        if self.post.mail.reaches_people() {
            return Ok(None);
        }
        let token = Token::fresh();
        invitation.mailed = false;
        invitations::keep_invitation(pool, &token, &invitation, None, now).await?;
        Ok(Some(token))
    }

    async fn invitation(&self, token: &str) -> Result<InvitationRow> {
        let found = invitations::invitation(self.log.pool(), token, self.clock.now()).await?;
        found.ok_or(AppError::NotFound)
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
        if accounts::is_suspended(self.log.pool(), account).await? {
            return Err(AppError::NotFound);
        }
        let (row, profile) = self.account(account).await?;
        let admin = row.admin || invitation.campaign_id.is_none();
        let chooser = self.chooser((account, admin), &profile, invitation.campaign_id).await?;
        let hash = self.choose("password", password, chooser).await?;
        let now = self.clock.now();
        // The password first, and the membership only for whoever set it: of two links used at once, one
        // alone begins the account. The link is used up last: whoever is cut off in between has a password,
        // and a link that accepts it.
        if !invitations::set_first_password(self.log.pool(), token, account, &hash, now).await? {
            return Err(AppError::NotFound);
        }
        self.record(account, AccountEvent::PasswordSet { at: now }).await?;
        self.take_up(&invitation, account, token).await?;
        self.begin(account, Proof::Password, guest, false).await
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
        let hash = match self.passwords.choose(password, chooser).await? {
            Ok(hash) if wrong.is_empty() => hash,
            Ok(_) => return Err(AppError::Malformed(wrong)),
            Err(weakness) => {
                wrong.push(("password", weakness.to_string()));
                return Err(AppError::Malformed(wrong));
            }
        };
        let (account, now) = (Uuid::new_v4(), self.clock.now());
        // The link is used up before there is an admin, so that it never makes two. A crash in between leaves
        // a used link, a password of no account, and no admin: the platform prints a new link when it starts
        // again, for as long as there is none.
        if !invitations::use_first_invitation(self.log.pool(), token, account, &hash, now).await? {
            return Err(AppError::NotFound);
        }
        self.register(account, &profile, true, &own(Uuid::now_v7())).await?;
        self.record(account, AccountEvent::PasswordSet { at: now }).await?;
        self.begin(account, Proof::Password, guest, false).await
    }

    /// Uses a one-time link for somebody who is logged in. Whoever becomes an admin by it shows their password, which
    /// must be one that admins may have; their sessions end.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] for a link that is another account's, used, too old or unknown.
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
        if invitation.campaign_id.is_none() {
            self.prove_for_admin((account, session), password, guest).await?;
        }
        self.take_up(&invitation, account, token).await
    }

    /// Joins, then uses the link up: cut off in between, the holder finds it good, and joining again changes
    /// nothing.
    async fn take_up(&self, invitation: &InvitationRow, account: Uuid, token: &str) -> Result<i64> {
        let campaign = invitation.campaign_id;
        let said = if invitation.mailed { self.said_of(campaign, account).await? } else { None };
        let position = match campaign {
            Some(campaign) => self.take_place(campaign, account).await?.position,
            None => self.appoint(account).await?,
        };
        // Somebody who was quicker with the same link was the same person.
        invitations::use_up(self.log.pool(), token, self.clock.now()).await?;
        self.prove_by_link(said, account).await?;
        Ok(position)
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
