//! The rules of identity: accounts, campaigns, members, and what each role may do. Pure: its manifest is the
//! proof.

pub mod account;
pub mod api_key;
pub mod campaign;
pub mod member;
pub mod network;
pub mod permissions;
pub mod team;

pub use self::{
    account::{
        Account, AccountCommand, AccountEvent, AccountRefusal, Origin, Preferences, Profile, Proof,
    },
    api_key::{ApiKey, ApiKeyCommand, ApiKeyEvent, ApiKeyRefusal},
    campaign::{
        Campaign, CampaignCommand, CampaignEvent, CampaignProfile, CampaignRefusal, CampaignStatus,
        slug,
    },
    member::{Member, MemberChange, MemberCommand, MemberEvent, MemberRefusal, effective},
    network::{Network, NetworkCommand, NetworkEvent},
    permissions::{CATALOGUE, Permission, Role, permission_named},
    team::{Team, TeamCommand, TeamEvent, TeamRefusal},
};
