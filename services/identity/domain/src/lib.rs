//! The rules of identity: accounts, campaigns, members, and what each role may do. Pure: its manifest is the
//! proof.

pub mod account;
pub mod api_key;
pub mod campaign;
pub mod member;
pub mod network;
pub mod operation;
pub mod permissions;
pub mod record;
pub mod region;
pub mod team;

pub use self::{
    account::{
        Account, AccountCommand, AccountEvent, AccountRefusal, LONGEST_EMAIL, LONGEST_NAME, Origin,
        Preferences, Profile, Proof,
    },
    api_key::{ApiKey, ApiKeyCommand, ApiKeyEvent, ApiKeyRefusal, RevokedBecause},
    campaign::{
        Campaign, CampaignCommand, CampaignEvent, CampaignProfile, CampaignRefusal, CampaignStatus,
        slug,
    },
    member::{Member, MemberChange, MemberCommand, MemberEvent, MemberRefusal, effective},
    network::{Network, NetworkCommand, NetworkEvent},
    operation::{Operation, OperationEvent},
    permissions::{CATALOGUE, Permission, Role, permission_named},
    record::{Record, RecordCommand, RecordEvent},
    region::{region, region_names},
    team::{Team, TeamCommand, TeamEvent, TeamRefusal},
};
