//! What has to be certain before somebody may do something: that what the tables say of them is what the log has, and,
//! while they change somebody else, that they still are what they were judged as.

use cqrs_es::Aggregate as _;
use identity_domain::{Account, AccountCommand, Campaign, Member, MemberCommand};
use meydan_event_log::{Meta, PLATFORM, Projection as _, Target};
use uuid::Uuid;

use super::{AppError, Identity, PATIENCE, Result, acts::Act, member_of};
use crate::projections::{Directory, members};

/// On whose word somebody else is changed.
#[derive(Debug, Clone)]
pub(super) enum By {
    /// A member's.
    Member {
        /// In which campaign.
        campaign: Uuid,
        /// Their account, and the session with which they ask.
        holder: (Uuid, Uuid),
        /// The place by which they were judged.
        place: Member,
    },
    /// An admin's: their account and session.
    Admin((Uuid, Uuid)),
    /// That of whoever it is about, or of a service: they are judged by nobody's place.
    Anybody,
}

impl Identity {
    /// Begins an act on accounts, or on a campaign alone, that others have asked for. Whoever waits for it may be
    /// dismissed meanwhile: then nothing comes of it.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when the session with which it is asked has ended.
    pub(super) async fn act_on(&self, accounts: &[Uuid], by: &By, meta: Meta) -> Result<Act<'_>> {
        let holder = match by {
            By::Member { holder, .. } | By::Admin(holder) => *holder,
            By::Anybody => return self.act(meta, accounts).await,
        };
        let mut act = self.act(meta, &[&[holder.0][..], accounts].concat()).await?;
        act.confirmed(holder, None).await?;
        match by {
            By::Member { campaign, place, .. } => {
                let target = Target { tenant: *campaign, id: member_of(*campaign, holder.0) };
                act.ask::<Member>(target, MemberCommand::Stand { judged: place.clone() });
            }
            By::Admin(_) => {
                let target = Target { tenant: PLATFORM, id: holder.0 };
                act.ask::<Account>(target, AccountCommand::StandAsAdmin);
            }
            By::Anybody => {}
        }
        Ok(act)
    }

    /// Waits until the tables show all that has happened to an account, to its places and to the campaigns where they
    /// are: nobody opens anything by what they no longer are. Nor does anybody whose account or place the tables cannot
    /// go on with; with a campaign of which that is so, people go on as they were.
    ///
    /// # Errors
    ///
    /// [`AppError::Unavailable`] when that takes too long.
    pub(super) async fn settled(&self, account: Uuid) -> Result<()> {
        let campaigns = members::campaigns_of(self.log.pool(), account).await?;
        let places = campaigns.into_iter().flat_map(|campaign| {
            let target = |id| Target { tenant: campaign, id };
            let place = target(member_of(campaign, account));
            [(Member::TYPE, place), (Campaign::TYPE, target(campaign))]
        });
        let own = (Account::TYPE, Target { tenant: PLATFORM, id: account });
        let all = places.chain([own]).collect::<Vec<_>>();
        let mut seen = self.log.seen_by(Directory::NAME, &all).await?;
        let last = seen.last;
        // While the reader tries again after a failure, its tables are what they were: the log is asked, not the reader.
        // What happens after the question is not waited for: somebody at work would never be let in.
        if seen.read < last {
            self.directory.wait_for(last, PATIENCE).await;
            seen = self.log.seen_by(Directory::NAME, &all).await?;
        }
        let stands = seen.parked.iter().any(|kind| kind != Campaign::TYPE);
        if stands || seen.read < last {
            return Err(AppError::Unavailable("the read model is behind".to_owned()));
        }
        Ok(())
    }
}
