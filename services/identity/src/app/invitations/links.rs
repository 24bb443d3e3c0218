//! Links that are made: each in the letter that brings it, and where mail reaches nobody one more, to be shown.

use identity_domain::MemberChange;
use meydan_event_log::{Committed, Meta};
use uuid::Uuid;

use crate::{
    app::{AppError, Identity, Result, acts::Act, certain::By, member_of, places::Judged, step},
    invitations::{self, InvitationRow, Links},
    letters::{Letter, Locale, Written},
    projections::campaigns,
    tokens::Token,
};

/// A one-time link that is about to be kept.
pub(in crate::app) struct Link {
    account: Uuid,
    campaign: Option<Uuid>,
    mailed: Token,
    letter: Written,
    shown: Option<Token>,
}

impl Link {
    fn row(&self, mailed: bool) -> InvitationRow {
        InvitationRow { account_id: Some(self.account), campaign_id: self.campaign, mailed }
    }
}

impl Identity {
    /// A one-time link to an address, into a campaign or among admins: in the letter that `says` writes, and where mail
    /// reaches nobody one more, to be shown; that one proves less.
    pub(in crate::app) async fn link(
        &self,
        (account, campaign): (Uuid, Option<Uuid>),
        to: (String, Locale),
        says: impl FnOnce(String) -> Letter + Send,
        meta: &Meta,
    ) -> Result<Link> {
        let mailed = Token::fresh();
        // A page names one command for all places of an account, each of which has a letter of its own.
        let seat = member_of(campaign.unwrap_or_default(), account);
        let letter_id = Uuid::new_v5(&step(meta, "letter").command_id, seat.as_bytes());
        let letter = says(mailed.clone().into_text());
        let letter = self.letter((letter_id, account), to, letter).await?;
        let shown = (!self.mails_links()).then(Token::fresh);
        Ok(Link { account, campaign, mailed, letter, shown })
    }

    /// Whether mail brings links to people.
    #[must_use]
    pub fn mails_links(&self) -> bool {
        self.post.mail.reaches_people()
    }

    /// A one-time link into a campaign.
    pub(in crate::app) async fn link_into(
        &self,
        (campaign, account): (Uuid, Uuid),
        email: &str,
        meta: &Meta,
    ) -> Result<Link> {
        let row = campaigns::find(self.log.pool(), Some(campaign), None).await?;
        let row = row.ok_or(AppError::NotFound)?;
        let to = (email.to_owned(), Locale::from_code(&row.locale));
        let candidate = row.candidate_name;
        let says = |token| Letter::Invitation { candidate, token };
        self.link((account, Some(campaign)), to, says, meta).await
    }

    /// What is to be shown of a link whose act is done. When it was done before, its letter is that of then; whoever
    /// asks again where mail reaches nobody gets a link of their own, if they may still give what it leads to.
    pub(in crate::app) async fn shown(
        &self,
        link: Link,
        done: Committed,
        by: &By,
        meta: &Meta,
    ) -> Result<Option<Token>> {
        if done.repeated && link.shown.is_some() {
            let again = Meta { command_id: Uuid::now_v7(), ..meta.clone() };
            match self.keep_once_more(&link, by, &again).await {
                // Whoever has taken the place since needs no link to it, nor does whoever is not to have it any more.
                Err(
                    AppError::NotFound
                    | AppError::Refused("identity.member.already" | "identity.admin.already", _),
                ) if !matches!(by, By::Member { .. }) => return Ok(None),
                kept => kept?,
            }
        }
        Ok(link.shown)
    }

    /// Keeps a link of an act that was done before: an act of its own, and on record as that, for the place may have
    /// been changed since.
    async fn keep_once_more(&self, link: &Link, by: &By, meta: &Meta) -> Result<()> {
        let Some(campaign) = link.campaign else {
            return self.ask_once_more((link.account, link), by, meta.clone()).await;
        };
        let judged = match by {
            By::Member { holder, .. } => self.may_renew((campaign, *holder), link.account).await?,
            By::Admin(_) | By::Anybody => Judged::unasked(by.clone()),
        };
        let change = (MemberChange::RenewInvitation, judged, Some(link));
        self.settle((campaign, link.account), change, meta).await?;
        Ok(())
    }
}

impl Act<'_> {
    /// Keeps a link, and the letter that brings it. Links from before end: they would lead to what the person is asked to
    /// be now, whoever has them.
    pub(in crate::app) async fn keep_link(&mut self, link: &Link) -> Result<()> {
        let at = self.at;
        // A letter that was written before keeps its own link.
        if self.letter(&link.letter).await? {
            let whose = (link.campaign, link.account);
            invitations::end_links(self.db(), whose, Links::All).await?;
            invitations::keep_invitation(self.db(), &link.mailed, &link.row(true), at).await?;
        }
        if let Some(shown) = &link.shown {
            invitations::keep_invitation(self.db(), shown, &link.row(false), at).await?;
        }
        Ok(())
    }
}
