//! Campaigns: created with an owner, edited, moved and deleted.

use identity_domain::{
    Campaign, CampaignCommand, CampaignProfile, CampaignRefusal, CampaignStatus, Profile, Role,
    region, slug,
};
use meydan_event_log::{Committed, Meta, Target};
use uuid::Uuid;

use super::{
    AppError, Identity, Result,
    acts::Looks,
    certain::By,
    email,
    invitations::{AskedOne, Link},
    name,
    places::refused,
    profile_place,
};
use crate::{
    invitations,
    letters::{Letter, Locale},
    projections::{
        accounts,
        campaigns::{self, CampaignRow},
        members,
    },
    tokens::Token,
};

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
    /// Creates a campaign with its owner, on behalf of an admin or of a service. The token is the owner's one-time
    /// link, where mail does not bring it. Sent again under the same command, it makes no second campaign.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; `identity.key_taken` when the name in addresses is another campaign's.
    pub async fn create_campaign(
        &self,
        by: Option<(Uuid, Uuid)>,
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
        let by = by.map_or(By::Anybody, By::Admin);
        let named = (campaign, slug.as_str());
        let found = |asked| self.found((named, &by), &profile, (&owner, asked), meta);
        let (link, created) = self.once_begun(&owner, meta, found).await?;
        self.show(created.position).await;
        Ok((campaign, self.shown(link, created, &by, meta).await?, created.position))
    }

    /// Creates a campaign with an owner who is known, or about to begin.
    async fn found(
        &self,
        ((campaign, slug), by): ((Uuid, &str), &By),
        profile: &CampaignProfile,
        (owner, asked): (&Profile, AskedOne),
        meta: &Meta,
    ) -> Result<(Link, Committed)> {
        let to = (owner.email.clone(), Locale::from_code(&profile.locale));
        let candidate = profile.candidate_name.clone();
        let says = |token| Letter::Invitation { candidate, token };
        let link = self.link((asked.account, Some(campaign)), to, says, meta).await?;
        let said = self.said_by(owner, (campaign, asked.account)).await?;
        let mut act = self.act_on(&[asked.account], by, meta.clone()).await?;
        let (key, at) = (super::slug_key(slug), act.at);
        let command =
            CampaignCommand::Create { slug: slug.to_owned(), profile: profile.clone(), at };
        act.ask_with::<Campaign>(Target { tenant: campaign, id: campaign }, command, key, None);
        act.invite(campaign, asked, (Role::Owner, None), said);
        act.keep_link(&link).await?;
        let created = act.done().await.map_err(refused)?;
        Ok((link, created))
    }

    /// Corrects what a campaign says of itself, on behalf of an admin.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn edit_campaign(
        &self,
        by: (Uuid, Uuid),
        campaign: Uuid,
        profile: &CampaignProfile,
        meta: &Meta,
    ) -> Result<Committed> {
        let (profile, wrong) = checked(profile);
        if !wrong.is_empty() {
            return Err(AppError::Malformed(wrong));
        }
        let command = CampaignCommand::Edit { profile, at: self.clock.now() };
        self.change_campaign((campaign, &By::Admin(by)), command, false, meta).await
    }

    /// Suspends, archives or resumes a campaign, on behalf of an admin.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn change_campaign_status(
        &self,
        by: (Uuid, Uuid),
        campaign: Uuid,
        to: CampaignStatus,
        meta: &Meta,
    ) -> Result<Committed> {
        let command = CampaignCommand::ChangeStatus { to, at: self.clock.now() };
        let ends_looks = to != CampaignStatus::Active;
        self.change_campaign((campaign, &By::Admin(by)), command, ends_looks, meta).await
    }

    /// Changes a campaign, and ends the looks at it if that ends them.
    pub(super) async fn change_campaign(
        &self,
        (campaign, by): (Uuid, &By),
        command: CampaignCommand,
        ends_looks: bool,
        meta: &Meta,
    ) -> Result<Committed> {
        let mut act = self.act_on(&[], by, meta.clone()).await?;
        act.ask::<Campaign>(Target { tenant: campaign, id: campaign }, command);
        if ends_looks {
            act.end_looks(Looks { campaign: Some(campaign), ..Looks::default() }).await?;
        }
        act.done().await.map_err(refused)
    }

    /// Has a campaign deleted when its time has come, on behalf of an admin.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; `identity.campaign.running` while people work in it.
    pub async fn request_deletion(
        &self,
        by: (Uuid, Uuid),
        campaign: Uuid,
        meta: &Meta,
    ) -> Result<Committed> {
        let command = CampaignCommand::RequestDeletion { at: self.clock.now() };
        self.change_campaign((campaign, &By::Admin(by)), command, false, meta).await
    }

    /// Keeps a campaign that was to be deleted, on behalf of an admin.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn withdraw_deletion(
        &self,
        by: (Uuid, Uuid),
        campaign: Uuid,
        meta: &Meta,
    ) -> Result<Committed> {
        let command = CampaignCommand::WithdrawDeletion { at: self.clock.now() };
        self.change_campaign((campaign, &By::Admin(by)), command, false, meta).await
    }

    /// Deletes a campaign whose time has come, with the links into it. One that was kept meanwhile is left alone.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn delete_campaign(&self, campaign: Uuid, meta: &Meta) -> Result<()> {
        let command = CampaignCommand::Delete { at: self.clock.now() };
        match self.change_campaign((campaign, &By::Anybody), command, false, meta).await {
            Ok(_) => Ok(invitations::remove_all(self.log.pool(), campaign).await?),
            Err(AppError::Refused("identity.campaign.not_due", _)) => Ok(()),
            Err(error) => Err(error),
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

    /// The accounts that are asked to own a campaign and have not come yet.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn invited_owners(&self, campaign: Uuid) -> Result<Vec<Uuid>> {
        let mut asked = members::of_campaign(self.log.pool(), campaign).await?;
        asked.retain(|member| {
            member.joined_at.is_none() && Role::named(&member.role) == Some(Role::Owner)
        });
        Ok(asked.into_iter().map(|member| member.account_id).collect())
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
