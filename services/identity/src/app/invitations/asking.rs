//! Asking people to join a team: members ask, and services and admins, who are judged by nobody's place.

use std::time::Duration;

use identity_domain::{Member, MemberCommand, Profile, Role};
use meydan_event_log::{Committed, Meta, PLATFORM, Target};
use meydan_keyring::Sealed;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Link, Newcomer};
use crate::{
    app::{
        AppError, Identity, Result, acts::Act, certain::By, member_of, places::refused, said_place,
        step, whom,
    },
    tokens::Token,
};

/// How long a member waits for an answer to an invitation, at least. An address without an account has one made,
/// which takes longer, and by that nobody may tell which addresses are known.
const ASKING: Duration = Duration::from_millis(250);

/// Somebody who is asked to join a team.
pub(in crate::app) struct AskedOne {
    pub(in crate::app) account: Uuid,
    /// Their account, when they have none yet.
    pub(in crate::app) begins: Option<Newcomer>,
}

impl Identity {
    /// Asks somebody to join a campaign's team, on behalf of a member or of a service.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; `identity.member.already` for somebody who is in it, `identity.member.not_held` when
    /// the member would give what they do not hold; `identity.member.owners_only` for somebody who is asked to own the
    /// campaign, unless an owner asks; `identity.proof.needed` to ask for an owner; [`AppError::Conflict`] when others
    /// asked the same person meanwhile.
    pub async fn invite_member(
        &self,
        (campaign, by): (Uuid, Option<(Uuid, Uuid)>),
        who: &Profile,
        role: Role,
        meta: &Meta,
    ) -> Result<(Option<Token>, Committed)> {
        let (who, wrong) = whom(who);
        if !wrong.is_empty() {
            return Err(AppError::Malformed(wrong));
        }
        let Some(member) = by else {
            return self.ask_to_join((campaign, By::Anybody), &who, (role, None), meta).await;
        };
        let answered_at = Instant::now() + ASKING;
        // Nobody has the nil id: an unknown address asks as much.
        let asked = self.account_of(&who.email).await?.unwrap_or_default();
        let before = self.place(campaign, asked).await?;
        let place = self.actor(campaign, member.0).await?;
        place.may_invite(&before, role)?;
        if role == Role::Owner {
            self.fresh(member).await?;
        }
        let by = By::Member { campaign, holder: member, place };
        let asked = self.ask_to_join((campaign, by), &who, (role, Some(before)), meta).await;
        tokio::time::sleep_until(answered_at).await;
        asked
    }

    /// Asks somebody to join a team, making their account when they have none. Known or not, they get a link
    /// and join by it alone: who set the password of an address is not proof that its holder wants to be here.
    async fn ask_to_join(
        &self,
        (campaign, by): (Uuid, By),
        who: &Profile,
        seat: (Role, Option<Member>),
        meta: &Meta,
    ) -> Result<(Option<Token>, Committed)> {
        self.may_write(campaign, &who.email).await?;
        let within = (campaign, &by);
        let ask = |asked| self.ask_one(within, (who, asked), seat.clone(), meta);
        let (link, invited) = self.once_begun(who, meta, ask).await?;
        self.show(invited.position).await;
        Ok((self.shown(link, invited, &by, meta).await?, invited))
    }

    /// Asks somebody who is known, or about to begin.
    async fn ask_one(
        &self,
        (campaign, by): (Uuid, &By),
        (who, asked): (&Profile, AskedOne),
        seat: (Role, Option<Member>),
        meta: &Meta,
    ) -> Result<(Link, Committed)> {
        let link = self.link_into((campaign, asked.account), &who.email, meta).await?;
        let said = self.said_by(who, (campaign, asked.account)).await?;
        let mut act = self.act_on(&[asked.account], by, step(meta, "invite")).await?;
        act.invite(campaign, asked, seat, said);
        act.keep_link(&link).await?;
        let invited = act.done().await.map_err(refused)?;
        Ok((link, invited))
    }

    /// Asks somebody who is known, or about to begin; once more when somebody else has had them begin in the same
    /// instant.
    pub(in crate::app) async fn once_begun<T, F>(
        &self,
        who: &Profile,
        meta: &Meta,
        ask: impl Fn(AskedOne) -> F + Send,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let asked = self.asked(who, meta).await?;
        let begins = asked.begins.is_some();
        match ask(asked).await {
            Err(AppError::Refused("identity.key_taken", words)) if begins => {
                let asked = self.asked(who, meta).await?;
                if asked.begins.is_some() {
                    return Err(AppError::Refused("identity.key_taken", words));
                }
                ask(asked).await
            }
            done => done,
        }
    }

    /// Whose account an address is, or whose it is about to be. The id of one that begins follows from the command and
    /// the address: a command that comes again, in this campaign or in another one, begins no account of anybody else.
    async fn asked(&self, who: &Profile, meta: &Meta) -> Result<AskedOne> {
        let key = self.email_key(&who.email).await?;
        if let Some(account) = self.log.holder(&key).await? {
            return Ok(AskedOne { account, begins: None });
        }
        let account = Uuid::new_v5(&meta.command_id, &key.key);
        let begins = Some(self.newcomer(account, who, false).await?);
        Ok(AskedOne { account, begins })
    }

    /// What an inviter says of somebody, sealed.
    pub(in crate::app) async fn said_by(
        &self,
        who: &Profile,
        (campaign, account): (Uuid, Uuid),
    ) -> Result<Sealed<Profile>> {
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        Ok(sealer.seal(&said_place(campaign, account), who))
    }
}

impl Act<'_> {
    /// Asks somebody to join a team as `role`, if their place is still what the inviter was judged on.
    pub(in crate::app) fn invite(
        &mut self,
        campaign: Uuid,
        who: AskedOne,
        (role, judged): (Role, Option<Member>),
        said: Sealed<Profile>,
    ) {
        let AskedOne { account, begins } = who;
        if let Some(newcomer) = begins {
            self.register(newcomer, None);
        }
        let command =
            MemberCommand::Invite { account_id: account, role, said, judged, at: self.at };
        let target = Target { tenant: campaign, id: member_of(campaign, account) };
        self.ask::<Member>(target, command);
    }
}
