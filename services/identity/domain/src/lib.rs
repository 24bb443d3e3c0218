//! The rules of identity: accounts, campaigns, members, and what each role may do. Pure: its manifest is the
//! proof.

pub mod account;
pub mod campaign;
pub mod member;
pub mod permissions;

pub use self::{
    account::{Account, AccountCommand, AccountEvent, AccountRefusal, Origin, Profile, Proof},
    campaign::{
        Campaign, CampaignCommand, CampaignEvent, CampaignProfile, CampaignRefusal, CampaignStatus,
        slug,
    },
    member::{Member, MemberCommand, MemberEvent, MemberRefusal},
    permissions::Role,
};
