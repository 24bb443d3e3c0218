//! Campaigns and their teams.

use std::time::Duration;

use identity_domain::{
    Campaign, CampaignCommand, CampaignProfile, CampaignRefusal, CampaignStatus, Member,
    MemberCommand, Profile, Role, slug,
};
use meydan_event_log::{Committed, ExecuteError, Meta, PLATFORM, Target};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    AppError, Identity, Result, email, member_of, name, profile_place, said_place, step, whom,
};
use crate::{
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
    };
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
        let key = super::slug_key(&slug);
        let target = Target { tenant: campaign, id: campaign };
        let command = CampaignCommand::Create { slug, profile, at: self.clock.now() };
        self.log.execute_with::<Campaign>(target, command, meta, &[key]).await?;
        let (token, invited) = self.ask_to_join(campaign, &owner, Role::Owner, meta).await?;
        self.reach(invited.position).await?;
        Ok((campaign, token, invited.position))
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
        let known = self.account_of(&who.email).await?;
        let account = match known {
            Some(account) => account,
            None => {
                let account = Uuid::new_v5(&meta.command_id, b"account");
                self.register(account, who, false, &step(meta, "register")).await?
            }
        };
        let target = Target { tenant: campaign, id: member_of(campaign, account) };
        let at = self.clock.now();
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let said = sealer.seal(&said_place(campaign, account), who);
        let command = MemberCommand::Invite { account_id: account, role, said, at };
        let invited = self.log.execute::<Member>(target, command, &step(meta, "invite")).await;
        let invited = match invited {
            Err(ExecuteError::Refused(refusal)) => return Err(refusal.into()),
            other => other?,
        };
        self.reach(invited.position).await?;
        Ok((self.invite(account, campaign, &who.email, meta).await?, invited))
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
        let command = CampaignCommand::ChangeStatus { to, at: self.clock.now() };
        let done = self.ask(campaign, command, meta).await?;
        if to != CampaignStatus::Active {
            self.end_looks((None, Some(campaign)), meta).await?;
        }
        Ok(done)
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

    /// Deletes a campaign whose time has come. One that was kept meanwhile is left alone.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn delete_campaign(&self, campaign: Uuid, meta: &Meta) -> Result<()> {
        let command = CampaignCommand::Delete { at: self.clock.now() };
        match self.ask(campaign, command, meta).await {
            Ok(_) | Err(AppError::Refused("identity.campaign.not_due", _)) => Ok(()),
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
    /// the member would give what they do not hold.
    pub async fn invite_member(
        &self,
        (campaign, by): (Uuid, Option<Uuid>),
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
        self.actor(campaign, by).await?.may_invite(role)?;
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
