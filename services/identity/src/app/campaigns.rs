//! Campaigns and their teams.

use std::time::Duration;

use identity_domain::{
    Campaign, CampaignCommand, CampaignProfile, CampaignRefusal, CampaignStatus, Member,
    MemberCommand, Profile, Role, region, slug,
};
use meydan_event_log::{Committed, ExecuteError, Meta, PLATFORM, Target};
use meydan_keyring::Sealed;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    AppError, Identity, Result,
    acts::{Act, Looks},
    email,
    invitations::AskedOne,
    member_of, name,
    places::refused,
    profile_place, said_place, step, whom,
};
use crate::{
    invitations,
    letters::{Letter, Locale},
    projections::{
        accounts,
        campaigns::{self, CampaignRow},
    },
    tokens::Token,
};

/// How long a member waits for an answer to an invitation, at least. An address without an account has one made,
/// which takes longer, and by that nobody may tell which addresses are known.
const ASKING: Duration = Duration::from_millis(250);

/// A campaign to be created.
#[derive(Debug, Clone)]
pub struct NewCampaign {
    /// Its name in addresses.
    pub slug: String,
    /// Who stands for what.
    pub profile: CampaignProfile,
    /// Who owns it.
    pub owner: Profile,
}

/// The fields of a campaign's profile that are wrong.
fn checked(profile: &CampaignProfile) -> (CampaignProfile, Vec<(&'static str, String)>) {
    let mut wrong = Vec::new();
    let mut field = |field, text: &str| {
        name(text).map_err(|problem| wrong.push((field, problem.to_owned()))).unwrap_or_default()
    };
    let checked = CampaignProfile {
        candidate_name: field("candidate_name", &profile.candidate_name),
        office: field("office", &profile.office),
        constituency: field("constituency", &profile.constituency),
        locale: profile.locale.clone(),
        home_region: region(&profile.home_region).unwrap_or_default(),
    };
    if let Err(problem) = region(&profile.home_region) {
        wrong.push(("home_region", problem.to_owned()));
    }
    if !matches!(profile.locale.as_str(), "fa" | "en") {
        wrong.push(("locale", "must be fa or en".to_owned()));
    }
    (checked, wrong)
}

impl From<CampaignRefusal> for AppError {
    fn from(refusal: CampaignRefusal) -> Self {
        match refusal {
            CampaignRefusal::NotCreated => Self::NotFound,
            CampaignRefusal::IllegalMove => {
                Self::Refused("identity.campaign.move", "it cannot be moved there from here")
            }
            CampaignRefusal::BeingDeleted => {
                Self::Refused("identity.campaign.leaving", "it is being deleted")
            }
            CampaignRefusal::Running => {
                Self::Refused("identity.campaign.running", "it must be stopped first")
            }
            CampaignRefusal::NotDue => {
                Self::Refused("identity.campaign.not_due", "its deletion is not due")
            }
        }
    }
}

impl Identity {
    /// Creates a campaign with its owner. The token is the owner's one-time link, where mail does not bring it. Sent
    /// again under the same command, it makes no second campaign.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; `identity.key_taken` when the name in addresses is another campaign's.
    pub async fn create_campaign(
        &self,
        new: &NewCampaign,
        meta: &Meta,
    ) -> Result<(Uuid, Option<Token>, i64)> {
        let (profile, mut wrong) = checked(&new.profile);
        let mut field = |field, value: std::result::Result<String, &'static str>| {
            value.map_err(|problem| wrong.push((field, problem.to_owned()))).unwrap_or_default()
        };
        let slug = field("slug", slug(new.slug.trim()));
        let owner = Profile {
            email: field("owner_email", email(&new.owner.email)),
            display_name: field("owner_name", name(&new.owner.display_name)),
        };
        if !wrong.is_empty() {
            return Err(AppError::Malformed(wrong));
        }
        let campaign = Uuid::new_v5(&meta.command_id, b"campaign");
        self.may_write(campaign, &owner.email).await?;
        let newcomer = self.asked(&owner, meta).await?;
        let to = (owner.email.clone(), Locale::from_code(&profile.locale));
        let candidate = profile.candidate_name.clone();
        let says = |token| Letter::Invitation { candidate, token };
        let link = self.link((newcomer.account, Some(campaign)), to, says, meta).await?;
        let said = self.said_by(&owner, (campaign, newcomer.account)).await?;
        let mut act = self.act(meta.clone(), &[newcomer.account]).await?;
        let (key, at) = (super::slug_key(&slug), act.at);
        let command = CampaignCommand::Create { slug, profile, at };
        act.ask_with::<Campaign>(Target { tenant: campaign, id: campaign }, command, key, None);
        act.invite(campaign, newcomer, (Role::Owner, said));
        act.keep_link(&link).await?;
        let created = act.done().await.map_err(refused)?;
        self.show(created.position).await;
        Ok((campaign, self.shown(link, created).await?, created.position))
    }

    /// Asks somebody to join a team, making their account when they have none. Known or not, they get a link
    /// and join by it alone: who set the password of an address is not proof that its holder wants to be here.
    async fn ask_to_join(
        &self,
        campaign: Uuid,
        who: &Profile,
        role: Role,
        meta: &Meta,
    ) -> Result<(Option<Token>, Committed)> {
        self.may_write(campaign, &who.email).await?;
        let newcomer = self.asked(who, meta).await?;
        let link = self.link_into((campaign, newcomer.account), &who.email, meta).await?;
        let said = self.said_by(who, (campaign, newcomer.account)).await?;
        let mut act = self.act(step(meta, "invite"), &[newcomer.account]).await?;
        act.invite(campaign, newcomer, (role, said));
        act.keep_link(&link).await?;
        let invited = act.done().await.map_err(refused)?;
        self.show(invited.position).await;
        Ok((self.shown(link, invited).await?, invited))
    }

    /// What an inviter says of somebody, sealed.
    async fn said_by(
        &self,
        who: &Profile,
        (campaign, account): (Uuid, Uuid),
    ) -> Result<Sealed<Profile>> {
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        Ok(sealer.seal(&said_place(campaign, account), who))
    }

    /// Corrects what a campaign says of itself.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn edit_campaign(
        &self,
        campaign: Uuid,
        profile: &CampaignProfile,
        meta: &Meta,
    ) -> Result<Committed> {
        let (profile, wrong) = checked(profile);
        if !wrong.is_empty() {
            return Err(AppError::Malformed(wrong));
        }
        let command = CampaignCommand::Edit { profile, at: self.clock.now() };
        self.ask(campaign, command, meta).await
    }

    /// Suspends, archives or resumes a campaign.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn change_campaign_status(
        &self,
        campaign: Uuid,
        to: CampaignStatus,
        meta: &Meta,
    ) -> Result<Committed> {
        let looks = (to != CampaignStatus::Active).then_some(campaign);
        let command = CampaignCommand::ChangeStatus { to, at: self.clock.now() };
        self.ask_and_end_looks(campaign, command, looks, meta).await
    }

    /// Changes a campaign, and ends the looks at it if that ends them.
    pub(super) async fn ask_and_end_looks(
        &self,
        campaign: Uuid,
        command: CampaignCommand,
        looks: Option<Uuid>,
        meta: &Meta,
    ) -> Result<Committed> {
        let mut act = self.act(meta.clone(), &[]).await?;
        act.ask::<Campaign>(Target { tenant: campaign, id: campaign }, command);
        if looks.is_some() {
            act.end_looks(Looks { campaign: looks, ..Looks::default() }).await?;
        }
        act.done().await.map_err(refused)
    }

    /// Has a campaign deleted when its time has come.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; `identity.campaign.running` while people work in it.
    pub async fn request_deletion(&self, campaign: Uuid, meta: &Meta) -> Result<Committed> {
        self.ask(campaign, CampaignCommand::RequestDeletion { at: self.clock.now() }, meta).await
    }

    /// Keeps a campaign that was to be deleted.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn withdraw_deletion(&self, campaign: Uuid, meta: &Meta) -> Result<Committed> {
        self.ask(campaign, CampaignCommand::WithdrawDeletion { at: self.clock.now() }, meta).await
    }

    /// Deletes a campaign whose time has come, with the links into it. One that was kept meanwhile is left alone.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn delete_campaign(&self, campaign: Uuid, meta: &Meta) -> Result<()> {
        let command = CampaignCommand::Delete { at: self.clock.now() };
        match self.ask(campaign, command, meta).await {
            Ok(_) => Ok(invitations::remove_all(self.log.pool(), campaign).await?),
            Err(AppError::Refused("identity.campaign.not_due", _)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn ask(
        &self,
        campaign: Uuid,
        command: CampaignCommand,
        meta: &Meta,
    ) -> Result<Committed> {
        let target = Target { tenant: campaign, id: campaign };
        match self.log.execute::<Campaign>(target, command, meta).await {
            Err(ExecuteError::Refused(refusal)) => Err(refusal.into()),
            other => Ok(other?),
        }
    }

    /// All campaigns, newest first.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn campaigns(&self, min_position: i64) -> Result<Vec<CampaignRow>> {
        self.reach(min_position).await?;
        Ok(campaigns::all(self.log.pool()).await?)
    }

    /// One campaign.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn campaign(
        &self,
        id: Option<Uuid>,
        slug: Option<&str>,
        min_position: i64,
    ) -> Result<CampaignRow> {
        self.reach(min_position).await?;
        let found = campaigns::find(self.log.pool(), id, slug).await?;
        found.ok_or(AppError::NotFound)
    }

    /// Asks somebody to join a campaign's team, on behalf of a member or of a service.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; `identity.member.already` for somebody who is in it, `identity.member.not_held` when
    /// the member would give what they do not hold; `identity.member.owners_only` for somebody who is asked to own the
    /// campaign, unless an owner asks; `identity.proof.needed` to ask for an owner.
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
        let Some(by) = by else {
            return self.ask_to_join(campaign, &who, role, meta).await;
        };
        let answered_at = Instant::now() + ASKING;
        // Nobody has the nil id: an unknown address asks as much.
        let asked = self.account_of(&who.email).await?.unwrap_or_default();
        let before = self.place(campaign, asked).await?;
        self.actor(campaign, by.0).await?.may_invite(&before, role)?;
        if role == Role::Owner {
            self.fresh(by).await?;
        }
        let asked = self.ask_to_join(campaign, &who, role, meta).await;
        tokio::time::sleep_until(answered_at).await;
        asked
    }

    /// What people are called, by their accounts; nothing where their keys are destroyed.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn names(&self, accounts: &[Uuid]) -> Result<Vec<(Uuid, String)>> {
        let mut names = Vec::with_capacity(accounts.len());
        for (account, sealed) in accounts::profiles(self.log.pool(), accounts).await? {
            let profile: Option<Profile> = self.revealed(&sealed, &profile_place(account)).await?;
            names.push((account, profile.map(|known| known.display_name).unwrap_or_default()));
        }
        Ok(names)
    }
}

impl Act<'_> {
    /// Asks somebody to join a team.
    fn invite(&mut self, campaign: Uuid, who: AskedOne, (role, said): (Role, Sealed<Profile>)) {
        let AskedOne { account, begins } = who;
        if let Some(newcomer) = begins {
            self.register(newcomer, None);
        }
        let command = MemberCommand::Invite { account_id: account, role, said, at: self.at };
        let target = Target { tenant: campaign, id: member_of(campaign, account) };
        self.ask::<Member>(target, command);
    }
}
