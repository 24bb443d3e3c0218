//! Second factors that owners demand of everybody who works in their campaign.
//!
//! What a page may show follows from the tables, which gateways are told of; what changes a team is judged by
//! the log itself, so that nobody acts in the moment between.

use identity_domain::{Campaign, CampaignCommand, Member, MemberRefusal};
use meydan_event_log::{Committed, Meta, Target};
use uuid::Uuid;

use super::{AppError, Identity, Result, certain::By};
use crate::{factors, projections::campaigns};

impl Identity {
    /// Demands a second factor of everybody who works in a campaign, or not any more. Only an owner does, who
    /// has one and has proved it a moment ago.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`; `identity.member.owners_only`; `identity.factor.none` of an owner without one.
    pub async fn demand_factor(
        &self,
        (campaign, by, session): (Uuid, Uuid, Uuid),
        demanded: bool,
        meta: &Meta,
    ) -> Result<Committed> {
        let place = self.actor(campaign, by).await?;
        if !place.is_owner() {
            return Err(MemberRefusal::OwnersOnly.into());
        }
        self.fresh((by, session)).await?;
        if !factors::has(self.log.pool(), by).await? {
            return Err(AppError::Refused("identity.factor.none", "add an authenticator first"));
        }
        let command = CampaignCommand::DemandFactor { demanded, at: self.clock.now() };
        // Whoever lacks it could do nothing any more, and nobody looks as them.
        let by = By::Member { campaign, holder: (by, session), place };
        let done = self.change_campaign((campaign, &by), command, demanded, meta).await?;
        self.show(done.position).await;
        Ok(done)
    }

    /// The place of somebody who acts in a campaign, as the log has it this moment.
    ///
    /// # Errors
    ///
    /// `identity.factor.needed` of somebody who lacks what the campaign demands; `identity.codes.needed` of somebody
    /// whose last recovery code was used.
    pub(super) async fn actor(&self, campaign: Uuid, account: Uuid) -> Result<Member> {
        let target = Target { tenant: campaign, id: campaign };
        let demanded = self.log.load::<Campaign>(target).await?.aggregate.demands_factor();
        if self.lacks(demanded, account).await? {
            return Err(factor_needed());
        }
        if self.has_used_up(account).await? {
            return Err(AppError::Refused(
                "identity.codes.needed",
                "new recovery codes are needed",
            ));
        }
        self.place(campaign, account).await
    }

    /// Whether an account with a second factor has no recovery code left.
    async fn has_used_up(&self, account: Uuid) -> Result<bool> {
        Ok(factors::has(self.log.pool(), account).await? && self.lacks_codes(account).await?)
    }

    /// Whether an account has no recovery code.
    pub(super) async fn lacks_codes(&self, account: Uuid) -> Result<bool> {
        Ok(factors::codes_left(self.log.pool(), account).await? == 0)
    }

    /// Whether an account has no second factor where one is demanded.
    pub(super) async fn lacks(&self, demanded: bool, account: Uuid) -> Result<bool> {
        Ok(demanded && !factors::has(self.log.pool(), account).await?)
    }

    /// Whether a campaign demands a second factor of its team.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn demands_factor(&self, campaign: Uuid) -> Result<bool> {
        let found = campaigns::find(self.log.pool(), Some(campaign), None).await?;
        Ok(found.is_some_and(|campaign| campaign.factor_demanded))
    }
}

/// Said where somebody, or whoever made a key, lacks the second factor that a campaign demands.
pub(super) const fn factor_needed() -> AppError {
    AppError::Refused("identity.factor.needed", "a second factor is needed")
}
